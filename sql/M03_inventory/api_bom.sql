create function private.check_requirement_lines(p_lines jsonb)
returns void language plpgsql stable set search_path = '' as $$
begin
  if jsonb_typeof(p_lines) is distinct from 'array' or jsonb_array_length(p_lines) > 500 or exists (
    select 1 from jsonb_array_elements(p_lines) l (item) where jsonb_typeof(l.item) <> 'object'
       or coalesce(l.item ->> 'quantity', '') !~ '^\d{1,9}(\.\d{1,3})?$' or l.item ->> 'quantity' ~ '^[0.]+$'
       or coalesce(l.item ->> 'stage', 'Filling') not in ('Filling', 'Covering', 'Decorating', 'Packing')
       or coalesce(l.item ->> 'is_optional', 'false') not in ('true', 'false')) then
    perform private.fail(422, 'bom.lines', 'Each line needs a SKU, a quantity above 0 and, if any, a stage from Filling to Packing.',
      jsonb_build_object('field', 'p_lines'));
  end if;
end $$;

create function public.save_requirements(
  p_lines jsonb, p_parent_sku text default null, p_title text default null, p_store text default null, p_variant text default null,
  p_match text default 'exact', p_request_id uuid default null)
returns setof public.product_requirements language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.manage', p_store);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_requirements',
    jsonb_build_array(p_lines, p_parent_sku, p_title, p_store, p_variant, p_match));
  v_parent text;
begin
  if v_answer is null then
    if num_nonnulls(p_parent_sku, p_title) <> 1 or p_parent_sku is not null and num_nonnulls(p_store, p_variant) > 0
       or p_title is not null and private.words(p_title) = '' then
      perform private.fail(422, 'bom.product', 'Name the product by its SKU, or by its title (with store and variant, if you like).',
        jsonb_build_object('field', 'p_title'));
    end if;
    perform private.check_requirement_lines(p_lines);
    if p_parent_sku is not null then
      v_parent := (private.find_item(p_parent_sku)).sku;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('takt product_requirements', 0));
    delete from public.product_requirements r
     where r.parent_sku is not distinct from v_parent and r.title is not distinct from p_title and r.store is not distinct from p_store
       and r.variant is not distinct from p_variant and (v_parent is not null or r.match = p_match);
    insert into public.product_requirements (parent_sku, store, match, title, variant, sku, quantity, stage, is_optional)
    select v_parent, p_store, case when v_parent is null then p_match else 'exact' end, p_title, p_variant, (private.find_item(l.item ->> 'sku')).sku,
      (l.item ->> 'quantity')::numeric, (l.item ->> 'stage')::public.stage_type, coalesce((l.item ->> 'is_optional')::boolean, false)
      from jsonb_array_elements(p_lines) l (item);
    select coalesce(jsonb_agg(to_jsonb(r) order by r.id), '[]') into v_answer from public.product_requirements r
     where r.parent_sku is not distinct from v_parent and r.title is not distinct from p_title and r.store is not distinct from p_store
       and r.variant is not distinct from p_variant and (v_parent is not null or r.match = p_match);
    perform private.mark_order_stock(array(select o.row_id from public.orders o
      where o.stage <> 'Complete' and o.cancelled_at is null and (p_store is null or o.store = p_store)), true);
    perform private.emit('item', coalesce(v_parent, p_title), 'bom.saved', v_actor, jsonb_build_object('lines', v_answer), p_store);
    perform private.remember(v_actor, p_request_id, v_answer);
  end if;
  return query select r.* from jsonb_populate_recordset(null::public.product_requirements, v_answer) r;
end $$;
comment on function public.save_requirements is
$$The whole bill of materials of a product: p_lines [{sku, quantity, stage, is_optional}] per piece replaces what was there; [] clears it.
The product is a SKU, or a title (p_match exact or keyword) of one store or all, perhaps only of the variants with the words p_variant.
Permission: inventory.manage, in the store when one is named.
Errors: bom.product (422), bom.lines (422), bom.cycle (422), item.unknown (404), request.reused (422); constraints by name (product_requirements_key …).
Idempotency: by p_request_id; the same lines again are the same bill (with new ids).
Locks: all bills of materials against other writers; then the open tickets' stock, by SKU.$$;

create function public.get_requirements(p_sku text, p_quantity numeric default 1)
returns table (level integer, path text[], sku text, title text, quantity numeric, stage public.stage_type, is_optional boolean, on_hand numeric, ats numeric)
language plpgsql stable security definer set search_path = '' as $$
declare
  v_blind text[];
begin
  perform private.authorize('inventory.read');
  v_blind := private.blind_skus();
  return query
    with recursive tree as (
      select 1 as level, array[r.sku] as path, r.sku, r.quantity * p_quantity as quantity, r.stage, r.is_optional
        from public.product_requirements r where r.parent_sku = (private.find_item(p_sku)).sku
      union all
      select t.level + 1, t.path || r.sku, r.sku, r.quantity * t.quantity, coalesce(t.stage, r.stage), t.is_optional or r.is_optional
        from tree t join public.product_requirements r on r.parent_sku = t.sku where t.level < 50
    )
    select t.level, t.path, t.sku, i.title, trim_scale(t.quantity), t.stage, t.is_optional,
      case when t.sku <> all (v_blind) then s.on_hand end, case when t.sku <> all (v_blind) then s.ats end
      from tree t join public.inventory_items i on i.sku = t.sku join public.inventory_stock s on s.sku = t.sku order by t.path;
end $$;
comment on function public.get_requirements is
$$What so many pieces of a product are made of, through every level, as a tree in the order of its paths. on_hand and ats are null for what
the caller is counting.
Permission: inventory.read.
Errors: item.unknown (404).
Idempotency: a read.
Locks: none.$$;

create function public.save_deduction_rule(
  p_pattern text, p_sku text, p_quantity numeric default 1, p_match text default 'keyword', p_applies_to text default 'any',
  p_store text default null, p_priority integer default 100, p_is_active boolean default true, p_request_id uuid default null)
returns public.deduction_rules language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.manage', p_store);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_deduction_rule',
    jsonb_build_array(p_pattern, p_sku, p_quantity, p_match, p_applies_to, p_store, p_priority, p_is_active));
  v_rule public.deduction_rules;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.deduction_rules, v_answer);
  end if;
  perform private.check_quantity('p_quantity', p_quantity);
  if private.words(p_pattern) = '' then
    perform private.fail(422, 'stock.empty_pattern', 'Enter the words to look for.', jsonb_build_object('field', 'p_pattern'));
  end if;
  insert into public.deduction_rules as r (store, applies_to, match, pattern, sku, quantity, priority, is_active)
  values (p_store, p_applies_to, p_match, p_pattern, (private.find_item(p_sku)).sku, p_quantity, p_priority, p_is_active)
  on conflict on constraint deduction_rules_key do update
    set quantity = excluded.quantity, priority = excluded.priority, is_active = excluded.is_active
  returning r.* into v_rule;
  perform private.emit('item', v_rule.sku, 'deduction_rule.saved', v_actor, to_jsonb(v_rule), p_store);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_rule));
  return v_rule;
end $$;
comment on function public.save_deduction_rule is
$$An order line with these words takes so much of an item from the shelf. p_match: exact (the whole title) or keyword (words in it); p_applies_to:
accessory, product or any; p_store null = every store; the smaller p_priority wins.
Permission: inventory.manage, in the store when one is named.
Errors: item.unknown (404), stock.quantity (422), stock.empty_pattern (422), request.reused (422); constraints by name (deduction_rules_match_check …).
Idempotency: by p_request_id; the same rule again changes quantity, priority and whether it is in use.
Locks: the rule.$$;

create function public.delete_deduction_rule(p_id bigint, p_request_id uuid default null)
returns boolean language plpgsql security definer set search_path = '' as $$
declare
  v_rule public.deduction_rules := (select r from public.deduction_rules r where r.id = p_id);
  v_actor uuid := private.authorize('inventory.manage', v_rule.store);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'delete_deduction_rule', jsonb_build_array(p_id));
begin
  if v_answer is not null then
    return v_answer::boolean;
  end if;
  delete from public.deduction_rules r where r.id = p_id;
  if found then
    perform private.emit('item', v_rule.sku, 'deduction_rule.deleted', v_actor, to_jsonb(v_rule), v_rule.store);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_rule.id is not null));
  return v_rule.id is not null;
end $$;
comment on function public.delete_deduction_rule is
$$Take a rule away. True when there was one.
Permission: inventory.manage, in the store of the rule.
Errors: request.reused (422).
Idempotency: by p_request_id; a repeat answers false.
Locks: the rule.$$;
grant execute on function public.save_requirements, public.get_requirements, public.save_deduction_rule, public.delete_deduction_rule
  to authenticated, service_role;
