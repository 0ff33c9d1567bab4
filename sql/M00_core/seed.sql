insert into public.roles (role, audience, title, rank) values
  ('viewer', 'staff', 'Viewer', 10),
  ('operator', 'staff', 'Operator', 20),
  ('technician', 'staff', 'Technician', 25),
  ('supervisor', 'staff', 'Supervisor', 40),
  ('planner', 'staff', 'Planner', 40),
  ('manager', 'staff', 'Manager', 60),
  ('admin', 'staff', 'Admin', 100),
  ('device.print_agent', 'device', 'Print agent', 0),
  ('device.bambu_bridge', 'device', 'Bambu bridge', 0),
  ('device.fixture', 'device', 'Test fixture', 0),
  ('device.kiosk', 'device', 'Shared station', 0),
  ('device.equipment', 'device', 'Equipment gateway', 0),
  ('service', 'service', 'The server itself', 100);

create function private.allow(p_permission text, p_description text, p_roles text[])
returns void language plpgsql set search_path = '' as $$
begin
  insert into public.permissions (permission, description) values (p_permission, p_description);
  insert into public.role_permissions (role, permission) select r, p_permission from unnest(p_roles) r;
end $$;
comment on function private.allow is 'For seeds: a new permission and the roles that start with it.';

select private.allow(p, d, r) from (values
  ('plant.read', 'See sites, stores, roles', '{viewer,operator,technician,supervisor,planner,manager,admin,device.print_agent,device.bambu_bridge,device.fixture,device.kiosk,device.equipment}'::text[]),
  ('plant.manage', 'Add and change sites and stores', '{admin,service}'),
  ('staff.read', 'See who works here', '{viewer,operator,technician,supervisor,planner,manager,admin,service}'),
  ('staff.manage', 'Add, change and disable people', '{manager,admin,service}'),
  ('staff.bootstrap', 'Make the first admin', '{service}'),
  ('roles.manage', 'Change what a role may do', '{admin}'),
  ('devices.read', 'See devices', '{technician,supervisor,planner,manager,admin,service}'),
  ('devices.manage', 'Add and revoke devices', '{manager,admin,service}'),
  ('devices.enrol', 'Tie an Auth user to a device', '{service}'),
  ('devices.report', 'Report health of the own device', '{device.print_agent,device.bambu_bridge,device.fixture,device.kiosk,device.equipment}'),
  ('stations.identify', 'Say who stands at a shared station', '{viewer,operator,technician,supervisor,planner,manager,admin,device.kiosk}'),
  ('events.read', 'Read what happened in the own stores', '{viewer,operator,technician,supervisor,planner,manager,admin}'),
  ('audit.read', 'Read administrative history', '{manager,admin}'),
  ('queue.read', 'See the work queue', '{technician,manager,admin}'),
  ('queue.manage', 'Queue dead jobs again', '{manager,admin,service}'),
  ('work.run', 'Claim and settle background work', '{service}'),
  ('photos.take', 'Take photos at the bench', '{operator,technician,supervisor,planner,manager,admin}'),
  ('orders.read', 'See orders of the own stores', '{viewer,operator,technician,supervisor,planner,manager,admin,service}')
) as t (p, d, r);

insert into private.scheduled_jobs (name, function_name, every) values
  ('sweep the work queue', 'sweep_queue', '10 seconds'),
  ('purge finished work', 'purge_finished', '1 hour'),
  ('event partitions', 'ensure_event_partitions', '1 day'),
  ('rebase events after a restore', 'rebase_events', '5 minutes');

select private.ensure_event_partitions(now());

-- Where pg_cron is installed it keeps the clock; elsewhere takt worker calls public.tick().
do $$ begin
  if exists (select 1 from pg_catalog.pg_extension where extname = 'pg_cron') then
    execute $cron$ select cron.schedule('takt-tick', '10 seconds', 'select private.tick()') $cron$;
  end if;
end $$;
