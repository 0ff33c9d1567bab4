-- Marks in ZPL. Each kind of field has one escaper; nothing else puts data into a format.

create function private.zpl_hex(p_text text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  if p_text ~ '^[A-Za-z0-9 .,:/-]*$' then
    return p_text;
  end if;
  return (select string_agg(case when c.sign ~ '[A-Za-z0-9 .,:/-]' then c.sign
      else regexp_replace(upper(encode(convert_to(c.sign, 'UTF8'), 'hex')), '(..)', '_\1', 'g') end, '' order by c.n)
    from regexp_split_to_table(p_text, '') with ordinality as c (sign, n));
end $$;
comment on function private.zpl_hex is 'A text for ^FD after ^FH_: whatever ZPL could read as a command is written as hexadecimal UTF-8.';

create function private.zpl_text(p_text text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return '^FH_^FD' || private.zpl_hex(p_text) || '^FS';
end $$;

create function private.zpl_code128(p_text text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  if p_text !~ '^[0-9A-Za-z#][0-9A-Za-z #./+-]*$' then   -- > would choose a subset, and no escape helps
    perform private.fail(422, 'label.unsafe', 'This code has characters that a printer reads as commands.', jsonb_build_object('value', p_text));
  end if;
  return '^FH_^FD' || private.zpl_hex(p_text) || '^FS';
end $$;

create function private.zpl_qr(p_text text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return '^FH_^FDMA,' || private.zpl_hex(p_text) || '^FS';   -- without the mode a printer eats the first characters
end $$;

create function private.unused_sign(p_text text)
returns text language plpgsql immutable set search_path = '' as $$
declare
  v_sign text;
begin
  foreach v_sign in array '{|,!,$,%,=,;,?,@,*,(,),<,&,+,#,_,>}'::text[] loop
    if position(v_sign in p_text) = 0 then
      return v_sign;
    end if;
  end loop;
  perform private.refuse_data('This text has too many different signs for a DataMatrix. Use a QR code.');
  return null;
end $$;
comment on function private.unused_sign is 'A sign that the text does not have: what a DataMatrix takes as its escape.';

create function private.zpl_datamatrix(p_text text, p_module integer)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return format('^BXN,%s,200,,,,%s^FH_^FD%s^FS', p_module, private.unused_sign(p_text), private.zpl_hex(p_text));
end $$;
comment on function private.zpl_datamatrix is 'Command and data: printers differ in the escape that they assume, so it is always said.';

create function private.zpl_image(p_mark private.label_mark)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_bytes integer := (p_mark.w + 7) / 8;
  v_out text := '';
  v_bits text;
  v_before text;
  v_hex text;
begin
  for v_bits in select r from private.scaled_rows(private.pbm(p_mark.value), p_mark.w, p_mark.h) r loop
    if v_bits is distinct from v_before then
      v_hex := left((select string_agg(lpad(to_hex(substr(v_bits, n * 32 + 1, 32)::bit(32)::integer), 8, '0'), '' order by n)
        from generate_series(0, (v_bytes - 1) / 4) n), v_bytes * 2);
      v_before := v_bits;
    end if;
    v_out := v_out || v_hex;
  end loop;
  return format('^GFA,%s,%s,%s,%s^FS', v_bytes * p_mark.h, v_bytes * p_mark.h, v_bytes, upper(v_out));
end $$;

create function private.zpl_mark(p_mark private.label_mark)
returns text language plpgsql stable set search_path = '' as $$
begin
  return format('^FO%s,%s', p_mark.x, p_mark.y) || case p_mark.kind
    when 'text' then format('^A0N,%s,%s', p_mark.size, p_mark.size) || private.zpl_text(p_mark.value)
    when 'code128' then format('^BY%s,2,%s^BCN,%s,N,N,N,N', p_mark.size, p_mark.h, p_mark.h) || private.zpl_code128(p_mark.value)
    -- A QR code is shifted down by the height that ^BY left behind, so it is said here too.
    when 'qr' then format('^BY%s,2,1^BQN,2,%s', p_mark.size, p_mark.size) || private.zpl_qr(p_mark.value)
    when 'datamatrix' then format('^BY%s,2,1', p_mark.size) || private.zpl_datamatrix(p_mark.value, p_mark.size)
    when 'box' then format('^GB%s,%s,%s^FS', p_mark.w, p_mark.h, p_mark.size)
    when 'image' then private.zpl_image(p_mark) end;
end $$;

create function private.compile_zpl(p_fields jsonb, p_width_mm numeric, p_height_mm numeric, p_dpi integer, p_data jsonb[], p_copies integer)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_dots numeric := private.dots_per_mm(p_dpi);
  -- A printer may repeat the label that a fault spoilt. Of identical copies that is welcome, of a serial it would be a second one.
  v_head text := format('^XA^CI28^PW%s^LL%s^LH0,0^JZ%s', floor(p_width_mm * v_dots), floor(p_height_mm * v_dots),
    case when cardinality(p_data) = 1 and p_copies > 1 then 'Y' else 'N' end);
  v_data jsonb;
  v_out text := '';
begin
  foreach v_data in array p_data loop
    v_out := v_out || v_head || coalesce((
      select string_agg(private.zpl_mark(m), '') from private.label_marks(p_fields, p_width_mm, p_height_mm, p_dpi, v_data) m), '')
      || format('^PQ%s,0,0,N^XZ', p_copies) || e'\n';
  end loop;
  perform private.check_zpl(v_out, cardinality(p_data), p_copies);
  return v_out;
end $$;
comment on function private.compile_zpl is 'One ^XA … ^XZ per object of p_data, each p_copies times. Errors: as label_marks.';

create function private.check_zpl(p_payload text, p_labels integer, p_copies integer)
returns void language plpgsql immutable set search_path = '' as $$
declare
  v_allowed constant text[] := '{XA,XZ,CI,PW,LL,LH,JZ,FO,A0,BY,BC,BQ,BX,FH,FD,FS,GB,GF,PQ}';
  v_found text[] := array(select m[1] from regexp_matches(p_payload, '\^(.{0,2})', 'g') m);
begin
  if cardinality(array_positions(v_found, 'XA')) <> p_labels or cardinality(array_positions(v_found, 'XZ')) <> p_labels
    or cardinality(regexp_split_to_array(p_payload, format('\^PQ%s,0,0,N\^XZ\n', p_copies))) - 1 <> p_labels
    or cardinality(array_positions(v_found, 'PQ')) <> p_labels or not v_found <@ v_allowed or p_payload ~ '[^\n -}]'
  then
    perform private.fail(422, 'label.unsafe', 'This label came out with commands that no label may send. It is not printed; tell whoever looks after Takt.',
      jsonb_build_object('labels', p_labels, 'commands', array(select distinct f from unnest(v_found) f where not f = any (v_allowed))));
  end if;
end $$;
comment on function private.check_zpl is
  'The last look before a format leaves: as many labels as asked, the copies asked, commands of the list only, no tilde, ASCII only. PT422 label.unsafe.';
