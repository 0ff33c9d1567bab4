create type public.stock_import_answer as (applied boolean, batch_id bigint, counts jsonb, rows jsonb);
comment on type public.stock_import_answer is
$$Outcome of an import. rows: [{row (from 1), ok, result, sku, errors: [{field, code, message}]}]; result: created, updated, booked, unchanged or error;
counts: {result: rows}. applied is true when it was done and every row was fine; batch_id takes it back (undo_import).$$;

create function private.import_error(p_field text, p_message text)
returns jsonb language sql immutable set search_path = '' as $$
  select jsonb_build_array(jsonb_build_object('field', p_field, 'code', 'import.bad_value', 'message', p_message))
$$;

create function private.import_cell(p_value text, p_type text)
returns jsonb language sql immutable set search_path = '' as $$
  select case
    when p_type = 'text' then to_jsonb(p_value)
    when p_type = 'number' and p_value ~ '^\d{1,9}(\.\d{1,4})?$' then to_jsonb(p_value::numeric)
    when p_type = 'boolean' and lower(p_value) in ('true', 'yes', 'y', '1') then 'true'
    when p_type = 'boolean' and lower(p_value) in ('false', 'no', 'n', '0') then 'false' end
$$;
comment on function private.import_cell is 'A cell as JSON of its type; null when it cannot be read so.';

create function private.import_columns(p_kind text)
returns table (field text, type text) language sql immutable set search_path = '' as $$
  select c.field, c.type from (values
    ('items', 'sku', 'text'), ('items', 'title', 'text'), ('items', 'kind', 'text'), ('items', 'uom', 'text'), ('items', 'min_stock', 'number'),
    ('items', 'supplier', 'text'), ('items', 'unit_cost', 'number'), ('items', 'forbid_negative', 'boolean'), ('items', 'is_stocked', 'boolean'),
    ('items', 'is_listed', 'boolean'), ('items', 'is_active', 'boolean'),
    ('stock', 'sku', 'text'), ('stock', 'location', 'text'), ('stock', 'on_hand', 'number'), ('stock', 'quantity', 'number'),
    ('stock', 'unit_cost', 'number'), ('stock', 'reason', 'text')) as c (kind, field, type)
   where c.kind = p_kind
$$;

create function private.read_import_row(p_kind text, p_row jsonb, out fields jsonb, out errors jsonb)
returns record language plpgsql stable set search_path = '' as $$
begin
  select coalesce(jsonb_object_agg(c.field, private.import_cell(c.value, c.type)) filter (where private.import_cell(c.value, c.type) is not null), '{}'),
    coalesce(jsonb_agg(e.error -> 0 order by c.key) filter (where e.error is not null), '[]')
    into fields, errors
    from (
      select k.key, k.field, k.type, nullif(trim(p_row ->> k.key), '') as value from (
        select r.key, i.field, i.type from jsonb_object_keys(p_row) r (key)
          left join private.import_columns(p_kind) i on i.field = lower(trim(r.key))) k
    ) c
   cross join lateral (select case
      when c.value is null then null
      when c.field is null then private.import_error(c.key, 'There is no column ' || c.key || '.')
      when private.import_cell(c.value, c.type) is null then private.import_error(c.field, format('%s is not %s.', left(c.value, 40),
        case c.type when 'number' then 'a number like 12.5' else 'yes or no' end)) end as error) e;
  if fields ->> 'sku' is null then
    errors := errors || private.import_error('sku', 'The SKU is missing.');
  end if;
  if p_kind = 'stock' and num_nonnulls(fields -> 'on_hand', fields -> 'quantity') <> 1 and errors = '[]' then
    errors := errors || private.import_error('on_hand', 'Give on_hand (what is there) or quantity (what came in), one of them.');
  end if;
end $$;
comment on function private.read_import_row is 'A row of text cells as typed fields, and everything that is wrong with it. Empty cells count as not given.';

create function private.import_item(p_fields jsonb, p_batch bigint)
returns text language plpgsql set search_path = '' as $$
declare
  v_before public.inventory_items;
  v_after public.inventory_items;
begin
  select i.* into v_before from public.inventory_items i where lower(i.sku) = lower(p_fields ->> 'sku') for update;
  v_after := private.save_item(p_fields ->> 'sku', p_fields - 'sku');
  if v_after is not distinct from v_before then
    return 'unchanged';
  end if;
  update public.stock_imports b set before = b.before || jsonb_build_object('sku', v_after.sku, 'before', case when v_before.sku is not null
    then to_jsonb(v_before) end, 'after', to_jsonb(v_after)) where b.id = p_batch;
  return case when v_before.sku is null then 'created' else 'updated' end;
end $$;

create function private.import_stock_row(p_fields jsonb, p_batch bigint, p_actor uuid)
returns text language plpgsql set search_path = '' as $$
declare
  v_item public.inventory_items := private.item_to_move(p_fields ->> 'sku', true);
  v_place public.locations := private.place(p_fields ->> 'location');
  v_quantity numeric := (p_fields ->> 'quantity')::numeric;
begin
  perform private.check_place(v_place, p_fields ->> 'location');
  perform private.authorize('inventory.manage', null, v_place.site);
  perform private.check_length('reason', p_fields ->> 'reason', 500);
  perform private.lock_stock(array[v_item.sku]);
  v_quantity := coalesce(v_quantity, (p_fields ->> 'on_hand')::numeric
    - coalesce((select b.on_hand from public.inventory_balances b where b.sku = v_item.sku and b.location = v_place.code), 0));
  if v_quantity = 0 then
    return 'unchanged';
  end if;
  perform private.check_quantity('quantity', v_quantity, true);
  perform private.post_txn(v_item.sku, v_place.code, case when p_fields ? 'quantity' then 'receipt' else 'adjust' end, v_quantity, 'import',
    p_batch::text, coalesce(p_fields ->> 'reason', 'Import ' || p_batch), p_actor, coalesce((p_fields ->> 'unit_cost')::numeric, v_item.unit_cost), p_batch);
  return 'booked';
end $$;

create function private.import_row(p_kind text, p_row jsonb, p_batch bigint, p_actor uuid, out result text, out errors jsonb, out sku text)
returns record language plpgsql set search_path = '' as $$
declare
  v_fields jsonb;
begin
  select r.fields, r.errors into v_fields, errors from private.read_import_row(p_kind, p_row) r;
  sku := v_fields ->> 'sku';
  result := 'error';
  if errors = '[]' then
    result := case p_kind when 'items' then private.import_item(v_fields, p_batch) else private.import_stock_row(v_fields, p_batch, p_actor) end;
  end if;
exception when others then   -- the next row is tried all the same: a person wants to see every error at once
  declare
    v_code text;
    v_constraint text;
  begin
    get stacked diagnostics v_code = pg_exception_hint, v_constraint = constraint_name;
    result := 'error';
    errors := jsonb_build_array(jsonb_build_object('field', nullif(regexp_replace(v_constraint, '^inventory_items_(.*)_check$', '\1'), ''),
      'code', coalesce(nullif(v_code, ''), nullif(v_constraint, ''), sqlstate), 'message', left(sqlerrm, 300)));
  end;
end $$;

create function private.import_rows(p_kind text, p_rows jsonb, p_dry_run boolean, p_actor uuid)
returns public.stock_import_answer language plpgsql set search_path = '' as $$
declare
  v_row record;
  v_one record;
  v_batch bigint;
  v_twice text[];
  v_answer public.stock_import_answer := row(false, null, '{}', '[]');
begin
  v_twice := array(select lower(concat_ws(' @ ', trim(r.item ->> 'sku'), trim(r.item ->> 'location'))) from jsonb_array_elements(p_rows) r (item)
    where nullif(trim(r.item ->> 'quantity'), '') is null group by 1 having count(*) > 1);
  begin
    perform private.lock_stock(array(select i.sku from public.inventory_items i
      where lower(i.sku) in (select lower(trim(r.item ->> 'sku')) from jsonb_array_elements(p_rows) r (item))));
    insert into public.stock_imports (kind, row_count, actor_id, content_hash)
    values (p_kind, jsonb_array_length(p_rows), nullif(p_actor, '00000000-0000-0000-0000-000000000000'),
      case when exists (select 1 from jsonb_array_elements(p_rows) r (item) where nullif(trim(r.item ->> 'quantity'), '') is not null)
        then md5(p_kind || p_rows::text) end) returning id into v_batch;
    for v_row in select r.item, r.n from jsonb_array_elements(p_rows) with ordinality as r (item, n) order by r.n loop
      select i.* into v_one from private.import_row(p_kind, v_row.item, v_batch, p_actor) i;
      if lower(concat_ws(' @ ', trim(v_row.item ->> 'sku'), trim(v_row.item ->> 'location'))) = any (v_twice) and v_one.sku is not null then
        v_one.result := 'error';
        v_one.errors := v_one.errors || private.import_error('sku', v_one.sku || ' stands in this file more than once.');
      end if;
      v_answer.rows := v_answer.rows || jsonb_build_object('row', v_row.n, 'ok', v_one.errors = '[]', 'result', v_one.result, 'sku', v_one.sku,
        'errors', v_one.errors);
    end loop;
    v_answer.counts := private.count_results(v_answer.rows);
    if p_dry_run or v_answer.counts ? 'error' then
      raise exception using errcode = 'TKDRY', message = 'dry run';
    end if;
    v_answer.applied := true;
    v_answer.batch_id := v_batch;
    perform private.allocate(array(select distinct t.sku from public.inventory_txn t where t.batch_id = v_batch),
      jsonb_build_object('event', 'import.applied', 'ref', v_batch));
  exception when sqlstate 'TKDRY' then
    null;   -- everything above is taken back, what it found is not
  end;
  return v_answer;
end $$;
comment on function private.import_rows is
  'Does it all, row by row, each error noted; takes it all back when it was a dry run or a row was wrong. Locks: the items, by SKU.';

create function private.import_names(p_rows jsonb)
returns jsonb language sql immutable set search_path = '' as $$
  select jsonb_agg((select jsonb_object_agg(lower(trim(c.key)), c.value) from jsonb_each(r.item) c) order by r.n)
    from jsonb_array_elements(p_rows) with ordinality as r (item, n)
$$;
comment on function private.import_names is 'The same rows with their columns in lower case, so that one file is one file however its columns are spelt.';

create function private.import_stock_table(p_kind text, p_rows jsonb, p_dry_run boolean, p_actor uuid)
returns public.stock_import_answer language plpgsql set search_path = '' as $$
declare
  v_answer public.stock_import_answer;
  v_earlier bigint;
begin
  if jsonb_typeof(p_rows) is distinct from 'array' or jsonb_array_length(p_rows) not between 1 and 5000
     or exists (select 1 from jsonb_array_elements(p_rows) r (item) where jsonb_typeof(r.item) <> 'object') then
    perform private.fail(422, 'import.table', 'Send a list of 1 to 5000 rows.', jsonb_build_object('field', 'p_rows'));
  elsif exists (select 1 from jsonb_array_elements(p_rows) r (item)
    where (select count(*) <> count(distinct lower(trim(k))) from jsonb_object_keys(r.item) k)) then
    perform private.fail(422, 'import.table', 'Two columns have the same name. Take one of them out.', jsonb_build_object('field', 'p_rows'));
  end if;
  p_rows := private.import_names(p_rows);
  perform pg_advisory_xact_lock(hashtextextended('takt stock import', 0));
  select b.id into v_earlier from public.stock_imports b where b.content_hash = md5(p_kind || p_rows::text) and b.undone_at is null;
  if v_earlier is not null then
    return row(not p_dry_run, v_earlier, jsonb_build_object('unchanged', jsonb_array_length(p_rows)), (
      select jsonb_agg(jsonb_build_object('row', r.n, 'ok', true, 'result', 'unchanged', 'sku', r.item ->> 'sku', 'errors', '[]'::jsonb) order by r.n)
        from jsonb_array_elements(p_rows) with ordinality as r (item, n)))::public.stock_import_answer;
  end if;
  v_answer := private.import_rows(p_kind, p_rows, p_dry_run, p_actor);
  if v_answer.applied then
    perform private.emit('item', 'import-' || v_answer.batch_id, 'import.applied', p_actor,
      jsonb_build_object('kind', p_kind, 'counts', v_answer.counts));
  end if;
  return v_answer;
end $$;

create function public.import_items(p_rows jsonb, p_dry_run boolean default true, p_request_id uuid default null)
returns public.stock_import_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'import_items', jsonb_build_array(md5(p_rows::text), p_dry_run));
begin
  if v_answer is null then
    v_answer := to_jsonb(private.import_stock_table('items', p_rows, p_dry_run, v_actor));
    perform private.remember(v_actor, p_request_id, v_answer);
  end if;
  return jsonb_populate_record(null::public.stock_import_answer, v_answer);
end $$;
comment on function public.import_items is
$$Items from a table: p_rows [{sku, title, kind, uom, min_stock, supplier, unit_cost, forbid_negative, is_stocked, is_listed, is_active}], cells as text,
an empty cell leaves the field alone. p_dry_run (the default) answers every error of every row and changes nothing; without it all rows or none.
Permission: inventory.manage.
Errors: import.table (422), request.reused (422); per row, answered: import.bad_value, item.negative, item.in_use, constraints by name.
Idempotency: by p_request_id; the same rows again change nothing.
Locks: the items.$$;

create function public.import_stock(p_rows jsonb, p_dry_run boolean default true, p_request_id uuid default null)
returns public.stock_import_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'import_stock', jsonb_build_array(md5(p_rows::text), p_dry_run));
begin
  if v_answer is null then
    v_answer := to_jsonb(private.import_stock_table('stock', p_rows, p_dry_run, v_actor));
    perform private.remember(v_actor, p_request_id, v_answer);
  end if;
  return jsonb_populate_record(null::public.stock_import_answer, v_answer);
end $$;
comment on function public.import_stock is
$$Stock from a table: p_rows [{sku, location, on_hand or quantity, unit_cost, reason}], cells as text. on_hand says what is there (the difference is
booked), quantity what came in; without a location the default place. p_dry_run (the default) answers every error of every row and changes
nothing; without it all rows or none.
Permission: inventory.manage, at the sites of the locations.
Errors: import.table (422), request.reused (422); per row, answered: import.bad_value and the errors of receive_stock.
Idempotency: by p_request_id; rows with on_hand book nothing the second time, and a file with quantities is known by its content and not booked twice.
Locks: the items, by SKU.$$;

create function private.undo_import_of_items(p_import public.stock_imports)
returns void language plpgsql set search_path = '' as $$
declare
  v_one record;
  v_changed text[];
begin
  v_changed := array(select b.item ->> 'sku' from jsonb_array_elements(p_import.before) b (item)
    join public.inventory_items i on i.sku = b.item ->> 'sku' where i.version <> (b.item -> 'after' ->> 'version')::integer order by 1);
  if v_changed <> '{}' then
    perform private.fail(409, 'import.changed_since', 'Some of these items were changed after the import, first ' || v_changed[1] || '.',
      jsonb_build_object('skus', v_changed));
  end if;
  for v_one in select b.item ->> 'sku' as sku, b.item -> 'before' as before from jsonb_array_elements(p_import.before) b (item) order by 1 loop
    if v_one.before <> 'null' then
      perform private.save_item(v_one.sku, v_one.before || jsonb_build_object('supplier', coalesce(v_one.before ->> 'supplier', '')));
      update public.inventory_items i set unit_cost = (v_one.before ->> 'unit_cost')::numeric
       where i.sku = v_one.sku and i.unit_cost is distinct from (v_one.before ->> 'unit_cost')::numeric;
    else
      begin
        delete from public.inventory_items i where i.sku = v_one.sku;
      exception when foreign_key_violation then   -- it was used since: it stays, out of use
        update public.inventory_items i set is_active = false where i.sku = v_one.sku;
      end;
    end if;
  end loop;
end $$;

create function public.undo_import(p_batch_id bigint, p_request_id uuid default null)
returns public.stock_imports language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'undo_import', jsonb_build_array(p_batch_id));
  v_import public.stock_imports;
  v_skus text[];
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.stock_imports, v_answer);
  end if;
  select b.* into v_import from public.stock_imports b where b.id = p_batch_id for update;
  if v_import.id is null then
    perform private.fail(404, 'import.unknown', 'There is no import ' || coalesce(p_batch_id::text, '') || '.', jsonb_build_object('id', p_batch_id));
  elsif v_import.undone_at is null then
    v_skus := array(select distinct t.sku from public.inventory_txn t where t.batch_id = p_batch_id);
    perform private.authorize('inventory.manage', null, l.site) from public.locations l
      where l.code in (select t.location from public.inventory_txn t where t.batch_id = p_batch_id);
    perform private.lock_stock(v_skus);
    perform private.post_txn(x.sku, x.location, x.kind, -x.quantity, 'import', p_batch_id::text, 'Import ' || p_batch_id || ' taken back', v_actor,
        null, null, x.id)
      from (select t.* from public.inventory_txn t where t.batch_id = p_batch_id order by t.sku, t.id) x;
    perform private.undo_import_of_items(v_import);
    update public.stock_imports b set undone_at = now(), undone_by = nullif(v_actor, '00000000-0000-0000-0000-000000000000')
     where b.id = p_batch_id returning b.* into v_import;
    perform private.allocate(v_skus, jsonb_build_object('event', 'import.undone', 'ref', p_batch_id));
    perform private.emit('item', 'import-' || p_batch_id, 'import.undone', v_actor, jsonb_build_object('kind', v_import.kind));
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_import));
  return v_import;
end $$;
comment on function public.undo_import is
$$Take a whole import back: its movements by movements the other way, its items to what they were. New items go, or out of use when used since.
Permission: inventory.manage, at the sites of the locations.
Errors: import.unknown (404), import.changed_since (409), stock.short (409) where an item forbids negatives, request.reused (422).
Idempotency: by p_request_id; a repeat changes nothing.
Locks: the import, then the items by SKU.$$;
grant execute on function public.import_items, public.import_stock, public.undo_import to authenticated, service_role;
