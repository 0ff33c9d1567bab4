create type public.whoami_answer as (
  user_id uuid, role text, name text, stores text[], site text, permissions text[]);

create function public.whoami()
returns public.whoami_answer language plpgsql stable security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('plant.read');
  v_who private.identity := private.identify();
begin
  return row(v_actor, v_who.role, v_who.label, private.readable_stores('plant.read'), v_who.site,
    array(select rp.permission from public.role_permissions rp where rp.role = v_who.role order by 1))::public.whoami_answer;
end $$;
comment on function public.whoami is
$$Who I am here: role, stores spelled out, permissions. Clients show and hide by it; the RPCs decide.
Permission: plant.read.
Errors: auth.required (401), auth.not_staff (403).
Idempotency: a read.
Locks: none.$$;

create function public.bootstrap_admin(p_user_id uuid, p_full_name text, p_email text)
returns public.staff_shared language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('staff.bootstrap');
  v_staff public.staff_shared;
begin
  lock table public.staff_shared in share row exclusive mode;   -- two bootstraps at once: the second sees the first
  if exists (select 1 from public.staff_shared s where s.role = 'admin' and s.is_active) then
    perform private.fail(409, 'staff.admin_exists', 'This plant has an admin already. Ask them for an account.');
  end if;
  insert into public.staff_shared as s (user_id, full_name, email, role, stores)
  values (p_user_id, p_full_name, p_email, 'admin', '{*}')
  on conflict on constraint staff_shared_pkey do update set role = 'admin', stores = '{*}', is_active = true
  returning s.* into v_staff;
  perform private.emit('staff', p_user_id::text, 'staff.bootstrapped', v_actor, jsonb_build_object('role', 'admin'));
  return v_staff;
end $$;
comment on function public.bootstrap_admin is
$$Make the first admin. Works only while no active admin exists.
Permission: staff.bootstrap (service only).
Errors: staff.admin_exists (409).
Idempotency: a second call is refused.
Locks: staff_shared against writers.$$;

create function private.check_rank(p_role text)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_mine smallint;
  v_theirs smallint;
begin
  select r.rank into v_theirs from public.roles r where r.role = p_role and r.audience = 'staff';
  if v_theirs is null then
    perform private.fail(422, 'staff.unknown_role', 'There is no role ' || coalesce(p_role, '') || '.', jsonb_build_object(
      'actual', p_role, 'expected', array(select r.role from public.roles r where r.audience = 'staff' order by r.rank)));
  end if;
  select r.rank into v_mine from public.roles r join private.identify() who on who.role = r.role;
  if v_theirs > v_mine then
    perform private.fail(403, 'staff.rank', 'Only someone with that role or above may do this.', jsonb_build_object('needs', p_role));
  end if;
end $$;

create function private.keep_an_admin()
returns void language plpgsql stable set search_path = '' as $$
begin
  if not exists (select 1 from public.staff_shared s where s.role = 'admin' and s.is_active) then
    perform private.fail(409, 'staff.last_admin', 'This is the last active admin. Make another one first.');
  end if;
end $$;

create function public.upsert_staff(
  p_user_id uuid, p_full_name text, p_email text, p_role text, p_stores text[] default '{*}', p_request_id uuid default null)
returns public.staff_shared language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('staff.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'upsert_staff',
    jsonb_build_array(p_user_id, p_full_name, p_email, p_role, p_stores));
  v_before public.staff_shared;
  v_staff public.staff_shared;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.staff_shared, v_answer);
  end if;
  lock table public.staff_shared in share row exclusive mode;   -- the last admin is counted under this lock
  perform private.check_rank(p_role);
  select s.* into v_before from public.staff_shared s where s.user_id = p_user_id;
  if found then
    perform private.check_rank(v_before.role);
  end if;
  perform private.authorize('staff.manage', st) from unnest(p_stores || v_before.stores) st;
  insert into public.staff_shared as s (user_id, full_name, email, role, stores)
  values (p_user_id, p_full_name, p_email, p_role, p_stores)
  on conflict on constraint staff_shared_pkey do update
    set full_name = excluded.full_name, email = excluded.email, role = excluded.role, stores = excluded.stores
  returning s.* into v_staff;
  if v_before.role = 'admin' then
    perform private.keep_an_admin();
  end if;
  perform private.emit('staff', p_user_id::text, 'staff.saved', v_actor,
    jsonb_build_object('before', to_jsonb(v_before), 'after', to_jsonb(v_staff)));
  perform private.remember(v_actor, p_request_id, to_jsonb(v_staff));
  return v_staff;
end $$;
comment on function public.upsert_staff is
$$Give an Auth user a place on the staff, or change name, role and stores ({*} = all stores).
Permission: staff.manage in every store given or taken, and a rank not below the old and the new role.
Errors: auth.other_store (403), staff.unknown_role (422), staff.rank (403), staff.unknown_store (422), staff.last_admin (409), request.reused (422).
Idempotency: by p_request_id; the same values again change nothing but the version.
Locks: staff_shared against writers.$$;

create function public.set_staff_active(p_user_id uuid, p_is_active boolean, p_request_id uuid default null)
returns public.staff_shared language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('staff.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'set_staff_active', jsonb_build_array(p_user_id, p_is_active));
  v_staff public.staff_shared;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.staff_shared, v_answer);
  end if;
  lock table public.staff_shared in share row exclusive mode;
  select s.* into v_staff from public.staff_shared s where s.user_id = p_user_id;
  if not found then
    perform private.fail(404, 'staff.unknown', 'This person is not on the staff.', jsonb_build_object('user_id', p_user_id));
  end if;
  perform private.check_rank(v_staff.role);
  perform private.authorize('staff.manage', st) from unnest(v_staff.stores) st;
  if v_staff.is_active <> p_is_active then
    update public.staff_shared s set is_active = p_is_active where s.user_id = p_user_id returning s.* into v_staff;
    perform private.keep_an_admin();
    perform private.emit('staff', p_user_id::text,
      case when p_is_active then 'staff.enabled' else 'staff.disabled' end, v_actor);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_staff));
  return v_staff;
end $$;
comment on function public.set_staff_active is
$$Disable a person (works at their very next call) or let them back in.
Permission: staff.manage in all their stores, and a rank not below theirs.
Errors: auth.other_store (403), staff.unknown (404), staff.rank (403), staff.last_admin (409), request.reused (422).
Idempotency: by p_request_id; a repeat changes nothing.
Locks: staff_shared against writers.$$;

create function public.set_role_permission(p_role text, p_permission text, p_granted boolean, p_request_id uuid default null)
returns boolean language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('roles.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'set_role_permission', jsonb_build_array(p_role, p_permission, p_granted));
begin
  if v_answer is not null then
    return v_answer::boolean;
  end if;
  if not exists (select 1 from public.roles r where r.role = p_role)
     or not exists (select 1 from public.permissions p where p.permission = p_permission) then
    perform private.fail(404, 'roles.unknown', 'There is no such role or permission.',
      jsonb_build_object('role', p_role, 'permission', p_permission));
  elsif p_role = 'service' or p_role = 'admin' and not p_granted and p_permission in ('roles.manage', 'staff.manage', 'plant.read') then
    perform private.fail(409, 'roles.fixed', 'This would lock everybody out.', jsonb_build_object('role', p_role, 'permission', p_permission));
  end if;
  if p_granted then
    insert into public.role_permissions (role, permission) values (p_role, p_permission) on conflict do nothing;
  else
    delete from public.role_permissions rp where rp.role = p_role and rp.permission = p_permission;
  end if;
  if found then
    perform private.emit('role', p_role, case when p_granted then 'role.granted' else 'role.revoked' end, v_actor,
      jsonb_build_object('permission', p_permission));
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(p_granted));
  return p_granted;
end $$;
comment on function public.set_role_permission is
$$Grant or take back one permission of a role; effective at everybody's next call.
Permission: roles.manage.
Errors: roles.unknown (404), roles.fixed (409), request.reused (422).
Idempotency: by p_request_id; a repeat changes nothing.
Locks: the role_permissions row.$$;

grant execute on function public.bootstrap_admin to service_role;
grant execute on function public.upsert_staff, public.set_staff_active to authenticated, service_role;
grant execute on function public.whoami, public.set_role_permission to authenticated;

create function public.list_staff()
returns setof public.staff_shared language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('staff.read');
  return query select s.* from public.staff_shared s order by s.full_name, s.user_id;
end $$;
comment on function public.list_staff is
$$Everybody on the staff, disabled people too.
Permission: staff.read.
Errors: auth.forbidden (403).
Idempotency: a read.
Locks: none.$$;
grant execute on function public.list_staff to authenticated, service_role;
