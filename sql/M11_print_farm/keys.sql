-- What a print is called, made comparable. Printers, slicers and file systems spell one project in many ways.

create extension if not exists btree_gist with schema extensions;

create function private.fold(p_text text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  -- ICU, whatever the collation of the database: Å and å, ß and SS are one. Upper first, as case folding does.
  return normalize(replace(lower(upper(normalize(coalesce(p_text, ''), NFC) collate "und-x-icu") collate "und-x-icu"), 'ß', 'ss'), NFC);
end $$;
comment on function private.fold is 'A text without its case and composed (NFC): equal for everybody who reads it aloud.';

create function private.gcode_stem(p_name text)
returns text language plpgsql immutable set search_path = '' as $$
declare
  v_stem text := regexp_replace(private.fold(p_name), '^.*[/\\]', '');
begin
  v_stem := regexp_replace(v_stem, '(\s*\.(gcode|3mf))*\s*$', '');
  return trim(regexp_replace(v_stem, '(^|[ _-])plate[ _-]?[0-9]{1,3}$', ''), E' \t\u00a0');
end $$;
comment on function private.gcode_stem is
  'Project name out of a file name: no folder, no .gcode, .3mf or .gcode.3mf, no plate, no case. Empty when nothing but a plate is left.';

create function private.gcode_plate(p_name text)
returns integer language plpgsql immutable set search_path = '' as $$
begin
  return nullif((regexp_match(private.fold(p_name), '(?:^|[ /\\_-])plate[ _-]?([0-9]{1,3})(?:\s*\.(?:gcode|3mf))*\s*$'))[1]::integer, 0);
end $$;
comment on function private.gcode_plate is 'The plate a file name says: 7 in kiosk_plates_plate_7.3mf; null when it says none.';

create function private.is_generic_gcode(p_name text)
returns boolean language plpgsql immutable set search_path = '' as $$
begin
  return private.gcode_stem(p_name) ~ ('^$|^(untitled|unnamed|unbenannt|ohne titel|sans titre|sin t.tulo|senza titolo|sem t.tulo|naamloos|'
    || 'bez tytu.u|bez n.zvu|без названия|без имени|名称未設定|無題|未命名|无标题|제목 없음)([ _-]?[(]?[0-9]*[)]?)$');
end $$;
comment on function private.is_generic_gcode is 'plate_1.gcode, Untitled and the like: names that every project may have, so they say nothing.';

create function private.busy_range(
  p_started_at timestamptz, p_first_seen_at timestamptz, p_finished_not_before timestamptz, p_finished_at timestamptz)
returns tstzrange language plpgsql immutable set search_path = '' as $$
declare
  v_until timestamptz := coalesce(p_finished_not_before, p_finished_at);
  v_from timestamptz := coalesce(p_started_at, p_first_seen_at, v_until);
begin
  -- A run without length is still there at its instant; one with length leaves its end to the next.
  return case when v_from < v_until then tstzrange(v_from, v_until, '[)') else tstzrange(v_until, v_until, '[]') end;
end $$;
comment on function private.busy_range is 'When a printer was surely busy with a run, by what was seen of it.';
