-- How many steps of orders run at a work centre at once: the positions of its table.

create function private.lies_at(p_step public.production_order_steps)
returns text language plpgsql stable set search_path = '' as $$
begin
  return (
    select c.work_centre from public.piece_counts c
     where c.order_id = p_step.order_id and c.sequence = p_step.sequence and (c.started > 0 or c.source = 'start') and c.work_centre is not null
       and c.reverses is null
       and not exists (select from public.piece_counts u where u.reverses = c.id) order by c.id desc limit 1);
end $$;
comment on function private.lies_at is 'Where pieces of a step were started last, or went on after a pause; null when nobody said where.';

create function private.running_at(p_centre public.work_centres)
returns table (order_id bigint, sequence integer, code text) language plpgsql stable set search_path = '' as $$
begin
  return query
    select s.order_id, s.sequence, o.code
      from public.production_order_steps s join public.production_orders o on o.id = s.order_id
     where s.step = p_centre.step and s.status = 'IN_PROGRESS' and s.waiting > 0 and o.site = p_centre.site and o.status not in ('CLOSED', 'CANCELLED')
       and p_centre.code = private.lies_at(s)
     order by o.code, s.sequence;
end $$;
comment on function private.running_at is
$$Steps that take a position of a work centre: pieces of them were started there last, and some still lie there, neither reported nor set aside. A paused step
takes none.$$;

create function private.position_problem(p_centre public.work_centres, p_step public.production_order_steps)
returns private.problem language plpgsql stable set search_path = '' as $$
declare
  v_running text[];
begin
  if p_centre.capacity is null then
    return null;
  end if;
  v_running := array(select case when (r.order_id, r.sequence) <> (p_step.order_id, p_step.sequence) then r.code end from private.running_at(p_centre) r);
  if cardinality(v_running) < p_centre.capacity or array_position(v_running, null) is not null   -- it lies there already
     or exists (select from public.approvals a
       where a.type = 'SPECIAL_OPERATION' and a.operation = 'over_capacity' and a.status = 'APPROVED' and a.work_centre = p_centre.code
         and a.order_id = p_step.order_id and coalesce(a.sequence, p_step.sequence) = p_step.sequence) then
    return null;
  end if;
  return private.floor_refusal(409, 'work_centre.full', format('%s is full: all its positions (%s) are taken, by %s. Report or pause one of them first.',
    p_centre.title, p_centre.capacity, array_to_string(v_running, ', ')), jsonb_build_object('work_centre', p_centre.code,
    'capacity', p_centre.capacity, 'running', v_running));
end $$;
comment on function private.position_problem is
  'Why a step can not start at a work centre as well: as many run there as it has positions, and nobody approved more (over_capacity). No limit: never.';

create function private.needs_position(p_step public.production_order_steps, p_can_start numeric)
returns boolean language sql immutable set search_path = '' as $$
  select p_step.status = 'PAUSED' or p_step.waiting = 0 and p_can_start > 0
$$;
comment on function private.needs_position is
$$Can a step go on only by taking a position? A paused one, and one of which nothing lies there and something can start. What lies there, or only aside, is
reported without.$$;

create function private.take_position(p_command private.floor_command, p_pieces numeric)
returns void language plpgsql set search_path = '' as $$
begin
  if (p_command.centre).capacity is not null and p_pieces > (p_command.step).waiting then
    -- Its row is shared by who works there: of those who start only one at a time looks what runs.
    perform pg_advisory_xact_lock(hashtextextended('takt work centre ' || (p_command.centre).code, 0));
    perform private.refuse(private.position_problem(p_command.centre, p_command.step));
  end if;
end $$;
comment on function private.take_position is
$$So many pieces are started or reported, and not all of them lie there yet. Errors: work_centre.full (409). Locks: the positions of the work centre, where it
has a capacity; before stock.$$;

create function private.centre_unsaid(p_order public.production_orders, p_step public.production_order_steps)
returns public.work_centres language plpgsql set search_path = '' as $$
declare
  v_centre public.work_centres;
begin
  select w.* into v_centre from public.work_centres w
   where w.code = p_step.work_centre or p_step.work_centre is null and w.step = p_step.step and w.site = p_order.site
   order by w.is_enabled and w.is_active desc, coalesce(w.code = private.lies_at(p_step), false) desc,
     (private.position_problem(w, p_step)).status is null desc, w.code limit 1 for share;
  perform private.refuse(private.centre_problem(p_order, v_centre, v_centre.code));
  return v_centre;
end $$;
comment on function private.centre_unsaid is
$$Pieces are reported and nobody said where: then it is the work centre of the routing, else where they lie, else one that does the step and has a position free.
Errors: work_centre.disabled (409) when that one is, or all of them are, out of use. Locks: the work centre, shared.$$;
