-- From a template and data to what a printer is sent.

create function private.compile_fields(
  p_fields jsonb, p_width_mm numeric, p_height_mm numeric, p_data jsonb[], p_copies integer, p_language text, p_dpi integer)
returns text language plpgsql stable set search_path = '' as $$
begin
  if coalesce(p_copies, 0) not between 1 and 500 then   -- a slip of the finger must not empty a roll
    perform private.refuse_data('A label is printed 1 to 500 times.', jsonb_build_object('copies', p_copies));
  elsif coalesce(cardinality(p_data), 0) not between 1 and 10 then
    perform private.refuse_data('One job prints 1 to 10 different labels.', jsonb_build_object('labels', cardinality(p_data)));
  elsif exists (select from unnest(p_data) d where coalesce(jsonb_typeof(d), '') <> 'object') then
    perform private.refuse_data('The data of a label is an object: names and values.');
  end if;
  case p_language
    when 'tspl' then
      return private.compile_tspl(p_fields, p_width_mm, p_height_mm, p_dpi, p_data, p_copies);
    when 'zpl', 'spooler', 'file' then   -- what a queue or a file is given is ZPL
      return private.compile_zpl(p_fields, p_width_mm, p_height_mm, p_dpi, p_data, p_copies);
    else
      perform private.refuse_data('Labels are made in zpl or tspl.', jsonb_build_object('language', p_language));
      return null;
  end case;
end $$;
comment on function private.compile_fields is
$$Labels in the language of a printer (zpl, tspl; spooler and file take zpl), one format per object of p_data, each p_copies times.
Errors: label.bad_data (422), label.does_not_fit (422), label.bad_dpi (422), label.unsafe (422).$$;

create function private.compile_label(
  p_version public.label_template_versions, p_labels jsonb, p_copies integer, p_language text, p_dpi integer)
returns text language plpgsql stable set search_path = '' as $$
begin
  return private.compile_fields(p_version.fields, p_version.width_mm, p_version.height_mm,
    array(select jsonb_build_object('subject', l.item -> 'subject') || coalesce(l.item -> 'data', '{}')
      from jsonb_array_elements(p_labels) with ordinality as l (item, n) order by l.n),
    p_copies, p_language, p_dpi);
end $$;
comment on function private.compile_label is
$$The payload of a job: p_labels is [{subject, data}], one format each in this order; {{subject}} is a variable like any other.
Errors: label.bad_data (422), label.does_not_fit (422), label.bad_dpi (422), label.unsafe (422).$$;

create function private.active_label_version(p_label_type text, p_site text, p_template text default null)
returns public.label_template_versions language plpgsql stable set search_path = '' as $$
declare
  v_version public.label_template_versions;
begin
  select v.* into v_version
    from public.label_templates t join public.label_template_versions v on v.template = t.code and v.status = 'active'
   where t.label_type = p_label_type and (t.site is null or t.site = p_site) and t.code = coalesce(p_template, t.code)
   order by t.site is null, t.is_default desc, v.activated_at desc, v.id desc limit 1;
  if v_version.id is null and p_template is not null
    and not exists (select from public.label_templates t where t.code = p_template and t.label_type = p_label_type) then
    perform private.fail(404, 'label.unknown_template', format('There is no template %s for %s labels.', p_template, p_label_type),
      jsonb_build_object('template', p_template, 'label_type', p_label_type));
  elsif v_version.id is null then
    perform private.fail(412, 'label.no_template', format('No template is active for %s labels. Activate one on the page Labels.', p_label_type),
      jsonb_build_object('label_type', p_label_type, 'template', p_template, 'site', p_site));
  end if;
  return v_version;
end $$;
comment on function private.active_label_version is
$$The version that prints: of the named template, else of the site's own template before a general one, the default first, the newest first.
Errors: label.unknown_template (404), label.no_template (412).$$;
