create type public.routing_item as (sku text, title text, is_active boolean, active_version integer, versions jsonb);
create type public.routing_page as (items public.routing_item[], next_cursor text, total bigint);
comment on type public.routing_page is
$$Items that have a routing, by SKU. active_version null: none is followed. versions, newest first: [{version, is_active, note, created_at, created_by_name,
steps [{sequence, step, title, work_centre, work_centre_title, setup_min, run_min, materials [{sku, title}], instructions}]}]. next_cursor is null on the
last page.$$;

create function private.routing_steps_json(p_routing_id bigint)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    select coalesce(jsonb_agg(to_jsonb(s) - 'routing_id' || jsonb_build_object('title', p.title, 'work_centre_title', w.title,
        'setup_min', trim_scale(s.setup_min), 'run_min', trim_scale(s.run_min), 'materials', (
          select coalesce(jsonb_agg(jsonb_build_object('sku', m.sku, 'title', i.title) order by m.n), '[]')
            from unnest(s.materials) with ordinality as m (sku, n) join public.inventory_items i on i.sku = m.sku)) order by s.sequence), '[]')
      from public.routing_steps s join public.process_steps p on p.code = s.step left join public.work_centres w on w.code = s.work_centre
     where s.routing_id = p_routing_id);
end $$;

create function private.routing_item(p_sku text)
returns public.routing_item language plpgsql stable set search_path = '' as $$
declare
  v_item public.routing_item;
begin
  select i.sku, i.title, i.is_active into v_item.sku, v_item.title, v_item.is_active from public.inventory_items i where i.sku = p_sku;
  v_item.active_version := (select r.version from public.routings r where r.sku = p_sku and r.is_active);
  v_item.versions := (
    select jsonb_agg(jsonb_build_object('version', r.version, 'is_active', r.is_active, 'note', r.note, 'created_at', r.created_at,
        'created_by_name', s.full_name, 'steps', private.routing_steps_json(r.id)) order by r.version desc)
      from public.routings r left join public.staff_shared s on s.user_id = r.created_by where r.sku = p_sku);
  return v_item;
end $$;

create function public.get_routings(
  p_search text default null, p_cursor text default null, p_limit integer default 50, p_with_total boolean default false)
returns public.routing_page language plpgsql stable security definer set search_path = '' as $$
declare
  v_limit integer := least(greatest(coalesce(p_limit, 50), 1), 200);
  v_search text := nullif(lower(trim(p_search)), '');
  v_after text;
  v_skus text[];
  v_page public.routing_page;
begin
  perform private.authorize('production.read');
  v_after := private.keys_of(p_cursor, 1) ->> 0;
  v_skus := array(
    select i.sku from public.inventory_items i
     where exists (select from public.routings r where r.sku = i.sku)
       and (v_search is null or position(v_search in lower(i.sku || ' ' || i.title)) > 0) order by i.sku);
  v_page.total := case when p_with_total then cardinality(v_skus) end;
  v_skus := array(select u from unnest(v_skus) u where v_after is null or u > v_after order by u limit v_limit + 1);
  v_page.items := array(select private.routing_item(u) from unnest(v_skus[1:v_limit]) u order by u);
  v_page.next_cursor := case when cardinality(v_skus) > v_limit then private.cursor_of(jsonb_build_array(v_skus[v_limit])) end;
  return v_page;
end $$;
comment on function public.get_routings is
$$How items are made: items with their routings, by SKU. p_search in SKU and title. p_limit 1–200; p_with_total counts all that fit the search.
Permission: production.read.
Errors: request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_routings to authenticated, service_role;
