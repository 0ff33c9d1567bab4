-- Millimetres to dots. Every width is calculated; what does not fit is refused here, before anything is printed.

create type private.label_mark as (kind text, x integer, y integer, w integer, h integer, size integer, value text);
comment on type private.label_mark is
  'One mark on paper, in dots from the top left: text (size = font height), code128, qr, datamatrix (size = module), box (size = line), image (value = PBM).';

create function private.dots_per_mm(p_dpi integer)
returns numeric language plpgsql immutable set search_path = '' as $$
begin
  if not coalesce(p_dpi in (203, 300, 600), false) then
    perform private.fail(422, 'label.bad_dpi', 'Labels are made for 203, 300 or 600 dpi. Tell Takt the resolution of the printer.',
      jsonb_build_object('dpi', p_dpi));
  end if;
  return case p_dpi when 203 then 8 else p_dpi / 25.4 end;   -- a "203 dpi" head has 8 dots per mm
end $$;

create function private.text_units(p_text text)
returns integer language plpgsql immutable set search_path = '' as $$
begin
  -- Widths of the printers' font 0 in 1/100 of its height; 50 unless listed. Signs beyond Latin count as square.
  return 50 * length(p_text)
    - 25 * (length(p_text) - length(translate(p_text, ' ''|{}/:;Ifijlt', '')))
    - 17 * (length(p_text) - length(translate(p_text, '!"(),.[]`r', '')))
    - 6 * (length(p_text) - length(translate(p_text, 'Jcksvxyz', '')))
    + 6 * (length(p_text) - length(translate(p_text, 'ABCKPSVXY', '')))
    + 12 * (length(p_text) - length(translate(p_text, 'DGHNOQRU', '')))
    + 17 * (length(p_text) - length(translate(p_text, '&w', '')))
    + 32 * (length(p_text) - length(translate(p_text, 'Mm-%@W', '')))
    + 12 * (length(p_text) - length(regexp_replace(p_text, '[\u0080-\u024f]', '', 'g')))
    + 50 * (length(p_text) - length(regexp_replace(p_text, '[^\u0001-\u024f]', '', 'g')));
end $$;
comment on function private.text_units is 'Width of a text in 1/100 of its font height. An estimate: who uses it leaves a tenth of slack.';

create function private.text_prefix(p_text text, p_limit integer)
returns integer language plpgsql immutable set search_path = '' as $$
declare
  v_width integer := 0;
begin
  for i in 1 .. length(p_text) loop
    v_width := v_width + private.text_units(substr(p_text, i, 1));
    if v_width > p_limit then
      return i - 1;
    end if;
  end loop;
  return length(p_text);
end $$;
comment on function private.text_prefix is 'How many characters of a text fit into p_limit units.';

create function private.wrap_text(p_text text, p_limit integer, p_lines integer, p_breaks boolean)
returns text[] language plpgsql immutable set search_path = '' as $$
declare
  v_lines text[] := '{}';
  v_line text;
  v_word text;
  v_paragraph text;
  v_cut integer;
begin
  foreach v_paragraph in array string_to_array(p_text, e'\n') loop
    v_line := null;
    foreach v_word in array string_to_array(v_paragraph, ' ') loop
      if v_line is not null and private.text_units(v_line || ' ' || v_word) <= p_limit then
        v_line := v_line || ' ' || v_word;
        continue;
      end if;
      v_lines := case when v_line is null then v_lines else v_lines || v_line end;
      while private.text_units(v_word) > p_limit and cardinality(v_lines) <= p_lines loop   -- a word longer than a line
        v_cut := case when p_breaks then greatest(1, private.text_prefix(v_word, p_limit)) else 0 end;
        v_lines := v_lines || left(v_word, v_cut);
        v_word := substr(v_word, v_cut + 1);
      end loop;
      v_line := v_word;
      exit when cardinality(v_lines) > p_lines;
    end loop;
    v_lines := v_lines || coalesce(v_line, '');
    exit when cardinality(v_lines) > p_lines;
  end loop;
  return v_lines[1 : p_lines + 1];
end $$;
comment on function private.wrap_text is
  'The text in lines of at most p_limit units, broken at spaces, inside words only where p_breaks; one line more than p_lines when it does not fit.';

create function private.refuse_fit(p_value text, p_field text, p_dpi integer, p_needs numeric, p_has numeric)
returns void language plpgsql set search_path = '' as $$
begin
  perform private.fail(422, 'label.does_not_fit', format('“%s” does not fit at %s dpi: it needs %s mm and has %s mm. Use a larger label or a shorter code.',
    case when length(p_value) > 60 then left(p_value, 57) || '...' else p_value end, p_dpi, round(p_needs, 1), round(p_has, 1)),
    jsonb_build_object('field', p_field, 'dpi', p_dpi, 'length', length(p_value), 'needs_mm', round(p_needs, 1), 'has_mm', round(p_has, 1)));
end $$;

-- Texts ------------------------------------------------------------------------------------------------------------

create function private.text_marks(p_field jsonb, p_value text, p_where text, p_dpi integer)
returns setof private.label_mark language plpgsql immutable set search_path = '' as $$
declare
  v_dots numeric := private.dots_per_mm(p_dpi);
  v_w integer := floor((p_field ->> 'w')::numeric * v_dots);
  v_h integer := round((p_field ->> 'h')::numeric * v_dots);
  v_max integer := coalesce((p_field ->> 'lines')::integer, 1);
  v_overflow text := coalesce(p_field ->> 'overflow', 'shrink');
  v_size integer := v_h;
  v_least integer := least(v_h, greatest(ceil(v_h * 0.5), ceil(1.5 * v_dots)));
  v_room integer;
  v_limit integer;
  v_lines text[];
  v_x integer;
  v_y integer := round((p_field ->> 'y')::numeric * v_dots);
begin
  loop
    v_limit := v_w * 100 / (v_size * 1.1);
    v_room := v_max * v_h / v_size;   -- smaller letters leave room for more lines
    v_lines := private.wrap_text(p_value, v_limit, v_room, v_overflow <> 'shrink' or v_size = v_least);
    exit when cardinality(v_lines) <= v_room or v_overflow <> 'shrink' or v_size = v_least;
    v_size := greatest(v_least, v_size - greatest(1, v_h / 16));
  end loop;
  if cardinality(v_lines) > v_room and v_overflow = 'refuse' then
    perform private.refuse_fit(p_value, p_where, p_dpi, private.text_units(p_value) * v_size * 1.1 / 100 / v_dots, v_room * v_w / v_dots);
  elsif cardinality(v_lines) > v_room then   -- cut so that everybody sees it
    v_lines := v_lines[1 : v_room];
    v_lines[v_room] := left(v_lines[v_room], private.text_prefix(v_lines[v_room], greatest(0, v_limit - private.text_units('...')))) || '...';
  end if;
  if cardinality(v_lines) = 1 and v_max = 1 then   -- shrunk letters stand on the same line as their neighbours
    v_y := v_y + (v_h - v_size) * 3 / 4;
  end if;
  for i in 1 .. cardinality(v_lines) loop
    continue when v_lines[i] = '';
    v_x := floor((p_field ->> 'x')::numeric * v_dots) + private.aligned(p_field, v_w, ceil(private.text_units(v_lines[i]) * v_size / 100.0)::integer);
    for v_again in 0 .. coalesce((p_field ->> 'bold')::boolean, false)::integer loop   -- bold: struck twice, an eighth of a mm apart
      return next row('text', v_x + v_again * greatest(1, floor(v_dots / 8)), v_y + (i - 1) * v_size, v_w, v_size, v_size, v_lines[i])::private.label_mark;
    end loop;
  end loop;
end $$;
comment on function private.text_marks is
  'The lines of a text field. overflow: shrink (to half, then cut), cut (ends in ...), refuse (PT422 label.does_not_fit).';

create function private.aligned(p_field jsonb, p_room integer, p_taken integer)
returns integer language plpgsql immutable set search_path = '' as $$
begin
  return case p_field ->> 'align' when 'center' then greatest(0, (p_room - p_taken) / 2) when 'right' then greatest(0, p_room - p_taken) else 0 end;
end $$;

-- Codes ------------------------------------------------------------------------------------------------------------

create function private.qr_modules(p_bytes integer)
returns integer language plpgsql immutable set search_path = '' as $$
declare
  -- Bytes that a QR code of version 1, 2, … holds at error correction M.
  v_holds constant integer[] := '{14,26,42,62,84,106,122,152,180,213,251,287,331,362,412,450,504,560,624,666}';
begin
  return (select 17 + 4 * v.n from unnest(v_holds) with ordinality as v (holds, n) where v.holds >= p_bytes order by v.n limit 1);
end $$;
comment on function private.qr_modules is
  'Side of the QR code (ECC M) that holds so many bytes, in modules without quiet zone; null beyond 666 bytes.';

create function private.datamatrix_modules(p_value text)
returns integer language plpgsql immutable set search_path = '' as $$
declare
  -- Pairs of digits share a codeword; two to spare for a printer that switches modes less cleverly.
  v_words integer := length(regexp_replace(p_value, '\d\d', '#', 'g')) + 2;
  v_sides constant integer[] := '{10,12,14,16,18,20,22,24,26,32,36,40,44,48,52,64,72,80}';
  v_holds constant integer[] := '{3,5,8,12,18,22,30,36,44,62,86,114,144,174,204,280,368,456}';
begin
  return (select s.side from unnest(v_sides, v_holds) as s (side, holds) where s.holds >= v_words order by s.side limit 1);
end $$;
comment on function private.datamatrix_modules is
  'Side of the square DataMatrix (ECC 200) that holds the text, in modules without quiet zone; null beyond 454 codewords.';

create function private.module_dots(p_field jsonb, p_dpi integer, p_room integer, p_modules integer)
returns integer language plpgsql immutable set search_path = '' as $$
declare
  v_linear boolean := p_field ->> 'kind' = 'code128';
  -- The wish in whole dots (a twentieth over is forgiven: 0.25 mm are 3 dots at 300 dpi), never more than printers take.
  v_wish integer := least(10, floor(private.dots_per_mm(p_dpi) * 1.05
    * coalesce((p_field ->> 'module_mm')::numeric, case when v_linear then 0.25 else 0.5 end)));
  -- Finer than this no scanner on the floor reads it for certain.
  v_least integer := case p_dpi when 203 then 2 when 300 then case when v_linear then 2 else 3 end else case when v_linear then 4 else 6 end end;
begin
  return case when p_room / p_modules >= v_least then least(greatest(v_wish, v_least), p_room / p_modules) end;
end $$;
comment on function private.module_dots is
  'Dots per module: what the field wishes, less when the room (dots) asks for it, never less than the printer prints well. Null: it does not fit.';

create function private.code128_marks(p_field jsonb, p_value text, p_where text, p_dpi integer, p_width integer)
returns setof private.label_mark language plpgsql immutable set search_path = '' as $$
declare
  v_dots numeric := private.dots_per_mm(p_dpi);
  v_x integer := ceil((p_field ->> 'x')::numeric * v_dots);
  v_y integer := round((p_field ->> 'y')::numeric * v_dots);
  v_h integer := round((p_field ->> 'h')::numeric * v_dots);
  v_room integer := least(p_width - v_x, coalesce(floor((p_field ->> 'w')::numeric * v_dots)::integer, p_width));
  v_bars integer := 11 * (length(p_value) + 2) + 13;   -- subset B: start, text, check; stop
  v_module integer := private.module_dots(p_field, p_dpi, v_room, v_bars + 20);   -- quiet zone: 10 modules each side
  v_size integer;
begin
  if p_value !~ '^[0-9A-Za-z#][0-9A-Za-z #./+-]{2,31}$' then
    perform private.refuse_data(format('“%s” cannot be a Code 128: it takes 3 to 32 letters, digits and # . / + - only.', left(p_value, 60)),
      jsonb_build_object('field', p_where, 'length', length(p_value)));
  elsif v_module is null then
    perform private.refuse_fit(p_value, p_where, p_dpi, (v_bars + 20) * case when p_dpi = 600 then 4 else 2 end / v_dots, v_room / v_dots);
  end if;
  v_x := v_x + private.aligned(p_field, v_room, (v_bars + 20) * v_module) + 10 * v_module;
  return next row('code128', v_x, v_y, v_bars * v_module, v_h, v_module, p_value)::private.label_mark;
  if (p_field ->> 'text')::boolean then
    v_size := least(round(2.6 * v_dots), (v_bars + 20) * v_module * 100 / (private.text_units(p_value) * 1.1));
    return next row('text', greatest(0, v_x + (v_bars * v_module - private.text_units(p_value) * v_size / 100) / 2),
      v_y + v_h + round(0.5 * v_dots), v_bars * v_module, v_size, v_size, p_value)::private.label_mark;
  end if;
end $$;
comment on function private.code128_marks is
  'A Code 128 with its quiet zones inside the field, and its text below. Errors: label.bad_data (422), label.does_not_fit (422).';

create function private.square_marks(p_field jsonb, p_value text, p_where text, p_dpi integer, p_width integer, p_height integer)
returns setof private.label_mark language plpgsql immutable set search_path = '' as $$
declare
  v_qr boolean := p_field ->> 'kind' = 'qr';
  v_dots numeric := private.dots_per_mm(p_dpi);
  v_x integer := ceil((p_field ->> 'x')::numeric * v_dots);
  v_y integer := ceil((p_field ->> 'y')::numeric * v_dots);
  v_quiet integer := case when v_qr then 4 else 2 end;
  v_side integer := case when v_qr then private.qr_modules(octet_length(p_value)) else private.datamatrix_modules(p_value) end + 2 * v_quiet;
  -- ZPL draws a QR code up to 10 dots lower than it is told.
  v_room integer := least(p_width - v_x, p_height - v_y - case when v_qr then 10 else 0 end, floor((p_field ->> 'w')::numeric * v_dots)::integer);
  v_module integer := private.module_dots(p_field, p_dpi, v_room, v_side);
begin
  if not v_qr and p_value ~ '[^ -~]' then
    perform private.refuse_data(format('“%s” cannot be a DataMatrix: printers disagree about “%s”. Use a QR code.', left(p_value, 60),
      substring(p_value from '[^ -~]')), jsonb_build_object('field', p_where));
  elsif v_side is null then
    perform private.refuse_data(format('%s holds too much for a code: %s bytes.', p_where, octet_length(p_value)),
      jsonb_build_object('field', p_where, 'max', 666, 'actual', octet_length(p_value)));
  elsif v_module is null then
    perform private.refuse_fit(p_value, p_where, p_dpi, v_side * case p_dpi when 203 then 2 when 300 then 3 else 6 end / v_dots, v_room / v_dots);
  end if;
  return next row(p_field ->> 'kind', v_x + private.aligned(p_field, v_room, v_side * v_module) + v_quiet * v_module, v_y + v_quiet * v_module,
    (v_side - 2 * v_quiet) * v_module, (v_side - 2 * v_quiet) * v_module, v_module, p_value)::private.label_mark;
end $$;
comment on function private.square_marks is
  'A QR code or DataMatrix with its quiet zone inside the field. A DataMatrix takes ASCII only. Errors: label.bad_data (422), label.does_not_fit (422).';

create function private.label_marks(p_fields jsonb, p_width_mm numeric, p_height_mm numeric, p_dpi integer, p_data jsonb)
returns setof private.label_mark language plpgsql immutable set search_path = '' as $$
declare
  v_dots numeric := private.dots_per_mm(p_dpi);
  v_width integer := floor(p_width_mm * v_dots);
  v_height integer := floor(p_height_mm * v_dots);
  v_field jsonb;
  v_where text;
  v_n integer := 0;
begin
  for v_field in select f from jsonb_array_elements(p_fields) f loop
    v_n := v_n + 1;
    v_where := private.field_name(v_field, v_n);
    case v_field ->> 'kind'
      when 'text' then
        return query select * from private.text_marks(v_field, private.label_value(v_field, p_data), v_where, p_dpi);
      when 'code128' then
        return query select * from private.code128_marks(v_field, private.label_value(v_field, p_data), v_where, p_dpi, v_width);
      when 'qr', 'datamatrix' then
        return query select * from private.square_marks(v_field, private.label_value(v_field, p_data), v_where, p_dpi, v_width, v_height);
      else
        return next row(v_field ->> 'kind', round((v_field ->> 'x')::numeric * v_dots), round((v_field ->> 'y')::numeric * v_dots),
          greatest(1, round((v_field ->> 'w')::numeric * v_dots)), greatest(1, round((v_field ->> 'h')::numeric * v_dots)),
          greatest(1, round(coalesce((v_field ->> 'line_mm')::numeric, 0.3) * v_dots)), v_field ->> 'pbm_base64')::private.label_mark;
    end case;
  end loop;
end $$;
comment on function private.label_marks is
  'Everything one label shows, in dots. p_fields must have passed check_label. Errors: label.bad_data (422), label.does_not_fit (422), label.bad_dpi (422).';

-- Pictures ---------------------------------------------------------------------------------------------------------

create type private.bitmap as (width integer, height integer, rows bytea);
comment on type private.bitmap is 'One bit per dot, 1 = black, rows padded to bytes.';

create function private.pbm(p_base64 text)
returns private.bitmap language plpgsql immutable set search_path = '' as $$
declare
  v_file bytea;
  v_head text[];
  v_width integer;
  v_height integer;
  v_rows bytea;
begin
  v_file := decode(p_base64, 'base64');
  v_head := regexp_match(encode(substr(v_file, 1, 200), 'escape'), '^(P4\s+(?:#[^\n]*\n\s*)*(\d{1,3})\s+(\d{1,3})\s)');
  v_width := v_head[2];
  v_height := v_head[3];
  v_rows := substr(v_file, length(v_head[1]) + 1);
  if v_width between 1 and 600 and v_height between 1 and 600 and length(v_rows) = (v_width + 7) / 8 * v_height then
    return row(v_width, v_height, v_rows)::private.bitmap;
  end if;
  return null;
exception when invalid_parameter_value then   -- not base64
  return null;
end $$;
comment on function private.pbm is 'A binary PBM (P4) of at most 600 × 600 dots from base64; null for anything else.';

create function private.scaled_rows(p_bitmap private.bitmap, p_width integer, p_height integer)
returns setof text language plpgsql stable set search_path = '' as $$
declare
  v_bytes integer := (p_bitmap.width + 7) / 8;
  v_row integer;
  v_drawn integer := -1;
  v_run text;
  v_taken integer;
  v_bits text;
begin
  for v_y in 0 .. p_height - 1 loop
    v_row := v_y * p_bitmap.height / p_height;
    if v_row <> v_drawn then   -- rows that repeat are scaled once, and runs of a colour at once
      v_bits := '';
      v_taken := 0;
      for v_run in select m[1] from regexp_matches(
        left(('x' || encode(substr(p_bitmap.rows, v_row * v_bytes + 1, v_bytes), 'hex'))::varbit::text, p_bitmap.width), '0+|1+', 'g') m
      loop
        v_taken := v_taken + length(v_run);
        v_bits := v_bits || repeat(left(v_run, 1), (v_taken * p_width + p_bitmap.width - 1) / p_bitmap.width - length(v_bits));
      end loop;
      v_drawn := v_row;
    end if;
    return next v_bits;
  end loop;
end $$;
comment on function private.scaled_rows is 'The picture in p_width × p_height dots, one text of 0 and 1 per row.';
