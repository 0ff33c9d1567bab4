create type public.production_import as (applied boolean, counts jsonb, rows jsonb);
comment on type public.production_import is
$$Outcome of an import. rows: [{row (from 1), ok, result, external_id, code, version, errors: [{field, code, message}], notices: [the same]}]; result: created,
updated, unchanged, ignored (an older version, or a newer row beside it), matched (an order of ours), cancelled, cancel_requested, reopened, review or
error; counts: {result: rows}. applied is false after a dry run.$$;

create function private.import_production(p_system text, p_rows jsonb, p_dry_run boolean, p_actor uuid)
returns public.production_import language plpgsql set search_path = '' as $$
declare
  v_import public.production_import;
begin
  if p_system is null or p_system !~ '^[a-z][a-z0-9_.-]{0,60}$' then
    perform private.fail(422, 'import.system', 'Name the system the orders come from, like erp or odoo.main: small letters and digits.',
      jsonb_build_object('field', 'p_system', 'actual', p_system));
  elsif jsonb_typeof(p_rows) is distinct from 'array' or jsonb_array_length(p_rows) not between 1 and 20000
     or exists (select from jsonb_array_elements(p_rows) r (item) where jsonb_typeof(r.item) <> 'object') then
    perform private.fail(422, 'import.table', 'Send a list of 1 to 20000 rows.', jsonb_build_object('field', 'p_rows'));
  end if;
  perform pg_advisory_xact_lock(hashtextextended('takt production import', 0));   -- two imports never see half of each other
  begin
    v_import.rows := private.erp_report(private.apply_erp_rows(p_system, p_rows, p_actor));
    v_import.applied := not p_dry_run;
    if p_dry_run then
      raise exception using errcode = 'TKDRY', message = 'dry run';
    end if;
  exception when sqlstate 'TKDRY' then
    null;   -- everything above is taken back, what it found is not
  end;
  select jsonb_object_agg(c.result, c.n) into v_import.counts
    from (select r.item ->> 'result' as result, count(*) as n from jsonb_array_elements(v_import.rows) r (item) group by 1) c;
  return v_import;
end $$;

create function public.import_production_orders(
  p_system text, p_rows jsonb, p_dry_run boolean default false, p_request_id uuid default null)
returns public.production_import language plpgsql security definer set search_path = '' set statement_timeout = '100s' as $$
declare
  v_actor uuid := private.authorize('production.import');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'import_production_orders', jsonb_build_array(p_system, md5(p_rows::text), p_dry_run));
begin
  if v_answer is null then
    v_answer := to_jsonb(private.import_production(p_system, p_rows, coalesce(p_dry_run, false), v_actor));
    perform private.remember(v_actor, p_request_id, v_answer);
  end if;
  return jsonb_populate_record(null::public.production_import, v_answer);
end $$;
comment on function public.import_production_orders is
$$Production orders from another system (p_system, its name here): p_rows [{external_id, version, code, product_sku, quantity, due_date, priority, site, store,
type, notes, cancelled}], text or JSON values; what a row does not name stays as it is. An order is known by its external id, whatever the case. A newer
version changes it, an older one is ignored; without versions a row that differs is newer. Orders not started are changed or cancelled; of started ones
never fewer than were started, and a cancellation is noted for a person. Rows with errors are left out and reported, the others are imported.
p_dry_run: reports and changes nothing.
Permission: production.import; per row at the site and in the store of the order.
Errors: import.system (422), import.table (422), request.reused (422); per row, answered: import.bad_value, item.unknown, store.unknown, site.unknown, auth.other_site, auth.other_store, production.exists.
Idempotency: by p_request_id; the same rows again change nothing.
Locks: other imports; the orders by id, then their items by SKU.$$;

create function public.import_production_order(p_system text, p_order jsonb, p_request_id uuid default null)
returns public.production_import language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('production.import');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'import_production_order', jsonb_build_array(p_system, p_order));
begin
  if v_answer is null then
    v_answer := to_jsonb(private.import_production(p_system, jsonb_build_array(p_order), false, v_actor));
    perform private.remember(v_actor, p_request_id, v_answer);
  end if;
  return jsonb_populate_record(null::public.production_import, v_answer);
end $$;
comment on function public.import_production_order is
$$One production order from another system, as import_production_orders: p_order is one row.
Permission: production.import; at the site and in the store of the order.
Errors: import.system (422), import.table (422), request.reused (422); answered: those of import_production_orders.
Idempotency: by p_request_id; the same order again changes nothing.
Locks: other imports; the order, then its items by SKU.$$;
grant execute on function public.import_production_orders, public.import_production_order to authenticated, service_role;
