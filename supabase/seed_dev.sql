-- The demo plant: two bakeries, one person per role, a few tickets in every stage. Safe to repeat.
-- Run by `takt demo` as role postgres: pg_temp.demo_users (email, user_id, role) holds the sign-ins,
-- the setting takt.secrets_key the key for shop secrets. Everything after the people goes through the RPCs.

insert into public.staff_shared (user_id, full_name, email, role, stores)
select u.user_id, (array['Vera', 'Olga', 'Tom', 'Sami', 'Petra', 'Mara', 'Ada'])[row_number() over (order by r.rank, r.role)] || ' (' || u.role || ')',
  u.email, u.role, '{*}'
from pg_temp.demo_users u join public.roles r on r.role = u.role
on conflict on constraint staff_shared_pkey do nothing;

create function pg_temp.become(p_role text) returns void language sql as $$
  select set_config('request.jwt.claims', json_build_object('role', 'authenticated', 'sub', u.user_id)::text, true)
    from pg_temp.demo_users u where u.role = p_role
$$;

select pg_temp.become('admin');
select public.register_site('main', 'Main bakery', 'Australia/Sydney');
select public.register_store('bannos', 'Bannos Cakes', 'main', 'B', 'AUD');
select public.register_store('flourlane', 'Flourlane', 'main', 'F', 'AUD');
select public.register_station('fill-1', 'Filling bench', 'main', null, 'Filling');
select public.register_station('cover-1', 'Covering bench', 'main', null, 'Covering');
select public.register_station('deco-1', 'Decorating bench', 'main', null, 'Decorating');
select public.register_station('pack-1', 'Packing bench', 'main', null, 'Packing');
select public.save_shop(s.store, 'shopify', s.domain) from (values ('bannos', 'example-cakes.myshopify.com'), ('flourlane', 'example-flour.myshopify.com')) as s (store, domain);
select public.set_shop_secret(s, 'webhook', 'test-secret-not-a-real-one') from unnest(array['bannos', 'flourlane']) s;
select public.set_shop_secret(s, 'access_token', 'test-token-not-a-real-one') from unnest(array['bannos', 'flourlane']) s;

-- Tickets, once: taken by hand by the planner, then worked on by the operator.
do $$
declare
  v_cake record;
  v_order public.orders;
  v_steps constant text[] := array['handle_print_barcode', 'complete_filling', 'start_covering', 'complete_covering',
    'start_decorating', 'complete_decorating', 'start_packing', 'complete_packing'];
begin
  if exists (select 1 from public.orders) then
    return;
  end if;
  for v_cake in select * from (values
    ('bannos', 'Confetti Celebration Cake', 'Medium', 'Vanilla', 'Happy 40th Zoë 🎂', 'Ana Rui', 1, 0),
    ('bannos', 'Gelato Cake', 'Large Tall', 'Chocolate, Pistachio', null, 'Ben Osei', 0, 0),
    ('flourlane', 'Lemon Drizzle', 'Small', 'Lemon', 'For Mia', 'Mia Hart', 4, 1),
    ('bannos', 'Red Velvet', 'Medium', 'Red Velvet', 'Congratulations!', 'Li Wei', 2, 2),
    ('flourlane', 'Carrot Cake', 'Medium', 'Carrot', null, 'Noor Aziz', 1, 3),
    ('bannos', 'Black Forest', 'Large', 'Chocolate', 'Ella is 5', 'Sara Lund', 3, 4),
    ('flourlane', 'Opera Cake', 'Small', 'Coffee', null, 'Jean Petit', 6, 5),
    ('bannos', 'Unicorn Cake', 'Medium', 'Vanilla', 'Lily', 'Tess Bond', 1, 6),
    ('flourlane', 'Cheesecake', 'Large', 'Berry', null, 'Otto Ray', 2, 7),
    ('bannos', 'Wedding Tier', 'Large', 'Almond', 'M ♥ J', 'Mary Jones', 0, 8)
  ) as c (store, title, size, flavour, writing, customer, due_in, steps) loop
    perform pg_temp.become('planner');
    select o.* into v_order from public.create_manual_order(v_cake.store, v_cake.title, 1, v_cake.customer, v_cake.flavour, v_cake.size,
      v_cake.writing, null, case when v_cake.due_in % 2 = 0 then 'Pickup' else 'Delivery' end,
      private.plant_day(v_cake.store) + v_cake.due_in, '10:00–14:00') o;
    perform pg_temp.become('operator');
    for i in 1..v_cake.steps loop
      execute format('select public.%I(%L)', v_steps[i], v_order.id);
    end loop;
  end loop;
  perform pg_temp.become('supervisor');
  perform public.assign_staff(o.id, (select u.user_id from pg_temp.demo_users u where u.role = 'operator'))
    from (select o.id from public.orders o where o.stage = 'Decorating' order by o.id limit 1) o;
end $$;
