-- What a label of a unit says, whoever asks for it and however.

create function private.unit_label_data(p_sn text)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return coalesce((
    select jsonb_build_object('code', u.sn, 'product', coalesce(v.title, u.product_code), 'variant', coalesce(u.variant_code, ''),
        'made', to_char(private.site_day(u.site, u.created_at), 'YYYY-MM-DD'))
      from public.units u left join public.product_variants v on v.code = u.variant_code where u.sn = p_sn), '{}');
end $$;
comment on function private.unit_label_data is 'What the database knows for the label of a unit: {code, product, variant, made}; {} when it is no unit.';

create or replace function private.known_label_data(p_subject text)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return private.order_label_data(private.order_of_label(p_subject)) || private.unit_label_data(p_subject);
end $$;
comment on function private.known_label_data is 'What the database knows about the order or the unit of a label. M12_production replaces it.';

create or replace function private.authorize_labels(p_labels jsonb)
returns void language plpgsql stable set search_path = '' as $$
begin
  perform private.authorize('printing.request', null, u.site) from jsonb_array_elements(p_labels) l join public.units u on u.sn = l ->> 'subject';
end $$;
comment on function private.authorize_labels is 'The right to labels of units, at their site: [{subject}]. M12_production replaces it. Errors: auth.other_site (403).';

create function public.print_unit_label(
  p_sn text, p_station text default null, p_printer text default null, p_request_id uuid default null)
returns public.print_answer language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_unit('printing.request', p_sn, p_request_id, 'print_unit_label',
    jsonb_build_array(p_sn, p_station, p_printer));
  v_unit public.units := v_command.unit;
  v_demand private.print_demand;
  v_answer public.print_answer;
begin
  if v_command.answer is not null then
    return jsonb_populate_record(null::public.print_answer, v_command.answer);
  end if;
  perform private.check_step(v_unit, 'label', 'labelled');
  select d.* into v_demand from private.add_prints(private.unit_place(v_unit, p_station), row('unit_device', 1, p_printer, null, 10)::private.print_wish,
    jsonb_build_array(jsonb_build_object('subject', v_unit.sn)), v_command.actor) d;
  v_answer := private.print_answer(v_demand.job_id, v_demand.is_new, null);
  v_answer.message := case when v_demand.is_new then format('The label of %s goes to %s.', v_unit.sn, v_answer.printer_name)
    else format('The label of %s was asked for already (%s, %s). For one more use reprint.', v_unit.sn, (v_answer.job).state, v_answer.printer_name) end;
  perform private.remember(v_command.actor, p_request_id, to_jsonb(v_answer));
  return v_answer;
end $$;
comment on function public.print_unit_label is
$$The device label of a unit, once: what it says follows from the unit. One that was asked for before is not made again: changed = false with its
job; more paper is a reprint. It comes out where the routes of the unit's site say, for p_station (else the header x-takt-station), or on p_printer.
Permission: printing.request at the site of the unit.
Errors: unit.unknown (404), unit.wrong_state (409) when scrapped, printer.unknown (404), label.unknown_template (404), label.no_template (412),
print.no_printer (412), print.no_resolution (412), print.too_large (412), print.other_site (422), label.bad_data (422), label.does_not_fit (422), request.reused (422).
Idempotency: by p_request_id, and by the unit.
Locks: the unit, then one advisory lock for the label.$$;

create function private.unit_place(p_unit public.units, p_station text)
returns private.print_place language plpgsql stable set search_path = '' as $$
begin
  return row(p_unit.site, null, (select s.code from public.stations s
    where s.code = coalesce(p_station, private.station()) and s.site = p_unit.site and s.is_active))::private.print_place;
end $$;
comment on function private.unit_place is 'Where labels of the unit come out: its site, and the station if it stands there.';

grant execute on function public.print_unit_label to authenticated, service_role;
