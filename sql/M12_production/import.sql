-- Production orders from another system: read, compared with what is here, then written as sets. Older versions are ignored, and what was
-- started is never taken away.

create type private.erp_row as (
  n integer, external_id text, version bigint, code text, sku text, quantity numeric, due_date date, priority text, site text, store text,
  type text, notes text, is_cancelled boolean, given text[], hash text, errors jsonb, notices jsonb, result text, order_id bigint);
comment on type private.erp_row is
$$A row of an import on its way. given: fields it names, the others stay as they are. result: what becomes of it, null while it is not known. hash: of the
fields without the version.$$;

create function private.erp_problem(p_field text, p_code text, p_message text)
returns jsonb language sql immutable set search_path = '' as $$
  select jsonb_build_array(jsonb_build_object('field', p_field, 'code', p_code, 'message', p_message))
$$;

create function private.is_date(p_text text)
returns boolean language plpgsql immutable set search_path = '' as $$
begin
  return p_text ~ '^[1-9]\d{3}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$' and substr(p_text, 9)::integer
    <= extract(day from make_date(substr(p_text, 1, 4)::integer, substr(p_text, 6, 2)::integer, 1) + interval '1 month' - interval '1 day');
end $$;

create function private.read_erp_rows(p_rows jsonb)
returns private.erp_row[] language plpgsql stable set search_path = '' as $$
begin
  return array(
    select row(r.n, f.v ->> 'external_id', (f.v ->> 'version')::bigint, coalesce(f.v ->> 'code', f.v ->> 'external_id'), f.v ->> 'product_sku',
        (f.v ->> 'quantity')::numeric, (f.v ->> 'due_date')::date, f.v ->> 'priority', f.v ->> 'site', f.v ->> 'store', f.v ->> 'type', f.v ->> 'notes',
        coalesce(lower(f.v ->> 'cancelled') in ('true', 'yes', '1'), false), array(select jsonb_object_keys(f.v)), md5((f.v - 'version')::text), c.errors, '[]',
        case when c.errors <> '[]' then 'error' end, null)::private.erp_row
      from jsonb_array_elements(p_rows) with ordinality as r (item, n)
     cross join lateral (
       select coalesce(jsonb_object_agg(w.field, w.value) filter (where w.value is not null), '{}') as cells, coalesce(jsonb_agg(jsonb_build_object('field', w.field,
           'code', 'import.bad_value', 'message', format('%s is not %s.', left(w.value, 40), w.what)) order by w.field) filter (where w.what is not null), '[]') as faults
         from (select e.field, e.value, case   -- in the query, not in a function: it is asked for every cell of ten thousand rows
               when e.value is null then null
               when e.field not in ('external_id', 'version', 'code', 'product_sku', 'quantity', 'due_date', 'priority', 'site', 'store', 'type', 'notes',
                 'cancelled') then 'known: there is no column ' || left(e.field, 40)
               when e.field = 'version' and e.value !~ '^\d{1,18}$' then 'a whole number'
               when e.field = 'quantity' and (e.value !~ '^\d{1,6}(\.\d{1,3})?$' or e.value ~ '^[0.]+$') then 'a number like 12.5, above 0'
               when e.field = 'due_date' and not private.is_date(e.value) then 'a date like 2026-11-30'
               when e.field = 'priority' and e.value not in ('critical', 'rush', 'normal') then 'critical, rush or normal'
               when e.field = 'type' and e.value not in ('PRODUCTION', 'REPLENISHMENT') then 'PRODUCTION or REPLENISHMENT'
               when e.field = 'cancelled' and lower(e.value) not in ('true', 'false', 'yes', 'no', '1', '0') then 'yes or no'
               when e.field = 'code' and e.value !~ '^[A-Za-z0-9][A-Za-z0-9_./#-]{0,60}$' then 'a code of letters, digits and . / # _ -'
               when e.field = 'external_id' and length(e.value) > 200 or e.field = 'notes' and length(e.value) > 2000 then 'short enough' end as what
             from (select lower(trim(k.key)) as field, nullif(trim(k.value), '') as value from jsonb_each_text(r.item) k) e) w) x
     cross join lateral (select x.faults || case when x.cells ->> 'external_id' is null then private.erp_problem('external_id', 'import.bad_value',
       'The external id is missing.') else '[]' end as errors) c
     cross join lateral (select case when c.errors = '[]' then x.cells else x.cells - array['version', 'quantity', 'due_date'] end as v) f
     order by r.n);
end $$;
comment on function private.read_erp_rows is 'Rows of cells as typed rows; a row that cannot be read has result error and errors [{field, code, message}].';

create function private.find_erp_rows(p_system text, p_rows private.erp_row[])
returns private.erp_row[] language plpgsql stable set search_path = '' as $$
begin
  return array(
    select row(r.n, r.external_id, r.version, coalesce(o.code, r.code), coalesce(i.sku, r.sku), r.quantity, r.due_date, r.priority,
        coalesce(o.site, r.site, st.site, d.site), coalesce(o.store, r.store), r.type, r.notes, r.is_cancelled, r.given, r.hash,
        r.errors || e.errors, r.notices, case when r.errors || e.errors <> '[]' then 'error' when r.newest > 1 then 'superseded' end, coalesce(f.order_id, b.id))::private.erp_row
      from (select w.*, row_number() over (partition by w.code, w.newest = 1 and w.result is null order by w.n) as same_code
          from (select x.*, row_number() over (partition by lower(x.external_id), x.result is null order by x.version desc nulls last, x.n) as newest
            from unnest(p_rows) x) w) r
     cross join (select private.caller_site(null, null) as site) d
      left join public.production_order_refs f on f.system = p_system and lower(f.external_id) = lower(r.external_id)
      left join public.production_orders b on f.order_id is null and b.code = r.code
      left join public.production_orders o on o.id = coalesce(f.order_id, b.id)
      left join public.inventory_items i on lower(i.sku) = lower(r.sku)
      left join public.stores st on st.code = r.store
     cross join lateral (select case when r.result = 'error' then '[]' else
         case when r.sku is not null and i.sku is null then private.erp_problem('product_sku', 'item.unknown', 'There is no item ' || r.sku || '.') else '[]' end
         || case when r.store is not null and st.code is null then private.erp_problem('store', 'store.unknown', 'There is no store ' || r.store || '.') else '[]' end
         || case when o.id is null and r.sku is null then private.erp_problem('product_sku', 'import.bad_value', 'A new order needs a product.') else '[]' end
         || case when o.id is null and r.quantity is null then private.erp_problem('quantity', 'import.bad_value', 'A new order needs a quantity.') else '[]' end
         || case when o.id is null and r.newest = 1 and r.same_code > 1
           then private.erp_problem('code', 'production.exists', r.code || ' stands in this import for another order already.') else '[]' end
         || case when b.id is not null and (b.product_sku is distinct from i.sku or exists (
             select from public.production_order_refs x where x.order_id = b.id and x.system = p_system))
           then private.erp_problem('code', 'production.exists', 'There is another production order ' || r.code || ' already.') else '[]' end end as errors) e
     order by r.n);
end $$;
comment on function private.find_erp_rows is
$$Each row with its order, if it is here: by the id in the other system, else by its code (an order of ours that comes back). Of several rows with one
id the newest version counts, the others are superseded.$$;

create function private.check_erp_scope(p_rows private.erp_row[])
returns private.erp_row[] language plpgsql stable set search_path = '' as $$
declare
  v_who private.identity := private.identify();
begin
  return array(
    select row(r.n, r.external_id, r.version, r.code, r.sku, r.quantity, r.due_date, r.priority, r.site, r.store, r.type, r.notes, r.is_cancelled,
        r.given, r.hash, r.errors || x.error, r.notices, case when x.error <> '[]' then 'error' else r.result end, r.order_id)::private.erp_row
      from unnest(p_rows) r
      join (select p.site, p.store, case
            when not exists (select from public.sites s where s.code = p.site) then
              private.erp_problem('site', 'site.unknown', 'Say at which site it is made.')
            when not private.works_at(v_who, p.site) then private.erp_problem('site', 'auth.other_site', 'You do not work at this site.')
            when p.store is not null and not v_who.stores && array[p.store, '*'] then
              private.erp_problem('store', 'auth.other_store', 'You do not work in this store.')
            else '[]' end as error
          from (select distinct q.site, q.store from unnest(p_rows) q where q.result is distinct from 'error') p) x
        on x.site is not distinct from r.site and x.store is not distinct from r.store and r.result is distinct from 'error'
    union all
    select r::private.erp_row from unnest(p_rows) r where r.result = 'error');
end $$;
comment on function private.check_erp_scope is 'Orders of sites and stores where the caller does not work are errors of their rows.';

create function private.judge_erp_rows(p_system text, p_rows private.erp_row[])
returns private.erp_row[] language plpgsql stable set search_path = '' as $$
begin
  return array(
    select row(r.n, r.external_id, coalesce(r.version, f.version + case when f.payload_hash = r.hash then 0 else 1 end, 1), r.code, coalesce(r.sku, o.product_sku),
        case when r.quantity < u.least and not j.result in ('unchanged', 'ignored') then u.least else coalesce(r.quantity, o.quantity) end,
        case when 'due_date' = any (r.given) then r.due_date else o.due_date end, coalesce(r.priority, o.priority, 'normal'), r.site, r.store,
        coalesce(o.type, r.type, 'PRODUCTION'), coalesce(r.notes, o.notes), r.is_cancelled, r.given, r.hash, r.errors,
        r.notices || case j.result when 'ignored' then private.erp_problem('version', 'import.older',
            format('Version %s came after version %s.', r.version, f.version))
          when 'cancel_requested' then private.erp_problem('cancelled', 'import.started', 'It was started already: a person decides.')
          when 'review' then private.erp_problem(j.field, 'import.review', j.why) else '[]' end
          || case when r.quantity < u.least and j.result = 'updated' then private.erp_problem('quantity', 'import.clamped', format(
            case when o.is_routed then '%s are started already: the order is for that many.' else '%s left already: the order is for that many.' end,
            trim_scale(u.least))) else '[]' end,
        j.result, r.order_id)::private.erp_row
      from unnest(p_rows) r
      left join public.production_orders o on o.id = r.order_id
      left join public.production_order_refs f on f.order_id = o.id and f.system = p_system
      left join public.production_order_steps s on s.order_id = o.id and s.is_first
     cross join lateral (select coalesce(s.started, (   -- not routed: what was shipped in part
         select ceil(max(l.consumed / n.quantity) * 1000) / 1000 from public.order_part_allocations l
           join public.production_order_lines n on n.order_id = l.production_order_id and n.line = l.line
          where l.production_order_id = o.id and l.consumed > 0)) as least) u
     cross join lateral (select * from private.judge_erp_row(p_system, r, o, f, u.least) x) j
     order by r.n);
end $$;
comment on function private.judge_erp_rows is 'What becomes of each row, and the values its order will have. The orders are locked.';

create function private.same_as_erp(p_row private.erp_row, p_order public.production_orders)
returns boolean language plpgsql immutable set search_path = '' as $$
begin
  return coalesce(p_row.sku, p_order.product_sku) is not distinct from p_order.product_sku
    and coalesce(p_row.quantity, p_order.quantity) = p_order.quantity and coalesce(p_row.due_date, p_order.due_date) is not distinct from p_order.due_date
    and coalesce(p_row.priority, p_order.priority) = p_order.priority;
end $$;
comment on function private.same_as_erp is 'Does the row of the other system say what the order says already?';

create function private.judge_erp_row(
  p_system text, p_row private.erp_row, p_order public.production_orders, p_ref public.production_order_refs, p_started numeric,
  out result text, out field text, out why text)
returns record language plpgsql stable set search_path = '' as $$
declare
  v_is_started constant boolean := coalesce(p_started, 0) > 0 or p_order.status in ('IN_PROGRESS', 'OPEN_PARTIAL');
begin
  result := case
    when p_row.result is not null then p_row.result
    when p_order.id is null then case when p_row.is_cancelled then 'cancelled' else 'created' end
    when p_row.version < p_ref.version or p_row.version = p_ref.version and p_row.hash <> p_ref.payload_hash then 'ignored'
    when p_row.hash = p_ref.payload_hash then 'unchanged'
    when p_ref.system is null and not p_row.is_cancelled and private.same_as_erp(p_row, p_order) then 'matched'
    when p_order.source = 'replenishment' then case when p_row.is_cancelled and p_order.status = 'CANCELLED' then 'unchanged' else 'review' end
    when p_row.is_cancelled then case when p_order.status = 'CANCELLED' then 'unchanged' when p_order.status = 'CLOSED' then 'review'
      when v_is_started then case when p_ref.cancel_requested_at is null then 'cancel_requested' else 'unchanged' end else 'cancelled' end
    when p_order.status = 'CLOSED' then 'review'
    when p_order.status = 'CANCELLED' then case when p_order.cancel_reason = 'Cancelled in ' || p_system and p_started is null then 'reopened' else 'review' end
    when p_row.sku is not null and p_row.sku is distinct from p_order.product_sku and p_started is not null then 'review'
    else 'updated' end;
  if result = 'review' then
    field := case when p_order.status in ('CLOSED', 'CANCELLED') then 'status' when p_order.source = 'replenishment' then 'code' else 'product_sku' end;
    why := case when p_order.status in ('CLOSED', 'CANCELLED') then format('The order %s is %s here.', p_order.code, lower(p_order.status))
      when p_order.source = 'replenishment' then 'What an order lost is made again as often as it is needed, not as often as the other system says.'
      when p_order.is_routed then format('%s is released as %s: another product is another order.', p_order.code, p_order.product_sku)
      else format('Parts of %s left as %s: another product is another order.', p_order.code, p_order.product_sku) end;
  end if;
end $$;
comment on function private.judge_erp_row is
$$created, updated, unchanged, ignored (older), matched (our own order comes back), cancelled, cancel_requested (it was started), reopened (it comes back
after it was cancelled there), review (a person has to look), superseded, error.$$;
