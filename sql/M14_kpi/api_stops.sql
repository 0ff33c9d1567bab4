-- Stops: begin, end, split, say why ----------------------------------------------------------------------------------

create type public.stop_change as (changed boolean, event_id bigint, stop public.stops);
comment on type public.stop_change is 'Answer of a command on a stop: did it change anything, its event, the stop now.';

create type private.stop_command as (actor uuid, request_id uuid, answer jsonb, machine public.machines, stop public.stops);

create function private.begin_stop(p_permission text, p_machine text, p_stop_id bigint, p_version integer, p_request_id uuid, p_rpc text, p_args jsonb)
returns private.stop_command language plpgsql set search_path = '' as $$
declare
  v_command private.stop_command;
  v_code text := coalesce((select s.machine from public.stops s where s.id = p_stop_id), p_machine);
begin
  v_command.actor := private.authorize(p_permission, null, (select m.site from public.machines m where m.code = v_code));
  v_command.request_id := p_request_id;
  if p_stop_id is not null and v_code is null or p_stop_id is not null and not exists (select from public.stops s where s.id = p_stop_id) then
    perform private.fail(404, 'stop.unknown', 'There is no such stop.', jsonb_build_object('id', p_stop_id));
  end if;
  perform private.find_machine(v_code);
  v_command.answer := private.replay(v_command.actor, p_request_id, p_rpc, p_args);
  if v_command.answer is null then
    v_command.machine := private.lock_machine(v_code);
    select s into v_command.stop from public.stops s where s.id = p_stop_id for update;
    if p_version is not null and (v_command.stop).id is not null and (v_command.stop).version <> p_version then
      perform private.fail(409, 'stop.changed', 'Somebody else changed this stop. Look again.',
        jsonb_build_object('expected', p_version, 'actual', (v_command.stop).version, 'reason', (v_command.stop).reason));
    end if;
  end if;
  return v_command;
end $$;
comment on function private.begin_stop is
$$Guard, replay and lock for a command on a stop, by its id or its machine. Errors: stop.unknown (404), machine.unknown (404), stop.changed (409) when
p_version is not the one it has, request.reused (422). Locks: the machine, then the stop.$$;

create function private.finish_stop(p_command private.stop_command, p_stop_id bigint, p_event text, p_more jsonb default '{}')
returns public.stop_change language plpgsql set search_path = '' as $$
declare
  v_change public.stop_change;
begin
  if p_command.answer is not null then
    return jsonb_populate_record(null::public.stop_change, p_command.answer);
  end if;
  v_change.changed := p_event is not null;
  v_change.stop := (select s from public.stops s where s.id = p_stop_id);
  if p_event is not null then
    v_change.event_id := private.emit_stop(v_change.stop, p_event, p_command.actor, p_more);
  end if;
  perform private.remember(p_command.actor, p_command.request_id, to_jsonb(v_change));
  return v_change;
end $$;

create function private.check_stop_times(p_from timestamptz, p_to timestamptz)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_to <= p_from then
    perform private.fail(422, 'stop.ends_before', 'It would end before it began. Are the times swapped?', jsonb_build_object('from', p_from, 'to', p_to));
  elsif greatest(p_from, p_to) > now() + interval '1 minute' then
    perform private.fail(422, 'machine.time', 'That is in the future.', jsonb_build_object('from', p_from, 'to', p_to));
  end if;
end $$;

create function private.say_why(p_command private.stop_command, p_old public.stops, p_new public.stops, p_comment text, p_is_seen boolean)
returns public.stop_change language plpgsql set search_path = '' as $$
begin
  if not p_is_seen and (p_old.reason is not null and p_new.reason is distinct from p_old.reason or p_comment <> p_old.comment) then
    perform private.fail(409, 'stop.changed', 'Somebody has said already why it stood. Look again.',
      jsonb_build_object('stop', p_old.id, 'actual', p_old.version, 'reason', p_old.reason, 'comment', p_old.comment));
  elsif (p_old.reason, p_old.time_class, p_old.reason_repair_id) is not distinct from (p_new.reason, p_new.time_class, p_new.reason_repair_id)
      and (p_comment is null or p_comment is not distinct from p_old.comment) then
    return private.finish_stop(p_command, p_old.id, null);
  end if;
  p_new.comment := coalesce(p_comment, p_old.comment);
  perform private.keep_reason(p_new);
  return private.finish_stop(p_command, p_old.id, 'stop.classified', jsonb_strip_nulls(jsonb_build_object('before', p_old.reason)));
end $$;
comment on function private.say_why is
$$What a person says about a stop: its reason as in p_new, and a comment. Who has not seen what was said before (p_is_seen false) adds to it, and changes
nothing of it. Errors: stop.changed (409).$$;

create function public.start_stop(
  p_machine text, p_reason text default null, p_at timestamptz default null, p_ended_at timestamptz default null, p_comment text default null,
  p_request_id uuid default null)
returns public.stop_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.stop_command := private.begin_stop('stops.report', p_machine, null, null, p_request_id, 'start_stop',
    jsonb_build_array(p_machine, p_reason, p_at, p_ended_at, p_comment));
  v_stop public.stops;
begin
  if v_command.answer is not null then
    return private.finish_stop(v_command, null, null);
  end if;
  perform private.check_length('p_comment', p_comment, 2000);
  perform private.check_stop_times(coalesce(p_at, now()), p_ended_at);
  select s.* into v_stop from public.stops s where s.machine = p_machine and upper_inf(s.during) and lower(s.during) <= coalesce(p_at, now());
  if v_stop.id is not null and p_ended_at is null then   -- it stands already
    return private.say_why(v_command, v_stop, private.with_reason_given(v_stop, p_reason, v_command.actor), p_comment, false);
  end if;
  v_stop := null;
  v_stop.machine := p_machine; v_stop.site := (v_command.machine).site; v_stop.source := 'person'; v_stop.comment := p_comment;
  v_stop.during := tstzrange(coalesce(p_at, now()), p_ended_at);
  v_stop.started_by := nullif(v_command.actor, '00000000-0000-0000-0000-000000000000');
  v_stop.ended_by := case when p_ended_at is not null then v_stop.started_by end;
  v_stop := private.insert_stop(private.with_reason_given(v_stop, p_reason, v_command.actor));
  return private.finish_stop(v_command, v_stop.id, 'stop.started');
end $$;
comment on function public.start_stop is
$$A machine stands, now or since p_at; with p_ended_at for a stop that is over. It holds whatever the machine itself says. p_reason a code of
stop_reasons, or later by classify_stop. While a stop is open, starting it again says why it stands, where nobody has said so yet.
Permission: stops.report at the site of the machine; of who may not plan stops a planned reason is a request.
Errors: machine.unknown (404), stop.unknown_reason (404), stop.overlap (409) with the stop that is in the way, stop.changed (409) when an open stop has another reason or comment, stop.ends_before (422), machine.time (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; while a stop is open, the same again answers changed = false.
Locks: the machine.$$;

create function public.end_stop(p_machine text default null, p_stop_id bigint default null, p_at timestamptz default null, p_request_id uuid default null)
returns public.stop_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.stop_command := private.begin_stop('stops.report', p_machine, p_stop_id, null, p_request_id, 'end_stop', jsonb_build_array(p_machine, p_stop_id, p_at));
  v_stop public.stops := v_command.stop;
begin
  if v_command.answer is not null then
    return private.finish_stop(v_command, null, null);
  elsif p_stop_id is null then
    select s.* into v_stop from public.stops s where s.machine = p_machine order by upper_inf(s.during) desc, lower(s.during) desc limit 1;
    if v_stop.id is null then
      perform private.fail(404, 'stop.none', 'This machine has no stop.', jsonb_build_object('machine', p_machine));
    end if;
  end if;
  if not upper_inf(v_stop.during) then
    return private.finish_stop(v_command, v_stop.id, null);
  end if;
  perform private.check_stop_times(lower(v_stop.during), coalesce(p_at, now()));
  update public.stops s set during = tstzrange(lower(s.during), coalesce(p_at, now())), ended_by = nullif(v_command.actor, '00000000-0000-0000-0000-000000000000')
   where s.id = v_stop.id;
  return private.finish_stop(v_command, v_stop.id, 'stop.ended');
end $$;
comment on function public.end_stop is
$$The open stop of a machine is over, now or at p_at; p_stop_id, or the open one of p_machine.
Permission: stops.report at the site of the machine.
Errors: machine.unknown (404), stop.unknown (404), stop.none (404), stop.ends_before (422), machine.time (422), request.reused (422).
Idempotency: by p_request_id; a stop that is over answers changed = false.
Locks: the machine, then the stop.$$;

create function private.shown_stop(p_command private.stop_command, p_at timestamptz)
returns public.stops language plpgsql set search_path = '' as $$
declare
  v_machine public.machines := p_command.machine;
  v_shown private.stretch;
  v_stop public.stops;
begin
  select s.* into v_stop from public.stops s where s.machine = v_machine.code and s.during @> p_at;
  if v_stop.id is not null then
    return v_stop;
  end if;
  v_shown := private.stop_around(v_machine.code, p_at, now());
  if v_shown.starts_at is null or v_shown.starts_at = '-infinity' then
    perform private.fail(409, 'stop.none_then', 'The machine did not stand at this time, as far as it says.', jsonb_build_object('machine', v_machine.code, 'at', p_at));
  end if;
  v_stop.machine := v_machine.code; v_stop.site := v_machine.site; v_stop.source := 'signal';
  v_stop.during := private.free_stretch(v_machine.code, tstzrange(v_shown.starts_at, v_shown.ends_at), p_at);
  return private.insert_stop(v_stop);
end $$;
comment on function private.shown_stop is 'The stop of a machine at an instant; a new row for one that so far only its states show. Errors: stop.none_then (409).';

create function public.classify_stop(
  p_reason text, p_stop_id bigint default null, p_machine text default null, p_at timestamptz default null, p_comment text default null,
  p_version integer default null, p_request_id uuid default null)
returns public.stop_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.stop_command := private.begin_stop('stops.report', p_machine, p_stop_id, p_version, p_request_id, 'classify_stop',
    jsonb_build_array(p_reason, p_stop_id, p_machine, p_at, p_comment, p_version));
  v_old public.stops;
  v_new public.stops;
begin
  if v_command.answer is not null then
    return private.finish_stop(v_command, null, null);
  end if;
  perform private.check_length('p_comment', p_comment, 2000);
  v_old := case when p_stop_id is null then private.shown_stop(v_command, coalesce(p_at, now())) else v_command.stop end;
  v_new := case when p_reason is null then private.with_reason_of_repair(v_old) else private.with_reason_given(v_old, p_reason, v_command.actor) end;
  return private.say_why(v_command, v_old, v_new, p_comment, p_stop_id is not null or p_version is not distinct from v_old.version);
end $$;
comment on function public.classify_stop is
$$Say why a machine stood: p_stop_id, or the stop of p_machine at p_at (now). A stop that so far only its states show becomes a row. p_version: the
version that was seen, so that nobody overwrites another one; without p_stop_id what was said already is changed only with it. p_reason null takes a
reason away again: a repair that knows of the stop then says why, else nobody. The class that the reason has now stays with the stop.
Permission: stops.report at the site of the machine; of who may not plan stops a planned reason is a request.
Errors: machine.unknown (404), stop.unknown (404), stop.unknown_reason (404), stop.none_then (409), stop.changed (409), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; the same reason again answers changed = false.
Locks: the machine, then the stop.$$;

create function public.split_stop(
  p_at timestamptz, p_stop_id bigint default null, p_machine text default null, p_reason text default null, p_version integer default null,
  p_request_id uuid default null)
returns public.stop_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.stop_command := private.begin_stop('stops.report', p_machine, p_stop_id, p_version, p_request_id, 'split_stop',
    jsonb_build_array(p_at, p_stop_id, p_machine, p_reason, p_version));
  v_old public.stops;
  v_new public.stops;
begin
  if v_command.answer is not null then
    return private.finish_stop(v_command, null, null);
  end if;
  perform private.check_stop_times(p_at, null);
  v_old := case when p_stop_id is null then private.shown_stop(v_command, p_at) else v_command.stop end;
  select s.* into v_new from public.stops s where s.machine = v_old.machine and lower(s.during) = p_at and s.split_of is not null and v_old.id in (s.id, s.split_of);
  if v_new.id is not null then
    return private.finish_stop(v_command, v_new.id, null);   -- it is cut there already
  elsif (v_old.during @> p_at and lower(v_old.during) < p_at) is not true then
    perform private.fail(422, 'stop.split_outside', 'A stop is split between its beginning and its end.',
      jsonb_build_object('at', p_at, 'from', lower(v_old.during), 'to', upper(v_old.during)));
  end if;
  update public.stops s set during = tstzrange(lower(s.during), p_at) where s.id = v_old.id;
  v_new := v_old; v_new.during := tstzrange(p_at, upper(v_old.during)); v_new.split_of := v_old.id;
  v_new := private.insert_stop(private.with_reason_given(v_new, p_reason, v_command.actor));
  insert into public.stop_repairs (stop_id, repair_id, is_opener) select v_new.id, l.repair_id, l.is_opener from public.stop_repairs l where l.stop_id = v_old.id;
  return private.finish_stop(v_command, v_new.id, 'stop.split', jsonb_build_object('split_of', v_old.id));
end $$;
comment on function public.split_stop is
$$One stop was two: from p_at on it is another one, with p_reason (else the same reason). Both keep their repairs. Answers the second one.
Permission: stops.report at the site of the machine; of who may not plan stops a planned reason is a request.
Errors: machine.unknown (404), stop.unknown (404), stop.unknown_reason (404), stop.none_then (409), stop.changed (409), stop.split_outside (422), machine.time (422), request.reused (422).
Idempotency: by p_request_id; a stop that is cut there already, named by either half, answers changed = false.
Locks: the machine, then the stop.$$;

grant execute on function public.start_stop, public.end_stop, public.classify_stop, public.split_stop to authenticated, service_role;
