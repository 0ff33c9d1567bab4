-- The genealogy graph. Who writes it calls private.begin_genealogy before any row is locked.

create function private.begin_genealogy(p_alone boolean default false)
returns void language plpgsql set search_path = '' as $$
begin
  if p_alone then
    perform pg_advisory_xact_lock(hashtextextended('takt genealogy', 0));
  else
    perform pg_advisory_xact_lock_shared(hashtextextended('takt genealogy', 0));
  end if;
end $$;
comment on function private.begin_genealogy is
$$Who puts material into something shares this lock; a hold of everything affected takes it alone, so that nothing is built from a lot
between being traced and being held. Taken first of all, before any row.$$;

create function private.trace_node(p_kind text, p_key text, p_sku text)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_id bigint;
begin
  loop
    select n.id into v_id from public.trace_nodes n where n.key = p_key and n.kind = p_kind and n.sku is not distinct from p_sku;
    exit when v_id is not null;
    insert into public.trace_nodes (kind, key, sku) values (p_kind, p_key, p_sku) on conflict on constraint trace_nodes_key do nothing
    returning id into v_id;
    exit when v_id is not null;
  end loop;
  return v_id;
end $$;
comment on function private.trace_node is 'The node of a thing, made when it is first traced. p_sku of items, lots and serials, else null.';

create function private.trace(p_starts bigint[], p_forward boolean, p_with_removed boolean default false)
returns setof bigint language plpgsql stable rows 100 set search_path = '' as $$
begin
  if p_forward then
    return query
      with recursive reached (node) as (
        select s from unnest(p_starts) s
        union
        select e.child from reached r join public.trace_edges e on e.parent = r.node where p_with_removed or e.removed_at is null
      )
      select r.node from reached r;
  else
    return query
      with recursive reached (node) as (
        select s from unnest(p_starts) s
        union
        select e.parent from reached r join public.trace_edges e on e.child = r.node where p_with_removed or e.removed_at is null
      )
      select r.node from reached r;
  end if;
end $$;
comment on function private.trace is
  'The nodes, and everything they went into (forward) or are made of. Each once, however many ways lead to it. p_with_removed: also by what was taken out again.';

create function private.link(
  p_parent_kind text, p_parent_key text, p_child_kind text, p_child_key text, p_quantity numeric default 1,
  p_parent_sku text default null, p_child_sku text default null)
returns void language plpgsql set search_path = '' as $$
declare
  v_parent bigint := private.trace_node(p_parent_kind, p_parent_key, p_parent_sku);
  v_child bigint := private.trace_node(p_child_kind, p_child_key, p_child_sku);
begin
  if exists (select from private.trace(array[v_child], true) t (node) where t.node = v_parent) then
    perform private.fail(409, 'trace.circle', format('%s is in %s already: it cannot go the other way too.', p_child_key, p_parent_key),
      jsonb_build_object('parent', p_parent_key, 'child', p_child_key));
  end if;
  insert into public.trace_edges as e (parent, child, quantity) values (v_parent, v_child, p_quantity)
  on conflict on constraint trace_edges_pkey do update
    set quantity = e.quantity + excluded.quantity, at = case when e.removed_at is null then e.at else excluded.at end, removed_at = null;
end $$;
comment on function private.link is
$$So much of the parent is in the child from now on; more of it adds up. The caller holds the lock of what is changed (unit, box, …).
Errors: trace.circle (409).$$;

create function private.unlink(
  p_parent_kind text, p_parent_key text, p_child_kind text, p_child_key text, p_quantity numeric default null,
  p_parent_sku text default null, p_child_sku text default null)
returns void language plpgsql set search_path = '' as $$
begin
  update public.trace_edges e
     set quantity = greatest(e.quantity - coalesce(p_quantity, e.quantity), 0),
         removed_at = case when e.quantity <= coalesce(p_quantity, e.quantity) then now() end
   where e.parent = private.trace_node(p_parent_kind, p_parent_key, p_parent_sku)
     and e.child = private.trace_node(p_child_kind, p_child_key, p_child_sku) and e.removed_at is null;
end $$;
comment on function private.unlink is 'So much of the parent (null: all of it) was taken out of the child. That it was in there stays known.';

-- What a node is ---------------------------------------------------------------------------------------------------

create type public.trace_entry as (
  node bigint, kind text, key text, sku text, title text, status text, held_at timestamptz, hold_reason text, details jsonb);
comment on type public.trace_entry is
$$One traced thing. status: of a unit its state, of a lot held or free, of a ticket its stage or cancelled. details: unit {site, variant_code,
product_code, box_code}, lot {kind, supplier}, order {store, order_number, due_date, customer_name}; the customer only for those who may read
the orders of the store.$$;

create function private.trace_entries(p_nodes bigint[])
returns setof public.trace_entry language plpgsql stable set search_path = '' as $$
declare
  v_stores text[] := private.readable_stores('orders.read');
begin
  return query
    select n.id, n.kind, n.key, n.sku, coalesce(i.title, v.title, o.product_title),
        coalesce(u.status::text, case when l.id is not null then case when l.held_at is null then 'free' else 'held' end end,
          case when o.cancelled_at is not null then 'cancelled' else o.stage::text end),
        coalesce(u.held_at, l.held_at), coalesce(u.hold_reason, l.hold_reason),
        case n.kind
          when 'unit' then jsonb_build_object('site', u.site, 'variant_code', u.variant_code, 'product_code', u.product_code, 'box_code', u.box_code)
          when 'lot' then jsonb_build_object('kind', l.kind, 'supplier', l.supplier)
          when 'order' then jsonb_build_object('store', o.store, 'order_number', o.order_number, 'due_date', o.due_date,
            'customer_name', case when o.store = any (v_stores) then o.customer_name end)
          else '{}' end
      from public.trace_nodes n
      left join public.inventory_items i on i.sku = n.sku
      left join public.lots l on n.kind = 'lot' and l.sku = n.sku and lower(l.code) = lower(n.key)
      left join public.units u on n.kind = 'unit' and u.sn = n.key
      left join public.product_variants v on v.code = u.variant_code
      left join public.orders o on n.kind = 'order' and o.id = n.key
     where n.id = any (p_nodes)
     order by n.kind, n.key, n.sku;
end $$;

create function private.trace_edges_among(p_nodes bigint[], p_with_removed boolean)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (select coalesce(jsonb_agg(jsonb_build_object('parent', e.parent, 'child', e.child, 'quantity', trim_scale(e.quantity), 'at', e.at,
      'removed_at', e.removed_at) order by e.parent, e.child), '[]')
    from unnest(p_nodes) n (id) join public.trace_edges e on e.parent = n.id
   where e.child = any (p_nodes) and (p_with_removed or e.removed_at is null));
end $$;

create function private.genealogy(p_sn text)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_unit bigint := (select n.id from public.trace_nodes n where n.kind = 'unit' and n.key = p_sn);
  v_below bigint[] := array(select t.node from private.trace(array[v_unit], false) t (node) where v_unit is not null);
  v_above bigint[] := array(select t.node from private.trace(array[v_unit], true) t (node) where v_unit is not null);
begin
  return jsonb_build_object('node', v_unit,
    'made_of', (select coalesce(jsonb_agg(e), '[]') from private.trace_entries(array_remove(v_below, v_unit)) e),
    'went_into', (select coalesce(jsonb_agg(e), '[]') from private.trace_entries(array_remove(v_above, v_unit)) e),
    'edges', private.trace_edges_among(v_below || array_remove(v_above, v_unit), false));
end $$;
comment on function private.genealogy is
  'Of a unit: {node, made_of: [trace_entry], went_into: [trace_entry], edges: [{parent, child, quantity, at}]}; empty lists when nothing is known.';
