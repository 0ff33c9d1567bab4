-- What else happens to a repair: it comes back, it was none, somebody corrects it; parts and papers.

create function public.reopen_repair(p_id bigint, p_reason text, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.work', p_id, p_request_id, 'reopen_repair', jsonb_build_array(p_id, p_reason));
  v_repair public.repairs := v_command.repair;
begin
  if v_command.answer is not null then
    return private.finish_repair(v_command, null);
  elsif v_repair.status not in ('verified', 'closed') then
    perform private.check_status(v_repair, 'reopened');
  elsif v_repair.status = 'closed' and not private.is_same_failure(v_repair, now()) then
    perform private.fail(409, 'repair.too_late', 'It was closed too long ago to be the same failure. Report a new one.',
      jsonb_build_object('closed_at', v_repair.closed_at));
  elsif coalesce(trim(p_reason), '') = '' then
    perform private.fail(422, 'repair.why', 'Say what came back.', jsonb_build_object('field', 'p_reason'));
  end if;
  perform private.refuse_second_repair(v_repair);
  perform private.move_repair(v_repair, 'in_repair', now(), v_command.actor, p_reason);
  return private.finish_repair(v_command, 'repair.reopened', jsonb_build_object('reason', p_reason));
end $$;
comment on function public.reopen_repair is
$$A repair that was verified or closed came back: work goes on, and it is the same failure. Possible within the setting
maintenance.same_failure_hours after closing; later it is a new one.
Permission: maintenance.work at the site of the machine.
Errors: repair.unknown (404), repair.status (409), repair.too_late (409), repair.other_open (409), repair.why (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id.
Locks: the machine, then the repair.$$;

create function private.refuse_second_repair(p_repair public.repairs)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_other bigint := (select r.id from public.repairs r where r.machine = p_repair.machine and r.is_open and r.id <> p_repair.id
    and (r.plan_id = p_repair.plan_id or r.type = 'unscheduled' and p_repair.type = 'unscheduled' and r.symptom = p_repair.symptom) limit 1);
begin
  if v_other is not null then
    perform private.fail(409, 'repair.other_open', 'The same is open already in another repair. Go on there.', jsonb_build_object('other', v_other));
  end if;
end $$;

create function public.dismiss_repair(
  p_id bigint, p_as text, p_reason text, p_duplicate_of bigint default null, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.work', p_id, p_request_id, 'dismiss_repair',
    jsonb_build_array(p_id, p_as, p_reason, p_duplicate_of));
  v_repair public.repairs := v_command.repair;
begin
  if v_command.answer is not null or v_repair.status = p_as then
    return private.finish_repair(v_command, null);
  end if;
  perform private.check_choice('p_as', p_as, '{rejected,duplicate,cancelled}');
  perform private.check_status(v_repair, p_as);
  if coalesce(trim(p_reason), '') = '' then
    perform private.fail(422, 'repair.why', 'Say why.', jsonb_build_object('field', 'p_reason'));
  elsif (p_as = 'duplicate') <> (p_duplicate_of is not null) or p_duplicate_of = p_id or p_as = 'duplicate' and not exists (
      select from public.repairs r where r.id = p_duplicate_of and r.machine = v_repair.machine and r.status not in ('rejected', 'duplicate', 'cancelled')) then
    perform private.fail(422, 'repair.duplicate_of', 'A duplicate names the repair of the same machine that goes on.',
      jsonb_build_object('field', 'p_duplicate_of', 'actual', p_duplicate_of));
  end if;
  -- Both at once: a duplicate names its other from the first moment.
  update public.repairs r set status = p_as, duplicate_of = p_duplicate_of, waits_for = null, status_since = now()
   where r.id = p_id returning r.* into v_repair;
  perform private.check_length('p_reason', p_reason, 2000);
  perform private.log_status(v_repair, v_command.actor, p_reason);
  update public.maintenance_plans p set skipped_at = now(), skipped_count = private.counter_of(p.machine, p.based_on) where p.id = v_repair.plan_id;
  return private.finish_repair(v_command, 'repair.' || p_as, jsonb_build_object('reason', p_reason, 'duplicate_of', p_duplicate_of));
end $$;
comment on function public.dismiss_repair is
$$It was none: p_as rejected, duplicate (of p_duplicate_of, which goes on) or cancelled, with a reason. It counts as no failure,
and what it said about stops is taken back. The plan of a work order is due again an interval later.
Permission: maintenance.work at the site of the machine.
Errors: repair.unknown (404), repair.choice (422), repair.status (409), repair.why (422), repair.duplicate_of (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; dismissed the same way already answers changed = false.
Locks: the machine, its stops, the repair, then its plan.$$;

create function public.update_repair(
  p_id bigint, p_version integer default null, p_description text default null, p_priority text default null, p_is_down boolean default null,
  p_assignee_id uuid default null, p_cause text default null, p_actions_taken text default null, p_performed_by text default null,
  p_cost numeric default null, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.work', p_id, p_request_id, 'update_repair', jsonb_build_array(p_id, p_version,
    p_description, p_priority, p_is_down, p_assignee_id, p_cause, p_actions_taken, p_performed_by, p_cost));
  v_old public.repairs := v_command.repair;
  v_new public.repairs := v_old;
begin
  if v_command.answer is not null then
    return private.finish_repair(v_command, null);
  elsif p_version <> v_old.version then
    perform private.fail(409, 'repair.changed', 'Somebody else changed this repair. Look again.',
      jsonb_build_object('expected', v_old.version, 'actual', p_version));
  end if;
  perform private.check_length('p_description', p_description, 4000);
  perform private.check_choice('p_priority', coalesce(p_priority, v_old.priority), '{low,normal,high}');
  perform private.check_repair_assignee(p_assignee_id);
  perform private.check_repair_texts(p_actions_taken, p_cause, p_performed_by, p_cost);
  update public.repairs r
     set description = coalesce(p_description, r.description), priority = coalesce(p_priority, r.priority), is_down = coalesce(p_is_down, r.is_down),
         assignee_id = coalesce(p_assignee_id, r.assignee_id), cause = coalesce(p_cause, r.cause), actions_taken = coalesce(p_actions_taken, r.actions_taken),
         performed_by = coalesce(p_performed_by, r.performed_by), cost = coalesce(p_cost, r.cost)
   where r.id = p_id and (r.description, r.priority, r.is_down, r.assignee_id, r.cause, r.actions_taken, r.performed_by, r.cost) is distinct from
     (coalesce(p_description, r.description), coalesce(p_priority, r.priority), coalesce(p_is_down, r.is_down), coalesce(p_assignee_id, r.assignee_id),
      coalesce(p_cause, r.cause), coalesce(p_actions_taken, r.actions_taken), coalesce(p_performed_by, r.performed_by), coalesce(p_cost, r.cost))
   returning r.* into v_new;
  if v_new.id is null then
    return private.finish_repair(v_command, null);
  end if;
  return private.finish_repair(v_command, 'repair.updated', jsonb_build_object('before', private.changed_part(to_jsonb(v_old), to_jsonb(v_new)),
    'after', private.changed_part(to_jsonb(v_new), to_jsonb(v_old))));
end $$;
comment on function public.update_repair is
$$Correct a repair (null: as it is). p_version: the version that was looked at; another one refuses, so that nobody overwrites another.
Permission: maintenance.work at the site of the machine.
Errors: repair.unknown (404), repair.changed (409), repair.choice (422), repair.cost (422), staff.unknown (404), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; the same again answers changed = false.
Locks: the machine, then the repair.$$;

create function private.changed_part(p_of jsonb, p_other jsonb)
returns jsonb language sql immutable set search_path = '' as $$
  select coalesce(jsonb_object_agg(e.key, e.value), '{}') from jsonb_each(p_of) e
   where e.key not in ('version', 'updated_at') and e.value is distinct from p_other -> e.key
$$;
comment on function private.changed_part is 'Fields of an object that differ from another one, for the before and after of an event.';

-- Parts from stock ---------------------------------------------------------------------------------------------------

create function public.use_repair_part(
  p_id bigint, p_sku text, p_quantity numeric, p_location text default null, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.work', p_id, p_request_id, 'use_repair_part',
    jsonb_build_array(p_id, p_sku, p_quantity, p_location));
  v_repair public.repairs := v_command.repair;
  v_place public.locations;
  v_item public.inventory_items;
  v_txn bigint;
begin
  if v_command.answer is not null then
    return private.finish_repair(v_command, null);
  end if;
  v_place := private.place(coalesce(p_location, private.default_location(v_repair.site)));
  perform private.check_place(v_place, p_location);
  if not v_repair.is_open then
    perform private.fail(409, 'repair.ended', 'This repair has ended. Open it again first.', jsonb_build_object('status', v_repair.status));
  elsif v_place.site <> v_repair.site then
    perform private.fail(409, 'repair.other_site', 'Take parts from the site where the machine stands.',
      jsonb_build_object('expected', v_repair.site, 'actual', v_place.site));
  end if;
  perform private.check_quantity('p_quantity', p_quantity);
  v_item := private.item_to_move(p_sku);
  v_txn := private.post_txn(v_item.sku, v_place.code, 'consume', -p_quantity, 'repair', p_id::text, null, v_command.actor, v_item.unit_cost);
  perform private.allocate(array[v_item.sku], '{"event": "repair.part_used"}');
  perform private.emit_moves('stock.consumed', array[v_txn], v_command.actor);
  return private.finish_repair(v_command, 'repair.part_used', jsonb_build_object('sku', v_item.sku, 'quantity', trim_scale(p_quantity), 'txn_ids', array[v_txn]));
end $$;
comment on function public.use_repair_part is
$$A spare part was taken from stock for an open repair: p_quantity in its uom, from p_location (default: the place of the site). It is a movement of
the ledger like any other, at the standard cost of the item.
Permission: maintenance.work at the site of the machine.
Errors: repair.unknown (404), repair.ended (409), repair.other_site (409), item.unknown (404), item.not_stocked (422), location.unknown (404), location.inactive (409), stock.quantity (422), stock.short (409), request.reused (422).
Idempotency: by p_request_id; without it every call takes another part.
Locks: the machine, the repair, then the item.$$;

create function public.return_repair_part(p_id bigint, p_txn_id bigint, p_reason text default null, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.work', p_id, p_request_id, 'return_repair_part', jsonb_build_array(p_id, p_txn_id, p_reason));
  v_txn public.inventory_txn := (select t from public.inventory_txn t where t.id = p_txn_id and t.ref_stream = 'repair' and t.ref_id = p_id::text);
  v_back bigint;
begin
  if v_command.answer is not null then
    return private.finish_repair(v_command, null);
  elsif v_txn.id is null or v_txn.reverses is not null then
    perform private.fail(404, 'stock.unknown', 'This repair has taken no such part.', jsonb_build_object('ids', array[p_txn_id]));
  end if;
  perform private.check_length('p_reason', p_reason, 500);
  perform private.lock_stock(array[v_txn.sku]);
  if exists (select from public.inventory_txn t where t.reverses = p_txn_id) then
    return private.finish_repair(v_command, null);
  end if;
  v_back := private.post_txn(v_txn.sku, v_txn.location, v_txn.kind, -v_txn.quantity, 'repair', p_id::text, p_reason, v_command.actor, v_txn.unit_cost, null, p_txn_id);
  perform private.allocate(array[v_txn.sku], '{"event": "repair.part_returned"}');
  perform private.emit_moves('stock.returned', array[v_back], v_command.actor);
  return private.finish_repair(v_command, 'repair.part_returned', jsonb_build_object('sku', v_txn.sku, 'quantity', trim_scale(-v_txn.quantity), 'txn_ids', array[v_back]));
end $$;
comment on function public.return_repair_part is
$$A part was not needed after all: the movement p_txn_id that took it is taken back.
Permission: maintenance.work at the site of the machine.
Errors: repair.unknown (404), stock.unknown (404), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; taken back already answers changed = false.
Locks: the machine, the repair, then the item.$$;

-- Photos and papers --------------------------------------------------------------------------------------------------

create function private.has_many_files(p_repair public.repairs)
returns boolean language plpgsql stable set search_path = '' as $$
begin
  return (select count(*) from public.repair_attachments a where a.repair_id = p_repair.id and a.removed_at is null) >= 50;
end $$;

create function private.refuse_many_files(p_repair public.repairs)
returns void language plpgsql stable set search_path = '' as $$
begin
  if private.has_many_files(p_repair) then
    perform private.fail(409, 'attachment.too_many', 'This repair has 50 files. Remove some first.', jsonb_build_object('repair_id', p_repair.id));
  end if;
end $$;

create function private.new_attachment(p_repair public.repairs, p_name text, p_mime_type text, p_actor uuid)
returns public.repair_attachments language plpgsql set search_path = '' as $$
declare
  v_id uuid := gen_random_uuid();
  v_extension text := case p_mime_type when 'image/jpeg' then 'jpg' when 'image/png' then 'png' when 'image/webp' then 'webp'
    when 'image/heic' then 'heic' when 'application/pdf' then 'pdf' end;
  v_file public.repair_attachments;
begin
  if v_extension is null then
    perform private.fail(422, 'attachment.type', 'Send a photo (JPEG, PNG, WebP, HEIC) or a PDF.', jsonb_build_object('actual', p_mime_type));
  end if;
  perform private.refuse_many_files(p_repair);
  insert into public.repair_attachments (id, repair_id, path, original_name, mime_type, uploaded_by)
  values (v_id, p_repair.id, format('%s/%s/%s.%s', p_repair.site, p_repair.id, v_id, v_extension), nullif(left(trim(p_name), 255), ''), p_mime_type, p_actor)
  returning * into v_file;
  return v_file;
end $$;
comment on function private.new_attachment is
'Room for one file of a repair: the path is made here, from nothing that a client said. Errors: attachment.type (422), attachment.too_many (409).';

create function private.may_attach(p_path text)
returns boolean language plpgsql stable security definer set search_path = '' as $$
declare
  v_actor uuid := (private.identify()).actor_id;
begin
  return exists (select from public.repair_attachments a where a.path = p_path and a.bucket = 'maintenance' and a.removed_at is null
    and a.uploaded_by is not distinct from v_actor and a.created_at > now() - interval '1 hour');
end $$;
comment on function private.may_attach is
'For the policies on storage.objects: the path was made within the last hour, for this caller (or, by the QR code, for somebody without an account).';
grant execute on function private.may_attach to anon, authenticated;

create type public.attachment_change as (changed boolean, event_id bigint, attachment public.repair_attachments, bucket text);
comment on type public.attachment_change is 'A file of a repair; upload it to its path in the bucket.';

create function public.add_repair_attachment(p_id bigint, p_name text, p_mime_type text, p_request_id uuid default null)
returns public.attachment_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.report', p_id, p_request_id, 'add_repair_attachment', jsonb_build_array(p_id, p_name, p_mime_type));
  v_change public.attachment_change;
begin
  if v_command.answer is not null then
    return jsonb_populate_record(null::public.attachment_change, v_command.answer);
  end if;
  if p_mime_type is distinct from 'application/pdf' then
    perform private.fail(422, 'attachment.type', 'A paper is a PDF. Take a photo of what is none.', jsonb_build_object('actual', p_mime_type));
  end if;
  v_change.attachment := private.new_attachment(v_command.repair, p_name, p_mime_type, v_command.actor);
  v_change.bucket := 'maintenance';
  v_change.changed := true;
  v_change.event_id := private.emit_repair(v_command.repair, 'repair.attached', v_command.actor, jsonb_build_object('attachment', (v_change.attachment).id));
  perform private.remember(v_command.actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.add_repair_attachment is
$$Room for a paper of a repair (an invoice, a report of service): upload it within the hour to the answer's path. p_name is kept to be shown, and used
for nothing; p_mime_type application/pdf. Photos: add_repair_photo.
Permission: maintenance.report at the site of the machine.
Errors: repair.unknown (404), attachment.type (422), attachment.too_many (409), request.reused (422).
Idempotency: by p_request_id; without it every call makes another path.
Locks: the machine, then the repair.$$;

create function public.add_repair_photo(p_id bigint, p_photo text, p_request_id uuid default null)
returns public.attachment_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.report', p_id, p_request_id, 'add_repair_photo', jsonb_build_array(p_id, p_photo));
  v_change public.attachment_change;
begin
  if v_command.answer is not null then
    return jsonb_populate_record(null::public.attachment_change, v_command.answer);
  end if;
  perform private.attach_photo(p_photo, 'repair', p_id::text, (v_command.repair).site, v_command.actor);
  v_change.bucket := 'photos';
  v_change.attachment := (select a from public.repair_attachments a where a.path = p_photo);
  v_change.changed := (v_change.attachment).id is null;
  if v_change.changed then
    perform private.refuse_many_files(v_command.repair);
    insert into public.repair_attachments as a (repair_id, bucket, path, mime_type, uploaded_by)
    values (p_id, 'photos', p_photo, 'image/jpeg', v_command.actor) returning a into v_change.attachment;
    v_change.event_id := private.emit_repair(v_command.repair, 'repair.attached', v_command.actor, jsonb_build_object('attachment', (v_change.attachment).id));
  end if;
  perform private.remember(v_command.actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.add_repair_photo is
$$A photo shows this repair. p_photo: path that start_photo gave (p_about repair), once the photo is there.
Permission: maintenance.report at the site of the machine.
Errors: repair.unknown (404), photo.unknown (404), photo.missing (409), attachment.too_many (409), request.reused (422).
Idempotency: by p_request_id; a photo that it has already answers changed = false.
Locks: the machine, the repair, then the photo.$$;

create function public.remove_repair_attachment(p_attachment_id uuid, p_request_id uuid default null)
returns public.attachment_change language plpgsql security definer set search_path = '' as $$
declare
  v_file public.repair_attachments := (select a from public.repair_attachments a where a.id = p_attachment_id);
  v_command private.repair_command := private.begin_repair('maintenance.work', v_file.repair_id, p_request_id, 'remove_repair_attachment', jsonb_build_array(p_attachment_id));
  v_change public.attachment_change;
begin
  if v_command.answer is not null then
    return jsonb_populate_record(null::public.attachment_change, v_command.answer);
  end if;
  update public.repair_attachments a set removed_at = now(), removed_by = v_command.actor
   where a.id = p_attachment_id and a.removed_at is null returning a.* into v_file;
  v_change.changed := found;
  v_change.attachment := (select a from public.repair_attachments a where a.id = p_attachment_id);
  v_change.bucket := (v_change.attachment).bucket;
  if v_change.changed then
    v_change.event_id := private.emit_repair(v_command.repair, 'repair.detached', v_command.actor, jsonb_build_object('attachment', p_attachment_id));
  end if;
  perform private.remember(v_command.actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.remove_repair_attachment is
$$A file of a repair is shown no more. It stays in storage, for who audits.
Permission: maintenance.work at the site of the machine.
Errors: repair.unknown (404), request.reused (422).
Idempotency: by p_request_id; removed already answers changed = false.
Locks: the machine, then the repair.$$;

grant execute on function public.reopen_repair, public.dismiss_repair, public.update_repair, public.use_repair_part, public.return_repair_part,
  public.add_repair_attachment, public.add_repair_photo, public.remove_repair_attachment to authenticated;
