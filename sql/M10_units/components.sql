-- What was built into a unit, and what the gate asks about it.

create table public.unit_components (
  id bigint generated always as identity,
  sn text not null,
  sku text not null,
  lot_id bigint,
  component_sn text constraint unit_components_component_sn_check check (component_sn ~ '^[[:graph:]]([[:graph:] ]{0,78}[[:graph:]])?$'),
  quantity numeric(14, 3) not null default 1 constraint unit_components_quantity_check check (quantity > 0 and quantity < 'NaN'),
  txn_id bigint,
  installed_at timestamptz not null default now(),
  installed_by uuid,
  removed_at timestamptz,
  removed_by uuid,
  removal text constraint unit_components_removal_check check (removal in ('recovered', 'scrapped')),
  remove_reason text constraint unit_components_remove_reason_check check (length(remove_reason) <= 500),
  constraint unit_components_pkey primary key (id),
  constraint unit_components_sn_fkey foreign key (sn) references public.units (sn) on delete restrict,
  constraint unit_components_sku_fkey foreign key (sku) references public.inventory_items (sku) on delete restrict,
  constraint unit_components_lot_id_fkey foreign key (lot_id) references public.lots (id) on delete restrict,
  constraint unit_components_txn_id_fkey foreign key (txn_id) references public.inventory_txn (id) on delete restrict,
  constraint unit_components_serial_check check (component_sn is null or quantity = 1),
  constraint unit_components_itself_check check (component_sn <> sn),
  constraint unit_components_removed_check check ((removed_at is null) = (removal is null) and (removed_at is not null or removed_by is null))
);
create unique index unit_components_component_key on public.unit_components (sku, component_sn) where component_sn is not null and removed_at is null;
create index unit_components_sn_idx on public.unit_components (sn);
create index unit_components_component_sn_idx on public.unit_components (component_sn) where component_sn is not null;
create index unit_components_sku_idx on public.unit_components (sku);
create index unit_components_lot_id_idx on public.unit_components (lot_id) where lot_id is not null;
create index unit_components_txn_id_idx on public.unit_components (txn_id) where txn_id is not null;
comment on table public.unit_components is 'What is, or was, built into a unit. A component with a serial number sits in one unit at a time.';
comment on column public.unit_components.component_sn is 'Serial number of the component: one of our units, or the number on a bought part.';
comment on column public.unit_components.txn_id is 'The movement that took it from the shelf; null when stock was not touched. Recovered, it is taken back.';
comment on column public.unit_components.removal is 'recovered: may be used again; scrapped: thrown away. Null while it is in the unit.';

create function private.tg_units__trace()
returns trigger language plpgsql set search_path = '' as $$
begin
  insert into public.trace_nodes (kind, key) select 'unit', n.sn from new_rows n;
  return null;
end $$;
create trigger _500_trace after insert on public.units referencing new table as new_rows
  for each statement execute function private.tg_units__trace();

-- For the gate -----------------------------------------------------------------------------------------------------

create function private.units_within(p_sn text)
returns text[] language plpgsql stable set search_path = '' as $$
declare
  v_within text[];
begin
  -- Most units hold no other one: that is one look at an index.
  if not exists (select from public.unit_components c join public.units u on u.sn = c.component_sn where c.sn = p_sn and c.removed_at is null) then
    return array[p_sn];
  end if;
  with recursive inside (sn) as (
    select p_sn
    union
    select u.sn from inside i join public.unit_components c on c.sn = i.sn and c.removed_at is null join public.units u on u.sn = c.component_sn
  )
  select array_agg(i.sn order by i.sn) into v_within from inside i;
  return v_within;
end $$;
comment on function private.units_within is 'The unit and the units built into it, in the order of their serial numbers.';

create function private.lock_units_of(p_sn text)
returns public.units language plpgsql set search_path = '' as $$
declare
  v_within text[] := private.units_within(p_sn);
  v_unit public.units;
begin
  perform 1 from public.units u where u.sn = any (v_within) order by u.sn for update;
  if private.units_within(p_sn) <> v_within then
    perform private.fail(409, 'unit.changed', p_sn || ' was changed at this moment. Try again.', jsonb_build_object('sn', p_sn));
  end if;
  select u.* into v_unit from public.units u where u.sn = p_sn;
  return v_unit;
end $$;
comment on function private.lock_units_of is
$$Locks the unit and the units built into it, in the order of their serial numbers; answers the unit, a null row when there is none.
What is built into a locked unit cannot change. Errors: unit.changed (409), very rarely.$$;

create function private.lots_within(p_sn text)
returns bigint[] language plpgsql stable set search_path = '' as $$
declare
  v_unit bigint := (select n.id from public.trace_nodes n where n.kind = 'unit' and n.key = p_sn);
  v_within bigint[] := array(select t.node from private.trace(array[v_unit], false) t (node));
begin
  return array(
    select l.id from unnest(v_within) w (id) join public.trace_nodes n on n.id = w.id and n.kind = 'lot'
      join public.lots l on l.sku = n.sku and lower(l.code) = lower(n.key)
     order by l.id);
end $$;
comment on function private.lots_within is 'Lots that are in the unit, however deep.';

create function private.lock_lots_of(p_sn text)
returns void language plpgsql set search_path = '' as $$
declare
  v_lots bigint[] := private.lots_within(p_sn);
begin
  perform 1 from public.lots l where l.id = any (v_lots) order by l.id for share;
end $$;
comment on function private.lock_lots_of is 'Nobody holds or releases the lots within the unit until the transaction ends. After private.lock_units_of.';

create function private.held_components(p_sn text)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return coalesce((
    select jsonb_agg(jsonb_build_object('sku', h.sku, 'lot', h.lot, 'component_sn', h.sn, 'reason', h.reason) order by h.sku, h.lot, h.sn)
      from (
        select l.sku, l.code as lot, null as sn, l.hold_reason as reason from public.lots l
         where l.id = any (private.lots_within(p_sn)) and l.held_at is not null
        union all
        select v.sku, null, u.sn, coalesce(u.hold_reason, 'It is scrapped.') from public.units u
          left join public.product_variants v on v.code = u.variant_code
         where u.sn = any (private.units_within(p_sn)) and u.sn <> p_sn and u.status in ('ON_HOLD', 'SCRAPPED')
      ) h), '[]');
end $$;
comment on function private.held_components is 'COMPONENT_ON_HOLD: [{sku, lot, component_sn, reason}] of all that is held within the unit, however deep; lot or component_sn is set.';

create function private.missing_components(p_sn text, p_required jsonb)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return coalesce((
    select jsonb_agg(jsonb_build_object('sku', r.sku, 'quantity', trim_scale(r.quantity), 'installed', trim_scale(r.installed)) order by r.sku)
      from (
        select q.sku, q.quantity, coalesce((select sum(c.quantity) from public.unit_components c
            where c.sn = p_sn and c.removed_at is null and lower(c.sku) = lower(q.sku)), 0) as installed
          from (select x ->> 'sku' as sku, coalesce((x ->> 'quantity')::numeric, 1) as quantity from jsonb_array_elements(p_required) x) q
      ) r
     where r.installed < r.quantity), '[]');
end $$;
comment on function private.missing_components is
  'COMPONENT_MISSING: p_required [{sku, quantity}] of the rules → [{sku, quantity, installed}] of what is not all in the unit.';

create function private.refuse_built_in(p_sn text)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_outer text := (select c.sn from public.unit_components c where c.component_sn = p_sn and c.removed_at is null
    and exists (select from public.units u where u.sn = p_sn) limit 1);
begin
  if v_outer is not null then
    perform private.fail(409, 'unit.built_in', format('%s is built into %s. Take it out first.', p_sn, v_outer),
      jsonb_build_object('sn', p_sn, 'built_into', v_outer));
  end if;
end $$;
comment on function private.refuse_built_in is 'PT409 unit.built_in while the unit sits in another one: what is inside is changed only after it was taken out.';
