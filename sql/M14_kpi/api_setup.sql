-- What is set once: reasons, how a site counts time, how fast a machine can be -----------------------------------------

create function public.save_stop_reason(
  p_code text, p_title text default null, p_parent text default null, p_time_class text default null, p_is_failure boolean default null,
  p_needs_repair boolean default null, p_e10_state text default null, p_position integer default null, p_is_active boolean default null,
  p_request_id uuid default null)
returns public.stop_reasons language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('kpi.plan');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_stop_reason', jsonb_build_array(p_code, p_title, p_parent, p_time_class, p_is_failure,
    p_needs_repair, p_e10_state, p_position, p_is_active));
  v_reason public.stop_reasons;
begin
  perform private.authorize('kpi.plan', null, si.code) from public.sites si order by si.code;   -- reasons are those of the whole plant
  if v_answer is not null then
    return jsonb_populate_record(null::public.stop_reasons, v_answer);
  end if;
  if p_code = 'breakdown' and p_is_active = false then
    perform private.fail(409, 'stop.reason_needed', 'Repairs give this reason to the stops that they open. It stays in use; give it another title instead.',
      jsonb_build_object('field', 'p_is_active', 'reason', p_code));
  end if;
  insert into public.stop_reasons as r (code, title, parent, time_class, is_failure, needs_repair, e10_state, position, is_active)
  values (p_code, coalesce(p_title, p_code), p_parent, coalesce(p_time_class, 'unclassified'), coalesce(p_is_failure, false), coalesce(p_needs_repair, false),
    coalesce(p_e10_state, 'UDT'), coalesce(p_position, 0), coalesce(p_is_active, true))
  on conflict on constraint stop_reasons_pkey do update
    set title = coalesce(p_title, r.title), parent = coalesce(p_parent, r.parent), time_class = coalesce(p_time_class, r.time_class),
        is_failure = coalesce(p_is_failure, r.is_failure), needs_repair = coalesce(p_needs_repair, r.needs_repair), e10_state = coalesce(p_e10_state, r.e10_state),
        position = coalesce(p_position, r.position), is_active = coalesce(p_is_active, r.is_active)
  returning r.* into v_reason;
  perform private.emit('calendar', p_code, 'calendar.reason', v_actor, to_jsonb(v_reason));
  perform private.remember(v_actor, p_request_id, to_jsonb(v_reason));
  return v_reason;
end $$;
comment on function public.save_stop_reason is
$$A reason for stops, added or changed (null: as it is). Stops that have it already keep the class it had.
Permission: kpi.plan at every site, as reasons are those of the whole plant.
Errors: auth.other_site (403), stop.reason_needed (409) for breakdown out of use, request.reused (422); constraints by name (stop_reasons_time_class_fkey …).
Idempotency: by p_request_id; the same values again change nothing but the version.
Locks: the reason.$$;

create function public.set_time_policy(
  p_time_class text, p_policy text, p_valid_from timestamptz default null, p_site text default null, p_request_id uuid default null)
returns public.time_class_policies language plpgsql security definer set search_path = '' as $$
declare
  v_site text := private.caller_site(p_site, null);
  v_actor uuid := private.authorize('kpi.plan', null, v_site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'set_time_policy', jsonb_build_array(p_time_class, p_policy, p_valid_from, p_site));
  v_policy public.time_class_policies;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.time_class_policies, v_answer);
  end if;
  perform 1 from public.machines m where m.site = v_site order by m.code for no key update;   -- before the figures of their shifts
  insert into public.time_class_policies as p (site, time_class, valid_from, policy, created_by)
  values (v_site, p_time_class, coalesce(p_valid_from, now()), p_policy, nullif(v_actor, '00000000-0000-0000-0000-000000000000'))
  on conflict on constraint time_class_policies_pkey do update set policy = excluded.policy, created_by = excluded.created_by
  returning p.* into v_policy;
  perform private.touch_shifts(m.code, tstzrange(v_policy.valid_from, null)) from public.machines m where m.site = v_site;
  perform private.emit('calendar', v_site, 'calendar.policy', v_actor, to_jsonb(v_policy), null, v_site);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_policy));
  return v_policy;
end $$;
comment on function public.set_time_policy is
$$How a site counts a class of time: p_policy excluded, loss_availability or loss_performance, for what begins at p_valid_from (now) or later.
Permission: kpi.plan at the site.
Errors: request.reused (422); constraints by name (time_class_policies_time_class_fkey, time_class_policies_policy_check).
Idempotency: by p_request_id; the same again changes nothing.
Locks: the machines of the site.$$;

create function public.set_ideal_cycle(p_machine text, p_ideal_s numeric, p_sku text default null, p_request_id uuid default null)
returns public.ideal_cycles language plpgsql security definer set search_path = '' as $$
declare
  v_site text := (select m.site from public.machines m where m.code = p_machine);
  v_actor uuid := private.authorize('kpi.plan', null, v_site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'set_ideal_cycle', jsonb_build_array(p_machine, p_ideal_s, p_sku));
  v_cycle public.ideal_cycles;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.ideal_cycles, v_answer);
  end if;
  perform private.find_machine(p_machine);
  insert into public.ideal_cycles as c (machine, sku, ideal_s, set_by)
  values (p_machine, p_sku, p_ideal_s, nullif(v_actor, '00000000-0000-0000-0000-000000000000'))
  on conflict on constraint ideal_cycles_sku_key do update set ideal_s = excluded.ideal_s, set_by = excluded.set_by, updated_at = now()
  returning c.* into v_cycle;
  perform private.emit('calendar', p_machine, 'calendar.ideal_cycle', v_actor, to_jsonb(v_cycle), null, v_site);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_cycle));
  return v_cycle;
end $$;
comment on function public.set_ideal_cycle is
$$Seconds that a piece takes at best on a machine, of one item or (p_sku null) of any. For counts from now on; what was booked keeps what held then.
Permission: kpi.plan at the site of the machine.
Errors: machine.unknown (404), request.reused (422); constraints by name (ideal_cycles_ideal_s_check, ideal_cycles_sku_fkey).
Idempotency: by p_request_id; the same again changes nothing.
Locks: none.$$;

grant execute on function public.save_stop_reason, public.set_time_policy, public.set_ideal_cycle to authenticated, service_role;
