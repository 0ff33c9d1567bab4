create type public.label_template_row as (
  code text, label_type text, name text, media text, site text, is_default boolean, width_mm numeric, height_mm numeric,
  active_version_id bigint, active_version integer, newest_version_id bigint, newest_version integer, newest_status text, newest_is_proved boolean);
comment on type public.label_template_row is 'A template with the version that prints and the newest one; size is that of the newest.';

create function public.list_label_templates(p_label_type text default null)
returns setof public.label_template_row language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('printing.read');
  return query
    select t.code, t.label_type, t.name, t.media, t.site, t.is_default, newest.width_mm, newest.height_mm, active.id, active.version,
           newest.id, newest.version, newest.status, private.is_proved(newest)
      from public.label_templates t
      join lateral (select v.* from public.label_template_versions v where v.template = t.code order by v.version desc limit 1) newest on true
      left join public.label_template_versions active on active.template = t.code and active.status = 'active'
     where t.label_type = coalesce(p_label_type, t.label_type)
     order by t.label_type, t.is_default desc, t.code;
end $$;
comment on function public.list_label_templates is
$$All label templates, or those of one label type.
Permission: printing.read.
Errors: none of its own.
Idempotency: a read.
Locks: none.$$;

create function public.get_label_template(p_code text)
returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
  v_template public.label_templates;
begin
  perform private.authorize('printing.read');
  v_template := private.find_label_template(p_code);
  return to_jsonb(v_template) || jsonb_build_object('versions', (
    select jsonb_agg(to_jsonb(v) || jsonb_build_object('is_proved', private.is_proved(v), 'variables', private.fields_variables(v.fields),
        'proofs', (select coalesce(jsonb_agg(to_jsonb(p) order by p.id desc), '[]') from public.label_proofs p where p.version_id = v.id)) order by v.version desc)
      from public.label_template_versions v where v.template = v_template.code));
end $$;
comment on function public.get_label_template is
$$One template: its row, and versions (newest first), each with is_proved, variables and proofs (newest first).
Permission: printing.read.
Errors: label.unknown_template (404).
Idempotency: a read.
Locks: none.$$;

create function private.find_label_template(p_code text)
returns public.label_templates language plpgsql set search_path = '' as $$
declare
  v_template public.label_templates;
begin
  select t.* into v_template from public.label_templates t where t.code = p_code;
  if v_template.code is null then
    perform private.fail(404, 'label.unknown_template', format('There is no template %s.', p_code), jsonb_build_object('template', p_code));
  end if;
  return v_template;
end $$;

create function private.fields_variables(p_fields jsonb)
returns text[] language plpgsql immutable set search_path = '' as $$
begin
  return array(select distinct v from jsonb_array_elements(p_fields) f, unnest(private.label_variables(f ->> 'value')) v order by 1);
end $$;
comment on function private.fields_variables is 'Names of all variables that a template shows.';

create function private.save_label_version(
  p_template public.label_templates, p_width_mm numeric, p_height_mm numeric, p_fields jsonb, p_actor uuid)
returns public.label_template_versions language plpgsql set search_path = '' as $$
declare
  v_hash text;
  v_version public.label_template_versions;
begin
  perform private.check_label(p_fields, p_width_mm, p_height_mm);
  v_hash := private.label_hash(p_fields, p_width_mm, p_height_mm);
  select v.* into v_version from public.label_template_versions v where v.template = p_template.code order by v.version desc limit 1;
  if v_version.content_hash = v_hash and v_version.status <> 'retired' then
    return v_version;
  end if;
  insert into public.label_template_versions (template, version, width_mm, height_mm, fields, content_hash, created_by)
  values (p_template.code, coalesce(v_version.version, 0) + 1, p_width_mm, p_height_mm, p_fields, v_hash,
    nullif(p_actor, '00000000-0000-0000-0000-000000000000')) returning * into v_version;
  return v_version;
end $$;
comment on function private.save_label_version is
  'The newest version when it says the same, else a new draft. The template row is locked. Errors: label.bad_template (422).';

create function public.save_label_template(
  p_code text, p_label_type text, p_name text, p_media text, p_width_mm numeric, p_height_mm numeric, p_fields jsonb,
  p_site text default null, p_request_id uuid default null)
returns public.label_template_versions language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('labels.manage', p_site => p_site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_label_template',
    jsonb_build_array(p_code, p_label_type, p_name, p_media, p_width_mm, p_height_mm, p_fields, p_site));
  v_template public.label_templates;
  v_version public.label_template_versions;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.label_template_versions, v_answer);
  end if;
  insert into public.label_templates (code, label_type, name, media, site, is_default)
  values (p_code, p_label_type, p_name, p_media, p_site, false)
  on conflict on constraint label_templates_pkey do nothing;
  select t.* into v_template from public.label_templates t where t.code = p_code for update;
  if v_template.label_type <> p_label_type or v_template.site is distinct from p_site then
    perform private.fail(409, 'label.other_template', format('%s is a template for %s labels of %s. Choose another code.', p_code, v_template.label_type,
      coalesce('site ' || v_template.site, 'every site')), jsonb_build_object('label_type', v_template.label_type, 'site', v_template.site));
  end if;
  update public.label_templates t set name = p_name, media = p_media where t.code = p_code returning t.* into v_template;
  v_version := private.save_label_version(v_template, p_width_mm, p_height_mm, p_fields, v_actor);
  perform private.emit('label', p_code, 'label.saved', v_actor,
    jsonb_build_object('version', v_version.version, 'status', v_version.status, 'content_hash', v_version.content_hash), p_site => p_site);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_version));
  return v_version;
end $$;
comment on function public.save_label_template is
$$Save a template: what differs from its newest version becomes a new draft, which prints only after proof and activation.
p_fields: [{kind: text|code128|qr|datamatrix|box|image, x, y, …}] in mm from the top left; {{variable}} only inside value. p_site null: for every site.
Permission: labels.manage (at p_site).
Errors: label.bad_template (422) with the field, label.other_template (409), request.reused (422).
Idempotency: by p_request_id; the same content again answers the same version.
Locks: the template row.$$;

create function private.find_label_version(p_version_id bigint)
returns public.label_template_versions language plpgsql set search_path = '' as $$
declare
  v_version public.label_template_versions;
begin
  select v.* into v_version from public.label_template_versions v where v.id = p_version_id;
  if v_version.id is null then
    perform private.fail(404, 'label.unknown_version', 'There is no such version of a template.', jsonb_build_object('version_id', p_version_id));
  end if;
  return v_version;
end $$;

create function private.lock_label_template(p_version_id bigint)
returns public.label_templates language plpgsql set search_path = '' as $$
declare
  v_code text := (private.find_label_version(p_version_id)).template;
  v_template public.label_templates;
begin
  select t.* into v_template from public.label_templates t where t.code = v_code for update;
  perform private.authorize('labels.manage', p_site => v_template.site);
  return v_template;
end $$;
comment on function private.lock_label_template is
  'The template of a version, locked, for who may manage it at its site. Errors: label.unknown_version (404).';

-- Proof ------------------------------------------------------------------------------------------------------------

create function public.label_proof_cases(p_version_id bigint)
returns setof public.label_proof_case language plpgsql stable security definer set search_path = '' as $$
declare
  v_version public.label_template_versions;
begin
  perform private.authorize('labels.manage');
  v_version := private.find_label_version(p_version_id);
  return query select * from private.proof_cases(v_version);
end $$;
comment on function public.label_proof_cases is
$$The pictures of a proof: draw each payload (ZPL) and read its codes, then record_label_proof decides.
Permission: labels.manage.
Errors: label.unknown_version (404), label.does_not_fit (422) and label.bad_data (422) when not even the shortest code fits.
Idempotency: a read.
Locks: none.$$;

create function public.record_label_proof(p_version_id bigint, p_results jsonb, p_request_id uuid default null)
returns setof public.label_proofs language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('labels.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'record_label_proof', jsonb_build_array(p_version_id, p_results));
  v_version public.label_template_versions;
  v_template public.label_templates;
begin
  if v_answer is null then
    if coalesce(jsonb_typeof(p_results), '') <> 'array' or exists (
      select from jsonb_array_elements(p_results) r where coalesce(jsonb_typeof(r), '') <> 'object' or coalesce(jsonb_typeof(r -> 'read'), '') <> 'array'
        or exists (select from jsonb_array_elements(r -> 'read') c where jsonb_typeof(c) <> 'object')) then
      perform private.fail(400, 'label.bad_results', 'Results of a proof look like [{"case_no": 1, "read": [{"symbology": "qr", "text": "…"}]}].');
    end if;
    v_template := private.lock_label_template(p_version_id);
    v_version := private.find_label_version(p_version_id);
    with saved as (
      insert into public.label_proofs (version_id, dpi, content_hash, passed, results, proved_by)
      select v_version.id, j.dpi, v_version.content_hash, j.passed, j.results, nullif(v_actor, '00000000-0000-0000-0000-000000000000')
        from private.judge_proof(v_version, p_results) j order by j.dpi returning *
    )
    select jsonb_agg(to_jsonb(s) order by s.dpi) into v_answer from saved s;
    perform private.emit('label', v_version.template, 'label.proved', v_actor, jsonb_build_object('version', v_version.version,
      'passed', not jsonb_path_exists(v_answer, '$[*] ? (@.passed == false)'), 'content_hash', v_version.content_hash), p_site => v_template.site);
    perform private.remember(v_actor, p_request_id, v_answer);
  end if;
  return query select p.* from jsonb_populate_recordset(null::public.label_proofs, v_answer) p;
end $$;
comment on function public.record_label_proof is
$$What was read in the pictures of label_proof_cases; the database compares and keeps one proof per resolution.
p_results: [{case_no, read: [{symbology: code128|qr|datamatrix, text}]}]. A case that is missing, a wrong text and a code too many all fail.
Permission: labels.manage.
Errors: label.bad_results (400), label.unknown_version (404), label.does_not_fit (422), label.bad_data (422), request.reused (422).
Idempotency: by p_request_id; without it a repeat keeps another proof.
Locks: the template row.$$;

create function private.activate_label(p_template public.label_templates, p_version public.label_template_versions)
returns public.label_template_versions language plpgsql set search_path = '' as $$
declare
  v_version public.label_template_versions;
begin
  if not private.is_proved(p_version) then
    perform private.fail(412, 'label.not_proved', 'First the codes of this version must be read back at 203, 300 and 600 dpi. Run its proof.',
      jsonb_build_object('version_id', p_version.id, 'content_hash', p_version.content_hash));
  end if;
  update public.label_template_versions v set status = 'retired' where v.template = p_template.code and v.status = 'active';
  update public.label_template_versions v set status = 'active', activated_at = now() where v.id = p_version.id returning v.* into v_version;
  update public.label_templates t set is_default = true where t.code = p_template.code and not exists (
    select from public.label_templates d where d.label_type = t.label_type and d.site is not distinct from t.site and d.is_default);
  return v_version;
end $$;
comment on function private.activate_label is
  'The proved version prints, the one before is retired; the first template of its type becomes the default. Errors: label.not_proved (412).';

create function public.activate_label_version(p_version_id bigint, p_request_id uuid default null)
returns public.label_template_versions language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('labels.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'activate_label_version', jsonb_build_array(p_version_id));
  v_template public.label_templates;
  v_version public.label_template_versions;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.label_template_versions, v_answer);
  end if;
  v_template := private.lock_label_template(p_version_id);
  v_version := private.find_label_version(p_version_id);
  if v_version.status <> 'active' then
    v_version := private.activate_label(v_template, v_version);
    perform private.emit('label', v_template.code, 'label.activated', v_actor,
      jsonb_build_object('version', v_version.version, 'content_hash', v_version.content_hash), p_site => v_template.site);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_version));
  return v_version;
end $$;
comment on function public.activate_label_version is
$$From now on labels of this template are printed with this version; the one before is retired. An older version can come back the same way.
Permission: labels.manage at the template's site.
Errors: label.unknown_version (404), label.not_proved (412), request.reused (422).
Idempotency: by p_request_id; an active version stays as it is.
Locks: the template row.$$;

create function public.retire_label_version(p_version_id bigint, p_request_id uuid default null)
returns public.label_template_versions language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('labels.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'retire_label_version', jsonb_build_array(p_version_id));
  v_template public.label_templates;
  v_version public.label_template_versions;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.label_template_versions, v_answer);
  end if;
  v_template := private.lock_label_template(p_version_id);
  v_version := private.find_label_version(p_version_id);
  if v_version.status <> 'retired' then
    update public.label_template_versions v set status = 'retired' where v.id = p_version_id returning v.* into v_version;
    perform private.emit('label', v_template.code, 'label.retired', v_actor, jsonb_build_object('version', v_version.version), p_site => v_template.site);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_version));
  return v_version;
end $$;
comment on function public.retire_label_version is
$$This version prints no more. Jobs that are queued keep the label that was made for them.
Permission: labels.manage at the template's site.
Errors: label.unknown_version (404), request.reused (422).
Idempotency: by p_request_id; a retired version stays as it is.
Locks: the template row.$$;

create function public.set_default_label_template(p_code text, p_request_id uuid default null)
returns public.label_templates language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('labels.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'set_default_label_template', jsonb_build_array(p_code));
  v_template public.label_templates;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.label_templates, v_answer);
  end if;
  v_template := private.find_label_template(p_code);
  perform private.authorize('labels.manage', p_site => v_template.site);
  perform from public.label_templates t
    where t.label_type = v_template.label_type and t.site is not distinct from v_template.site order by t.code for update;
  select t.* into v_template from public.label_templates t where t.code = p_code;
  if not v_template.is_default then
    update public.label_templates t set is_default = false
     where t.label_type = v_template.label_type and t.site is not distinct from v_template.site and t.is_default;
    update public.label_templates t set is_default = true where t.code = p_code returning t.* into v_template;
    perform private.emit('label', p_code, 'label.made_default', v_actor, jsonb_build_object('label_type', v_template.label_type), p_site => v_template.site);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_template));
  return v_template;
end $$;
comment on function public.set_default_label_template is
$$Labels of this type are made with this template when nobody names another.
Permission: labels.manage at the template's site.
Errors: label.unknown_template (404), request.reused (422).
Idempotency: by p_request_id; a default stays the default.
Locks: the templates of the label type, by code.$$;

-- Preview ----------------------------------------------------------------------------------------------------------

create function public.preview_label(
  p_fields jsonb, p_width_mm numeric, p_height_mm numeric, p_dpi integer, p_data jsonb default '{}', p_language text default 'zpl')
returns text language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('labels.manage');
  perform private.check_label(p_fields, p_width_mm, p_height_mm);
  return private.compile_fields(p_fields, p_width_mm, p_height_mm, array[p_data], 1, p_language, p_dpi);
end $$;
comment on function public.preview_label is
$$What a printer of p_dpi (203, 300, 600) would be sent for one label of these fields, which need not be saved.
Permission: labels.manage.
Errors: label.bad_template (422) with the field, label.bad_data (422), label.does_not_fit (422), label.bad_dpi (422).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.list_label_templates, public.get_label_template, public.save_label_template, public.label_proof_cases,
  public.record_label_proof, public.activate_label_version, public.retire_label_version, public.set_default_label_template,
  public.preview_label to authenticated, service_role;
