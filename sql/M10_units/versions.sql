-- Versions and ranges, as semver.org and npm define them.

create function private.version_key(p_version text)
returns text language plpgsql immutable set search_path = '' as $$
declare
  v_parts text[] := regexp_match(p_version, '^[vV]?(\d{1,15})(?:\.(\d{1,15}))?(?:\.(\d{1,15}))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$');
begin
  if v_parts is null then
    return null;
  end if;
  return (select string_agg(lpad(coalesce(v_parts[n], '0'), 15, '0'), '.' order by n) from generate_series(1, 3) n) || '.'
    || coalesce((   -- a pre-release comes before its release; of its identifiers numbers come before words
      select string_agg(case when i.part ~ '^\d+$' then '0' || lpad(i.part, 20, '0') else '1' || i.part end, ' ' order by i.n)
        from string_to_table(v_parts[4], '.') with ordinality as i (part, n)), '~');
end $$;
comment on function private.version_key is
'A text that sorts (collate "C") as the version does: 1.9.0 before 1.10.0, 2.0.0-rc.1 before 2.0.0, 1.2 like 1.2.0. Null for what is no version.';

create function private.version_less(p_a text, p_b text)
returns boolean language plpgsql immutable set search_path = '' as $$
begin
  return private.version_key(p_a) collate "C" < private.version_key(p_b) collate "C";
end $$;
comment on function private.version_less is 'Is version a older than version b? Null when one of them is no version.';

create function private.comparator_bounds(p_comparator text, out low text, out high text, out is_high_open boolean, out is_low_open boolean)
language plpgsql immutable set search_path = '' as $$
declare
  v_parts text[] := regexp_match(p_comparator, '^(\^|~|>=|<=|>|<|=)?v?(\d{1,15}|[xX*])(?:\.(\d{1,15}|[xX*]))?(?:\.(\d{1,15}|[xX*]))?(-[0-9A-Za-z.-]+)?$');
  v_op text := coalesce(v_parts[1], '');
  v_n bigint[] := array[substring(v_parts[2] from '^\d+$'), substring(v_parts[3] from '^\d+$'), substring(v_parts[4] from '^\d+$')]::bigint[];
  v_level integer := case when v_n[1] is null then 0 when v_n[2] is null then 1 when v_n[3] is null then 2 else 3 end;
  v_from text := format('%s.%s.%s%s', coalesce(v_n[1], 0), coalesce(v_n[2], 0), coalesce(v_n[3], 0), case v_level when 3 then v_parts[5] end);
  v_next text;
begin
  is_low_open := false;
  is_high_open := true;
  if v_parts is null then
    return;
  elsif v_level = 0 then
    low := '0.0.0-0';
    return;
  end if;
  -- The first version that no longer has the given numbers; -0 is before its first pre-release.
  v_next := case when v_level = 1 or v_op = '^' and v_n[1] > 0 then format('%s.0.0-0', v_n[1] + 1)
    when v_level = 2 or v_op = '~' or v_op = '^' and v_n[2] > 0 then format('%s.%s.0-0', v_n[1], v_n[2] + 1)
    else format('%s.%s.%s-0', v_n[1], v_n[2], v_n[3] + 1) end;
  case
    when v_op in ('^', '~') or v_op in ('', '=') and v_level < 3 then low := v_from; high := v_next;
    when v_op in ('', '=') then low := v_from; high := v_from; is_high_open := false;
    when v_op = '>=' then low := v_from;
    when v_op = '>' and v_level < 3 then low := v_next;
    when v_op = '>' then low := v_from; is_low_open := true;
    when v_op = '<' then high := case v_level when 3 then v_from else v_from || '-0' end;
    when v_level < 3 then high := v_next;
    else high := v_from; is_high_open := false;
  end case;
end $$;
comment on function private.comparator_bounds is 'The versions that ^1.2, ~1.2.3, >=1, <2.0.0, 1.x or 1.2.3 means; both bounds null when it is no comparator.';

create function private.range_words(p_range text)
returns setof text[] language plpgsql immutable set search_path = '' as $$
begin
  return query
    select array(select w from regexp_split_to_table(trim(regexp_replace(p.part, '(\^|~|>=|<=|>|<|=)\s+', '\1', 'g')), '\s+') w)
      from string_to_table(p_range, '||') p (part);
end $$;
comment on function private.range_words is 'The alternatives of a range, each the comparators that must all hold.';

create function private.is_range(p_range text)
returns boolean language plpgsql immutable set search_path = '' as $$
begin
  return not exists (
    select 1 from private.range_words(p_range) r (words) cross join unnest(r.words) w cross join private.comparator_bounds(w) b
     where b.low is null and b.high is null);
end $$;

create function private.in_range(p_version text, p_range text)
returns boolean language plpgsql immutable set search_path = '' as $$
declare
  v_key text := private.version_key(p_version);
  v_core constant text := substring(p_version from '^[vV]?(\d+(?:\.\d+){0,2})');
  v_is_pre constant boolean := v_key not like '%.~';
begin
  return p_range is null or v_key is not null and exists (
    select 1 from private.range_words(p_range) r (words)
     where not exists (   -- every comparator holds
       select 1 from unnest(r.words) w cross join private.comparator_bounds(w) b
        where b.low is null and b.high is null
           or private.version_key(b.low) collate "C" > v_key collate "C" or b.is_low_open and private.version_key(b.low) = v_key
           or private.version_key(b.high) collate "C" < v_key collate "C" or b.is_high_open and private.version_key(b.high) = v_key)
       -- A release candidate is meant only where the range names one of the same version.
       and (not v_is_pre or exists (
         select 1 from unnest(r.words) w where w ~ '\d-' and private.version_key(substring(w from '(\d+(?:\.\d+){0,2})-')) = private.version_key(v_core))));
end $$;
comment on function private.in_range is 'Does the version lie in the range (null: any)? Pre-releases only where the range names one of the same version, as in npm.';
