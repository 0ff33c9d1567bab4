-- Labels of orders: what they say, when they are asked for, what a scan proves. Printing never stops the work on a ticket.

create function private.label_words(p_text text, p_max integer default 200)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return nullif(left(trim(regexp_replace(p_text, '[\s\u0001-\u001f\u007f-\u009f]+', ' ', 'g')), p_max), '');
end $$;
comment on function private.label_words is 'A text as a label can show it: one line, no control characters, at most p_max characters; null when nothing is left.';

create function private.order_label_data(p_order public.orders)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  if p_order.row_id is null then
    return '{}';
  end if;
  return jsonb_build_object(
    'code', p_order.id, 'order_number', p_order.order_number, 'product', private.label_words(concat_ws(' ', p_order.product_title, p_order.variant_title)),
    'size', private.label_words(p_order.size), 'flavour', private.label_words(p_order.flavour), 'writing', private.label_words(p_order.cake_writing, 400),
    'due', private.label_words(concat_ws(' ', to_char(p_order.due_date, 'Dy FMDD Mon'), p_order.due_time), 40),
    'customer', private.label_words(p_order.customer_name, 100), 'priority', p_order.priority, 'storage', private.label_words(p_order.storage),
    'method', p_order.delivery_method, 'store', (select private.label_words(st.name) from public.stores st where st.code = p_order.store),
    'items', (
      select private.label_words(string_agg(t.n || ' × ' || t.product_title, ', ' order by t.product_title), 400) from (
        select o.product_title, sum(o.item_qty) as n from public.orders o
         where o.store = p_order.store and o.order_number = p_order.order_number and o.cancelled_at is null group by 1) t));
end $$;
comment on function private.order_label_data is
'What the labels of a ticket can say: code, order_number, product, size, flavour, writing, due, customer, priority, storage, method, store,
items (of the whole customer order). {} without an order.';

create function private.ask_for_label(p_order public.orders, p_label_type text, p_station text, p_priority integer, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_site text := (select st.site from public.stores st where st.code = p_order.store);
  v_place private.print_place := row(v_site, p_order.store,
    (select s.code from public.stations s where s.code = p_station and s.site = v_site and s.is_active));
  v_message text;
  v_code text;
begin
  if private.named_printer(v_place, p_label_type) is null and not exists (select from private.routed_printers(v_site, v_place.station, p_label_type)) then
    return;   -- printing is not set up for this
  end if;
  perform private.add_prints(v_place, row(p_label_type, 1, null, null, p_priority)::private.print_wish,
    jsonb_build_array(jsonb_build_object('subject', p_order.id)), p_actor);
exception when others then
  get stacked diagnostics v_message = message_text, v_code = pg_exception_hint;
  insert into private.print_refusals as r (label_type, subject, site, store, code, message)
  values (p_label_type, p_order.id, v_site, p_order.store, coalesce(nullif(v_code, ''), sqlstate), v_message)
  on conflict on constraint print_refusals_pkey do update set code = excluded.code, message = excluded.message, at = excluded.at;
  perform private.emit('print', p_order.id, 'print.refused', p_actor,
    jsonb_build_object('label_type', p_label_type, 'code', v_code, 'message', v_message), p_order.store, v_site, p_station);
end $$;
comment on function private.ask_for_label is
'The system itself wants a label of a ticket. Nothing happens where no route is set; what is refused becomes an event and an alarm, never an error.';

create function private.ask_for_ticket(p_order_id text, p_station text, p_priority integer, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_order public.orders;
begin
  select o.* into v_order from public.orders o where o.id = p_order_id;
  if private.setting('printing.print_barcodes', v_order.store) = 'true' then
    perform private.ask_for_label(v_order, 'order_ticket', p_station, p_priority, p_actor);
  end if;
  if private.setting('printing.print_labels', v_order.store) = 'true' then
    perform private.ask_for_label(v_order, 'box', p_station, p_priority, p_actor);
  end if;
end $$;
comment on function private.ask_for_ticket is 'The ticket with its scan code and the box label, as far as the settings printing.print_barcodes and printing.print_labels want them.';

create function private.tg_events__print()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  case new.event
    when 'order.created' then
      if private.setting('printing.auto_print', new.store) = 'true' and exists (
        select from public.orders o where o.id = new.stream_id and o.stage = 'Filling' and not o.is_test and o.cancelled_at is null) then
        perform private.ask_for_ticket(new.stream_id, null, 50, new.actor_id);
      end if;
    when 'filling.started', 'barcode.printed' then
      perform private.ask_for_ticket(new.stream_id, new.station, 10, new.actor_id);
    when 'scan.refused' then
      perform private.settle_by_scan(new.stream_id, new.actor_id);
    else
      perform private.forget_labels(new.store, new.payload);
  end case;
  return null;
end $$;
create trigger _500_print after insert on public.events for each row
  when (new.stream = 'order' and (new.event in ('order.created', 'barcode.printed', 'scan.refused')
      or new.event = 'filling.started' and new.payload ->> 'via' = 'print')
    or new.event = 'channel.redacted')
  execute function private.tg_events__print();

-- A scan proves a label --------------------------------------------------------------------------------------------

create function private.settle_by_scan(p_subject text, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_job public.print_jobs;
  v_by private.print_mover := row(p_actor, null);
  v_seen constant jsonb := jsonb_build_object('scanned', p_subject);
begin
  select j.* into v_job from public.print_jobs j
   where j.state = 'unknown' and j.copies = 1 and j.id in (
     select l.job_id from public.print_job_labels l where l.subject = p_subject and l.state = 'wanted')
     -- The code names the thing, not the label: it proves something only where one label of the thing can be out there.
     and 1 = (select count(*) from public.print_job_labels l join public.print_jobs o on o.id = l.job_id
       where l.subject = p_subject and l.state <> 'void' and o.state in ('sending', 'sent', 'unknown', 'printed'))
   for update;
  if v_job.id is null then
    perform private.suspect_twin(p_subject, p_actor);
    return;
  end if;
  update public.print_job_labels l set state = 'printed' where l.job_id = v_job.id and l.subject = p_subject;
  if exists (select from public.print_job_labels l where l.job_id = v_job.id and l.state = 'wanted') then
    perform private.note_print(v_job, v_job.state, 'print.seen', p_subject || ' was scanned.', v_seen, p_actor);
    return;
  end if;
  v_job.evidence_level := 4;
  perform private.move_print(v_job, 'printed', v_by, 'The label was scanned.', v_seen);
end $$;
comment on function private.settle_by_scan is
$$Somebody read the code of p_subject: its unknown label is on something, so it came out. Of a job with several labels each needs its scan;
copies prove nothing about each other. Locks: the job.$$;

create function private.suspect_twin(p_subject text, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_job public.print_jobs;
  v_scans integer;
begin
  select r.* into v_job from public.print_job_labels l join public.print_jobs r on r.id = l.job_id
   where l.subject = p_subject and l.state = 'printed' and r.reason in ('lost', 'wrong_place') and exists (
     select from public.print_job_labels f where f.job_id = r.reprint_of and f.subject = p_subject and f.state = 'printed')
   order by r.id desc limit 1 for update of r;
  select count(*) into v_scans from public.print_job_events e
   where e.job_id = v_job.id and e.from_state = e.to_state and e.evidence ->> 'scanned' = p_subject;
  if v_job.id is null or v_scans > 1 then
    return;
  elsif v_scans = 0 then
    perform private.note_print(v_job, v_job.state, 'print.seen', p_subject || ' was scanned.', jsonb_build_object('scanned', p_subject), p_actor);
  else
    perform private.note_print(v_job, v_job.state, 'print.duplicate', format('Two labels of %s may be about: it was scanned again after its reprint.',
      p_subject), jsonb_build_object('scanned', p_subject, 'is_twin', true), p_actor);
  end if;
end $$;
comment on function private.suspect_twin is
$$A label was reported lost, printed once more, and its code is read for the second time since: the first one may have turned up. Said once
per reprint. Locks: the job.$$;

create function private.tg_recent_scans__settle()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform private.settle_by_scan(new.answer #>> '{order_row,id}', (private.identify()).actor_id);
  return null;
end $$;
create trigger _500_settle after insert or update on private.recent_scans
  for each row execute function private.tg_recent_scans__settle();

-- Who asks to be forgotten -----------------------------------------------------------------------------------------

create function private.forget_labels(p_store text, p_payload jsonb)
returns void language plpgsql set search_path = '' as $$
declare
  v_job public.print_jobs;
begin
  for v_job in
    select j.* from public.print_jobs j
     where j.store = p_store and j.payload is not null and exists (
       select from public.print_job_labels l join public.orders o on o.id = split_part(l.subject, '/', 1)
        where l.job_id = j.id and o.external_order_id is not null
          and (p_payload -> 'order_ids' is null or p_payload -> 'order_ids' = 'null' or p_payload -> 'order_ids' ? o.external_order_id))
     order by j.id for update
  loop
    update public.print_job_labels l set data = l.data - '{customer,writing}'::text[] where l.job_id = v_job.id;
    if v_job.state in ('queued', 'held') then
      v_job := private.move_print(v_job, 'cancelled', null, 'The customer asked to be forgotten.');
    end if;
    update public.print_jobs j set payload = null where j.id = v_job.id;
    update private.commands c set args = '[]'   -- what was given with the request may name somebody too
     where c.rpc in ('request_print', 'request_prints', 'reprint') and exists (
       select from public.print_job_labels l where l.job_id = v_job.id and position('"' || l.subject || '"' in c.args::text) > 0);
  end loop;
end $$;
comment on function private.forget_labels is
'The shop asked to forget people: their names and wordings leave the stored labels, and labels not yet begun are not printed. Locks: the jobs, by id.';
