-- Secrets: in Supabase Vault where there is one, else encrypted with a key that the database does not keep.

create function private.has_vault()
returns boolean language sql stable set search_path = '' as $$
  select to_regclass('vault.decrypted_secrets') is not null
$$;

create function private.secrets_key()
returns text language plpgsql stable set search_path = '' as $$
declare
  v_key text := coalesce(
    nullif(nullif(current_setting('request.headers', true), '')::jsonb ->> 'x-takt-secrets-key', ''),
    nullif(current_setting('takt.secrets_key', true), ''));
begin
  if v_key is null then
    perform private.fail(412, 'channels.no_key', 'The key for shop secrets is missing. Set TAKT_SECRETS_KEY for this service and try again.');
  end if;
  return v_key;
end $$;
comment on function private.secrets_key is
  'Key of shop secrets: header x-takt-secrets-key, else setting takt.secrets_key. Errors: channels.no_key (412).';

create function private.put_secret(p_store text, p_kind text, p_secret text)
returns void language plpgsql set search_path = '' as $$
declare
  v_vault_id uuid;
begin
  if private.has_vault() then
    execute 'select vault.create_secret($1)' into v_vault_id using p_secret;
  end if;
  insert into private.shop_secrets (store, kind, slot, vault_id, ciphertext)
  values (p_store, p_kind, 1, v_vault_id, case when v_vault_id is null
    then extensions.pgp_sym_encrypt(p_secret, private.secrets_key(), 'cipher-algo=aes256') end);
end $$;

create function private.drop_secret(p_store text, p_kind text, p_slot integer)
returns void language plpgsql set search_path = '' as $$
declare
  v_vault_id uuid;
begin
  delete from private.shop_secrets s where s.store = p_store and s.kind = p_kind and s.slot = p_slot returning s.vault_id into v_vault_id;
  if v_vault_id is not null then
    execute 'delete from vault.secrets where id = $1' using v_vault_id;
  end if;
end $$;

create function private.read_secret(p_secret private.shop_secrets)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_secret text;
begin
  if p_secret.vault_id is not null then
    execute 'select decrypted_secret from vault.decrypted_secrets where id = $1' into v_secret using p_secret.vault_id;
    return v_secret;
  end if;
  return extensions.pgp_sym_decrypt(p_secret.ciphertext, private.secrets_key());
exception when external_routine_invocation_exception then
  perform private.fail(412, 'channels.wrong_key', 'The shop secret was encrypted with another key. Use that key, or set the secret again.');
  return null;
end $$;
comment on function private.read_secret is 'The plain secret. Errors: channels.no_key (412), channels.wrong_key (412).';

create function private.try_secret(p_secret private.shop_secrets)
returns text language plpgsql stable set search_path = '' as $$
begin
  return private.read_secret(p_secret);
exception when sqlstate 'PT412' then
  return null;
end $$;
comment on function private.try_secret is 'The plain secret; null when our key does not open it (a database from another server).';

create function private.valid_secrets(p_store text, p_kind text)
returns setof text language plpgsql stable set search_path = '' as $$
declare
  v_secret private.shop_secrets;
  v_plain text;
begin
  for v_secret in select s.* from private.shop_secrets s
    where s.store = p_store and s.kind = p_kind and s.not_before <= now() and (s.not_after is null or s.not_after > now()) order by s.slot
  loop
    v_plain := private.try_secret(v_secret);
    return query select v_plain where v_plain is not null;
  end loop;
  if v_plain is null and v_secret.store is not null then
    perform private.read_secret(v_secret);   -- says which key is missing, unless another slot could be read
  end if;
end $$;
comment on function private.valid_secrets is
  'Every secret that is valid now and that our key opens. Errors, when the last of them cannot be read: channels.no_key, channels.wrong_key (412).';

-- Signatures -------------------------------------------------------------------------------------------------------

create function private.same_bytes(p_a text, p_b text)
returns boolean language plpgsql volatile set search_path = '' as $$
declare
  v_salt bytea := extensions.gen_random_bytes(32);   -- of this call only: timing tells nothing about p_a or p_b
begin
  return extensions.hmac(convert_to(p_a, 'UTF8'), v_salt, 'sha256') = extensions.hmac(convert_to(p_b, 'UTF8'), v_salt, 'sha256');
end $$;
comment on function private.same_bytes is 'Equality in constant time.';

create function private.is_signed(p_format private.webhook_formats, p_secret text, p_headers jsonb, p_raw bytea)
returns boolean language plpgsql volatile set search_path = '' as $$
declare
  v_given text := p_headers ->> p_format.signature_header;
  v_at text := p_headers ->> p_format.triggered_header;
  v_key bytea := convert_to(p_secret, 'UTF8');
  v_signed bytea := p_raw;
begin
  if p_format.scheme = 'standard' then
    if p_secret like 'whsec\_%' then
      v_key := decode(substr(p_secret, 7), 'base64');
    end if;
    v_signed := convert_to(concat(p_headers ->> p_format.delivery_header, '.', v_at, '.'), 'UTF8') || p_raw;
  end if;
  if p_format.tolerance is not null then
    if v_at is null or v_at !~ '^\d{1,12}$' then
      return false;
    elsif abs(extract(epoch from now()) - v_at::bigint) > extract(epoch from p_format.tolerance) then
      return false;
    end if;
  end if;
  return exists (
    select 1 from regexp_split_to_table(v_given, case when p_format.scheme = 'standard' then ' ' else '^$' end) g
     where private.same_bytes(
       case when p_format.scheme = 'standard' then substr(g, 4) when p_format.scheme = 'hex' then lower(g) else g end,
       encode(extensions.hmac(v_signed, v_key, 'sha256'), case p_format.scheme when 'hex' then 'hex' else 'base64' end)));
end $$;
comment on function private.is_signed is 'True when the delivery carries the signature that this secret makes over its raw bytes.';

create function private.verify_webhook(p_source text, p_store text, p_headers jsonb, p_raw bytea)
returns private.webhook_formats language sql volatile set search_path = '' as $$
  select f from private.webhook_formats f, private.valid_secrets(p_store, 'webhook') s
   where f.source = p_source and p_headers ? f.signature_header and private.is_signed(f, s, p_headers, p_raw)
   order by f.name limit 1
$$;
comment on function private.verify_webhook is 'The format in which a valid secret of the store signed this delivery; null = not signed by the shop.';
