-- What is written for judged rows, as sets. The orders and all their items are locked.

create function private.erp_skus(p_rows private.erp_row[])
returns text[] language plpgsql stable set search_path = '' as $$
begin
  return array(
    select l.sku from unnest(p_rows) r join public.production_order_lines l on l.order_id = r.order_id
    union
    select p.sku from (select distinct r.sku from unnest(p_rows) r where r.sku is not null) x cross join lateral private.lines_of_new_order(x.sku, null) p
    union
    select u from public.production_order_progress p join public.production_orders o on o.id = p.order_id
     cross join lateral unnest(private.stock_of_order(o)) u where o.id in (select r.order_id from unnest(p_rows) r)
    union
    select u from public.replenishments g cross join lateral unnest(private.order_skus(g.order_id)) u
     where g.root_id in (select r.order_id from unnest(p_rows) r)
    order by 1);
end $$;
comment on function private.erp_skus is 'All items that the rows can promise or give back.';

create function private.insert_erp_orders(p_system text, p_rows private.erp_row[], p_actor uuid)
returns bigint[] language plpgsql set search_path = '' as $$
declare
  v_ids bigint[];
begin
  with made as (
    insert into public.production_orders (code, site, store, type, source, product_sku, quantity, priority, due_date, notes, status, cancelled_at,
      cancel_reason, created_by)
    select r.code, r.site, r.store, r.type, 'erp', r.sku, r.quantity, r.priority, r.due_date, r.notes,
        case when r.is_cancelled then 'CANCELLED' else 'OPEN_NOT_STARTED' end, case when r.is_cancelled then now() end,
        case when r.is_cancelled then 'Cancelled in ' || p_system end, nullif(p_actor, '00000000-0000-0000-0000-000000000000')
      from unnest(p_rows) r where r.order_id is null and r.result in ('created', 'cancelled') order by r.n
    returning id, code, product_sku
  ), parts as (
    select p.product_sku, l.sku, l.quantity, row_number() over (partition by p.product_sku order by l.sku) as line
      from (select distinct m.product_sku from made m) p cross join lateral private.lines_of_new_order(p.product_sku, null) l
  ), lines as (
    insert into public.production_order_lines (order_id, line, sku, quantity)
    select m.id, p.line, p.sku, p.quantity from made m join parts p on p.product_sku = m.product_sku
  )
  select array_agg(m.id order by m.id) into v_ids from made m;
  insert into public.production_order_refs (system, external_id, order_id, version, payload_hash)
  select p_system, r.external_id, o.id, r.version, r.hash
    from unnest(p_rows) r join public.production_orders o on o.code = r.code
   where r.order_id is null and r.result in ('created', 'cancelled') and o.id = any (v_ids);
  return v_ids;
end $$;
comment on function private.insert_erp_orders is 'New orders with the parts of their products, and what the other system calls them. Answers their ids.';

create function private.update_erp_orders(p_system text, p_rows private.erp_row[])
returns bigint[] language plpgsql set search_path = '' as $$
declare
  v_changed bigint[];
  v_other bigint[] := array(select r.order_id from unnest(p_rows) r join public.production_orders o on o.id = r.order_id
    where r.result = 'updated' and r.sku is distinct from o.product_sku);
begin
  if v_other <> '{}' then   -- another product, not released yet: other parts
    delete from public.production_order_lines l where l.order_id = any (v_other);
    insert into public.production_order_lines (order_id, line, sku, quantity)
    select r.order_id, row_number() over (partition by r.order_id order by l.sku), l.sku, l.quantity
      from unnest(p_rows) r cross join lateral private.lines_of_new_order(r.sku, null) l where r.order_id = any (v_other);
  end if;
  with changed as (
    update public.production_orders o
       set product_sku = case when o.id = any (v_other) then r.sku else o.product_sku end, quantity = r.quantity, priority = r.priority, due_date = r.due_date,
           notes = r.notes, status = case when r.result = 'reopened' then 'OPEN_NOT_STARTED' else o.status end,
           cancelled_at = case when r.result = 'reopened' then null else o.cancelled_at end,
           cancel_reason = case when r.result = 'reopened' then null else o.cancel_reason end
      from unnest(p_rows) r
     where o.id = r.order_id and r.result in ('updated', 'reopened')
       and (r.result = 'reopened' or o.id = any (v_other)
         or (o.quantity, o.priority, o.due_date, o.notes) is distinct from (r.quantity, r.priority, r.due_date, r.notes))
    returning o.id
  ), cancelled as (
    update public.production_orders o set status = 'CANCELLED', cancelled_at = now(), cancel_reason = 'Cancelled in ' || p_system
      from unnest(p_rows) r where o.id = r.order_id and r.result = 'cancelled' returning o.id
  )
  select array_agg(x.id order by x.id) into v_changed from (select c.id from changed c union all select c.id from cancelled c) x;
  update public.order_part_allocations l set is_closed = false from unnest(p_rows) r
   where r.result = 'reopened' and l.production_order_id = r.order_id;
  update public.order_fulfilments f set is_closed = false from unnest(p_rows) r where r.result = 'reopened' and f.production_order_id = r.order_id;
  perform private.close_production_lines(r.order_id) from unnest(p_rows) r where r.result = 'cancelled' and r.order_id is not null order by r.order_id;
  update public.order_fulfilments f set fulfillment_status = 'unfulfilled', fulfilled_at = null from unnest(p_rows) r
   where r.result = 'cancelled' and f.production_order_id = r.order_id;
  return v_changed;
end $$;
comment on function private.update_erp_orders is 'Orders that are here follow what the other system says. Answers the ids of those that changed.';

create function private.write_erp_refs(p_system text, p_rows private.erp_row[])
returns void language plpgsql set search_path = '' as $$
begin
  insert into public.production_order_refs as f (system, external_id, order_id, version, payload_hash, cancel_requested_at, review)
  select p_system, r.external_id, r.order_id, r.version, r.hash, case when r.result = 'cancel_requested' then now() end,
      case when r.result in ('review', 'cancel_requested') then jsonb_build_object('at', now(), 'version', r.version, 'why', r.notices) end
    from unnest(p_rows) r
   where r.order_id is not null and r.result in ('updated', 'matched', 'cancelled', 'cancel_requested', 'reopened', 'review', 'unchanged')
  on conflict on constraint production_order_refs_pkey do update
    set version = excluded.version, payload_hash = excluded.payload_hash, received_at = now(), review = excluded.review,
        cancel_requested_at = coalesce(excluded.cancel_requested_at, f.cancel_requested_at)
   where (f.version, f.payload_hash) is distinct from (excluded.version, excluded.payload_hash);
  update public.production_order_refs f set cancel_requested_at = null   -- it is wanted again
    from unnest(p_rows) r
   where f.system = p_system and f.order_id = r.order_id and r.result in ('updated', 'reopened') and f.cancel_requested_at is not null;
end $$;
comment on function private.write_erp_refs is 'Which version of each order came last; what a person has to look at.';

create function private.emit_imports(p_system text, p_rows private.erp_row[], p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_station text := private.event_station();
begin
  perform set_config('takt.quiet', case when cardinality(p_rows) > 100 then 'on' else '' end, true);
  insert into public.events (site, store, stream, stream_id, event, actor_id, station, payload)   -- as private.emit, in one statement
  select o.site, o.store, 'production_order', o.code, 'production.imported', nullif(p_actor, '00000000-0000-0000-0000-000000000000'), v_station,
      jsonb_strip_nulls(jsonb_build_object('version', o.version, 'system', p_system, 'external_id', r.external_id, 'external_version', r.version,
        'result', r.result, 'notices', nullif(r.notices, '[]'), 'product_sku', o.product_sku, 'quantity', trim_scale(o.quantity),
        'priority', o.priority, 'due_date', o.due_date))
    from unnest(p_rows) r join public.production_orders o on o.code = r.code
   where r.result in ('created', 'updated', 'matched', 'cancelled', 'cancel_requested', 'reopened', 'review') order by r.n;
  perform set_config('takt.quiet', '', true);
  perform private.broadcast('site:' || s.site || ':production_order', 'production.imported', '{"stream": "production_order", "stream_id": ""}')
    from (select distinct r.site from unnest(p_rows) r where cardinality(p_rows) > 100 and r.result not in ('error', 'unchanged', 'ignored', 'superseded')) s;
end $$;
comment on function private.emit_imports is 'An event for each order that the import touched; of more than 100 rows, those who listen are told once.';

create function private.lock_families(p_ids bigint[])
returns void language plpgsql set search_path = '' as $$
begin
  for i in 1..2 loop   -- again: what was made again while we waited for its root; nobody holds that and waits for us
    perform 1 from public.production_orders o
      where o.id in (
        select u from unnest(p_ids) u
        union
        select r.root_id from public.replenishments r where r.order_id = any (p_ids)
        union
        select g.order_id from public.replenishments g join public.production_orders m on m.id = g.order_id and m.status not in ('CLOSED', 'CANCELLED')
         where g.root_id in (select coalesce(r.root_id, u) from unnest(p_ids) u left join public.replenishments r on r.order_id = u))
      order by o.id for update;
  end loop;
end $$;
comment on function private.lock_families is
$$Many orders at once, each with its root and what is made again for it. Locks: all of them by id; a root is older than its replenishments, so that is the order of
lock_family too.$$;

create function private.write_erp_rows(p_system text, p_actor uuid, inout rows private.erp_row[], out ids bigint[])
returns record language plpgsql set search_path = '' as $$
declare
  v_half constant integer := cardinality(rows) / 2;
  v_message text;
  v_hint text;
  v_first record;
  v_rest record;
begin
  begin
    ids := private.insert_erp_orders(p_system, rows, p_actor) || private.update_erp_orders(p_system, rows);
    perform private.write_erp_refs(p_system, rows);
    perform private.write_lines_of_production(array(select o.id from public.production_orders o where o.id = any (ids) and o.status <> 'CANCELLED'));
    return;
  exception when others then
    if sqlstate !~ '^(22|23|PT4)' then   -- the machine, not the row
      raise;
    end if;
    get stacked diagnostics v_message = message_text, v_hint = pg_exception_hint;
  end;
  if v_half = 0 then
    ids := null;
    rows := array[private.refused_erp_row(rows[1], v_hint, v_message)];
    return;
  end if;
  select * into v_first from private.write_erp_rows(p_system, p_actor, rows[:v_half]);
  select * into v_rest from private.write_erp_rows(p_system, p_actor, rows[v_half + 1:]);
  ids := v_first.ids || v_rest.ids;
  rows := v_first.rows || v_rest.rows;
end $$;
comment on function private.write_erp_rows is
$$Writes judged rows as one set. Where the database refuses it, each half by itself, down to the row that is at fault: its error is its report, and the others are
written. Answers the rows and the ids of the orders that changed. The orders and their items are locked by the caller.$$;

create function private.refused_erp_row(p_row private.erp_row, p_hint text, p_message text)
returns private.erp_row language plpgsql immutable set search_path = '' as $$
begin
  p_row.result := 'error';
  p_row.errors := p_row.errors || private.erp_problem('external_id', coalesce(nullif(p_hint, ''), 'import.refused'), p_message);
  return p_row;
end $$;

create function private.apply_erp_rows(p_system text, p_rows jsonb, p_actor uuid)
returns private.erp_row[] language plpgsql set search_path = '' as $$
declare
  v_rows private.erp_row[] := private.check_erp_scope(private.find_erp_rows(p_system, private.read_erp_rows(p_rows)));
  v_skus text[];
  v_ids bigint[];
begin
  perform private.lock_families(array(select r.order_id from unnest(v_rows) r where r.order_id is not null and r.result is null));
  v_skus := private.erp_skus(array(select r from unnest(v_rows) r where r.result is null));
  perform private.lock_stock(v_skus);
  v_rows := private.judge_erp_rows(p_system, v_rows);
  select w.rows, w.ids into v_rows, v_ids from private.write_erp_rows(p_system, p_actor, v_rows) w;
  perform private.allocate(v_skus, jsonb_build_object('event', 'production.imported', 'ref', p_system)) where v_ids is not null;
  perform private.emit_imports(p_system, v_rows, p_actor);
  return v_rows;
end $$;
comment on function private.apply_erp_rows is
  'Reads, compares and writes all rows; rows with errors are left out. Locks: the orders and their families by id, then their items by SKU.';

create function private.erp_report(p_rows private.erp_row[])
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (select coalesce(jsonb_agg(jsonb_build_object('row', r.n, 'ok', r.result <> 'error', 'result', case when r.result = 'superseded' then 'ignored' else r.result end,
      'external_id', r.external_id, 'code', case when r.result <> 'error' then r.code end, 'version', r.version, 'errors', r.errors,
      'notices', r.notices || case when r.result = 'superseded' then private.erp_problem('external_id', 'import.superseded',
        'Another row of this import is newer.') else '[]' end) order by r.n), '[]')
    from unnest(p_rows) r);
end $$;
