-- How many steps of orders run at a work centre at once: the positions of its table.

create function private.running_at(p_centre public.work_centres)
returns table (order_id bigint, sequence integer, code text) language plpgsql stable set search_path = '' as $$
begin
  return query
    select s.order_id, s.sequence, o.code
      from public.production_order_steps s join public.production_orders o on o.id = s.order_id
     where s.step = p_centre.step and s.status = 'IN_PROGRESS' and s.waiting > 0 and o.site = p_centre.site and o.status not in ('CLOSED', 'CANCELLED')
       and p_centre.code = (select c.work_centre from public.piece_counts c
         where c.order_id = s.order_id and c.sequence = s.sequence and c.started > 0 and c.work_centre is not null and c.reverses is null
           and not exists (select from public.piece_counts u where u.reverses = c.id) order by c.id desc limit 1)
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

create function private.take_position(p_command private.floor_command)
returns void language plpgsql set search_path = '' as $$
begin
  if (p_command.centre).capacity is not null then
    -- Its row is shared by who works there: of those who start only one at a time looks what runs.
    perform pg_advisory_xact_lock(hashtextextended('takt work centre ' || (p_command.centre).code, 0));
    perform private.refuse(private.position_problem(p_command.centre, p_command.step));
  end if;
end $$;
comment on function private.take_position is 'Errors: work_centre.full (409). Locks: the positions of the work centre, where it has a capacity; before stock.';
