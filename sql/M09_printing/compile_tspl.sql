-- Marks in TSPL. Texts stand in quotes; what a quoted text cannot hold is refused.

create function private.tspl_text(p_text text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  if p_text ~ '\\\[|~!|[\u0001-\u001f\u007f-\u009f]' then   -- its escape, its immediate commands
    perform private.refuse_data(format('“%s” has signs (%s) that this printer reads as a command.', left(p_text, 60), substring(p_text from '\\\[|~!|.')));
  end if;
  return '"' || replace(p_text, '"', '\["]') || '"';
end $$;
comment on function private.tspl_text is
  'A text in quotes. PT422 label.bad_data for \[, ~! and control characters: a TSPL printer would act on them.';

create function private.tspl_image(p_mark private.label_mark)
returns setof text language plpgsql stable set search_path = '' as $$
declare
  v_rows text[] := array(select private.scaled_rows(private.pbm(p_mark.value), p_mark.w, p_mark.h));
  v_from integer := 1;
  v_x integer;
  v_run text;
begin
  -- BITMAP wants raw bytes and a payload is text: black runs of equal rows become bars.
  for v_y in 1 .. cardinality(v_rows) loop
    continue when v_rows[v_y + 1] = v_rows[v_y];
    v_x := p_mark.x;
    for v_run in select m[1] from regexp_matches(v_rows[v_y], '0+|1+', 'g') m loop
      if v_run like '1%' then
        return next format('BAR %s,%s,%s,%s', v_x, p_mark.y + v_from - 1, length(v_run), v_y - v_from + 1);
      end if;
      v_x := v_x + length(v_run);
    end loop;
    v_from := v_y + 1;
  end loop;
end $$;

create function private.tspl_mark(p_mark private.label_mark, p_dpi integer)
returns setof text language plpgsql stable set search_path = '' as $$
declare
  v_points integer := greatest(4, floor(p_mark.size / private.dots_per_mm(p_dpi) * 72 / 25.4));
begin
  case p_mark.kind
    when 'text' then
      return next format('TEXT %s,%s,"0",0,%s,%s,', p_mark.x, p_mark.y, v_points, v_points) || private.tspl_text(p_mark.value);
    when 'code128' then
      return next format('BARCODE %s,%s,"128",%s,0,0,%s,%s,', p_mark.x, p_mark.y, p_mark.h, p_mark.size, p_mark.size) || private.tspl_text(p_mark.value);
    when 'qr' then
      return next format('QRCODE %s,%s,M,%s,A,0,', p_mark.x, p_mark.y, p_mark.size) || private.tspl_text(p_mark.value);
    when 'datamatrix' then
      return next format('DMATRIX %s,%s,%s,%s,c%s,x%s,', p_mark.x, p_mark.y, p_mark.w, p_mark.h, ascii(private.unused_sign(p_mark.value)), p_mark.size)
        || private.tspl_text(p_mark.value);
    when 'box' then
      if p_mark.size * 2 >= least(p_mark.w, p_mark.h) then
        return next format('BAR %s,%s,%s,%s', p_mark.x, p_mark.y, greatest(p_mark.w, p_mark.size), greatest(p_mark.h, p_mark.size));
      else
        return next format('BOX %s,%s,%s,%s,%s', p_mark.x, p_mark.y, p_mark.x + p_mark.w - 1, p_mark.y + p_mark.h - 1, p_mark.size);
      end if;
    else
      return query select private.tspl_image(p_mark);
  end case;
end $$;

create function private.compile_tspl(p_fields jsonb, p_width_mm numeric, p_height_mm numeric, p_dpi integer, p_data jsonb[], p_copies integer)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_head text := format(e'SIZE %s mm,%s mm\r\nCODEPAGE UTF-8\r\nREFERENCE 0,0\r\nSET REPRINT %s\r\n', trim_scale(p_width_mm), trim_scale(p_height_mm),
    case when cardinality(p_data) = 1 and p_copies > 1 then 'ON' else 'OFF' end);
  v_data jsonb;
  v_out text := '';
begin
  foreach v_data in array p_data loop
    v_out := v_out || v_head || e'CLS\r\n' || coalesce((
      select string_agg(t.line || e'\r\n', '') from private.label_marks(p_fields, p_width_mm, p_height_mm, p_dpi, v_data) m,
        lateral private.tspl_mark(m, p_dpi) as t (line)), '') || format(e'PRINT 1,%s\r\n', p_copies);
  end loop;
  perform private.check_tspl(v_out, cardinality(p_data), p_copies);
  return v_out;
end $$;
comment on function private.compile_tspl is
  'CLS … PRINT 1,copies per object of p_data. The gap is what the printer was calibrated to. Errors: as label_marks.';

create function private.check_tspl(p_payload text, p_labels integer, p_copies integer)
returns void language plpgsql immutable set search_path = '' as $$
declare
  v_lines text[] := string_to_array(rtrim(p_payload, e'\r\n'), e'\r\n');
begin
  if cardinality(array_positions(v_lines, 'PRINT 1,' || p_copies)) <> p_labels or cardinality(array_positions(v_lines, 'CLS')) <> p_labels
    or replace(p_payload, e'\r\n', '') ~ '[\u0001-\u001f]' or position('~!' in p_payload) > 0
    or exists (select from unnest(v_lines) l where l !~ '^(SIZE|CODEPAGE|REFERENCE|SET REPRINT|CLS|TEXT|BARCODE|QRCODE|DMATRIX|BAR|BOX|PRINT)( |$)')
    or exists (select from unnest(v_lines) l where replace(l, '\["]', '') !~ '^[^"]*("[^"]*"[^"]*)*$')
  then
    perform private.fail(422, 'label.unsafe', 'This label came out with commands that no label may send. It is not printed; tell whoever looks after Takt.',
      jsonb_build_object('labels', p_labels));
  end if;
end $$;
comment on function private.check_tspl is
  'The last look before commands leave: known commands, closed quotes, as many labels and copies as asked. PT422 label.unsafe.';
