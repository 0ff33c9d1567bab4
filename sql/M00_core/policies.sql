alter table public.sites enable row level security;
alter table public.stores enable row level security;
alter table public.roles enable row level security;
alter table public.permissions enable row level security;
alter table public.role_permissions enable row level security;
alter table public.staff_shared enable row level security;
alter table public.devices enable row level security;
alter table public.events enable row level security;
alter table public.work_queue enable row level security;
alter table public.orders enable row level security;
alter table private.device_enrolments enable row level security;
alter table private.event_epoch enable row level security;
alter table private.staff_secrets enable row level security;
alter table private.person_sessions enable row level security;
alter table private.commands enable row level security;
alter table private.scheduled_jobs enable row level security;

create policy select_active on public.sites for select to authenticated using ((select private.may('plant.read')));
create policy select_active on public.stores for select to authenticated using ((select private.may('plant.read')));
create policy select_active on public.roles for select to authenticated using ((select private.may('plant.read')));
create policy select_active on public.permissions for select to authenticated using ((select private.may('plant.read')));
create policy select_active on public.role_permissions for select to authenticated using ((select private.may('plant.read')));
create policy select_active on public.staff_shared for select to authenticated using ((select private.may('staff.read')));
create policy select_active on public.devices for select to authenticated using ((select private.may('devices.read')));
create policy select_active on public.work_queue for select to authenticated using ((select private.may('queue.read')));
create policy select_store on public.orders for select to authenticated
  using ((select private.reads_every_store('orders.read'))
    or (select private.readable_stores('orders.read')) @> array[store]);   -- not = any: it would spoil sorted index scans
create policy select_store on public.events for select to authenticated
  using (store is not null and (select private.reads_every_store('events.read'))
    or (select private.readable_stores('events.read')) @> array[store]
    or store is null and (select private.may('audit.read')));

grant select on public.sites, public.stores, public.roles, public.permissions, public.role_permissions, public.staff_shared,
  public.devices, public.events, public.work_queue, public.orders to authenticated;

create function private.stream_permission(p_stream text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return case when p_stream in ('order', 'settings', 'store', 'site', 'stock', 'item', 'location', 'count',
    'allocation', 'production_order', 'execution', 'process_step', 'work_centre', 'routing', 'quality_reason', 'approval', 'part',
    'gcode', 'print_run', 'print_machine') then 'events.read'
    when p_stream = 'print' then 'printing.read'
    when p_stream in ('line', 'machine', 'repair') then 'maintenance.read'
    when p_stream in ('stop', 'shift', 'calendar') then 'kpi.read'
    when p_stream in ('unit', 'box', 'kit', 'variant', 'lot', 'recall') then 'units.read' else 'audit.read' end;
end $$;
comment on function private.stream_permission is 'What it takes to follow a stream of events.';

-- Who may listen: topic site:<code>:<stream> to whoever works there and reads that stream. Nobody but the database speaks.
create function private.may_listen(p_topic text)
returns boolean language plpgsql stable security definer set search_path = '' as $$
declare
  v_parts text[] := regexp_match(p_topic, '^site:([a-z0-9_-]+):([a-z_]+)$');
  v_who private.identity := private.listener();
begin
  return v_parts is not null and v_who.actor_id is not null and private.works_at(v_who, v_parts[1])
    and exists (select 1 from public.role_permissions rp
      where rp.role = v_who.role and rp.permission = private.stream_permission(v_parts[2]));
end $$;
comment on function private.may_listen is 'For the policy on realtime.messages: may the caller join this topic?';
grant execute on function private.may_listen to authenticated;

create policy select_listener on realtime.messages for select to authenticated
  using (realtime.messages.extension = 'broadcast' and (select private.may_listen(realtime.topic())));
