-- Serial numbers: one row lock for a whole batch, no gap-free promise, no number twice.

create function private.site_day(p_site text, p_now timestamptz default now())
returns date language plpgsql stable set search_path = '' as $$
begin
  return (select (p_now at time zone s.time_zone)::date from public.sites s where s.code = p_site);
end $$;
comment on function private.site_day is 'The calendar day of a plant at an instant, through daylight saving.';

create function private.next_serials(p_site text, p_product_code text, p_count integer, p_now timestamptz default now())
returns text[] language plpgsql set search_path = '' as $$
declare
  v_yymm constant text := to_char(private.site_day(p_site, p_now), 'YYMM');
  v_digits constant integer := (private.setting('units.serial_digits', null, p_site) #>> '{}')::integer;
  v_next bigint;
begin
  insert into private.serial_sequences (yymm, product_code) values (v_yymm, p_product_code)
  on conflict on constraint serial_sequences_pkey do nothing;
  update private.serial_sequences s set next_number = s.next_number + p_count
   where s.yymm = v_yymm and s.product_code = p_product_code returning s.next_number - p_count into v_next;
  return array(   -- a number that outgrows its width gets longer: it is never cut
    select format('%s-%s-%s', v_yymm, p_product_code, lpad(n::text, greatest(v_digits, length(n::text)), '0'))
      from generate_series(v_next, v_next + p_count - 1) n order by n);
end $$;
comment on function private.next_serials is
'The next p_count serials of this month of the plant. Locks: the sequence row, until the end of the transaction.';

create function private.serial_of(p_code text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return substring(upper(private.clean_code(p_code)) from '^\d{4}-[A-Z0-9]{2,8}-\d{3,12}$');
end $$;
comment on function private.serial_of is 'The serial that a scanned code means, whatever its case; null when it is no serial.';
