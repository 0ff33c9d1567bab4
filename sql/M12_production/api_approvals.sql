-- Approvals: one person asks, another one decides, and the decision does what was asked.

create type public.approval_change as (changed boolean, event_id bigint, approval public.approvals, notices jsonb);
comment on type public.approval_change is
  'Answer of a command on an approval: did it change anything, its event, the approval now, notices [{code, message, details}] to show, or null.';

create function private.emit_approval(p_approval public.approvals, p_event text, p_actor uuid, p_more jsonb default '{}')
returns bigint language plpgsql set search_path = '' as $$
begin
  return private.emit('approval', p_approval.id::text, p_event, p_actor, jsonb_strip_nulls(jsonb_build_object('type', p_approval.type,
      'status', p_approval.status, 'operation', p_approval.operation, 'work_centre', p_approval.work_centre, 'sequence', p_approval.sequence,
      'order', (select o.code from public.production_orders o where o.id = p_approval.order_id), 'quantity', trim_scale(p_approval.quantity),
      'justification', p_approval.justification, 'response_notes', p_approval.response_notes, 'version', p_approval.version)) || p_more,
    null, p_approval.site);
end $$;

create function private.finish_approval(p_actor uuid, p_request_id uuid, p_change public.approval_change)
returns public.approval_change language plpgsql set search_path = '' as $$
begin
  perform private.remember(p_actor, p_request_id, to_jsonb(p_change));
  return p_change;
end $$;

create function private.check_approval(p_approval public.approvals)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_field text := case
    when p_approval.type is null or p_approval.type not in ('OVERTIME', 'ENABLE_EQUIPMENT', 'DISABLE_EQUIPMENT', 'SPECIAL_OPERATION') then 'p_type'
    when coalesce(trim(p_approval.justification), '') = '' then 'p_justification'
    when p_approval.type = 'OVERTIME' and (p_approval.starts_at < p_approval.ends_at) is not true then 'p_ends_at'
    when p_approval.type in ('ENABLE_EQUIPMENT', 'DISABLE_EQUIPMENT') and p_approval.work_centre is null then 'p_work_centre'
    when p_approval.type = 'SPECIAL_OPERATION' and coalesce(p_approval.operation, '') not in ('other_work_centre', 'over_capacity', 'other') then 'p_operation'
    when p_approval.operation = 'other_work_centre' and num_nonnulls(p_approval.order_id, p_approval.sequence, p_approval.work_centre) < 3 then 'p_sequence'
    when p_approval.operation = 'over_capacity' and num_nonnulls(p_approval.order_id, p_approval.work_centre) < 2 then 'p_order'
    when p_approval.site is null then 'p_site' end;
begin
  if v_field is not null then
    perform private.fail(422, 'approval.incomplete', case v_field
      when 'p_type' then 'Ask for overtime, for equipment to be enabled or disabled, or for a special operation.'
      when 'p_justification' then 'Say why it is needed.'
      when 'p_ends_at' then 'Say from when until when; the end comes after the beginning.'
      when 'p_work_centre' then 'Say which work centre.'
      when 'p_operation' then 'A special operation is other_work_centre, over_capacity or other.'
      when 'p_site' then 'Say at which site.'
      when 'p_order' then 'Say which order and which work centre.'
      else 'Say which order, which step of it and which work centre.' end, jsonb_build_object('field', v_field));
  end if;
  perform private.check_length('p_justification', p_approval.justification, 1000);
  if p_approval.sequence is not null and not exists (select 1 from public.production_order_steps s
      where s.order_id = p_approval.order_id and s.sequence = p_approval.sequence) then
    perform private.fail(404, 'production.no_step', 'The order has no such step.', jsonb_build_object('sequence', p_approval.sequence));
  elsif exists (select 1 from public.work_centres w where w.code = p_approval.work_centre
      and w.is_enabled = (p_approval.type = 'ENABLE_EQUIPMENT') and p_approval.type in ('ENABLE_EQUIPMENT', 'DISABLE_EQUIPMENT')) then
    perform private.fail(409, 'approval.needless', format('%s is %s already.', p_approval.work_centre,
      case p_approval.type when 'ENABLE_EQUIPMENT' then 'enabled' else 'disabled' end), jsonb_build_object('work_centre', p_approval.work_centre));
  end if;
end $$;

create function public.request_approval(
  p_type text, p_justification text, p_work_centre text default null, p_order text default null, p_sequence integer default null,
  p_operation text default null, p_starts_at timestamptz default null, p_ends_at timestamptz default null, p_site text default null,
  p_request_id uuid default null)
returns public.approval_change language plpgsql security definer set search_path = '' as $$
declare
  v_order public.production_orders := (select o from public.production_orders o where o.code = p_order);
  v_centre public.work_centres := (select w from public.work_centres w where w.code = p_work_centre);
  v_site text := coalesce(v_centre.site, v_order.site, private.caller_site(p_site, null));
  v_actor uuid := private.authorize('production.request', v_order.store, v_site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'request_approval', jsonb_build_array(p_type, p_justification, p_work_centre, p_order,
    p_sequence, p_operation, p_starts_at, p_ends_at, p_site));
  v_new public.approvals;
  v_change public.approval_change;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.approval_change, v_answer);
  elsif p_order is not null and v_order.id is null then
    perform private.fail(404, 'production.unknown', 'There is no production order ' || p_order || '.', jsonb_build_object('code', p_order));
  elsif p_work_centre is not null and v_centre.code is null then
    perform private.fail(404, 'work_centre.unknown', 'There is no work centre ' || p_work_centre || '.', jsonb_build_object('code', p_work_centre));
  elsif v_centre.site <> v_order.site then
    perform private.fail(409, 'work_centre.other_site', format('%s stands at %s; the order is made at %s.', v_centre.code, v_centre.site, v_order.site),
      jsonb_build_object('expected', v_order.site, 'actual', v_centre.site));
  end if;
  v_new.type := upper(p_type); v_new.justification := p_justification; v_new.work_centre := v_centre.code; v_new.order_id := v_order.id;
  v_new.sequence := p_sequence; v_new.starts_at := p_starts_at; v_new.ends_at := p_ends_at; v_new.site := v_site;
  v_new.operation := case when v_new.type = 'SPECIAL_OPERATION' then coalesce(p_operation, 'other') end;
  perform private.check_approval(v_new);
  while (v_change.approval).id is null loop   -- found pending, but decided before we read it: ask anew
    insert into public.approvals as a (type, justification, work_centre, order_id, sequence, starts_at, ends_at, site, operation, requested_by)
    values (v_new.type, v_new.justification, v_new.work_centre, v_new.order_id, v_new.sequence, v_new.starts_at, v_new.ends_at, v_new.site,
      v_new.operation, nullif(v_actor, '00000000-0000-0000-0000-000000000000'))
    on conflict do nothing returning true, null::bigint, a, null::jsonb into v_change;
    if v_change.changed then
      v_change.event_id := private.emit_approval(v_change.approval, 'approval.requested', v_actor);
    else
      v_change := row(false, null, (select a from public.approvals a where a.status = 'PENDING' and (a.site, a.type) = (v_new.site, v_new.type)
        and (a.work_centre, a.order_id, a.sequence, a.operation, a.starts_at, a.ends_at) is not distinct from (v_new.work_centre, v_new.order_id,
          v_new.sequence, v_new.operation, v_new.starts_at, v_new.ends_at)), null);
    end if;
  end loop;
  return private.finish_approval(v_actor, p_request_id, v_change);
end $$;
comment on function public.request_approval is
$$Ask for something that another person decides. p_type OVERTIME (p_starts_at to p_ends_at, at a work centre or the whole site),
ENABLE_EQUIPMENT or DISABLE_EQUIPMENT (p_work_centre), SPECIAL_OPERATION (p_operation other_work_centre: a step of an order at another work
centre than its routing names; over_capacity: an order, or a step of it, at a work centre whose positions are all taken; other: anything, for the record). p_justification always.
Permission: production.request at the site.
Errors: approval.incomplete (422), approval.needless (409), production.unknown (404), production.no_step (404), work_centre.unknown (404), work_centre.other_site (409), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; the same asked again while it is pending answers changed = false.
Locks: none.$$;

-- What an approval does ------------------------------------------------------------------------------------------------

create function private.switch_work_centre(p_approval public.approvals, p_is_enabled boolean, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_centre public.work_centres;
begin
  update public.work_centres w
     set is_enabled = p_is_enabled, disabled_reason = case when not p_is_enabled then left(p_approval.justification, 500) end,
         disabled_at = case when not p_is_enabled then now() end, disabled_by = case when not p_is_enabled then p_actor end
   where w.code = p_approval.work_centre and w.is_enabled <> p_is_enabled returning w.* into v_centre;
  if v_centre.code is null then
    return jsonb_build_object('work_centre', p_approval.work_centre, 'is_enabled', p_is_enabled, 'changed', false);
  end if;
  perform private.emit('work_centre', v_centre.code, case when p_is_enabled then 'work_centre.enabled' else 'work_centre.disabled' end, p_actor,
    jsonb_build_object('approval', p_approval.id, 'reason', p_approval.justification, 'requested_by', p_approval.requested_by,
      'version', v_centre.version), null, v_centre.site);
  return jsonb_build_object('work_centre', v_centre.code, 'is_enabled', p_is_enabled, 'changed', true);
end $$;

create function private.apply_approval(p_approval public.approvals, p_event_id bigint, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_root public.production_orders;
  v_source public.production_orders;
  v_notice jsonb;
begin
  if p_approval.type in ('ENABLE_EQUIPMENT', 'DISABLE_EQUIPMENT') then
    return private.switch_work_centre(p_approval, p_approval.type = 'ENABLE_EQUIPMENT', p_actor);
  elsif p_approval.operation = 'replenishment' then
    select o.* into v_root from public.production_orders o where o.id = p_approval.order_id;
    select o.* into v_source from public.replenishment_links l join public.production_orders o on o.id = l.source_order_id
     where l.approval_id = p_approval.id order by l.id desc limit 1;
    perform private.lock_order_stock(v_root);
    v_notice := private.replenish(v_root.id, v_source, v_root.product_sku, 'APPROVAL', p_event_id, p_actor, p_approval);
    return coalesce(v_notice -> 'details', '{"replenishment": null}');
  end if;
  return '{}';
end $$;
comment on function private.apply_approval is 'Does what was approved and answers what that was. Overtime and other operations are in force by being approved.';

create function public.decide_approval(
  p_id bigint, p_decision text, p_version integer, p_notes text default null, p_request_id uuid default null)
returns public.approval_change language plpgsql security definer set search_path = '' as $$
declare
  v_approval public.approvals := (select a from public.approvals a where a.id = p_id);
  v_store text := (select o.store from public.production_orders o where o.id = v_approval.order_id);
  v_actor uuid := private.authorize('production.approve', v_store, v_approval.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'decide_approval', jsonb_build_array(p_id, p_decision, p_version, p_notes));
  v_decision text := upper(p_decision);
  v_effect jsonb;
  v_change public.approval_change;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.approval_change, v_answer);
  end if;
  perform private.check_decision(v_approval, p_id, v_decision, p_notes, v_actor);
  if v_approval.order_id is not null then
    perform private.lock_family(v_approval.order_id);
  end if;
  select a.* into v_approval from public.approvals a where a.id = p_id for update;
  if v_approval.status = v_decision then
    return private.finish_approval(v_actor, p_request_id, row(false, null, v_approval, null)::public.approval_change);
  elsif v_approval.status <> 'PENDING' then
    perform private.fail(409, 'approval.decided', format('This was %s already.', lower(v_approval.status)),
      jsonb_build_object('status', v_approval.status, 'decided_at', v_approval.decided_at));
  elsif v_approval.version is distinct from p_version then
    perform private.fail(409, 'approval.stale', 'The request has changed meanwhile. Look at it again, then decide.',
      jsonb_build_object('expected', p_version, 'actual', v_approval.version, 'quantity', trim_scale(v_approval.quantity)));
  end if;
  update public.approvals a set status = v_decision, decided_at = now(), decided_by = v_actor, response_notes = p_notes
   where a.id = p_id returning a.* into v_approval;
  v_change := row(true, private.emit_approval(v_approval, 'approval.' || lower(v_decision), v_actor), v_approval, null);
  if v_decision = 'APPROVED' then
    v_effect := private.apply_approval(v_approval, v_change.event_id, v_actor);
    update public.approvals a set effect = v_effect where a.id = p_id returning a.* into v_approval;
    v_change.approval := v_approval;
  end if;
  return private.finish_approval(v_actor, p_request_id, v_change);
end $$;
comment on function public.decide_approval is
$$Approve or reject: p_decision APPROVED or REJECTED; a rejection says why in p_notes. p_version: of the request as the screen showed it. The caller decides,
never who asked. Approved, a work centre is enabled or disabled at once, and pieces beyond the caps are made again, as many as the request says and as far as
they are still needed: see effect.
Permission: production.approve at its site.
Errors: approval.unknown (404), approval.own (403), approval.decided (409), approval.stale (409), approval.decision (422), approval.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; the same decision again answers changed = false.
Locks: the family of its order, the approval, then its work centre or the items of the replenishment.$$;

create function private.asked_for(p_approval public.approvals, p_who uuid)
returns boolean language plpgsql stable set search_path = '' as $$
begin
  return coalesce(p_approval.requested_by = p_who, false)
    or exists (select from public.replenishment_links l where l.approval_id = p_approval.id and l.created_by = p_who
      and l.trigger <> 'APPROVAL');   -- that one is who allowed it
end $$;
comment on function private.asked_for is 'Did this person ask for it, or is a loss of theirs in it? Then somebody else decides.';

create function private.check_decision(p_approval public.approvals, p_id bigint, p_decision text, p_notes text, p_actor uuid)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_approval.id is null then
    perform private.fail(404, 'approval.unknown', 'There is no such request.', jsonb_build_object('id', p_id));
  elsif p_decision is null or p_decision not in ('APPROVED', 'REJECTED') then
    perform private.fail(422, 'approval.decision', 'Decide APPROVED or REJECTED.', jsonb_build_object('field', 'p_decision', 'actual', p_decision));
  elsif private.asked_for(p_approval, p_actor) then
    perform private.fail(403, 'approval.own', 'You asked for it: somebody else decides.', jsonb_build_object('id', p_id));
  elsif p_decision = 'REJECTED' and coalesce(trim(p_notes), '') = '' then
    perform private.fail(422, 'approval.reason_required', 'Say why it is rejected.', jsonb_build_object('field', 'p_notes'));
  end if;
  perform private.check_length('p_notes', p_notes, 1000);
end $$;

create function public.withdraw_approval(p_id bigint, p_request_id uuid default null)
returns public.approval_change language plpgsql security definer set search_path = '' as $$
declare
  v_approval public.approvals := (select a from public.approvals a where a.id = p_id);
  v_actor uuid := private.authorize('production.request', null, v_approval.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'withdraw_approval', jsonb_build_array(p_id));
  v_change public.approval_change;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.approval_change, v_answer);
  elsif v_approval.id is null then
    perform private.fail(404, 'approval.unknown', 'There is no such request.', jsonb_build_object('id', p_id));
  end if;
  select a.* into v_approval from public.approvals a where a.id = p_id for update;
  if v_approval.operation = 'replenishment' then
    perform private.fail(403, 'approval.not_yours', 'What was lost asks for it, not a person. It goes when nothing is missing any more.',
      jsonb_build_object('id', p_id));
  elsif v_approval.requested_by is distinct from nullif(v_actor, '00000000-0000-0000-0000-000000000000') then
    perform private.fail(403, 'approval.not_yours', 'Only who asked takes it back.', jsonb_build_object('id', p_id));
  elsif v_approval.status not in ('PENDING', 'WITHDRAWN') then
    perform private.fail(409, 'approval.decided', format('This was %s already.', lower(v_approval.status)),
      jsonb_build_object('status', v_approval.status, 'decided_at', v_approval.decided_at));
  end if;
  v_change := row(v_approval.status = 'PENDING', null, v_approval, null);
  if v_change.changed then
    update public.approvals a set status = 'WITHDRAWN', decided_at = now(), decided_by = a.requested_by
     where a.id = p_id returning a into v_change.approval;
    v_change.event_id := private.emit_approval(v_change.approval, 'approval.withdrawn', v_actor);
  end if;
  return private.finish_approval(v_actor, p_request_id, v_change);
end $$;
comment on function public.withdraw_approval is
$$Who asked does not need it any more.
Permission: production.request at its site.
Errors: approval.unknown (404), approval.not_yours (403), approval.decided (409), request.reused (422).
Idempotency: by p_request_id; withdrawn before, it answers changed = false.
Locks: the approval.$$;

grant execute on function public.request_approval, public.withdraw_approval, public.decide_approval to authenticated;   -- people, never programs
