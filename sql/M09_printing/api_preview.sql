create type public.label_preview as (
  label_type text, template text, version_id bigint, printer text, printer_name text, dpi integer, width_mm numeric, height_mm numeric, payload text);
comment on type public.label_preview is 'What a request would print where; payload is ZPL for a picture, also for printers of another language.';

create function public.preview_print(
  p_label_type text, p_subject text, p_data jsonb default '{}', p_station text default null, p_printer text default null,
  p_template text default null)
returns public.label_preview language plpgsql stable security definer set search_path = '' as $$
declare
  v_labels jsonb := jsonb_build_array(jsonb_build_object('subject', p_subject, 'data', coalesce(p_data, '{}')));
  v_place private.print_place;
  v_version public.label_template_versions;
  v_printer public.printers;
begin
  perform private.authorize('printing.request');
  v_place := private.print_place(private.store_of_labels(v_labels), p_station, p_printer);
  perform private.authorize('printing.request', v_place.store, v_place.site);
  perform private.authorize_labels(v_labels);
  v_version := private.active_label_version(p_label_type, v_place.site, p_template);
  v_printer := private.printer_for(v_place, row(p_label_type, 1, p_printer, p_template, 10)::private.print_wish,
    (select t.media from public.label_templates t where t.code = v_version.template));
  return row(p_label_type, v_version.template, v_version.id, v_printer.code, v_printer.name, v_printer.dpi, v_version.width_mm, v_version.height_mm,
    private.compile_label(v_version, jsonb_set(v_labels, '{0,data}', private.label_data(p_subject, p_data)), 1, 'zpl', v_printer.dpi))::public.label_preview;
end $$;
comment on function public.preview_print is
$$The label that request_print would make with the same arguments, for a look before it is printed. Nothing is stored.
Permission: printing.request in the store and site.
Errors: label.unknown_template (404), label.no_template (412), label.bad_data (422), label.does_not_fit (422), print.no_printer (412),
  print.no_resolution (412), print.where (422).
Idempotency: a read.
Locks: none.$$;
grant execute on function public.preview_print to authenticated;
