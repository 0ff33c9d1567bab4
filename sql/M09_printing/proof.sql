-- A version prints only after its own codes were drawn and read back at every resolution, with data that breaks weak labels.

create function private.proof_values(p_kind text)
returns text[] language sql immutable set search_path = '' as $$
  -- The same place in each list makes one case. Codes are shortened until they fit.
  select case p_kind
    when 'code128' then array['TAKT-12345-A', 'A1Z', 'bannos-18617-A/2026.11+20 #7 end', '#A.1/2+3-4 Z', '0000000000000000', 'WWWWWWWWWWWWWWWW']
    when 'datamatrix' then array['TAKT-12345-A', '7', 'https://takt.example/units/2611-GN-00001?kit=7', '^XZ^XA^FO9,9^FDEVIL^FS~JR', 'A_1~1|dB>5C\&D_5E', '{"a": ''b'' [c] (d)}']
    when 'qr' then array['TAKT-12345-A', '7', 'https://takt.example/units/2611-GN-00001?kit=7', '^XZ^XA^FO9,9^FDEVIL^FS~JR', e'A_1~1|dB>5C\\&D_5E"', 'Grüße 🎂 日本語 {€}']
    else array['Confetti Cake, 20 cm', 'i', repeat('Maximilian-Alexander von der Wiesenmühle ', 12), '^XZ^XA^FO9,9^FDEVIL^FS~JR^PQ9999',
      e'A_1~1|dB>5C\\&D_5E" \\["]', 'Grüße 🎂 日本語 {€}'] end
$$;
comment on function private.proof_values is 'What the variables of a proof say, by the strictest kind of field that shows them; one entry per case.';

create function private.proof_data(p_fields jsonb, p_case integer, p_shorter integer)
returns jsonb language sql immutable set search_path = '' as $$
  with used as (
    select v.name, min(case f.item ->> 'kind' when 'code128' then 1 when 'datamatrix' then 2 when 'qr' then 3 else 4 end) as strictness
      from jsonb_array_elements(p_fields) as f (item), unnest(private.label_variables(f.item ->> 'value')) as v (name) group by v.name
  ), said as (
    select u.*, (private.proof_values((array['code128', 'datamatrix', 'qr', 'text'])[u.strictness]))[p_case] as value from used u
  )
  select coalesce(jsonb_object_agg(s.name, case s.strictness when 4 then s.value
    else left(s.value, greatest(length(s.value) - p_shorter, case s.strictness when 1 then 3 else 1 end)) end), '{}') from said s
$$;
comment on function private.proof_data is 'Data of one proof case (1 to 6) for a template, its codes p_shorter characters shorter.';

create type public.label_proof_case as (case_no integer, dpi integer, width_mm numeric, height_mm numeric, payload text, expected jsonb);
comment on type public.label_proof_case is 'One picture of a proof: ZPL to draw, and every code that must be read in it: [{field, symbology, text}].';

create function private.proof_cases(p_version public.label_template_versions)
returns setof public.label_proof_case language plpgsql stable set search_path = '' as $$
declare
  v_case public.label_proof_case;
  v_shorter integer;
  v_data jsonb;
begin
  v_case.case_no := 0;
  v_case.width_mm := p_version.width_mm;
  v_case.height_mm := p_version.height_mm;
  foreach v_case.dpi in array '{203,300,600}'::integer[] loop
    for v_n in 1 .. 6 loop
      v_shorter := 0;
      v_case.payload := null;
      while v_case.payload is null loop
        begin
          v_data := private.proof_data(p_version.fields, v_n, v_shorter);
          v_case.payload := private.compile_fields(p_version.fields, p_version.width_mm, p_version.height_mm, array[v_data], 1, 'zpl', v_case.dpi);
        exception when sqlstate 'PT422' then
          v_shorter := v_shorter + 1;
          if v_data = private.proof_data(p_version.fields, v_n, v_shorter) then
            raise;   -- not even the shortest code fits
          end if;
        end;
      end loop;
      v_case.case_no := v_case.case_no + 1;
      v_case.expected := private.proof_expects(p_version.fields, v_data);
      return next v_case;
    end loop;
  end loop;
end $$;
comment on function private.proof_cases is
$$What a proof draws and must read back: 6 cases at each of 203, 300 and 600 dpi.
Errors: label.does_not_fit (422), label.bad_data (422) when even the shortest code does not fit.$$;

create function private.proof_expects(p_fields jsonb, p_data jsonb)
returns jsonb language sql immutable set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('field', private.field_name(f.item, f.n), 'symbology', f.item ->> 'kind',
      'text', private.label_value(f.item, p_data)) order by f.n), '[]')
    from jsonb_array_elements(p_fields) with ordinality as f (item, n) where f.item ->> 'kind' in ('code128', 'qr', 'datamatrix')
$$;

create function private.sorted_codes(p_codes jsonb)
returns jsonb language sql immutable set search_path = '' as $$
  select coalesce(jsonb_agg(c.code order by c.code), '[]')
    from (select jsonb_build_array(i ->> 'symbology', i ->> 'text') from jsonb_array_elements(p_codes) i) as c (code)
$$;

create function private.judge_proof(p_version public.label_template_versions, p_results jsonb)
returns table (dpi integer, passed boolean, results jsonb) language plpgsql stable set search_path = '' as $$
begin
  -- Everything expected and nothing else: a code too many is a label that says what nobody wrote.
  return query
    with judged as (
      select c.dpi, c.case_no, c.expected, r.item -> 'read' as was_read, c.payload,
             coalesce(private.sorted_codes(c.expected) = private.sorted_codes(r.item -> 'read'), false) as is_right
        from private.proof_cases(p_version) c
        left join jsonb_array_elements(p_results) as r (item) on (r.item ->> 'case_no') = c.case_no::text
    )
    select j.dpi, bool_and(j.is_right), jsonb_build_object('cases', count(*),
        'payloads_sha256', encode(sha256(convert_to(string_agg(j.payload, '' order by j.case_no), 'UTF8')), 'hex'),
        'wrong', coalesce(jsonb_agg(jsonb_build_object('case_no', j.case_no, 'expected', j.expected, 'read', j.was_read) order by j.case_no)
          filter (where not j.is_right), '[]'))
      from judged j group by j.dpi;
end $$;
comment on function private.judge_proof is
  'Per resolution: did every case read exactly what it should? p_results is [{case_no, read: [{symbology, text}]}]; a case that is missing is wrong.';

create function private.is_proved(p_version public.label_template_versions)
returns boolean language plpgsql stable set search_path = '' as $$
begin
  return (
    select count(*) = 3 and bool_and(p.passed) from (
      select distinct on (lp.dpi) lp.dpi, lp.passed from public.label_proofs lp
       where lp.version_id = p_version.id and lp.content_hash = p_version.content_hash order by lp.dpi, lp.id desc) p);
end $$;
comment on function private.is_proved is 'True when the newest proof of this very content passed at 203, 300 and 600 dpi.';
