-- States and counts come in ------------------------------------------------------------------------------------------

create type public.ingest_answer as (accepted integer, duplicates integer, refused jsonb);
comment on type public.ingest_answer is
$$How many rows are new, how many were there before, and which can never be taken: [{n, code, is_quarantined}], n from 1. Refused rows do not keep the
others back; is_quarantined: the clock is wrong, and the row lies in quarantined_events.$$;

create type private.state_row as (n bigint, machine text, at timestamptz, seq bigint, state text, problem text);

create type private.refused_row as (n bigint, machine text, at timestamptz, problem text);

create function private.quarantine(p_kind text, p_rows private.refused_row[], p_events jsonb, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_aside bigint[] := array(select r.n from unnest(p_rows) r where r.problem in ('machine.time', 'machine.too_old') and isfinite(r.at));
  v_told record;
begin
  if v_aside <> '{}' then
    for v_told in with added as (
      insert into public.quarantined_events (machine, site, kind, code, event, actor_id)
      select m.code, m.site, p_kind, r.problem, e.item, nullif(p_actor, '00000000-0000-0000-0000-000000000000')
        from unnest(p_rows) r join public.machines m on m.code = r.machine
        join jsonb_array_elements(p_events) with ordinality as e (item, n) on e.n = r.n where r.n = any (v_aside) order by m.code, r.n
      on conflict do nothing returning machine, site, code)
      select a.machine, a.site, count(*) as rows, to_jsonb(array_agg(distinct a.code)) as codes from added a group by 1, 2 order by 1
    loop
      perform private.emit('machine', v_told.machine, 'machine.quarantined', p_actor,
        jsonb_build_object('machine', v_told.machine, 'kind', p_kind, 'rows', v_told.rows, 'codes', v_told.codes), null, v_told.site);
    end loop;
  end if;
  return (select coalesce(jsonb_agg(jsonb_build_object('n', r.n, 'code', r.problem)
      || case when r.n = any (v_aside) then '{"is_quarantined": true}'::jsonb else '{}' end order by r.n), '[]') from unnest(p_rows) r);
end $$;
comment on function private.quarantine is
$$What a batch cannot take, as the answer tells it. Rows whose clock is wrong are set aside once, as they came, and one event per machine says so.$$;

create function private.read_states(p_events jsonb)
returns setof private.state_row language plpgsql stable set search_path = '' as $$
begin
  if jsonb_array_length(p_events) > 50000 then
    perform private.fail(422, 'machine.too_many', 'Send at most 50,000 states at once.', jsonb_build_object('field', 'p_events', 'actual', jsonb_array_length(p_events)));
  end if;
  return query
    select g.n, m.code, g.at, g.seq, g.state, case when m.code is null then 'machine.unknown'
        when p.code is not null then p.code
        when g.state is null or g.state not in ('running', 'setup', 'idle', 'stopped', 'fault', 'starved', 'blocked', 'maintenance', 'off') then 'machine.state' end
      from (select e.n, e.item ->> 'machine' as machine, coalesce((e.item ->> 'at')::timestamptz, now()) as at, coalesce((e.item ->> 'seq')::bigint, 0) as seq,
              e.item ->> 'state' as state from jsonb_array_elements(p_events) with ordinality as e (item, n)) g
      left join public.machines m on m.code = g.machine
      left join (select si.code as site, private.oldest_fact(si.code) as oldest from public.sites si offset 0) l on l.site = m.site
     cross join lateral (select private.clock_problem(g.at, l.oldest) as code offset 0) p;
exception when invalid_text_representation or invalid_datetime_format or datetime_field_overflow or invalid_parameter_value or numeric_value_out_of_range then
  perform private.fail(400, 'machine.malformed', 'States are a list of {machine, at, state, seq}.', jsonb_build_object('field', 'p_events'));
end $$;

create function private.current_state(p_machine text)
returns text language plpgsql stable set search_path = '' as $$
begin
  return (select e.state from public.machine_state_events e where e.machine = p_machine order by e.at desc, e.seq desc, e.state desc limit 1);
end $$;
comment on function private.current_state is 'What the machine said last, however long ago.';

create function private.authorize_machines(p_permission text, p_machines text[])
returns uuid language plpgsql stable set search_path = '' as $$
declare
  v_actor uuid := private.authorize(p_permission);
begin
  perform private.authorize(p_permission, null, s.site) from (select distinct m.site from public.machines m where m.code = any (p_machines)) s;
  return v_actor;
end $$;
comment on function private.authorize_machines is 'The guard of commands on several machines: permitted, and at the site of each.';

create function private.add_states(p_states private.state_row[], p_source text, p_actor uuid)
returns integer language plpgsql set search_path = '' as $$
declare
  v_before jsonb := (select jsonb_object_agg(m.code, private.current_state(m.code)) from (select distinct s.machine as code from unnest(p_states) s) m);
  v_added integer;
begin
  insert into public.machine_state_events (machine, at, seq, state, source, actor_id)
  select s.machine, s.at, s.seq, s.state, p_source, nullif(p_actor, '00000000-0000-0000-0000-000000000000')
    from unnest(p_states) s order by s.machine, s.at, s.seq
  on conflict on constraint machine_state_events_pkey do nothing;
  get diagnostics v_added = row_count;
  perform private.emit('machine', m.code, 'machine.state', p_actor, jsonb_build_object('machine', m.code, 'state', c.state, 'before', b.value), null, m.site)
    from jsonb_each_text(coalesce(v_before, '{}')) b join public.machines m on m.code = b.key
   cross join lateral (select private.current_state(m.code) as state) c where c.state is distinct from b.value order by m.code;
  return v_added;
end $$;
comment on function private.add_states is 'Adds states once and says what changed now: one event per machine whose last state is another.';

create function public.record_machine_state(
  p_machine text, p_state text, p_at timestamptz default null, p_seq bigint default 0, p_request_id uuid default null)
returns public.ingest_answer language plpgsql security definer set search_path = '' as $$
declare
  v_site text := (select m.site from public.machines m where m.code = p_machine);
  v_actor uuid := private.authorize('machines.report', null, v_site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'record_machine_state', jsonb_build_array(p_machine, p_state, p_at, p_seq));
  v_row private.state_row := row(1, p_machine, coalesce(p_at, now()), coalesce(p_seq, 0), p_state, null)::private.state_row;
  v_change public.ingest_answer;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.ingest_answer, v_answer);
  end if;
  perform private.find_machine(p_machine);
  v_row.problem := private.clock_problem(v_row.at, private.oldest_fact(v_site));
  if v_row.problem = 'machine.time' then
    perform private.fail(422, 'machine.time', 'That is in the future. Check the clock of the machine.', jsonb_build_object('field', 'p_at', 'actual', v_row.at));
  elsif v_row.problem = 'machine.too_old' then
    perform private.fail(422, 'machine.too_old', 'That is too long ago. Check the clock of the machine.', jsonb_build_object('field', 'p_at', 'actual', v_row.at));
  elsif p_state is null or p_state not in ('running', 'setup', 'idle', 'stopped', 'fault', 'starved', 'blocked', 'maintenance', 'off') then
    perform private.fail(422, 'machine.state', 'A machine is running, setup, idle, stopped, fault, starved, blocked, maintenance or off.',
      jsonb_build_object('field', 'p_state', 'actual', p_state));
  end if;
  v_change.accepted := private.add_states(array[v_row], case when (private.identify()).role like 'device.%' or (private.identify()).role = 'service'
    then 'signal' else 'person' end, v_actor);
  v_change.duplicates := 1 - v_change.accepted; v_change.refused := '[]';
  perform private.remember(v_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.record_machine_state is
$$A machine does something else now, or since p_at: running, setup, idle, stopped, fault, starved, blocked, maintenance, off. What a device says has to be
said again within the silence threshold of the machine; what a person says holds until the next word. Of equal times the higher p_seq holds.
Permission: machines.report at the site of the machine.
Errors: machine.unknown (404), machine.state (422), machine.time (422), machine.too_old (422), request.reused (422).
Idempotency: by p_request_id; the same state at the same time again is a duplicate.
Locks: the machine, shared.$$;

create function public.record_machine_states(p_events jsonb, p_request_id uuid default null)
returns public.ingest_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('machines.report');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'record_machine_states', p_events);
  v_rows private.state_row[];
  v_change public.ingest_answer;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.ingest_answer, v_answer);
  end if;
  v_rows := array(select s from private.read_states(p_events) s);
  perform private.authorize_machines('machines.report', array(select distinct s.machine from unnest(v_rows) s));
  v_change.refused := private.quarantine('state', array(select row(s.n, s.machine, s.at, s.problem)::private.refused_row
    from unnest(v_rows) s where s.problem is not null), p_events, v_actor);
  v_rows := array(select s from unnest(v_rows) s where s.problem is null);
  v_change.accepted := private.add_states(v_rows, case when (private.identify()).role like 'device.%' or (private.identify()).role = 'service'
    then 'signal' else 'person' end, v_actor);
  v_change.duplicates := cardinality(v_rows) - v_change.accepted;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.record_machine_states is
$$Many states at once, in any order, also late: p_events [{machine, at, state, seq}], at most 50,000. What was there before is a duplicate; figures
correct themselves. Refused rows say machine.unknown, machine.time, machine.too_old, machine.state.
Permission: machines.report at the site of each machine.
Errors: machine.malformed (400), auth.other_site (403), machine.too_many (422), request.reused (422).
Idempotency: by p_request_id, and each row by machine, time, seq and state.
Locks: the machines, shared.$$;

create function public.record_counts(p_counts jsonb, p_request_id uuid default null)
returns public.ingest_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('machines.report');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'record_counts', p_counts);
  v_rows private.count_row[];
  v_machines text[];
  v_change public.ingest_answer;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.ingest_answer, v_answer);
  end if;
  v_rows := array(select c from private.read_counts(p_counts) c);
  v_machines := array(select distinct c.machine from unnest(v_rows) c where c.machine is not null order by 1);
  perform private.authorize_machines('machines.report', v_machines);
  v_change.refused := private.quarantine('count', array(select row(c.n, c.machine, c.at, c.problem)::private.refused_row
    from unnest(v_rows) c where c.problem is not null), p_counts, v_actor);
  v_rows := array(select c from unnest(v_rows) c where c.problem is null);
  v_change.accepted := private.add_counts(v_rows, v_actor);
  v_change.duplicates := greatest(cardinality(v_rows) - v_change.accepted, 0);
  if v_change.accepted > 0 then   -- figures move; there is no row of history to it, the counts themselves are that
    perform private.broadcast('site:' || m.site || ':machine', 'machine.counted', jsonb_build_object('stream', 'machine', 'stream_id', m.code))
      from public.machines m where m.code = any (v_machines);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.record_counts is
$$Pieces that came out: p_counts [{machine, key, at, good, scrap, rework, sku, order, reason, from, reverses}], at most 50,000. key names the count
within the machine, so that a repeat does nothing. Each piece once: good at the first go, scrap, or rework. from: made between from and at (at most
31 days), laid over the hours in which the machine ran. reverses: takes back the count with that key, which may be in the same batch, at its time.
The ideal cycle in force is written onto each row.
Permission: machines.report at the site of each machine.
Errors: count.malformed (400), auth.other_site (403), count.too_many (422), request.reused (422); refused rows say machine.unknown, machine.time, machine.too_old, count.key, count.quantity, count.unknown, item.unknown, production.unknown, quality.reason.
Idempotency: by p_request_id, and each row by its key.
Locks: the machines, shared, then their counters.$$;

grant execute on function public.record_machine_state, public.record_machine_states, public.record_counts to authenticated, service_role;
