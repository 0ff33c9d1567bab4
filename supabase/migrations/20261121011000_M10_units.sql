-- Built from sql/M10_units/ by `takt db build`: edit there, not here.
set local lock_timeout = '10s';
set local statement_timeout = '5min';

-- sql/M10_units/trace_tables.sql

-- Lots, and what went into what. Nodes point to nothing by foreign key: an order or a box may be traced long after it is gone.

create table public.lots (
  id bigint generated always as identity,
  sku text not null,
  code text not null constraint lots_code_check check (code ~ '^[[:graph:]]([[:graph:] ]{0,78}[[:graph:]])?$'),
  kind text not null default 'RAW' constraint lots_kind_check check (kind in ('RAW', 'WIP', 'FINISHED')),
  supplier text constraint lots_supplier_check check (length(supplier) <= 200),
  notes text constraint lots_notes_check check (length(notes) <= 2000),
  site text,
  held_at timestamptz,
  hold_reason text constraint lots_hold_reason_check check (length(hold_reason) <= 500),
  held_by uuid,
  created_by uuid,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint lots_pkey primary key (id),
  constraint lots_sku_fkey foreign key (sku) references public.inventory_items (sku) on delete restrict,
  constraint lots_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint lots_hold_check check ((held_at is null) = (hold_reason is null) and (held_at is not null or held_by is null))
);
create unique index lots_sku_key on public.lots (sku, lower(code));
create index lots_code_idx on public.lots (lower(code));
create index lots_site_idx on public.lots (site) where site is not null;
create index lots_held_idx on public.lots (id) where held_at is not null;
comment on table public.lots is 'A batch of an item: delivered together (RAW) or made together (WIP, FINISHED). Codes that differ only in case are one.';
comment on column public.lots.site is
  'Where it lies: it is seen and used there. Null: nobody said where, who added it works at several sites; it is of all of them.';
comment on column public.lots.held_at is 'Since when nothing of it may be used or packed; null: free.';
create trigger _100_stamp before update on public.lots for each row execute function private.tg__stamp();

create table public.trace_nodes (
  id bigint generated always as identity,
  kind text not null constraint trace_nodes_kind_check
    check (kind in ('item', 'lot', 'serial', 'unit', 'box', 'pallet', 'order', 'production_order')),
  key text not null,
  sku text,
  constraint trace_nodes_pkey primary key (id),
  constraint trace_nodes_key unique nulls not distinct (key, kind, sku),
  constraint trace_nodes_sku_check check ((sku is not null) = (kind in ('item', 'lot', 'serial')))
);
create index trace_nodes_sku_idx on public.trace_nodes (sku, key) where sku is not null;
comment on table public.trace_nodes is
$$What can be traced. lot: a lot (key = code); serial: one bought part with a number; item: pieces of an item without either (key = SKU);
unit, box, pallet: their serial or code; order: a ticket (key = orders.id); production_order: key = code.$$;

create table public.trace_edges (
  parent bigint not null,
  child bigint not null,
  quantity numeric(14, 3) not null constraint trace_edges_quantity_check check (quantity >= 0 and quantity < 'NaN'),
  at timestamptz not null default now(),
  removed_at timestamptz,
  constraint trace_edges_pkey primary key (parent, child) include (removed_at),
  constraint trace_edges_parent_fkey foreign key (parent) references public.trace_nodes (id) on delete restrict,
  constraint trace_edges_child_fkey foreign key (child) references public.trace_nodes (id) on delete restrict,
  constraint trace_edges_itself_check check (parent <> child),
  constraint trace_edges_removed_check check ((removed_at is not null) = (quantity = 0))
);
create index trace_edges_child_idx on public.trace_edges (child, parent) include (removed_at);
comment on table public.trace_edges is
$$The parent is in the child: a lot in a unit, a unit in a box, a box on a pallet or with an order. Written by private.link and unlink only.
Both indexes hold all that a trace needs to know, so that it never reads the table.$$;
comment on column public.trace_edges.quantity is 'How much of it is in there now; 0 when all of it was taken out.';
comment on column public.trace_edges.at is 'When it first went in; after it was out, when it went in again.';

-- A list of affected units as it was found, for as long as its export takes.
create table private.recall_exports (
  id uuid not null default gen_random_uuid(),
  actor_id uuid not null,
  trace jsonb not null,
  created_at timestamptz not null default now(),
  constraint recall_exports_pkey primary key (id)
);
create index recall_exports_created_at_idx on private.recall_exports (created_at);
comment on table private.recall_exports is 'Exports of the last day: what was traced, and by whom.';

create table private.recall_export_nodes (
  export_id uuid not null,
  kind text not null,
  key text collate "C" not null,
  node bigint not null,
  constraint recall_export_nodes_pkey primary key (export_id, kind, key, node)
);
comment on table private.recall_export_nodes is
$$Everything that the trace of an export reached; its pages are read from here, by serial number. Without a foreign key: checking a quarter of a
million rows would take longer than finding them. private.purge_recall_exports deletes from both.$$;

-- What hold_all held, so that the same can be released again ----------------------------------------------------------

create table private.recalls (
  id bigint generated always as identity,
  trace jsonb not null,
  reason text not null constraint recalls_reason_check check (length(reason) between 1 and 500),
  held_at timestamptz not null default now(),
  held_by uuid,
  released_at timestamptz,
  released_by uuid,
  release_reason text constraint recalls_release_reason_check check (length(release_reason) <= 500),
  constraint recalls_pkey primary key (id),
  constraint recalls_release_check check ((released_at is null) = (release_reason is null))
);
create index recalls_open_idx on private.recalls using hash (trace) where released_at is null;
comment on table private.recalls is 'One row per hold_all; while it is open the same trace again belongs to it.';

create table private.recall_claims (
  recall_id bigint not null,
  kind text not null constraint recall_claims_kind_check check (kind in ('unit', 'lot')),
  key text not null,
  is_cause boolean not null,
  constraint recall_claims_pkey primary key (recall_id, kind, key)
);
create index recall_claims_key_idx on private.recall_claims (key, kind);
comment on table private.recall_claims is
$$What an open recall wants held: units by serial, lots by id. Guarded by the locks of those. A free unit has no claims; one on hold may have
several, and is held until the last is gone. Without a foreign key, as recall_export_nodes.$$;
comment on column private.recall_claims.is_cause is 'It is on hold because of this recall; false: it was on hold before, for something else.';

-- sql/M10_units/tables.sql

-- Serialised units. Whoever locks several things does it in this order: production order or ticket → units by serial → variant → kits →
-- boxes by code → lots by id → stock by SKU.

create type public.unit_status as enum (
  'CREATED', 'FLASHED', 'TEST_PASS', 'ASSEMBLED', 'PACKED', 'IN_FINISHED_STOCK', 'REWORK', 'SCRAPPED', 'ON_HOLD');

-- What is made, and the rules it must keep --------------------------------------------------------------------------

create table public.product_variants (
  code text not null constraint product_variants_code_check check (code ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,60}$'),
  title text not null constraint product_variants_title_check check (length(title) between 1 and 200),
  product_code text not null constraint product_variants_product_code_check check (product_code ~ '^[A-Z0-9]{2,8}$'),
  sku text,
  default_language_set text not null default 'EN'
    constraint product_variants_default_language_set_check check (default_language_set ~ '^[A-Z]{2,3}(-[A-Z]{2,3}){0,9}$'),
  is_active boolean not null default true,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint product_variants_pkey primary key (code),
  constraint product_variants_sku_fkey foreign key (sku) references public.inventory_items (sku) on delete restrict
);
create index product_variants_sku_idx on public.product_variants (sku);
comment on table public.product_variants is 'What a generic unit can become. Its row is the lock of its rules: who packs shares it, who changes rules takes it.';
comment on column public.product_variants.product_code is 'Two to eight letters and digits, as in a serial; assigned to the unit, whose serial never changes.';
comment on column public.product_variants.sku is 'The finished item that a unit becomes in stock; without one it cannot be moved to stock.';
comment on column public.product_variants.default_language_set is 'Languages that the kit must have, joined by hyphens: EN, NL-EN.';

create table public.variant_rules (
  id bigint generated always as identity,
  variant text not null,
  version integer not null constraint variant_rules_version_check check (version > 0),
  is_active boolean not null default false,
  allowed_hw_revs text[] not null default '{}',
  firmware jsonb not null default '{}' constraint variant_rules_firmware_check check (jsonb_typeof(firmware) = 'object'),
  packaging jsonb not null default '{}' constraint variant_rules_packaging_check check (jsonb_typeof(packaging) = 'object'),
  manual jsonb not null default '{}' constraint variant_rules_manual_check check (jsonb_typeof(manual) = 'object'),
  required_tests jsonb not null default '[]' constraint variant_rules_required_tests_check check (jsonb_typeof(required_tests) = 'array'),
  required_components jsonb not null default '[]'
    constraint variant_rules_required_components_check check (jsonb_typeof(required_components) = 'array'),
  note text constraint variant_rules_note_check check (length(note) <= 500),
  created_by uuid,
  created_at timestamptz not null default now(),
  activated_by uuid,
  activated_at timestamptz,
  constraint variant_rules_pkey primary key (id),
  constraint variant_rules_version_key unique (variant, version),
  constraint variant_rules_variant_fkey foreign key (variant) references public.product_variants (code) on delete restrict
);
create unique index variant_rules_active_key on public.variant_rules (variant) where is_active;
comment on table public.variant_rules is 'What a unit of a variant must fulfil to be packed. A version never changes; one of a variant is active, and an older one can be again.';
comment on column public.variant_rules.allowed_hw_revs is 'Hardware revisions; empty = any known one.';
comment on column public.variant_rules.firmware is
  '{required_prefix, range (as in npm: >=1.2.0 <2, ^1.2, ~1.2.3, a || b), build_hash (exactly this one), require_build_hash}; what is missing is not asked.';
comment on column public.variant_rules.packaging is '{require_device_label (default false), kit_required (default true)}.';
comment on column public.variant_rules.manual is
  '{language_set (default that of the variant), min_insert_versions {insert: version}}: what the kit must have.';
comment on column public.variant_rules.required_tests is
  '[{test, limits {metric: {min, max, unit}}}]; each must have passed since the last change of the unit. Empty: the latest test, whichever.';
comment on column public.variant_rules.required_components is '[{sku, quantity}]: what must be installed.';

-- Units ------------------------------------------------------------------------------------------------------------

create table private.serial_sequences (
  yymm text not null constraint serial_sequences_yymm_check check (yymm ~ '^\d{4}$'),
  product_code text not null constraint serial_sequences_product_code_check check (product_code ~ '^[A-Z0-9]{2,8}$'),
  next_number bigint not null default 1,
  constraint serial_sequences_pkey primary key (yymm, product_code)
);
comment on table private.serial_sequences is 'The next serial of a month and product code. The row is locked until its serials are committed; nothing needs them without gaps.';

create table public.boxes (
  code text not null constraint boxes_code_check check (code ~ '^[A-Z0-9][A-Z0-9-]{0,60}$'),
  kind text not null default 'box' constraint boxes_kind_check check (kind in ('box', 'pallet')),
  site text not null,
  parent text,
  sealed_at timestamptz,
  shipped_at timestamptz,
  order_row_id uuid,
  production_order_id bigint,
  created_by uuid,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint boxes_pkey primary key (code),
  constraint boxes_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint boxes_parent_fkey foreign key (parent) references public.boxes (code) on delete restrict,
  constraint boxes_order_row_id_fkey foreign key (order_row_id) references public.orders (row_id) on delete restrict,
  constraint boxes_production_order_id_fkey foreign key (production_order_id) references public.production_orders (id) on delete restrict,
  constraint boxes_parent_check check (parent is null or kind = 'box'),
  constraint boxes_order_check check (num_nonnulls(order_row_id, production_order_id) <= 1),
  constraint boxes_shipped_check check (shipped_at is null or sealed_at is not null)
);
create index boxes_site_idx on public.boxes (site);
create index boxes_parent_idx on public.boxes (parent) where parent is not null;
create index boxes_order_row_id_idx on public.boxes (order_row_id) where order_row_id is not null;
create index boxes_production_order_id_idx on public.boxes (production_order_id) where production_order_id is not null;
comment on table public.boxes is 'Boxes hold packed units, pallets hold boxes. What is sealed does not change until it is opened; what is shipped is never opened.';
comment on column public.boxes.parent is 'The pallet that a box stands on.';

create table public.units (
  sn text not null constraint units_sn_check check (sn ~ '^\d{4}-[A-Z0-9]{2,8}-\d{3,12}$'),
  site text not null,
  product_code text not null constraint units_product_code_check check (product_code ~ '^[A-Z0-9]{2,8}$'),
  serial_class text not null default 'GENERIC' constraint units_serial_class_check check (serial_class in ('GENERIC', 'FINAL')),
  variant_code text,
  status public.unit_status not null default 'CREATED',
  status_before_hold public.unit_status,
  hold_reason text constraint units_hold_reason_check check (length(hold_reason) between 1 and 500),
  held_at timestamptz,
  held_by uuid,
  hw_rev text constraint units_hw_rev_check check (length(hw_rev) between 1 and 60),
  fw_version text constraint units_fw_version_check check (length(fw_version) between 1 and 100),
  fw_build_hash text constraint units_fw_build_hash_check check (length(fw_build_hash) between 1 and 128),
  build_no integer not null default 1,
  kit_id text constraint units_kit_id_check check (length(kit_id) between 1 and 100),
  box_code text,
  stock_sku text,
  stock_location text,
  hold_location text,
  is_counted boolean not null default false,
  production_order_id bigint,
  assembled_at timestamptz,
  packed_at timestamptz,
  stocked_at timestamptz,
  shipped_at timestamptz,
  scrapped_at timestamptz,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint units_pkey primary key (sn),
  constraint units_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint units_variant_code_fkey foreign key (variant_code) references public.product_variants (code) on delete restrict,
  constraint units_box_code_fkey foreign key (box_code) references public.boxes (code) on delete restrict,
  constraint units_stock_sku_fkey foreign key (stock_sku) references public.inventory_items (sku) on delete restrict,
  constraint units_stock_location_fkey foreign key (stock_location) references public.locations (code) on delete restrict,
  constraint units_hold_location_fkey foreign key (hold_location) references public.locations (code) on delete restrict,
  constraint units_production_order_id_fkey foreign key (production_order_id) references public.production_orders (id) on delete restrict,
  constraint units_class_check check ((serial_class = 'FINAL') = (variant_code is not null)),
  constraint units_hold_check check ((status = 'ON_HOLD') = (status_before_hold is not null)
    and (status = 'ON_HOLD') = (hold_reason is not null) and status_before_hold not in ('ON_HOLD', 'SCRAPPED')),
  constraint units_packed_check check (
    (coalesce(status_before_hold, status) in ('PACKED', 'IN_FINISHED_STOCK')) = (packed_at is not null) or status = 'SCRAPPED'),
  constraint units_stock_check check ((coalesce(status_before_hold, status) = 'IN_FINISHED_STOCK') = (stock_location is not null)
    and (stock_location is null) = (stock_sku is null) and (hold_location is null or status_before_hold = 'IN_FINISHED_STOCK')),
  constraint units_box_check check (box_code is null or packed_at is not null),
  constraint units_scrapped_check check ((status = 'SCRAPPED') = (scrapped_at is not null))
) with (fillfactor = 80);
create index units_site_idx on public.units (site);
create index units_status_idx on public.units (status, sn);
create index units_variant_code_idx on public.units (variant_code, sn) where variant_code is not null;
create index units_box_code_idx on public.units (box_code) where box_code is not null;
create index units_stock_sku_idx on public.units (stock_sku) where stock_sku is not null;
create index units_stock_location_idx on public.units (stock_location) where stock_location is not null;
create index units_hold_location_idx on public.units (hold_location, stock_sku) where hold_location is not null;
create index units_production_order_id_idx on public.units (production_order_id) where production_order_id is not null;
comment on table public.units is 'One row per physical unit, from its generic serial to its box. Its serial never changes and is never used twice.';
comment on column public.units.sn is 'YYMM-GN-00001: month of the plant, product code at birth, running number.';
comment on column public.units.product_code is 'That of the variant once one is assigned.';
comment on column public.units.status_before_hold is 'Where a release takes a held unit back to.';
comment on column public.units.hw_rev is 'As last read; a reading without it leaves what was known.';
comment on column public.units.fw_version is 'As last read or flashed; a reading without it leaves what was known.';
comment on column public.units.build_no is 'Counts the changes that a test does not survive: a flash, an assembly anew, a rework. A test counts for the build it measured.';
comment on column public.units.kit_id is 'The packaging kit scanned last, whether there is such a kit or not: the gate says.';
comment on column public.units.stock_sku is 'The item it was booked as; its variant may have another one since.';
comment on column public.units.stock_location is 'Where it was put into stock.';
comment on column public.units.hold_location is 'On hold: where its piece was set aside, so that nobody is promised it; null when the books had no piece of it.';

comment on column public.units.is_counted is
  'Its routed order counted it good, and so put it into stock: the unit took that piece over. It leaves stock and comes back like any other then.';

create table private.unit_transitions (
  from_status public.unit_status not null,
  to_status public.unit_status not null,
  constraint unit_transitions_pkey primary key (from_status, to_status)
);
comment on table private.unit_transitions is 'The steps a unit may make, besides onto hold and back. A trigger holds every update to it.';

-- Tests ------------------------------------------------------------------------------------------------------------

create table public.test_runs (
  id bigint generated always as identity,
  sn text not null,
  test text not null constraint test_runs_test_check check (test ~ '^[a-z][a-z0-9_-]{0,60}$'),
  build_no integer not null,
  result text not null constraint test_runs_result_check check (result in ('PASS', 'FAIL')),
  claimed text not null constraint test_runs_claimed_check check (claimed in ('PASS', 'FAIL')),
  why jsonb not null default '[]',
  is_first boolean not null,
  site text not null,
  day date not null,
  fixture_id uuid,
  actor_id uuid,
  station text constraint test_runs_station_check check (length(station) <= 64),
  fw_readback jsonb not null default '{}' constraint test_runs_fw_readback_check check (jsonb_typeof(fw_readback) = 'object'),
  started_at timestamptz,
  at timestamptz not null default now(),
  constraint test_runs_pkey primary key (id),
  constraint test_runs_sn_fkey foreign key (sn) references public.units (sn) on delete restrict,
  constraint test_runs_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint test_runs_fixture_id_fkey foreign key (fixture_id) references public.devices (id) on delete restrict,
  constraint test_runs_claimed_result_check check (result = 'FAIL' or claimed = 'PASS')
);
create index test_runs_sn_idx on public.test_runs (sn, id);
create index test_runs_site_idx on public.test_runs (site, day, test);
create index test_runs_fixture_id_idx on public.test_runs (fixture_id) where fixture_id is not null;
comment on table public.test_runs is 'Every test of every unit, append-only.';
comment on column public.test_runs.claimed is 'What the fixture said; a PASS whose measurements break the limits is a FAIL.';
comment on column public.test_runs.why is '[{metric, value, min, max, unit}] that broke a limit when it was recorded.';
comment on column public.test_runs.is_first is 'The first run of this test on this unit: what first-pass yield counts.';
comment on column public.test_runs.day is 'Calendar day of the plant.';
comment on column public.test_runs.fixture_id is 'The fixture that measured; null when a person typed it in.';
comment on column public.test_runs.fw_readback is '{hw_rev, fw_version, fw_build_hash, …} as the fixture read it from the unit.';

create table public.test_measurements (
  run_id bigint not null,
  metric text not null constraint test_measurements_metric_check check (metric ~ '^[A-Za-z][A-Za-z0-9_.-]{0,60}$'),
  value numeric constraint test_measurements_value_check check (value < 'Infinity' and value > '-Infinity'),
  unit text constraint test_measurements_unit_check check (length(unit) <= 20),
  low numeric,
  high numeric,
  is_pass boolean not null,
  constraint test_measurements_pkey primary key (run_id, metric),
  constraint test_measurements_run_id_fkey foreign key (run_id) references public.test_runs (id) on delete restrict
);
create index test_measurements_metric_idx on public.test_measurements (metric, run_id);
comment on table public.test_measurements is 'What was measured, with the limits that were in force. value is null where a limit asks for a metric that was not measured.';

-- Packaging --------------------------------------------------------------------------------------------------------

create table public.packaging_kits (
  kit_id text not null constraint packaging_kits_kit_id_check check (kit_id ~ '^[[:graph:]]([[:graph:] ]{0,98}[[:graph:]])?$'),
  language_set text not null constraint packaging_kits_language_set_check check (language_set ~ '^[A-Z]{2,3}(-[A-Z]{2,3}){0,9}$'),
  variants text[] not null,
  insert_versions jsonb not null default '{}' constraint packaging_kits_insert_versions_check check (jsonb_typeof(insert_versions) = 'object'),
  is_active boolean not null default true,
  used_by_sn text,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint packaging_kits_pkey primary key (kit_id),
  constraint packaging_kits_used_by_sn_key unique (used_by_sn),
  constraint packaging_kits_used_by_sn_fkey foreign key (used_by_sn) references public.units (sn) on delete restrict
);
comment on table public.packaging_kits is 'One row per physical kit: what lies in it, for which variants, and the one unit it was packed with.';
comment on column public.packaging_kits.variants is 'Codes of the variants it fits.';
comment on column public.packaging_kits.insert_versions is '{insert: version}, such as {"manual": "3.1", "safety": "2"}.';

-- sql/M10_units/trace.sql

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

-- sql/M10_units/components.sql

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

-- sql/M10_units/serials.sql

-- Serial numbers: one row lock for a whole batch, no gap-free promise, no number twice.

create function private.site_day(p_site text, p_now timestamptz default now())
returns date language plpgsql stable set search_path = '' as $$
begin
  return (select (p_now at time zone s.time_zone)::date from public.sites s where s.code = p_site);
end $$;
comment on function private.site_day is 'The calendar day of a plant at an instant, through daylight saving.';

create function private.next_serials(p_site text, p_product_code text, p_count integer, p_now timestamptz default now())
returns text[] language plpgsql set search_path = '' as $$
declare
  v_yymm constant text := to_char(private.site_day(p_site, p_now), 'YYMM');
  v_digits constant integer := (private.setting('units.serial_digits', null, p_site) #>> '{}')::integer;
  v_next bigint;
begin
  insert into private.serial_sequences (yymm, product_code) values (v_yymm, p_product_code)
  on conflict on constraint serial_sequences_pkey do nothing;
  update private.serial_sequences s set next_number = s.next_number + p_count
   where s.yymm = v_yymm and s.product_code = p_product_code returning s.next_number - p_count into v_next;
  return array(   -- a number that outgrows its width gets longer: it is never cut
    select format('%s-%s-%s', v_yymm, p_product_code, lpad(n::text, greatest(v_digits, length(n::text)), '0'))
      from generate_series(v_next, v_next + p_count - 1) n order by n);
end $$;
comment on function private.next_serials is
'The next p_count serials of this month of the plant. Locks: the sequence row, until the end of the transaction.';

create function private.serial_of(p_code text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return substring(upper(private.clean_code(p_code)) from '^\d{4}-[A-Z0-9]{2,8}-\d{3,12}$');
end $$;
comment on function private.serial_of is 'The serial that a scanned code means, whatever its case; null when it is no serial.';

-- sql/M10_units/internal.sql

-- The life of a unit: the matrix, what keeps it, and how one command changes one unit.

create type public.unit_change as (changed boolean, event_id bigint, unit public.units, next_action text, notices jsonb);
comment on type public.unit_change is
$$Answer of a command on a unit: did it change anything, its event, the unit now, what to do with it next in words,
notices [{code, message, details}] to show, or null.$$;

insert into private.unit_transitions (from_status, to_status) values
  ('CREATED', 'FLASHED'), ('CREATED', 'REWORK'), ('CREATED', 'SCRAPPED'),
  ('FLASHED', 'TEST_PASS'), ('FLASHED', 'ASSEMBLED'), ('FLASHED', 'PACKED'), ('FLASHED', 'REWORK'), ('FLASHED', 'SCRAPPED'),
  ('TEST_PASS', 'FLASHED'), ('TEST_PASS', 'ASSEMBLED'), ('TEST_PASS', 'PACKED'), ('TEST_PASS', 'REWORK'), ('TEST_PASS', 'SCRAPPED'),
  ('ASSEMBLED', 'FLASHED'), ('ASSEMBLED', 'TEST_PASS'), ('ASSEMBLED', 'PACKED'), ('ASSEMBLED', 'REWORK'), ('ASSEMBLED', 'SCRAPPED'),
  ('PACKED', 'IN_FINISHED_STOCK'), ('PACKED', 'TEST_PASS'), ('PACKED', 'ASSEMBLED'), ('PACKED', 'REWORK'), ('PACKED', 'SCRAPPED'),
  ('IN_FINISHED_STOCK', 'REWORK'), ('IN_FINISHED_STOCK', 'SCRAPPED'),
  ('REWORK', 'FLASHED'), ('REWORK', 'TEST_PASS'), ('REWORK', 'ASSEMBLED'), ('REWORK', 'PACKED'), ('REWORK', 'SCRAPPED'),
  ('ON_HOLD', 'SCRAPPED');
-- FLASHED and REWORK to PACKED: the rules may have become milder since the last test. The gate decides, not the word.
-- PACKED to TEST_PASS and ASSEMBLED: unpacked. Every status but SCRAPPED goes to ON_HOLD, and back to where it came from.

create function private.tg_units__status()
returns trigger language plpgsql set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    if new.status <> 'CREATED' then
      perform private.fail(409, 'unit.illegal_move', 'A unit begins as CREATED.', jsonb_build_object('to', new.status));
    end if;
  elsif new.sn <> old.sn or new.created_at <> old.created_at or new.site <> old.site then
    perform private.fail(409, 'unit.immutable', 'The serial of a unit never changes.', jsonb_build_object('sn', old.sn));
  elsif old.shipped_at is not null and new.shipped_at is null and new.status <> 'REWORK' then
    perform private.fail(409, 'unit.illegal_move', 'What was shipped comes back for rework only.', jsonb_build_object('sn', old.sn));
  elsif new.status <> old.status and not (
      new.status = 'ON_HOLD' and old.status <> 'SCRAPPED' and new.status_before_hold = old.status
      or old.status = 'ON_HOLD' and new.status = old.status_before_hold
      or exists (select 1 from private.unit_transitions t where t.from_status = old.status and t.to_status = new.status)) then
    perform private.fail(409, 'unit.illegal_move', format('A unit does not go from %s to %s.', old.status, new.status),
      jsonb_build_object('sn', old.sn, 'from', old.status, 'to', new.status));
  end if;
  return new;
end $$;
create trigger _100_stamp before update on public.units for each row execute function private.tg__stamp();
create trigger _200_status before insert or update on public.units for each row execute function private.tg_units__status();
create trigger _100_stamp before update on public.product_variants for each row execute function private.tg__stamp();
create trigger _100_stamp before update on public.packaging_kits for each row execute function private.tg__stamp();
create trigger _100_stamp before update on public.boxes for each row execute function private.tg__stamp();

create function private.tg_units__forever()
returns trigger language plpgsql set search_path = '' as $$
begin
  perform private.fail(409, 'unit.append_only', 'Units and their tests are never removed, and tests never changed.');
  return null;
end $$;
create trigger _200_forever before delete on public.units for each row execute function private.tg_units__forever();
create trigger _200_no_truncate before truncate on public.units for each statement execute function private.tg_units__forever();

create function private.tg__test_forever()
returns trigger language plpgsql set search_path = '' as $$
begin
  perform private.fail(409, 'unit.append_only', 'Units and their tests are never removed, and tests never changed.');
  return null;
end $$;
create trigger _200_forever before update or delete on public.test_runs for each row execute function private.tg__test_forever();
create trigger _200_forever before update or delete on public.test_measurements for each row execute function private.tg__test_forever();
create trigger _200_no_truncate before truncate on public.test_runs for each statement execute function private.tg__test_forever();
create trigger _200_no_truncate before truncate on public.test_measurements for each statement execute function private.tg__test_forever();

-- In words ---------------------------------------------------------------------------------------------------------

create function private.next_unit_action(p_unit public.units)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return case p_unit.status
    when 'CREATED' then 'Flash it.'
    when 'FLASHED' then 'Test it.'
    when 'TEST_PASS' then case when p_unit.variant_code is null then 'Assign a variant, then assemble and pack it.'
      when p_unit.assembled_at is null then 'Assemble it, then pack it.' else 'Scan its kit and pack it.' end
    when 'ASSEMBLED' then case when p_unit.variant_code is null then 'Assign a variant, then pack it.' else 'Scan its kit and pack it.' end
    when 'PACKED' then 'Move it to stock.'
    when 'IN_FINISHED_STOCK' then case when p_unit.shipped_at is null then 'It is in stock, ready to ship.' else 'It was shipped.' end
    when 'REWORK' then 'Repair it, flash it if needed, and test it again.'
    when 'SCRAPPED' then 'It was scrapped. Set it aside.'
    else format('It is on hold: %s. Leave it until somebody releases it.', rtrim(p_unit.hold_reason, ' .')) end;
end $$;
comment on function private.next_unit_action is 'What to do with the unit next, in a sentence.';

create function private.refuse_unit_state(p_unit public.units, p_what text)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if p_unit.status = 'ON_HOLD' then
    perform private.fail(423, 'unit.on_hold', format('%s is on hold: %s.', p_unit.sn, rtrim(p_unit.hold_reason, ' .')),
      jsonb_build_object('sn', p_unit.sn, 'status', p_unit.status, 'reason', p_unit.hold_reason));
  end if;
  perform private.fail(409, 'unit.wrong_state', format('%s is %s and cannot be %s. %s', p_unit.sn, p_unit.status, p_what,
    private.next_unit_action(p_unit)), jsonb_build_object('sn', p_unit.sn, 'actual', p_unit.status, 'next_action', private.next_unit_action(p_unit)));
end $$;
comment on function private.refuse_unit_state is 'Errors: unit.on_hold (423), else unit.wrong_state (409) with what to do next. p_what: flashed, assembled …';

create function private.unit_steps(p_status public.unit_status)
returns text[] language plpgsql immutable set search_path = '' as $$
begin
  return case p_status
    when 'CREATED' then '{flash,assign,install,kit,label,rework,hold,scrap}'
    when 'REWORK' then '{flash,test,assemble,assign,install,kit,pack,label,hold,scrap}'
    when 'PACKED' then '{stock,box,unpack,label,rework,hold,scrap}'
    when 'IN_FINISHED_STOCK' then '{box,label,rework,hold,scrap}'
    when 'ON_HOLD' then '{release,label,scrap}'
    when 'SCRAPPED' then '{}'
    else '{flash,test,assemble,assign,install,kit,pack,label,rework,hold,scrap}' end;
end $$;
comment on function private.unit_steps is
'What may be done with a unit in this status. Commands ask here, and get_unit tells; the gate decides about pack, and repeats are answered besides.';

create function private.check_step(p_unit public.units, p_step text, p_what text)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if p_step <> all (private.unit_steps(p_unit.status)) then
    perform private.refuse_unit_state(p_unit, p_what);
  end if;
end $$;
comment on function private.check_step is 'Errors: unit.on_hold (423), unit.wrong_state (409), unless the status of the unit allows the step. p_what: flashed, assembled …';

create function private.step_permission(p_step text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return case p_step when 'label' then 'printing.request' when 'install' then 'units.assemble' when 'release' then 'units.hold'
    when 'kit' then 'units.pack' when 'stock' then 'units.pack' when 'box' then 'units.pack' else 'units.' || p_step end;
end $$;

create function private.unit_actions(p_unit public.units)
returns text[] language plpgsql stable set search_path = '' as $$
declare
  v_is_inside constant boolean := exists (select from public.unit_components c where c.component_sn = p_unit.sn and c.removed_at is null);
begin
  return array(
    select s.step from unnest(private.unit_steps(p_unit.status)) with ordinality as s (step, n)
     where private.may(private.step_permission(s.step))
       and not (v_is_inside and s.step in ('flash', 'assemble', 'install', 'pack', 'rework', 'scrap'))
     order by s.n);
end $$;
comment on function private.unit_actions is 'The steps that the status of the unit and the role of the caller allow; what is inside another unit is not changed.';

create function private.check_unit_reason(p_reason text)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if coalesce(trim(p_reason), '') = '' then
    perform private.fail(422, 'unit.reason_required', 'Say why.', jsonb_build_object('field', 'p_reason'));
  end if;
  perform private.check_length('p_reason', p_reason, 500);
end $$;

-- One command on one unit: begin_unit → change a copy → save_unit → finish_unit. -------------------------------------

create type private.unit_command as (actor uuid, request_id uuid, answer jsonb, unit public.units);

create function private.begin_unit(p_permission text, p_sn text, p_request_id uuid, p_rpc text, p_args jsonb)
returns private.unit_command language plpgsql set search_path = '' as $$
declare
  v_command private.unit_command;
  v_unit public.units;
begin
  select u.* into v_unit from public.units u where u.sn = private.serial_of(p_sn);
  v_command.actor := private.authorize(p_permission, null, v_unit.site);
  v_command.request_id := p_request_id;
  if v_unit.sn is null then
    perform private.fail(404, 'unit.unknown', 'There is no unit ' || coalesce(p_sn, '') || '.', jsonb_build_object('sn', p_sn));
  end if;
  v_command.answer := private.replay(v_command.actor, p_request_id, p_rpc, p_args);
  if v_command.answer is null then
    select u.* into v_unit from public.units u where u.sn = v_unit.sn for update;
  end if;
  v_command.unit := v_unit;
  return v_command;
end $$;
comment on function private.begin_unit is
$$Guard, replay and lock for a command on one unit. answer is set when this is a repeat; otherwise unit is the locked row.
Errors: those of authorize, unit.unknown (404), request.reused (422). Locks: the unit.$$;

create function private.finish_unit(p_command private.unit_command, p_change public.unit_change)
returns public.unit_change language plpgsql set search_path = '' as $$
begin
  if p_command.answer is not null then
    return jsonb_populate_record(null::public.unit_change, p_command.answer);
  end if;
  if p_command.request_id is not null then
    perform private.remember(p_command.actor, p_command.request_id, to_jsonb(p_change));
  end if;
  return p_change;
end $$;

create function private.unit_unchanged(p_unit public.units)
returns public.unit_change language plpgsql immutable set search_path = '' as $$
begin
  return row(false, null, p_unit, private.next_unit_action(p_unit), null)::public.unit_change;
end $$;

create function private.emit_unit(p_unit public.units, p_event text, p_actor uuid, p_payload jsonb)
returns bigint language plpgsql set search_path = '' as $$
begin
  return private.emit('unit', p_unit.sn, p_event, p_actor,
    p_payload || jsonb_build_object('version', p_unit.version, 'status', p_unit.status), null, p_unit.site);
end $$;

create function private.save_unit(
  p_old public.units, p_new public.units, p_event text, p_actor uuid, p_payload jsonb default '{}')
returns public.unit_change language plpgsql set search_path = '' as $$
declare
  v_unit public.units;
  v_old jsonb := to_jsonb(p_old);
  v_before jsonb;
  v_after jsonb;
  v_event bigint;
begin
  update public.units u set
    (product_code, serial_class, variant_code, status, status_before_hold, hold_reason, held_at, held_by, hw_rev, fw_version, fw_build_hash,
     build_no, kit_id, box_code, stock_sku, stock_location, hold_location, is_counted, assembled_at, packed_at, stocked_at, shipped_at, scrapped_at) =
    (p_new.product_code, p_new.serial_class, p_new.variant_code, p_new.status, p_new.status_before_hold, p_new.hold_reason, p_new.held_at,
     p_new.held_by, p_new.hw_rev, p_new.fw_version, p_new.fw_build_hash, p_new.build_no, p_new.kit_id, p_new.box_code, p_new.stock_sku,
     p_new.stock_location, p_new.hold_location, p_new.is_counted, p_new.assembled_at, p_new.packed_at, p_new.stocked_at, p_new.shipped_at, p_new.scrapped_at)
   where u.sn = p_old.sn
  returning u.* into v_unit;
  select coalesce(jsonb_object_agg(n.key, v_old -> n.key), '{}'), coalesce(jsonb_object_agg(n.key, n.value), '{}') into v_before, v_after
    from jsonb_each(to_jsonb(v_unit)) n where n.value <> v_old -> n.key and n.key not in ('version', 'updated_at');
  v_event := private.emit_unit(v_unit, p_event, p_actor, p_payload || jsonb_build_object('before', v_before, 'after', v_after));
  return row(true, v_event, v_unit, private.next_unit_action(v_unit), null)::public.unit_change;
end $$;
comment on function private.save_unit is 'Write the changed copy of a locked unit and its event, with before and after of every changed field.';

create function private.invalidate_tests(p_unit public.units)
returns public.units language plpgsql immutable set search_path = '' as $$
declare
  v_new public.units := p_unit;
begin
  v_new.build_no := p_unit.build_no + 1;
  if p_unit.status = 'TEST_PASS' then
    v_new.status := 'FLASHED';
  end if;
  return v_new;
end $$;
comment on function private.invalidate_tests is 'A copy whose earlier tests no longer count: the unit was changed since.';

-- sql/M10_units/versions.sql

-- Versions and ranges, as semver.org and npm define them.

create function private.version_key(p_version text)
returns text language plpgsql immutable set search_path = '' as $$
declare
  v_parts text[] := regexp_match(p_version, '^[vV]?(\d{1,15})(?:\.(\d{1,15}))?(?:\.(\d{1,15}))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$');
begin
  if v_parts is null then
    return null;
  end if;
  return (select string_agg(lpad(coalesce(v_parts[n], '0'), 15, '0'), '.' order by n) from generate_series(1, 3) n) || '.'
    || coalesce((   -- a pre-release comes before its release; of its identifiers numbers come before words
      select string_agg(case when i.part ~ '^\d+$' then '0' || lpad(i.part, 20, '0') else '1' || i.part end, ' ' order by i.n)
        from string_to_table(v_parts[4], '.') with ordinality as i (part, n)), '~');
end $$;
comment on function private.version_key is
'A text that sorts (collate "C") as the version does: 1.9.0 before 1.10.0, 2.0.0-rc.1 before 2.0.0, 1.2 like 1.2.0. Null for what is no version.';

create function private.version_less(p_a text, p_b text)
returns boolean language plpgsql immutable set search_path = '' as $$
begin
  return private.version_key(p_a) collate "C" < private.version_key(p_b) collate "C";
end $$;
comment on function private.version_less is 'Is version a older than version b? Null when one of them is no version.';

create function private.comparator_bounds(p_comparator text, out low text, out high text, out is_high_open boolean, out is_low_open boolean)
language plpgsql immutable set search_path = '' as $$
declare
  v_parts text[] := regexp_match(p_comparator, '^(\^|~|>=|<=|>|<|=)?v?(\d{1,15}|[xX*])(?:\.(\d{1,15}|[xX*]))?(?:\.(\d{1,15}|[xX*]))?(-[0-9A-Za-z.-]+)?$');
  v_op text := coalesce(v_parts[1], '');
  v_n bigint[] := array[substring(v_parts[2] from '^\d+$'), substring(v_parts[3] from '^\d+$'), substring(v_parts[4] from '^\d+$')]::bigint[];
  v_level integer := case when v_n[1] is null then 0 when v_n[2] is null then 1 when v_n[3] is null then 2 else 3 end;
  v_from text := format('%s.%s.%s%s', coalesce(v_n[1], 0), coalesce(v_n[2], 0), coalesce(v_n[3], 0), case v_level when 3 then v_parts[5] end);
  v_next text;
begin
  is_low_open := false;
  is_high_open := true;
  if v_parts is null then
    return;
  elsif v_level = 0 then
    low := '0.0.0-0';
    return;
  end if;
  -- The first version that no longer has the given numbers; -0 is before its first pre-release.
  v_next := case when v_level = 1 or v_op = '^' and v_n[1] > 0 then format('%s.0.0-0', v_n[1] + 1)
    when v_level = 2 or v_op = '~' or v_op = '^' and v_n[2] > 0 then format('%s.%s.0-0', v_n[1], v_n[2] + 1)
    else format('%s.%s.%s-0', v_n[1], v_n[2], v_n[3] + 1) end;
  case
    when v_op in ('^', '~') or v_op in ('', '=') and v_level < 3 then low := v_from; high := v_next;
    when v_op in ('', '=') then low := v_from; high := v_from; is_high_open := false;
    when v_op = '>=' then low := v_from;
    when v_op = '>' and v_level < 3 then low := v_next;
    when v_op = '>' then low := v_from; is_low_open := true;
    when v_op = '<' then high := case v_level when 3 then v_from else v_from || '-0' end;
    when v_level < 3 then high := v_next;
    else high := v_from; is_high_open := false;
  end case;
end $$;
comment on function private.comparator_bounds is 'The versions that ^1.2, ~1.2.3, >=1, <2.0.0, 1.x or 1.2.3 means; both bounds null when it is no comparator.';

create function private.range_words(p_range text)
returns setof text[] language plpgsql immutable set search_path = '' as $$
begin
  return query
    select array(select w from regexp_split_to_table(trim(regexp_replace(p.part, '(\^|~|>=|<=|>|<|=)\s+', '\1', 'g')), '\s+') w)
      from string_to_table(p_range, '||') p (part);
end $$;
comment on function private.range_words is 'The alternatives of a range, each the comparators that must all hold.';

create function private.is_range(p_range text)
returns boolean language plpgsql immutable set search_path = '' as $$
begin
  return not exists (
    select 1 from private.range_words(p_range) r (words) cross join unnest(r.words) w cross join private.comparator_bounds(w) b
     where b.low is null and b.high is null);
end $$;

create function private.in_range(p_version text, p_range text)
returns boolean language plpgsql immutable set search_path = '' as $$
declare
  v_key text := private.version_key(p_version);
  v_core constant text := substring(p_version from '^[vV]?(\d+(?:\.\d+){0,2})');
  v_is_pre constant boolean := v_key not like '%.~';
begin
  return p_range is null or v_key is not null and exists (
    select 1 from private.range_words(p_range) r (words)
     where not exists (   -- every comparator holds
       select 1 from unnest(r.words) w cross join private.comparator_bounds(w) b
        where b.low is null and b.high is null
           or private.version_key(b.low) collate "C" > v_key collate "C" or b.is_low_open and private.version_key(b.low) = v_key
           or private.version_key(b.high) collate "C" < v_key collate "C" or b.is_high_open and private.version_key(b.high) = v_key)
       -- A release candidate is meant only where the range names one of the same version.
       and (not v_is_pre or exists (
         select 1 from unnest(r.words) w where w ~ '\d-' and private.version_key(substring(w from '(\d+(?:\.\d+){0,2})-')) = private.version_key(v_core))));
end $$;
comment on function private.in_range is 'Does the version lie in the range (null: any)? Pre-releases only where the range names one of the same version, as in npm.';

-- sql/M10_units/variants.sql

-- Variants and their rules: what a rule may look like, and which one is in force.

create function private.find_variant(p_variant text)
returns public.product_variants language plpgsql stable set search_path = '' as $$
declare
  v_variant public.product_variants;
begin
  select v.* into v_variant from public.product_variants v where v.code = p_variant;
  if v_variant.code is null then
    perform private.fail(404, 'variant.unknown', 'There is no variant ' || coalesce(p_variant, '') || '.', jsonb_build_object('variant', p_variant));
  end if;
  return v_variant;
end $$;

create function private.active_rules(p_variant text)
returns public.variant_rules language plpgsql stable set search_path = '' as $$
declare
  v_rules public.variant_rules;
begin
  select r.* into v_rules from public.variant_rules r where r.variant = p_variant and r.is_active;
  return v_rules;
end $$;
comment on function private.active_rules is 'The rules in force, or a null row. Whoever decides by them holds a lock on the variant.';

create function private.misfit(p_value jsonb, p_type text, p_path text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return case when p_value is not null and p_value <> 'null' and jsonb_typeof(p_value) <> p_type then format('%s must be a %s', p_path, p_type) end;
end $$;

create function private.unknown_keys(p_object jsonb, p_known text[], p_path text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return (select format('%s.%s is not known', p_path, k) from jsonb_object_keys(p_object) k where k <> all (p_known) limit 1);
end $$;

create function private.firmware_misfit(p_firmware jsonb)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return coalesce(private.misfit(p_firmware -> 'required_prefix', 'string', 'firmware.required_prefix'),
    private.misfit(p_firmware -> 'range', 'string', 'firmware.range'), private.misfit(p_firmware -> 'build_hash', 'string', 'firmware.build_hash'),
    private.misfit(p_firmware -> 'require_build_hash', 'boolean', 'firmware.require_build_hash'),
    case when not private.is_range(p_firmware ->> 'range') then 'firmware.range must look like >=1.2.0 <2, ^1.2 or ~1.2.3' end,
    private.unknown_keys(p_firmware, '{required_prefix,range,build_hash,require_build_hash}', 'firmware'));
end $$;

create function private.packaging_misfit(p_packaging jsonb, p_manual jsonb)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return coalesce(private.misfit(p_packaging -> 'require_device_label', 'boolean', 'packaging.require_device_label'),
    private.misfit(p_packaging -> 'kit_required', 'boolean', 'packaging.kit_required'),
    private.unknown_keys(p_packaging, '{require_device_label,kit_required}', 'packaging'),
    private.misfit(p_manual -> 'language_set', 'string', 'manual.language_set'),
    case when p_manual ->> 'language_set' !~ '^[A-Z]{2,3}(-[A-Z]{2,3}){0,9}$' then 'manual.language_set must look like NL-EN' end,
    private.misfit(p_manual -> 'min_insert_versions', 'object', 'manual.min_insert_versions'),
    private.unknown_keys(p_manual, '{language_set,min_insert_versions}', 'manual'),
    private.insert_misfit(p_manual -> 'min_insert_versions', 'manual.min_insert_versions'));
end $$;

create function private.insert_misfit(p_inserts jsonb, p_path text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return (select format('%s.%s must be a version such as "3.1"', p_path, i.key)
    from jsonb_each(case jsonb_typeof(p_inserts) when 'object' then p_inserts else '{}' end) i
   where jsonb_typeof(i.value) <> 'string' or private.version_key(i.value #>> '{}') is null limit 1);
end $$;
comment on function private.insert_misfit is 'What is wrong with {insert: version}, or null.';

create function private.tests_misfit(p_tests jsonb)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return coalesce(
    (select 'required_tests must be a list of {test, limits}, each test once' where jsonb_array_length(p_tests) > 50
      or (select count(*) <> count(distinct t ->> 'test') from jsonb_array_elements(p_tests) t)
      or exists (select 1 from jsonb_array_elements(p_tests) t where jsonb_typeof(t) <> 'object'
        or coalesce(t ->> 'test', '') !~ '^[a-z][a-z0-9_-]{0,60}$' or coalesce(jsonb_typeof(t -> 'limits'), 'object') <> 'object')),
    (select format('required_tests.%s.limits.%s must be {min, max, unit} with min ≤ max', t ->> 'test', l.key)
       from jsonb_array_elements(p_tests) t cross join jsonb_each(coalesce(t -> 'limits', '{}')) l
      where jsonb_typeof(l.value) <> 'object' or l.key !~ '^[A-Za-z][A-Za-z0-9_.-]{0,60}$'
         or private.unknown_keys(case jsonb_typeof(l.value) when 'object' then l.value else '{}' end, '{min,max,unit}', '') is not null
         or private.misfit(l.value -> 'min', 'number', '') is not null or private.misfit(l.value -> 'max', 'number', '') is not null
         or private.misfit(l.value -> 'unit', 'string', '') is not null
         or jsonb_typeof(l.value -> 'min') = 'number' and jsonb_typeof(l.value -> 'max') = 'number'
            and (l.value ->> 'min')::numeric > (l.value ->> 'max')::numeric limit 1));
end $$;

create function private.components_misfit(p_components jsonb)
returns text language plpgsql stable set search_path = '' as $$
begin
  return coalesce(
    (select 'required_components must be a list of {sku, quantity}, each item once' where jsonb_array_length(p_components) > 200
      or (select count(*) <> count(distinct c ->> 'sku') from jsonb_array_elements(p_components) c)
      or exists (select 1 from jsonb_array_elements(p_components) c where jsonb_typeof(c) <> 'object' or jsonb_typeof(c -> 'sku') is distinct from 'string'
        or coalesce(jsonb_typeof(c -> 'quantity'), 'number') <> 'number'
        or case when jsonb_typeof(c -> 'quantity') = 'number' then (c ->> 'quantity')::numeric not between 0.001 and 99999999 end)),
    (select format('required_components: there is no item %s', c ->> 'sku') from jsonb_array_elements(p_components) c
      where not exists (select 1 from public.inventory_items i where i.sku = c ->> 'sku') limit 1));
end $$;

create function private.rules_of(p_variant text, p_rules jsonb)
returns public.variant_rules language plpgsql stable set search_path = '' as $$
declare
  v_rules public.variant_rules;
  v_given jsonb := jsonb_strip_nulls(coalesce(p_rules, '{}'));
  v_misfit text := case when jsonb_typeof(v_given) <> 'object' or length(v_given::text) > 50000 then 'the rules must be one small object' end;
begin
  if v_misfit is null then
    v_given := '{"allowed_hw_revs": [], "firmware": {}, "packaging": {}, "manual": {}, "required_tests": [], "required_components": []}' || v_given;
    v_misfit := coalesce(
      private.unknown_keys(v_given, '{allowed_hw_revs,firmware,packaging,manual,required_tests,required_components}', 'rules'),
      private.misfit(v_given -> 'allowed_hw_revs', 'array', 'allowed_hw_revs'), private.misfit(v_given -> 'firmware', 'object', 'firmware'),
      private.misfit(v_given -> 'packaging', 'object', 'packaging'), private.misfit(v_given -> 'manual', 'object', 'manual'),
      private.misfit(v_given -> 'required_tests', 'array', 'required_tests'),
      private.misfit(v_given -> 'required_components', 'array', 'required_components'));
  end if;
  v_misfit := coalesce(v_misfit,
    case when exists (select 1 from jsonb_array_elements(v_given -> 'allowed_hw_revs') h
      where jsonb_typeof(h) <> 'string' or length(h #>> '{}') not between 1 and 60) then 'allowed_hw_revs must be a list of revisions' end,
    private.firmware_misfit(v_given -> 'firmware'), private.packaging_misfit(v_given -> 'packaging', v_given -> 'manual'),
    private.tests_misfit(v_given -> 'required_tests'), private.components_misfit(v_given -> 'required_components'));
  if v_misfit is not null then
    perform private.fail(422, 'rules.invalid', 'These rules cannot be used: ' || v_misfit || '.', jsonb_build_object('field', 'p_rules', 'problem', v_misfit));
  end if;
  v_rules.variant := p_variant;
  v_rules.allowed_hw_revs := array(select h from jsonb_array_elements_text(v_given -> 'allowed_hw_revs') h);
  v_rules.firmware := v_given -> 'firmware';
  v_rules.packaging := '{"require_device_label": false, "kit_required": true}' || (v_given -> 'packaging');
  v_rules.manual := v_given -> 'manual';
  v_rules.required_tests := (select coalesce(jsonb_agg('{"limits": {}}' || t), '[]') from jsonb_array_elements(v_given -> 'required_tests') t);
  v_rules.required_components := (
    select coalesce(jsonb_agg('{"quantity": 1}' || c), '[]') from jsonb_array_elements(v_given -> 'required_components') c);
  return v_rules;
end $$;
comment on function private.rules_of is 'The rules that a JSON object means, with defaults filled in. PT422 rules.invalid says what is wrong, and where.';

-- sql/M10_units/gate.sql

-- The pack gate. Each group of checks answers all its blockers; together they stand in the order of the list in private.unit_blockers.

create function private.blocker(p_code text, p_message text, p_next_action text, p_page text, p_sn text)
returns jsonb language plpgsql immutable set search_path = '' as $$
begin
  return jsonb_build_object('code', p_code, 'message', p_message, 'next_action', p_next_action,
    'target', jsonb_build_object('page', p_page, 'sn', p_sn));
end $$;
comment on function private.blocker is '{code, message, next_action, target {page, sn}}: why a unit is not packed, what to do, and where in the client.';

-- Tests ------------------------------------------------------------------------------------------------------------

create function private.breaches(p_metrics jsonb, p_limits jsonb)
returns jsonb language plpgsql immutable set search_path = '' as $$
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object('metric', l.key, 'value', m.item -> 'value', 'min', l.value -> 'min', 'max', l.value -> 'max',
        'unit', l.value -> 'unit') order by l.key), '[]')
      from jsonb_each(coalesce(p_limits, '{}')) l cross join lateral (select p_metrics -> l.key as item) m
     where not coalesce((m.item ->> 'value')::numeric >= coalesce((l.value ->> 'min')::numeric, '-Infinity')
       and (m.item ->> 'value')::numeric <= coalesce((l.value ->> 'max')::numeric, 'Infinity')
       and coalesce(m.item ->> 'unit' = l.value ->> 'unit', true), false));
end $$;
comment on function private.breaches is
$$Which limits {metric: {min, max, unit}} the measurements {metric: {value, unit}} break: out of bounds, not measured, or in another unit.
[{metric, value, min, max, unit}].$$;

create function private.limits_of(p_rules public.variant_rules, p_test text)
returns jsonb language plpgsql immutable set search_path = '' as $$
begin
  return coalesce((select t -> 'limits' from jsonb_array_elements(p_rules.required_tests) t where t ->> 'test' = p_test), '{}');
end $$;

create function private.latest_run(p_unit public.units, p_test text)
returns public.test_runs language plpgsql stable set search_path = '' as $$
declare
  v_run public.test_runs;
begin
  select r.* into v_run from public.test_runs r
   where r.sn = p_unit.sn and r.build_no = p_unit.build_no and (p_test is null or r.test = p_test) order by r.id desc limit 1;
  return v_run;
end $$;
comment on function private.latest_run is 'The latest run of a test (null = whichever) since the unit was last changed, or a null row.';

create function private.run_fault(p_run public.test_runs, p_limits jsonb)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_breaches jsonb;
begin
  if p_run.result = 'PASS' and p_limits <> '{}' then   -- limits may have become stricter since
    select private.breaches(coalesce(jsonb_object_agg(m.metric, jsonb_build_object('value', m.value, 'unit', m.unit)), '{}'), p_limits)
      into v_breaches from public.test_measurements m where m.run_id = p_run.id;
  end if;
  return case when p_run.result = 'FAIL' then format('The test %s failed.', p_run.test)
    when v_breaches <> '[]' then format('The test %s does not keep its limits: %s.', p_run.test,
      (select string_agg(b ->> 'metric', ', ') from jsonb_array_elements(v_breaches) b)) end;
end $$;
comment on function private.run_fault is 'Why a run does not count as passed under these limits, in words; null when it does.';

create function private.test_blockers(p_unit public.units, p_rules public.variant_rules)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_test text;
  v_run public.test_runs;
  v_missing text[] := '{}';
  v_faults text[] := '{}';
begin
  for v_test in select t ->> 'test' from jsonb_array_elements(case when p_rules.required_tests <> '[]' then p_rules.required_tests else '[{}]' end) t loop
    v_run := private.latest_run(p_unit, v_test);
    if v_run.id is null then
      v_missing := v_missing || coalesce(v_test, '');
    else
      v_faults := v_faults || private.run_fault(v_run, private.limits_of(p_rules, v_run.test));
    end if;
  end loop;
  v_faults := array_remove(v_faults, null);
  return case when v_missing = '{}' then '[]' else jsonb_build_array(private.blocker('NO_TEST_RUN',
      concat_ws(' ', case when v_missing = '{""}' then 'It was not tested' else 'It lacks the test ' || array_to_string(v_missing, ', ') end
        || case when exists (select 1 from public.test_runs r where r.sn = p_unit.sn) then ' since it was last changed.' else '.' end),
      'Test it.', 'test', p_unit.sn)) end
    || case when v_faults = '{}' then '[]' else jsonb_build_array(private.blocker('TEST_NOT_PASS', array_to_string(v_faults, ' '),
      'Find the fault, send it to rework if needed, and test it again.', 'test', p_unit.sn)) end;
end $$;
comment on function private.test_blockers is 'NO_TEST_RUN, TEST_NOT_PASS: every required test (or, without any, the latest one) has passed since the last change.';

create function private.hardware_blockers(p_unit public.units, p_rules public.variant_rules)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_all jsonb := '[]';
  v_firmware constant jsonb := coalesce(p_rules.firmware, '{}');
  v_fault text;
begin
  if p_unit.hw_rev is null then
    v_all := v_all || private.blocker('HW_REV_UNKNOWN', 'Its hardware revision was never read.', 'Flash or test it: both read the revision.', 'flash', p_unit.sn);
  elsif p_rules.allowed_hw_revs <> '{}' and p_unit.hw_rev <> all (p_rules.allowed_hw_revs) then
    v_all := v_all || private.blocker('HW_REV_NOT_ALLOWED', format('Hardware %s is not allowed for %s: it takes %s.', p_unit.hw_rev, p_rules.variant,
      array_to_string(p_rules.allowed_hw_revs, ', ')), 'Assign a variant that takes this hardware, or set it aside.', 'unit', p_unit.sn);
  end if;
  v_fault := case
    when p_unit.fw_version is null and (v_firmware ? 'required_prefix' or v_firmware ? 'range') then 'Its firmware version is not known.'
    when not starts_with(p_unit.fw_version, v_firmware ->> 'required_prefix')
      then format('Firmware %s does not begin with %s.', p_unit.fw_version, v_firmware ->> 'required_prefix')
    when not private.in_range(p_unit.fw_version, v_firmware ->> 'range')
      then format('Firmware %s is not in %s.', p_unit.fw_version, v_firmware ->> 'range')
    when p_unit.fw_build_hash <> v_firmware ->> 'build_hash' then format('Firmware build %s is not %s.', p_unit.fw_build_hash, v_firmware ->> 'build_hash') end;
  if v_fault is not null then
    v_all := v_all || private.blocker('FW_VERSION_POLICY_FAIL', v_fault, 'Flash the right firmware and test it again.', 'flash', p_unit.sn);
  end if;
  if p_unit.fw_build_hash is null and (v_firmware -> 'require_build_hash' = 'true' or v_firmware ? 'build_hash') then
    v_all := v_all || private.blocker('FW_BUILD_HASH_MISSING', 'The build of its firmware is not known.', 'Flash it again, with the build hash.', 'flash', p_unit.sn);
  end if;
  return v_all;
end $$;
comment on function private.hardware_blockers is 'HW_REV_UNKNOWN, HW_REV_NOT_ALLOWED, FW_VERSION_POLICY_FAIL, FW_BUILD_HASH_MISSING.';

create function private.kit_blockers(p_unit public.units, p_rules public.variant_rules)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_kit public.packaging_kits;
begin
  if p_unit.kit_id is null then
    return case when coalesce(p_rules.packaging -> 'kit_required', 'true') = 'true' then jsonb_build_array(private.blocker('PACK_KIT_NOT_SCANNED',
      'No packaging kit was scanned.', 'Scan the kit that goes into the box.', 'pack', p_unit.sn)) else '[]' end;
  end if;
  select k.* into v_kit from public.packaging_kits k where k.kit_id = p_unit.kit_id;
  if v_kit.is_active is not true then
    return jsonb_build_array(private.blocker('PACK_KIT_INVALID', case when v_kit.kit_id is null then format('There is no kit %s.', p_unit.kit_id)
      else format('The kit %s is no longer in use.', p_unit.kit_id) end, 'Take another kit and scan it.', 'pack', p_unit.sn));
  end if;
  return case when p_unit.variant_code <> all (v_kit.variants) then jsonb_build_array(private.blocker('PACK_KIT_WRONG_VARIANT',
    format('The kit %s is for %s, not for %s.', v_kit.kit_id, array_to_string(v_kit.variants, ', '), p_unit.variant_code),
    'Take a kit for this variant and scan it.', 'pack', p_unit.sn)) else '[]' end;
end $$;
comment on function private.kit_blockers is 'PACK_KIT_NOT_SCANNED, PACK_KIT_INVALID, PACK_KIT_WRONG_VARIANT.';

create function private.label_blockers(p_unit public.units, p_rules public.variant_rules)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return case when p_rules.packaging -> 'require_device_label' = 'true' and not exists (
      select 1 from public.print_job_labels l where l.subject = p_unit.sn and l.purpose = 'unit_device' and l.state = 'printed')
    then jsonb_build_array(private.blocker('DEVICE_LABEL_NOT_PRINTED', case when exists (
        select 1 from public.print_job_labels l where l.subject = p_unit.sn and l.purpose = 'unit_device' and l.state = 'wanted')
      then 'Its label was asked for, but has not come out yet.' else 'Its label was never printed.' end,
      'Print the label, or say whether it came out.', 'printing', p_unit.sn)) else '[]' end;
end $$;
comment on function private.label_blockers is 'DEVICE_LABEL_NOT_PRINTED: a label of the unit came out, not merely asked for.';

create function private.manual_blockers(p_unit public.units, p_rules public.variant_rules)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_kit public.packaging_kits;
  v_wanted text := coalesce(p_rules.manual ->> 'language_set',
    (select v.default_language_set from public.product_variants v where v.code = p_unit.variant_code));
  v_old text[];
  v_all jsonb := '[]';
begin
  select k.* into v_kit from public.packaging_kits k where k.kit_id = p_unit.kit_id and k.is_active;
  if v_kit.kit_id is null then
    return v_all;   -- the kit itself is the blocker
  end if;
  if not string_to_array(v_kit.language_set, '-') @> string_to_array(v_wanted, '-') then
    v_all := v_all || private.blocker('MANUAL_LANGUAGE_MISMATCH', format('The kit %s has %s; %s needs %s.', v_kit.kit_id, v_kit.language_set,
      p_unit.variant_code, v_wanted), 'Take a kit in these languages and scan it.', 'pack', p_unit.sn);
  end if;
  v_old := array(
    select format('%s %s (at least %s)', i.key, coalesce(v_kit.insert_versions ->> i.key, 'missing'), i.value)
      from jsonb_each_text(coalesce(p_rules.manual -> 'min_insert_versions', '{}')) i
     where coalesce(private.version_less(v_kit.insert_versions ->> i.key, i.value), true) order by i.key);
  if v_old <> '{}' then
    v_all := v_all || private.blocker('MANUAL_VERSION_OUTDATED', format('The kit %s is outdated: %s.', v_kit.kit_id, array_to_string(v_old, ', ')),
      'Take a kit with the new inserts and scan it.', 'pack', p_unit.sn);
  end if;
  return v_all;
end $$;
comment on function private.manual_blockers is 'MANUAL_LANGUAGE_MISMATCH, MANUAL_VERSION_OUTDATED, of a kit that may be used at all.';

create function private.component_blockers(p_unit public.units, p_rules public.variant_rules)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_held constant jsonb := private.held_components(p_unit.sn);
  v_missing constant jsonb := private.missing_components(p_unit.sn, coalesce(p_rules.required_components, '[]'));
begin
  return case when v_held = '[]' then '[]' else jsonb_build_array(private.blocker('COMPONENT_ON_HOLD', format('A part of it is on hold: %s.', (
      select string_agg(concat_ws(' ', h ->> 'sku', coalesce(h ->> 'component_sn', h ->> 'lot')), ', ') from jsonb_array_elements(v_held) h)),
      'Wait for the release, or replace the part.', 'unit', p_unit.sn)) end
    || case when v_missing = '[]' then '[]' else jsonb_build_array(private.blocker('COMPONENT_MISSING', format('Parts are missing: %s.', (
      select string_agg(format('%s of %s %s', m ->> 'installed', m ->> 'quantity', m ->> 'sku'), ', ') from jsonb_array_elements(v_missing) m)),
      'Install them at the assembly station.', 'assemble', p_unit.sn)) end;
end $$;
comment on function private.component_blockers is 'COMPONENT_ON_HOLD, COMPONENT_MISSING.';

-- All of it --------------------------------------------------------------------------------------------------------

create function private.blockers_under(p_unit public.units, p_variant public.product_variants, p_rules public.variant_rules)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return case when p_unit.variant_code is null then jsonb_build_array(private.blocker('UNIT_NOT_ASSIGNED', 'It has no variant yet.',
      'Assign a variant.', 'assign', p_unit.sn)) else '[]' end
    || case when p_unit.variant_code is not null and (p_variant.is_active is not true or p_rules.variant is null) then jsonb_build_array(
      private.blocker('VARIANT_NOT_FOUND', case when p_variant.is_active then format('The variant %s has no rules in force.', p_unit.variant_code)
        else format('The variant %s is no longer made.', p_unit.variant_code) end,
        'Assign another variant, or ask a planner to put rules in force.', 'variants', p_unit.sn)) else '[]' end
    || private.test_blockers(p_unit, p_rules)
    || private.hardware_blockers(p_unit, p_rules)
    || private.kit_blockers(p_unit, p_rules)
    || private.label_blockers(p_unit, p_rules)
    || private.manual_blockers(p_unit, p_rules)
    || case when p_unit.status = 'ON_HOLD' then jsonb_build_array(private.blocker('UNIT_ON_HOLD', format('It is on hold: %s.', rtrim(p_unit.hold_reason, ' .')),
      'Leave it until somebody releases it.', 'unit', p_unit.sn)) else '[]' end
    || private.component_blockers(p_unit, p_rules)
    || coalesce((select jsonb_build_array(private.blocker('KIT_ALREADY_USED', format('The kit %s was packed with %s.', k.kit_id, k.used_by_sn),
        'Take another kit and scan it.', 'pack', p_unit.sn))
      from public.packaging_kits k where k.kit_id = p_unit.kit_id and k.used_by_sn <> p_unit.sn), '[]');
end $$;
comment on function private.blockers_under is 'What keeps a unit from being packed under these rules (a preview, or those in force). [] = the gate is open.';

create function private.unit_blockers(p_unit public.units)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_variant public.product_variants;
begin
  select v.* into v_variant from public.product_variants v where v.code = p_unit.variant_code;
  return private.blockers_under(p_unit, v_variant, private.active_rules(p_unit.variant_code));
end $$;
comment on function private.unit_blockers is
$$Everything that keeps a unit from being packed, in this order: UNIT_NOT_ASSIGNED, VARIANT_NOT_FOUND, NO_TEST_RUN, TEST_NOT_PASS,
HW_REV_UNKNOWN, HW_REV_NOT_ALLOWED, FW_VERSION_POLICY_FAIL, FW_BUILD_HASH_MISSING, PACK_KIT_NOT_SCANNED, PACK_KIT_INVALID,
PACK_KIT_WRONG_VARIANT, DEVICE_LABEL_NOT_PRINTED, MANUAL_LANGUAGE_MISMATCH, MANUAL_VERSION_OUTDATED, UNIT_ON_HOLD, COMPONENT_ON_HOLD,
COMPONENT_MISSING, KIT_ALREADY_USED. (UNIT_NOT_FOUND comes alone.) [] = the gate is open.$$;

create function private.gate_of(p_unit public.units)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_rules constant public.variant_rules := private.active_rules(p_unit.variant_code);
  v_blockers constant jsonb := private.unit_blockers(p_unit);
begin
  return jsonb_build_object('allowed', v_blockers = '[]', 'blockers', v_blockers, 'expected', jsonb_build_object(
    'firmware_policy', v_rules.firmware, 'hw_revs', v_rules.allowed_hw_revs, 'required_tests', v_rules.required_tests,
    'packaging_kit', jsonb_build_object('required', coalesce(v_rules.packaging -> 'kit_required', 'true'),
      'variant', p_unit.variant_code, 'manual', v_rules.manual),
    'variant', (select jsonb_build_object('code', v.code, 'title', v.title, 'language_set', v.default_language_set, 'sku', v.sku)
      from public.product_variants v where v.code = p_unit.variant_code), 'rules_version', v_rules.version));
end $$;
comment on function private.gate_of is '{allowed, blockers, expected {firmware_policy, hw_revs, required_tests, packaging_kit, variant, rules_version}}.';

-- sql/M10_units/holds.sql

-- Holding units and lots, one or thousands. Who holds both takes the units first.

create function private.hold_units(p_sns text[], p_reason text, p_actor uuid, p_detail jsonb default '{}')
returns text[] language plpgsql set search_path = '' as $$
declare
  v_held text[];
begin
  perform 1 from public.units u where u.sn = any (p_sns) order by u.sn for update;
  v_held := array(select u.sn from public.units u where u.sn = any (p_sns) and u.status not in ('SCRAPPED', 'ON_HOLD') order by u.sn);
  with aside as materialized (
    select a.sn, a.place from private.set_aside(v_held, p_reason, p_actor, p_detail) a
  )
  update public.units u
     set status = 'ON_HOLD', status_before_hold = u.status, held_at = now(), hold_reason = p_reason,
         held_by = nullif(p_actor, '00000000-0000-0000-0000-000000000000'), hold_location = a.place
    from unnest(v_held) h (sn) left join aside a on a.sn = h.sn
   where u.sn = h.sn;
  perform private.tell_holds('unit.held', v_held, p_reason, p_actor, p_detail);
  return v_held;
end $$;
comment on function private.hold_units is
$$Units go on hold, in the order of their serial numbers; those on hold already or scrapped are left as they are. Answers which it held.
What of them is in stock is set aside. p_detail goes into each event; of more than 100 units, those who listen are told once.
Locks: the units, then the items in stock and the order lines they are promised to.$$;

create function private.tell_holds(p_event text, p_sns text[], p_reason text, p_actor uuid, p_detail jsonb)
returns void language plpgsql set search_path = '' as $$
declare
  v_is_many constant boolean := cardinality(p_sns) > 100;
  v_station constant text := private.event_station();
begin
  perform set_config('takt.quiet', case when v_is_many then 'on' else '' end, true);
  insert into public.events (site, stream, stream_id, event, actor_id, station, payload)
  select u.site, 'unit', u.sn, p_event, nullif(p_actor, '00000000-0000-0000-0000-000000000000'), v_station,
      p_detail || jsonb_build_object('version', u.version, 'status', u.status, 'reason', p_reason,
        'before', jsonb_build_object('status', case when p_event = 'unit.held' and not p_detail ? 'instead' then u.status_before_hold else 'ON_HOLD' end),
        'after', jsonb_build_object('status', u.status))
    from public.units u where u.sn = any (p_sns) order by u.sn;
  perform set_config('takt.quiet', '', true);
  perform private.broadcast('site:' || s.site || ':unit', p_event, '{"stream": "unit", "stream_id": ""}')
    from (select distinct u.site from public.units u where v_is_many and u.sn = any (p_sns)) s;
end $$;
comment on function private.tell_holds is 'One event per unit that was held or released; of more than 100 those who listen are told once.';

create function private.hold_lots(p_ids bigint[], p_reason text, p_actor uuid, p_detail jsonb default '{}')
returns bigint[] language plpgsql set search_path = '' as $$
declare
  v_held public.lots[];
begin
  perform 1 from public.lots l where l.id = any (p_ids) order by l.id for update;
  with held as (
    update public.lots l
       set held_at = now(), hold_reason = p_reason, held_by = nullif(p_actor, '00000000-0000-0000-0000-000000000000')
     where l.id = any (p_ids) and l.held_at is null returning l as lot
  )
  select array_agg(h.lot order by (h.lot).id) into v_held from held h;
  perform private.emit('lot', h.sku || ' ' || h.code, 'lot.held', p_actor, p_detail || jsonb_build_object('lot_id', h.id, 'version', h.version,
      'sku', h.sku, 'code', h.code, 'reason', p_reason), null, h.site)
    from unnest(v_held) h;
  return array(select h.id from unnest(v_held) h);
end $$;
comment on function private.hold_lots is 'Lots go on hold, in the order of their ids; those on hold already stay so. Answers which it held. Locks: the lots.';

-- Lots -------------------------------------------------------------------------------------------------------------

create function private.authorize_lots(p_ids bigint[], p_permission text)
returns void language plpgsql stable set search_path = '' as $$
begin
end $$;
comment on function private.authorize_lots is
  'The right to these lots, where they belong to somebody. M12_production replaces it: lots of orders, at their sites and in their stores. Errors: auth.other_site (403), …';

create type public.lot_change as (changed boolean, lot public.lots);
comment on type public.lot_change is 'Answer of a command about a lot: did it change anything, the lot now.';

create function private.lot_is_here(p_lot public.lots)
returns boolean language plpgsql stable set search_path = '' as $$
begin
  return p_lot.site is null or private.works_at(private.identify(), p_lot.site);
end $$;
comment on function private.lot_is_here is 'Does the caller work where the lot lies?';

create function private.find_lot(p_sku text, p_code text)
returns public.lots language plpgsql stable set search_path = '' as $$
declare
  v_lots public.lots[] := array(
    select l from public.lots l where lower(l.code) = lower(p_code) and (p_sku is null or lower(l.sku) = lower(p_sku)) order by l.sku limit 21);
  v_here public.lots[] := array(select l from unnest(v_lots) l where private.lot_is_here(l) order by l.sku);
begin
  if cardinality(v_lots) = 0 then
    perform private.fail(404, 'lot.unknown', format('There is no lot %s%s.', p_code, ' of ' || p_sku),
      jsonb_build_object('code', p_code, 'sku', p_sku));
  elsif cardinality(v_here) = 0 then
    perform private.fail(403, 'auth.other_site', 'You do not work at this site.', jsonb_build_object('site', v_lots[1].site));
  elsif cardinality(v_here) > 1 then
    perform private.fail(409, 'lot.ambiguous', 'More than one item has a lot ' || p_code || '. Say which item.',
      jsonb_build_object('code', p_code, 'skus', array(select l.sku from unnest(v_here) l)));
  end if;
  return v_here[1];
end $$;
comment on function private.find_lot is
'A lot where the caller works by its code, and its item when several have such a lot. Errors: lot.unknown (404), lot.ambiguous (409), auth.other_site (403).';

create function private.refuse_lot_elsewhere(p_lot public.lots, p_site text)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if p_lot.site <> p_site then
    perform private.fail(409, 'lot.other_site', format('Lot %s of %s lies at %s, not at %s. Say that it was taken there, or give what is here a code of its own.',
      p_lot.code, p_lot.sku, p_lot.site, p_site),
      jsonb_build_object('lot', p_lot.code, 'sku', p_lot.sku, 'expected', p_site, 'actual', p_lot.site));
  end if;
end $$;
comment on function private.refuse_lot_elsewhere is 'Something is done with a lot at p_site. Errors: lot.other_site (409).';

create function private.finish_lot(
  p_actor uuid, p_request_id uuid, p_before public.lots, p_lot public.lots, p_event text, p_detail jsonb default '{}')
returns public.lot_change language plpgsql set search_path = '' as $$
declare
  v_change public.lot_change;
begin
  v_change.lot := p_lot;
  v_change.changed := p_before is distinct from p_lot;
  if v_change.changed and p_event is not null then
    perform private.emit('lot', p_lot.sku || ' ' || p_lot.code, p_event, p_actor, jsonb_build_object('lot_id', p_lot.id,
      'version', p_lot.version, 'sku', p_lot.sku, 'code', p_lot.code) || p_detail, null, p_lot.site);
  end if;
  perform private.remember(p_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;

create function public.upsert_lot(
  p_sku text, p_code text, p_kind text default null, p_supplier text default null, p_notes text default null, p_site text default null,
  p_request_id uuid default null)
returns public.lot_change language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.move', null, p_site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'upsert_lot', jsonb_build_array(p_sku, p_code, p_kind, p_supplier, p_notes, p_site));
  v_sku text;
  v_before public.lots;
  v_lot public.lots;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.lot_change, v_answer);
  end if;
  v_sku := (private.find_item(p_sku)).sku;
  insert into public.lots (sku, code, kind, supplier, notes, site, created_by)
  values (v_sku, trim(p_code), coalesce(p_kind, 'RAW'), p_supplier, p_notes, private.caller_site(p_site, null), nullif(v_actor, '00000000-0000-0000-0000-000000000000'))
  on conflict (sku, lower(code)) do nothing returning * into v_lot;
  if v_lot.id is not null then
    perform private.trace_node('lot', v_lot.code, v_lot.sku);
  else
    select l.* into v_before from public.lots l where l.sku = v_sku and lower(l.code) = lower(trim(p_code)) for update;
    perform private.authorize('inventory.move', null, v_before.site);
    v_lot := v_before;
    if (coalesce(p_kind, v_lot.kind), coalesce(p_supplier, v_lot.supplier), coalesce(p_notes, v_lot.notes), coalesce(p_site, v_lot.site))
       is distinct from (v_lot.kind, v_lot.supplier, v_lot.notes, v_lot.site) then
      perform private.authorize_lots(array[v_lot.id], 'inventory.move');
      if v_lot.site is null and p_site is not null then   -- it is of all sites: who works at all of them may say where it lies
        perform private.authorize('inventory.move', null, si.code) from public.sites si;
      end if;
      update public.lots l
         set kind = coalesce(p_kind, l.kind), supplier = coalesce(p_supplier, l.supplier), notes = coalesce(p_notes, l.notes), site = coalesce(p_site, l.site)
       where l.id = v_before.id returning l.* into v_lot;
    end if;
  end if;
  return private.finish_lot(v_actor, p_request_id, v_before, v_lot, 'lot.saved', jsonb_build_object('before', to_jsonb(v_before),
    'after', to_jsonb(v_lot)));
end $$;
comment on function public.upsert_lot is
$$A lot of an item: added, or changed (null: as it is). p_kind RAW (bought), WIP or FINISHED (made here). Its code is unique among the lots of its
item, whatever the case, and never changes. p_site: where it lies, and where it was taken to when it is said anew; else the only site of the caller.
Permission: inventory.move, at the site where the lot lies and at p_site; to change a lot of an order, at its site and in its store.
Errors: item.unknown (404), request.reused (422); constraints by name (lots_code_check …).
Idempotency: by p_request_id; the same values again change nothing.
Locks: the lot.$$;

create function private.trace_of_lot(p_lot public.lots)
returns jsonb language plpgsql immutable set search_path = '' as $$
begin
  return jsonb_build_object('kind', 'lot', 'key', p_lot.code, 'sku', p_lot.sku);
end $$;
comment on function private.trace_of_lot is 'What hold_all takes to hold the lot and all that it went into.';

create function public.hold_lot(
  p_code text, p_reason text, p_sku text default null, p_onward boolean default false, p_request_id uuid default null)
returns public.lot_change language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('units.hold');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'hold_lot', jsonb_build_array(p_code, p_reason, p_sku, p_onward));
  v_before public.lots;
  v_lot public.lots;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.lot_change, v_answer);
  end if;
  perform private.check_unit_reason(p_reason);
  v_before := private.find_lot(p_sku, p_code);
  perform private.authorize_lots(array[v_before.id], 'units.hold');
  if p_onward then
    perform private.authorize('units.recall');
    perform public.hold_all(private.trace_of_lot(v_before), p_reason);
  else
    select l.* into v_before from public.lots l where l.id = v_before.id for update;
    perform private.hold_lots(array[v_before.id], p_reason, v_actor);
  end if;
  select l.* into v_lot from public.lots l where l.id = v_before.id;
  return private.finish_lot(v_actor, p_request_id, v_before, v_lot, null);
end $$;
comment on function public.hold_lot is
$$Nothing of the lot may be used from now on, and no unit that has some of it may be packed. p_onward: what it went into is held too,
every lot and every unit that is not scrapped, as hold_all does. p_sku where several items have a lot of that code.
Permission: units.hold at the site of the lot, and of a lot of an order at its site and in its store; with p_onward units.recall too, at the sites of the units and lots.
Errors: lot.unknown (404), lot.ambiguous (409), unit.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; a lot on hold stays as it is.
Locks: with p_onward those of hold_all; the lot.$$;

create function public.release_lot(
  p_code text, p_reason text, p_sku text default null, p_onward boolean default false, p_request_id uuid default null)
returns public.lot_change language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('units.hold');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'release_lot', jsonb_build_array(p_code, p_reason, p_sku, p_onward));
  v_before public.lots;
  v_lot public.lots;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.lot_change, v_answer);
  end if;
  perform private.check_unit_reason(p_reason);
  v_before := private.find_lot(p_sku, p_code);
  perform private.authorize_lots(array[v_before.id], 'units.hold');
  if p_onward then
    perform private.authorize('units.recall');
    perform public.release_all(r.id, p_reason) from private.recalls r
      where r.released_at is null and r.trace = private.trace_of_lot(v_before) order by r.id;
  else
    select l.* into v_before from public.lots l where l.id = v_before.id for update;
  end if;
  if exists (select from public.lots l where l.id = v_before.id and l.held_at is not null) then
    delete from private.recall_claims c where c.kind = 'lot' and c.key = v_before.id::text and c.is_cause;
    perform private.end_lot_holds(array[v_before.id], p_reason, v_actor);
  end if;
  select l.* into v_lot from public.lots l where l.id = v_before.id;
  return private.finish_lot(v_actor, p_request_id, v_before, v_lot, null);
end $$;
comment on function public.release_lot is
$$The lot may be used again. p_onward: so may what it went into and is on hold because of it, as release_all does; without it that stays so. A lot
that another recall wants held too stays on hold for that one.
Permission: units.hold at the site of the lot, and of a lot of an order at its site and in its store; with p_onward units.recall too, at the sites of the units and lots.
Errors: lot.unknown (404), lot.ambiguous (409), unit.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; a lot that is free stays as it is.
Locks: with p_onward those of release_all; the lot.$$;

grant execute on function public.upsert_lot, public.hold_lot, public.release_lot to authenticated, service_role;

-- sql/M10_units/recalls.sql

-- Held pieces are no stock, and a hold ends when nobody wants it any more.

create function private.hold_place(p_site text)
returns text language plpgsql set search_path = '' as $$
declare
  v_code text := (select l.code from public.locations l where l.site = p_site and l.kind = 'quarantine' and l.is_active order by l.code limit 1);
begin
  if v_code is null then
    v_code := left(p_site, 40) || '-on-hold';
    while exists (select from public.locations l where l.code = v_code) loop
      v_code := v_code || '-1';
    end loop;
    insert into public.locations (code, site, title, kind) values (v_code, p_site, 'On hold at ' || left(p_site, 100), 'quarantine');
  end if;
  return v_code;
end $$;
comment on function private.hold_place is 'Where a site puts pieces of held units: its first quarantine; one is made when it has none.';

create function private.set_aside(p_sns text[], p_reason text, p_actor uuid, p_detail jsonb)
returns table (sn text, place text) language plpgsql set search_path = '' as $$
declare
  v_group record;
  v_shelf record;
  v_skus text[] := array(select distinct u.stock_sku from public.units u where u.sn = any (p_sns) and u.stock_sku is not null);
  v_moved integer;
begin
  perform private.lock_stock(v_skus);
  for v_group in
    select u.site, u.stock_sku as sku, u.stock_location as home, array_agg(u.sn order by u.sn) as sns from public.units u
     where u.sn = any (p_sns) and u.stock_sku is not null and u.shipped_at is null and u.hold_location is null
       and not exists (select from public.unit_components c where c.component_sn = u.sn and c.removed_at is null)   -- used up in another unit
     group by u.site, u.stock_sku, u.stock_location order by u.stock_sku, u.site, u.stock_location
  loop
    place := private.hold_place(v_group.site);
    v_moved := 0;
    for v_shelf in   -- its own shelf first; what orders have taken already is not there, and is not promised to anybody
      select b.location, least(floor(b.on_hand), greatest(floor(s.on_hand), 0)) as pieces
        from public.inventory_stock s join public.inventory_balances b on b.sku = s.sku join public.locations l on l.code = b.location
       where s.sku = v_group.sku and l.site = v_group.site and l.is_free and b.on_hand >= 1 order by b.location <> v_group.home, b.location
    loop
      exit when v_moved >= cardinality(v_group.sns);
      v_moved := v_moved + private.move_held(v_group.sku, v_shelf.location, place,
        least(v_shelf.pieces, cardinality(v_group.sns) - v_moved)::integer, p_reason, p_actor, p_detail, v_group.sns[1]);
    end loop;
    return query select g.sn, place from unnest(v_group.sns[1:v_moved]) g (sn);
  end loop;
  perform private.allocate(v_skus, jsonb_build_object('event', 'unit.held'));
end $$;
comment on function private.set_aside is
$$The pieces of units in stock that go on hold move to quarantine, where nobody is promised them: so many as the books still have. Answers which.
The units are locked. Locks: the items in stock, the order lines they are promised to.$$;

create function private.move_held(
  p_sku text, p_from text, p_to text, p_pieces integer, p_reason text, p_actor uuid, p_detail jsonb, p_sn text)
returns integer language plpgsql set search_path = '' as $$
declare
  v_stream constant text := case when p_detail ? 'recall_id' then 'recall' else 'unit' end;
  v_ref constant text := coalesce(p_detail ->> 'recall_id', p_sn);
  v_ids bigint[];
begin
  if p_pieces > 0 then
    v_ids := array[private.post_txn(p_sku, p_from, 'transfer', -p_pieces, v_stream, v_ref, p_reason, p_actor),
      private.post_txn(p_sku, p_to, 'transfer', p_pieces, v_stream, v_ref, p_reason, p_actor)];
    perform private.emit('stock', p_sku, 'stock.transferred', p_actor, jsonb_build_object('quantity', p_pieces, 'from', p_from, 'location', p_to,
      'ref', v_ref, 'txn_ids', v_ids), null, (select l.site from public.locations l where l.code = p_to));
  end if;
  return greatest(p_pieces, 0);
end $$;
comment on function private.move_held is 'So many pieces from place to place, for a unit or a recall; answers how many. The item is locked.';

create function private.put_back(p_sns text[], p_reason text, p_actor uuid, p_detail jsonb)
returns void language plpgsql set search_path = '' as $$
declare
  v_skus text[] := array(select distinct u.stock_sku from public.units u where u.sn = any (p_sns) and u.hold_location is not null);
begin
  perform private.lock_stock(v_skus);
  perform private.move_held(g.sku, g.place, g.home, g.pieces, p_reason, p_actor, p_detail, g.sn)
    from (select u.stock_sku as sku, u.hold_location as place, count(*)::integer as pieces, min(u.sn) as sn,
              case when l.is_active and l.is_free and l.site = u.site then l.code else private.default_location(u.site) end as home
            from public.units u join public.locations l on l.code = u.stock_location
           where u.sn = any (p_sns) and u.hold_location is not null group by 1, 2, 5 order by 1, 2, 5) g;
  perform private.allocate(v_skus, jsonb_build_object('event', 'unit.released'));
end $$;
comment on function private.put_back is
'The pieces of these held units are free stock again, where they were, or at the default place. Locks: the items in stock, the order lines they go to.';

create function private.tg_inventory_txn__on_hold()
returns trigger language plpgsql security definer set search_path = '' as $$
declare
  v_held bigint;
begin
  if exists (select from public.units u where u.hold_location = new.location and u.stock_sku = new.sku) then
    v_held := (select count(*) from public.units u where u.hold_location = new.location and u.stock_sku = new.sku);
    if (select b.on_hand from public.inventory_balances b where b.sku = new.sku and b.location = new.location) + new.quantity < v_held then
      perform private.fail(423, 'stock.on_hold', format('%s of %s at %s belong to units on hold. Release those units, or scrap them.',
        v_held, new.sku, new.location), jsonb_build_object('sku', new.sku, 'location', new.location, 'on_hold', v_held));
    end if;
  end if;
  return new;
end $$;
comment on function private.tg_inventory_txn__on_hold is 'Pieces of held units leave quarantine with their units only. The item is locked. Errors: stock.on_hold (423).';
create trigger _300_on_hold before insert on public.inventory_txn for each row
  when (new.quantity < 0 and new.ref_stream is distinct from 'unit' and new.ref_stream is distinct from 'recall')
  execute function private.tg_inventory_txn__on_hold();

-- The end of a hold -------------------------------------------------------------------------------------------------

create function private.hand_over(p_kind text, p_keys text[])
returns table (key text, recall_id bigint) language plpgsql set search_path = '' as $$
begin
  return query
    update private.recall_claims c set is_cause = true
      from (select distinct on (n.key) n.key, n.recall_id from private.recall_claims n
             where n.key = any (p_keys) and n.kind = p_kind order by n.key, n.recall_id) w
     where c.recall_id = w.recall_id and c.kind = p_kind and c.key = w.key
    returning c.key, c.recall_id;
end $$;
comment on function private.hand_over is 'Which of these are wanted by another open recall, the oldest one: it is what holds them now.';

create function private.end_holds(p_sns text[], p_reason text, p_actor uuid, p_detail jsonb default '{}')
returns text[] language plpgsql set search_path = '' as $$
declare
  v_kept text[];
  v_free text[];
begin
  with kept as (
    update public.units u set hold_reason = r.reason, held_by = r.held_by
      from private.hand_over('unit', p_sns) h join private.recalls r on r.id = h.recall_id where u.sn = h.key returning u.sn
  )
  select coalesce(array_agg(k.sn), '{}') into v_kept from kept k;
  perform private.tell_holds('unit.held', x.sns, x.hold_reason, p_actor, p_detail || '{"instead": true}')
    from (select u.hold_reason, array_agg(u.sn) as sns from public.units u where u.sn = any (v_kept) group by u.hold_reason) x;
  v_free := array(select f.sn from unnest(p_sns) f (sn) except select k.sn from unnest(v_kept) k (sn) order by 1);
  perform private.put_back(v_free, p_reason, p_actor, p_detail);
  update public.units u
     set status = u.status_before_hold, status_before_hold = null, hold_reason = null, held_at = null, held_by = null, hold_location = null
    from unnest(v_free) f (sn) where u.sn = f.sn;
  perform private.tell_holds('unit.released', v_free, p_reason, p_actor, p_detail);
  return v_free;
end $$;
comment on function private.end_holds is
$$The hold of these units, all on hold and locked, ends: each is what it was before, unless another open recall wants it held. Answers which are free.
The caller has removed the claim that held them. Locks: the items in stock, the order lines they go to.$$;

create function private.end_lot_holds(p_ids bigint[], p_reason text, p_actor uuid, p_detail jsonb default '{}')
returns bigint[] language plpgsql set search_path = '' as $$
declare
  v_free bigint[];
begin
  with kept as (
    update public.lots l set hold_reason = r.reason, held_by = r.held_by
      from private.hand_over('lot', array(select i::text from unnest(p_ids) i)) h join private.recalls r on r.id = h.recall_id
     where l.id = h.key::bigint returning l.id
  )
  select array(select i from unnest(p_ids) i except select k.id from kept k order by 1) into v_free;
  perform private.emit('lot', l.sku || ' ' || l.code, 'lot.released', p_actor, p_detail || jsonb_build_object('lot_id', l.id, 'version', l.version + 1,
      'sku', l.sku, 'code', l.code, 'reason', p_reason, 'held_because', l.hold_reason), null, l.site)
    from public.lots l where l.id = any (v_free) and l.held_at is not null order by l.id;
  update public.lots l set held_at = null, hold_reason = null, held_by = null where l.id = any (v_free);
  return v_free;
end $$;
comment on function private.end_lot_holds is 'As end_holds, for lots.';

-- sql/M10_units/scan.sql

-- A scan at any station may be a unit.

create function private.resolve_unit(p_code text)
returns public.scan_result language plpgsql stable set search_path = '' as $$
declare
  v_unit public.units;
begin
  select u.* into v_unit from public.units u where u.sn = private.serial_of(p_code);
  if v_unit.sn is null or not private.may('units.read') or not private.works_at(private.identify(), v_unit.site) then
    return null;
  end if;
  return row(true, false, 'unit', format('%s: %s. %s', v_unit.sn, v_unit.status, private.next_unit_action(v_unit)), 200, null, null,
    jsonb_build_object('scanned', p_code, 'sn', v_unit.sn, 'status', v_unit.status, 'variant_code', v_unit.variant_code, 'site', v_unit.site,
      'stream', 'unit', 'stream_id', v_unit.sn, 'target', jsonb_build_object('page', 'unit', 'sn', v_unit.sn)), null, null, null, null)::public.scan_result;
end $$;
comment on function private.resolve_unit is 'The unit with this serial, to somebody who may see it; else null.';

create or replace function private.resolve_other(p_code text)
returns public.scan_result language plpgsql stable set search_path = '' as $$
begin
  return private.resolve_unit(p_code);
end $$;
comment on function private.resolve_other is 'What a code means that names no ticket: a unit; null = nothing known. M12_production replaces it.';

create function private.tg_events__unit_scan()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform private.settle_by_scan(new.stream_id, new.actor_id);
  return null;
end $$;
comment on function private.tg_events__unit_scan is 'The code of a unit was read, so its label came out.';
create trigger _500_unit_scan after insert on public.events for each row when (new.stream = 'unit' and new.event = 'unit.scanned')
  execute function private.tg_events__unit_scan();

-- sql/M10_units/api_units.sql

create type public.units_created as (changed boolean, sns text[], print_job_ids bigint[], message text);
comment on type public.units_created is 'Answer of create_generic_units: the serials in order, and the jobs of their labels when labels were asked for.';

create function private.only_site()
returns text language plpgsql stable set search_path = '' as $$
declare
  v_who private.identity := private.identify();
  v_sites text[] := array(select s.code from public.sites s where private.works_at(v_who, s.code));
begin
  return case when cardinality(v_sites) = 1 then v_sites[1] end;
end $$;
comment on function private.only_site is 'The one site that the caller works at; null when there are several.';

create function private.check_batch(p_count integer, p_product_code text, p_site text)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_site is null then
    perform private.fail(422, 'unit.where', 'Say at which site.', jsonb_build_object('field', 'p_site'));
  elsif not exists (select 1 from public.sites s where s.code = p_site) then
    perform private.fail(404, 'site.unknown', 'There is no site ' || p_site || '.', jsonb_build_object('site', p_site));
  elsif coalesce(p_count, 0) not between 1 and 1000 then
    perform private.fail(422, 'unit.count', 'Create 1 to 1000 units at a time.', jsonb_build_object('field', 'p_count', 'actual', p_count));
  elsif coalesce(p_product_code, '') !~ '^[A-Z0-9]{2,8}$' then
    perform private.fail(422, 'unit.product_code', 'A product code has 2 to 8 capital letters and digits.',
      jsonb_build_object('field', 'p_product_code', 'actual', p_product_code));
  end if;
end $$;

create function private.label_units(p_sns text[], p_site text, p_station text, p_actor uuid)
returns bigint[] language plpgsql set search_path = '' as $$
begin
  return array(
    select d.job_id from private.add_prints(row(p_site, null, p_station)::private.print_place,
      row('unit_device', 1, null, null, 90)::private.print_wish, (select jsonb_agg(jsonb_build_object('subject', s) order by s) from unnest(p_sns) s),
      p_actor) d order by 1);
end $$;
comment on function private.label_units is 'Device labels for these units. Errors: those of add_prints. Locks: one advisory lock per label.';

create function public.create_generic_units(
  p_count integer default 1, p_product_code text default null, p_site text default null, p_production_order text default null,
  p_request_labels boolean default false, p_station text default null, p_request_id uuid default null)
returns public.units_created language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('units.create');
  v_order public.production_orders := (select o from public.production_orders o where o.code = p_production_order);
  v_site text := coalesce(v_order.site, p_site, private.only_site());
  v_code text := coalesce(p_product_code, private.setting('units.product_code', null, v_site) #>> '{}');
  v_station text := left(coalesce(p_station, private.station()), 64);
  v_stored jsonb;
  v_made public.units_created;
begin
  perform private.authorize('units.create', v_order.store, v_site);
  v_stored := private.replay(v_actor, p_request_id, 'create_generic_units',
    jsonb_build_array(p_count, p_product_code, p_site, p_production_order, p_request_labels, p_station));
  if v_stored is not null then
    return jsonb_populate_record(null::public.units_created, v_stored);
  elsif p_production_order is not null and v_order.id is null then
    perform private.fail(404, 'production.unknown', 'There is no production order ' || p_production_order || '.', jsonb_build_object('code', p_production_order));
  end if;
  perform private.refuse_closed(v_order);
  perform private.check_batch(p_count, v_code, v_site);
  v_made.sns := private.next_serials(v_site, v_code, p_count);
  insert into public.units (sn, site, product_code, production_order_id) select s, v_site, v_code, v_order.id from unnest(v_made.sns) s;
  perform set_config('takt.quiet', 'on', true);   -- a thousand events in one statement, announced once
  insert into public.events (site, stream, stream_id, event, actor_id, station, payload)
  select v_site, 'unit', s, 'unit.created', nullif(v_actor, '00000000-0000-0000-0000-000000000000'), v_station,
    jsonb_strip_nulls(jsonb_build_object('version', 1, 'status', 'CREATED', 'production_order', v_order.code)) from unnest(v_made.sns) s;
  perform set_config('takt.quiet', '', true);
  perform private.broadcast('site:' || v_site || ':unit', 'unit.created',
    jsonb_build_object('stream', 'unit', 'stream_id', v_made.sns[1], 'count', p_count, 'version', 1));
  if p_request_labels then
    v_made.print_job_ids := private.label_units(v_made.sns, v_site, p_station, v_actor);
  end if;
  v_made.changed := true;
  v_made.message := format('%s to %s.', v_made.sns[1], v_made.sns[p_count]);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_made));
  return v_made;
end $$;
comment on function public.create_generic_units is
$$New units, CREATED and without a variant: p_count 1–1000, serials YYMM-<code>-00001 of the plant's month. p_product_code: 2–8 capitals and digits
(setting units.product_code); p_site: the only site of the caller unless p_production_order says; p_request_labels: their device labels, printed in bulk.
Permission: units.create at the site.
Errors: unit.count (422), unit.product_code (422), unit.where (422), site.unknown (404), production.unknown (404), production.closed (409),
print.no_printer (412) and the others of request_print when labels are asked for, request.reused (422).
Idempotency: by p_request_id; without it every call makes more.
Locks: the sequence of the month and product code, until the end.$$;

create function public.assign_unit_variant(p_sn text, p_variant text default null, p_request_id uuid default null)
returns public.unit_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_unit('units.assign', p_sn, p_request_id, 'assign_unit_variant', jsonb_build_array(p_sn, p_variant));
  v_unit public.units := v_command.unit;
  v_new public.units := v_unit;
  v_variant public.product_variants;
  v_change public.unit_change := private.unit_unchanged(v_unit);
begin
  if v_command.answer is null then
    v_variant := private.find_variant(p_variant);
    perform private.check_step(v_unit, 'assign', 'given another variant');
    if not v_variant.is_active then
      perform private.fail(409, 'variant.inactive', v_variant.title || ' is no longer made.', jsonb_build_object('variant', v_variant.code));
    elsif v_unit.variant_code is distinct from v_variant.code then
      v_new.variant_code := v_variant.code;
      v_new.serial_class := 'FINAL';
      v_new.product_code := v_variant.product_code;
      v_change := private.save_unit(v_unit, v_new, 'unit.variant_assigned', v_command.actor,
        jsonb_build_object('variant', v_variant.code, 'from', v_unit.variant_code));
    end if;
  end if;
  return private.finish_unit(v_command, v_change);
end $$;
comment on function public.assign_unit_variant is
$$What the unit becomes. Again with another variant until it is packed, never after; the serial stays. The same variant again changes nothing.
Permission: units.assign at the site of the unit.
Errors: unit.unknown (404), unit.wrong_state (409), unit.on_hold (423), variant.unknown (404), variant.inactive (409), request.reused (422).
Idempotency: by p_request_id, and by the variant.
Locks: the unit.$$;

create function public.record_flash(
  p_sn text, p_ok boolean default true, p_fw_version text default null, p_fw_build_hash text default null, p_hw_rev text default null,
  p_detail jsonb default '{}', p_request_id uuid default null)
returns public.unit_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_unit('units.flash', p_sn, p_request_id, 'record_flash',
    jsonb_build_array(p_sn, p_ok, p_fw_version, p_fw_build_hash, p_hw_rev, p_detail));
  v_unit public.units := v_command.unit;
  v_new public.units := v_unit;
  v_change public.unit_change;
begin
  if v_command.answer is null then
    perform private.check_length('p_fw_version', p_fw_version, 100);
    perform private.check_length('p_fw_build_hash', p_fw_build_hash, 128);
    perform private.check_length('p_hw_rev', p_hw_rev, 60);
    perform private.check_length('p_detail', p_detail::text, 4000);
    perform private.check_step(v_unit, 'flash', 'flashed');
    perform private.refuse_built_in(v_unit.sn);
    v_new := private.invalidate_tests(v_unit);   -- a flash that failed may have left anything
    v_new.hw_rev := coalesce(nullif(trim(p_hw_rev), ''), v_unit.hw_rev);
    if coalesce(p_ok, true) then
      v_new.status := 'FLASHED';
      v_new.fw_version := coalesce(nullif(trim(p_fw_version), ''), v_unit.fw_version);
      v_new.fw_build_hash := coalesce(nullif(trim(p_fw_build_hash), ''), v_unit.fw_build_hash);
    end if;
    v_change := private.save_unit(v_unit, v_new, case when coalesce(p_ok, true) then 'unit.flashed' else 'unit.flash_failed' end, v_command.actor,
      jsonb_build_object('detail', coalesce(p_detail, '{}'), 'fw_version', p_fw_version, 'fw_build_hash', p_fw_build_hash));
  end if;
  return private.finish_unit(v_command, v_change);
end $$;
comment on function public.record_flash is
$$The unit was flashed, or could not be (p_ok false). Earlier tests no longer count. What is not given leaves what was known; a failed flash
leaves the firmware as it was known. p_detail: a small object for the history.
Permission: units.flash at the site of the unit.
Errors: unit.unknown (404), unit.wrong_state (409), unit.built_in (409), unit.on_hold (423), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it every call is another flash.
Locks: the unit.$$;

create function public.record_assembly(p_sn text, p_notes text default null, p_request_id uuid default null)
returns public.unit_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_unit('units.assemble', p_sn, p_request_id, 'record_assembly', jsonb_build_array(p_sn, p_notes));
  v_unit public.units := v_command.unit;
  v_new public.units := v_unit;
  v_change public.unit_change;
begin
  if v_command.answer is null then
    perform private.check_length('p_notes', p_notes, 500);
    perform private.check_step(v_unit, 'assemble', 'assembled');
    perform private.refuse_built_in(v_unit.sn);
    if v_unit.assembled_at is not null then   -- it was opened again: what was measured before is not what is in there now
      v_new := private.invalidate_tests(v_unit);
    end if;
    v_new.status := 'ASSEMBLED';
    v_new.assembled_at := now();
    v_change := private.save_unit(v_unit, v_new, 'unit.assembled', v_command.actor,
      jsonb_build_object('notes', p_notes, 'is_again', v_unit.assembled_at is not null));
  end if;
  return private.finish_unit(v_command, v_change);
end $$;
comment on function public.record_assembly is
$$The unit was assembled. The first time its tests still count; assembled once more it must be tested again.
Permission: units.assemble at the site of the unit.
Errors: unit.unknown (404), unit.wrong_state (409), unit.built_in (409), unit.on_hold (423), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it every call is another assembly.
Locks: the unit.$$;

create function public.hold_unit(p_sn text, p_reason text default null, p_request_id uuid default null)
returns public.unit_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_unit('units.hold', p_sn, p_request_id, 'hold_unit', jsonb_build_array(p_sn, p_reason));
  v_unit public.units := v_command.unit;
  v_change public.unit_change := private.unit_unchanged(v_unit);
begin
  if v_command.answer is null then
    perform private.check_unit_reason(p_reason);
    if v_unit.status = 'SCRAPPED' then
      perform private.refuse_unit_state(v_unit, 'held');
    elsif private.hold_units(array[v_unit.sn], p_reason, v_command.actor) <> '{}' then
      select u.* into v_unit from public.units u where u.sn = v_unit.sn;
      v_change := private.unit_unchanged(v_unit);
      v_change.changed := true;
    end if;
  end if;
  return private.finish_unit(v_command, v_change);
end $$;
comment on function public.hold_unit is
$$Nothing more is done with the unit until it is released; in stock its piece is set aside, so that nobody is promised it. One that is held already
keeps its first reason.
Permission: units.hold at the site of the unit.
Errors: unit.unknown (404), unit.wrong_state (409) when scrapped, unit.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it a repeat answers changed = false.
Locks: the unit, then the item in stock and the order lines it is promised to.$$;

create function public.release_unit(p_sn text, p_reason text default null, p_request_id uuid default null)
returns public.unit_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_unit('units.hold', p_sn, p_request_id, 'release_unit', jsonb_build_array(p_sn, p_reason));
  v_unit public.units := v_command.unit;
  v_change public.unit_change := private.unit_unchanged(v_unit);
begin
  if v_command.answer is null then
    perform private.check_length('p_reason', p_reason, 500);
    if v_unit.status = 'ON_HOLD' then
      delete from private.recall_claims c where c.kind = 'unit' and c.key = v_unit.sn and c.is_cause;
      perform private.end_holds(array[v_unit.sn], p_reason, v_command.actor);
      select u.* into v_unit from public.units u where u.sn = v_unit.sn;
      v_change := private.unit_unchanged(v_unit);
      v_change.changed := true;
      v_change.event_id := (select e.id from public.events e where e.stream = 'unit' and e.stream_id = v_unit.sn order by e.id desc limit 1);
      if v_unit.status = 'ON_HOLD' then
        v_change.notices := jsonb_build_array(jsonb_build_object('code', 'unit.still_held', 'message', format('%s stays on hold for another recall: %s.',
          v_unit.sn, rtrim(v_unit.hold_reason, ' .')), 'details', jsonb_build_object('reason', v_unit.hold_reason)));
      end if;
    end if;
  end if;
  return private.finish_unit(v_command, v_change);
end $$;
comment on function public.release_unit is
$$The hold ends: the unit is again what it was before, and its piece is free stock again. A unit that another recall wants held too stays on hold
for that one (notices unit.still_held); released once more, that recall lets go of it too.
Permission: units.hold at the site of the unit.
Errors: unit.unknown (404), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it a repeat of a free unit answers changed = false.
Locks: the unit, then the item in stock and the order lines it is promised to.$$;

create function private.off_hold(p_unit public.units)
returns public.units language plpgsql immutable set search_path = '' as $$
declare
  v_new public.units := p_unit;
begin
  if p_unit.status = 'ON_HOLD' then
    v_new.status := p_unit.status_before_hold;
    v_new.status_before_hold := null; v_new.hold_reason := null; v_new.held_at := null; v_new.held_by := null;
    v_new.hold_location := null;
  end if;
  return v_new;
end $$;
comment on function private.off_hold is 'A copy as it was before the hold.';

grant execute on function public.create_generic_units, public.assign_unit_variant, public.record_flash, public.record_assembly,
  public.hold_unit, public.release_unit to authenticated, service_role;

-- sql/M10_units/api_leave.sql

-- Ways out of the box and out of stock: unpacked, to rework, scrapped.

create function private.leave_box(p_unit public.units)
returns void language plpgsql set search_path = '' as $$
declare
  v_box public.boxes;
begin
  select b.* into v_box from public.boxes b where b.code = p_unit.box_code for update;
  if v_box.code is null or v_box.shipped_at is not null then
    return;   -- it was shipped in that box: that stays true
  elsif v_box.sealed_at is not null then
    perform private.fail(409, 'box.sealed', format('%s is in the box %s, which is sealed. Open the box first.', p_unit.sn, v_box.code),
      jsonb_build_object('box', v_box.code, 'sn', p_unit.sn));
  end if;
  perform private.unlink('unit', p_unit.sn, 'box', v_box.code);
end $$;
comment on function private.leave_box is 'A locked unit is taken out of its box. Errors: box.sealed (409). Locks: the box.';

create function private.piece_at(p_unit public.units)
returns text language plpgsql stable set search_path = '' as $$
begin
  return coalesce((
    select b.location from public.inventory_balances b join public.locations l on l.code = b.location
     where b.sku = p_unit.stock_sku and l.site = p_unit.site and l.is_free and b.on_hand >= 1
     order by b.location <> p_unit.stock_location, b.location limit 1), p_unit.stock_location);
end $$;
comment on function private.piece_at is 'The shelf a piece of this unit is on: where it was put, unless it was moved to another one of the site. The item is locked.';

create function private.leave_stock(p_unit public.units, p_kind text, p_reason text, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_id bigint;
begin
  if coalesce(p_unit.status_before_hold, p_unit.status) <> 'IN_FINISHED_STOCK' or p_unit.shipped_at is not null then
    return;   -- not in stock, or its order took it out
  end if;
  perform private.lock_stock(array[p_unit.stock_sku]);
  v_id := private.post_txn(p_unit.stock_sku, coalesce(p_unit.hold_location, private.piece_at(p_unit)), p_kind, -1, 'unit', p_unit.sn, p_reason, p_actor);
  perform private.allocate(array[p_unit.stock_sku], jsonb_build_object('event', 'unit.' || p_kind, 'ref', p_unit.sn));
  perform private.emit_moves(case p_kind when 'scrap' then 'stock.scrapped' else 'stock.issued' end, array[v_id], p_actor);
end $$;
comment on function private.leave_stock is
'A unit that is in finished stock leaves it: one piece of the item it was booked as. Errors: stock.short (409) where the item forbids negatives. Locks: the item.';

create function private.unpacked(p_unit public.units)
returns public.units language plpgsql immutable set search_path = '' as $$
declare
  v_new public.units := private.off_hold(p_unit);
begin
  v_new.kit_id := null; v_new.box_code := null; v_new.packed_at := null; v_new.stocked_at := null; v_new.stock_sku := null;
  v_new.stock_location := null; v_new.shipped_at := null;
  return v_new;
end $$;
comment on function private.unpacked is 'A copy that is in no box and in no stock.';

create function private.free_kit(p_unit public.units)
returns void language plpgsql set search_path = '' as $$
begin
  if p_unit.shipped_at is null then   -- what was shipped was used
    update public.packaging_kits k set used_by_sn = null where k.used_by_sn = p_unit.sn;
  end if;
end $$;

create function public.unpack_unit(p_sn text, p_reason text default null, p_request_id uuid default null)
returns public.unit_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_unit('units.unpack', p_sn, p_request_id, 'unpack_unit', jsonb_build_array(p_sn, p_reason));
  v_unit public.units := v_command.unit;
  v_new public.units;
  v_change public.unit_change;
begin
  if v_command.answer is null then
    perform private.check_unit_reason(p_reason);
    perform private.check_step(v_unit, 'unpack', 'unpacked');
    perform private.free_kit(v_unit);
    perform private.leave_box(v_unit);
    v_new := private.unpacked(v_unit);
    v_new.status := case when v_unit.assembled_at is null then 'TEST_PASS' else 'ASSEMBLED' end;
    v_change := private.save_unit(v_unit, v_new, 'unit.unpacked', v_command.actor, jsonb_build_object('reason', p_reason, 'kit_id', v_unit.kit_id));
  end if;
  return private.finish_unit(v_command, v_change);
end $$;
comment on function public.unpack_unit is
$$A packed unit that is not in stock yet comes out of its box; its kit is free again, and has to be scanned again.
Permission: units.unpack at the site of the unit.
Errors: unit.unknown (404), unit.wrong_state (409), unit.on_hold (423), box.sealed (409), unit.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id.
Locks: the unit, its kit, its box.$$;

create function public.send_to_rework(p_sn text, p_reason text default null, p_request_id uuid default null)
returns public.unit_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_unit('units.rework', p_sn, p_request_id, 'send_to_rework', jsonb_build_array(p_sn, p_reason));
  v_unit public.units := v_command.unit;
  v_new public.units;
  v_change public.unit_change := private.unit_unchanged(v_unit);
begin
  if v_command.answer is null then
    perform private.check_unit_reason(p_reason);
    if v_unit.status <> 'REWORK' then
      perform private.check_step(v_unit, 'rework', 'reworked');
      perform private.refuse_built_in(v_unit.sn);
      perform private.free_kit(v_unit);
      perform private.leave_box(v_unit);
      perform private.leave_stock(v_unit, 'issue', p_reason, v_command.actor);
      v_new := private.unpacked(v_unit);
      v_new.status := 'REWORK';
      v_new.build_no := v_unit.build_no + 1;
      v_new.assembled_at := null;
      v_change := private.save_unit(v_unit, v_new, 'unit.reworked', v_command.actor, jsonb_build_object('reason', p_reason));
    end if;
  end if;
  return private.finish_unit(v_command, v_change);
end $$;
comment on function public.send_to_rework is
$$The unit goes back to be repaired: its tests no longer count, it leaves box, kit and stock. A shipped unit that came back, too; its stock is not touched then.
Permission: units.rework at the site of the unit.
Errors: unit.unknown (404), unit.wrong_state (409), unit.on_hold (423), unit.built_in (409), box.sealed (409), stock.short (409), unit.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; a unit in rework stays as it is: changed = false.
Locks: the unit, its kit, its box, then the item in stock and the order lines it is promised to.$$;

create function public.scrap_unit(p_sn text, p_reason text default null, p_request_id uuid default null)
returns public.unit_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_unit('units.scrap', p_sn, p_request_id, 'scrap_unit', jsonb_build_array(p_sn, p_reason));
  v_unit public.units := v_command.unit;
  v_new public.units;
  v_change public.unit_change := private.unit_unchanged(v_unit);
begin
  if v_command.answer is null then
    perform private.check_unit_reason(p_reason);
    if v_unit.status <> 'SCRAPPED' then
      perform private.refuse_built_in(v_unit.sn);
      perform private.leave_box(v_unit);
      perform private.leave_stock(v_unit, 'scrap', p_reason, v_command.actor);
      v_new := private.off_hold(v_unit);
      v_new.status := 'SCRAPPED';
      v_new.scrapped_at := now();
      v_new.box_code := null;
      v_new.stock_sku := null;
      v_new.stock_location := null;
      delete from private.recall_claims c where c.kind = 'unit' and c.key = v_unit.sn;
      v_change := private.save_unit(v_unit, v_new, 'unit.scrapped', v_command.actor, jsonb_build_object('reason', p_reason, 'from', v_unit.status));
    end if;
  end if;
  return private.finish_unit(v_command, v_change);
end $$;
comment on function public.scrap_unit is
$$The unit is thrown away, held or not; one in finished stock leaves the stock as scrap. There is no way back, and its kit stays used.
Permission: units.scrap at the site of the unit.
Errors: unit.unknown (404), unit.built_in (409), box.sealed (409), stock.short (409), unit.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; a scrapped unit stays as it is: changed = false.
Locks: the unit, its box, then the item in stock and the order lines it is promised to.$$;

grant execute on function public.unpack_unit, public.send_to_rework, public.scrap_unit to authenticated, service_role;

-- sql/M10_units/api_label.sql

-- What a label of a unit says, whoever asks for it and however.

create function private.unit_label_data(p_sn text)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return coalesce((
    select jsonb_build_object('code', u.sn, 'product', coalesce(v.title, u.product_code), 'variant', coalesce(u.variant_code, ''),
        'made', to_char(private.site_day(u.site, u.created_at), 'YYYY-MM-DD'))
      from public.units u left join public.product_variants v on v.code = u.variant_code where u.sn = p_sn), '{}');
end $$;
comment on function private.unit_label_data is 'What the database knows for the label of a unit: {code, product, variant, made}; {} when it is no unit.';

create or replace function private.known_label_data(p_subject text)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return private.order_label_data(private.order_of_label(p_subject)) || private.unit_label_data(p_subject);
end $$;
comment on function private.known_label_data is 'What the database knows about the order or the unit of a label. M12_production replaces it.';

create or replace function private.authorize_labels(p_labels jsonb)
returns void language plpgsql stable set search_path = '' as $$
begin
  perform private.authorize('printing.request', null, u.site) from jsonb_array_elements(p_labels) l join public.units u on u.sn = l ->> 'subject';
end $$;
comment on function private.authorize_labels is 'The right to labels of units, at their site: [{subject}]. M12_production replaces it. Errors: auth.other_site (403).';

create function public.print_unit_label(
  p_sn text, p_station text default null, p_printer text default null, p_request_id uuid default null)
returns public.print_answer language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_unit('printing.request', p_sn, p_request_id, 'print_unit_label',
    jsonb_build_array(p_sn, p_station, p_printer));
  v_unit public.units := v_command.unit;
  v_demand private.print_demand;
  v_answer public.print_answer;
begin
  if v_command.answer is not null then
    return jsonb_populate_record(null::public.print_answer, v_command.answer);
  end if;
  perform private.check_step(v_unit, 'label', 'labelled');
  select d.* into v_demand from private.add_prints(private.unit_place(v_unit, p_station), row('unit_device', 1, p_printer, null, 10)::private.print_wish,
    jsonb_build_array(jsonb_build_object('subject', v_unit.sn)), v_command.actor) d;
  v_answer := private.print_answer(v_demand.job_id, v_demand.is_new, null);
  v_answer.message := case when v_demand.is_new then format('The label of %s goes to %s.', v_unit.sn, v_answer.printer_name)
    else format('The label of %s was asked for already (%s, %s). For one more use reprint.', v_unit.sn, (v_answer.job).state, v_answer.printer_name) end;
  perform private.remember(v_command.actor, p_request_id, to_jsonb(v_answer));
  return v_answer;
end $$;
comment on function public.print_unit_label is
$$The device label of a unit, once: what it says follows from the unit. One that was asked for before is not made again: changed = false with its
job; more paper is a reprint. It comes out where the routes of the unit's site say, for p_station (else the header x-takt-station), or on p_printer.
Permission: printing.request at the site of the unit.
Errors: unit.unknown (404), unit.wrong_state (409) when scrapped, printer.unknown (404), label.unknown_template (404), label.no_template (412),
print.no_printer (412), print.no_resolution (412), print.too_large (412), print.other_site (422), label.bad_data (422), label.does_not_fit (422), request.reused (422).
Idempotency: by p_request_id, and by the unit.
Locks: the unit, then one advisory lock for the label.$$;

create function private.unit_place(p_unit public.units, p_station text)
returns private.print_place language plpgsql stable set search_path = '' as $$
begin
  return row(p_unit.site, null, (select s.code from public.stations s
    where s.code = coalesce(p_station, private.station()) and s.site = p_unit.site and s.is_active))::private.print_place;
end $$;
comment on function private.unit_place is 'Where labels of the unit come out: its site, and the station if it stands there.';

grant execute on function public.print_unit_label to authenticated, service_role;

-- sql/M10_units/api_tests.sql

create type public.test_answer as (
  changed boolean, event_id bigint, run_id bigint, result text, claimed text, why jsonb, unit public.units, next_action text);
comment on type public.test_answer is
$$Answer to a test: its result, what the fixture claimed, why they differ [{metric, value, min, max, unit}], the unit now, what to do next.$$;

create function private.metrics_of(p_metrics jsonb)
returns jsonb language plpgsql immutable set search_path = '' as $$
declare
  v_given jsonb := case when jsonb_typeof(p_metrics) = 'array' and not exists (
      select 1 from jsonb_array_elements(p_metrics) m where jsonb_typeof(m) <> 'object' or m ->> 'metric' is null)
    then (select jsonb_object_agg(m ->> 'metric', m - 'metric') from jsonb_array_elements(p_metrics) m) else coalesce(p_metrics, '{}') end;
  v_wrong text;
begin
  if jsonb_typeof(v_given) <> 'object' or (select count(*) > 500 from jsonb_object_keys(v_given)) then
    v_wrong := '(all)';
  else
    select m.key into v_wrong from jsonb_each(v_given) m
     where m.key !~ '^[A-Za-z][A-Za-z0-9_.-]{0,60}$'
        or case jsonb_typeof(m.value) when 'number' then false when 'object' then jsonb_typeof(m.value -> 'value') is distinct from 'number'
          or coalesce(jsonb_typeof(m.value -> 'unit'), 'string') not in ('string', 'null') or length(m.value ->> 'unit') > 20 else true end limit 1;
  end if;
  if v_wrong is not null then
    perform private.fail(422, 'test.metrics', 'Give measurements like {"vbat": 3.7} or {"vbat": {"value": 3.7, "unit": "V"}}. Wrong: ' || v_wrong || '.',
      jsonb_build_object('field', 'p_metrics', 'metric', v_wrong));
  end if;
  return (select coalesce(jsonb_object_agg(m.key, case jsonb_typeof(m.value) when 'number' then jsonb_build_object('value', m.value, 'unit', null)
    else jsonb_build_object('value', m.value -> 'value', 'unit', m.value -> 'unit') end), '{}') from jsonb_each(v_given) m);
end $$;
comment on function private.metrics_of is 'Measurements as {metric: {value, unit}}. Errors: test.metrics (422).';

create function private.store_test(p_run public.test_runs, p_metrics jsonb, p_limits jsonb)
returns public.test_runs language plpgsql set search_path = '' as $$
declare
  v_run public.test_runs;
begin
  insert into public.test_runs (sn, test, build_no, result, claimed, why, is_first, site, day, fixture_id, actor_id, station, fw_readback, started_at)
  values (p_run.sn, p_run.test, p_run.build_no, p_run.result, p_run.claimed, p_run.why,
    not exists (select 1 from public.test_runs r where r.sn = p_run.sn and r.test = p_run.test), p_run.site, private.site_day(p_run.site),
    (select d.id from public.devices d where d.user_id = p_run.actor_id and d.kind = 'fixture'),
    nullif(p_run.actor_id, '00000000-0000-0000-0000-000000000000'), private.station(), p_run.fw_readback, p_run.started_at)
  returning * into v_run;
  insert into public.test_measurements (run_id, metric, value, unit, low, high, is_pass)
  select v_run.id, coalesce(m.key, l.key), (m.value ->> 'value')::numeric, coalesce(m.value ->> 'unit', l.value ->> 'unit'),
      (l.value ->> 'min')::numeric, (l.value ->> 'max')::numeric,
      not exists (select 1 from jsonb_array_elements(p_run.why) w where w ->> 'metric' = coalesce(m.key, l.key))
    from jsonb_each(p_metrics) m full join jsonb_each(p_limits) l on l.key = m.key;
  return v_run;
end $$;
comment on function private.store_test is 'A run with its measurements, and the limits they were held against. The unit is locked.';

create function private.check_test(p_result text, p_test text, p_readback jsonb, p_unit public.units)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if coalesce(p_result, '') not in ('PASS', 'FAIL') then
    perform private.fail(422, 'test.result', 'The result is PASS or FAIL.', jsonb_build_object('field', 'p_result', 'actual', p_result));
  elsif coalesce(p_test, '') !~ '^[a-z][a-z0-9_-]{0,60}$' then
    perform private.fail(422, 'test.name', 'The name of a test has small letters, digits, - and _.', jsonb_build_object('field', 'p_test', 'actual', p_test));
  elsif coalesce(jsonb_typeof(p_readback), 'object') <> 'object' or length(p_readback::text) > 4000 then
    perform private.fail(422, 'test.readback', 'What the fixture read from the unit must be a small object.', jsonb_build_object('field', 'p_fw_readback'));
  end if;
  perform private.check_step(p_unit, 'test', 'tested');
end $$;

create function private.after_test(p_unit public.units, p_read jsonb, p_run public.test_runs)
returns public.units language plpgsql stable set search_path = '' as $$
declare
  v_new public.units := p_unit;
  v_passes constant boolean := private.test_blockers(p_unit, private.active_rules(p_unit.variant_code)) = '[]';
begin
  v_new.hw_rev := coalesce(left(nullif(trim(p_read ->> 'hw_rev'), ''), 60), p_unit.hw_rev);
  v_new.fw_version := coalesce(left(nullif(trim(p_read ->> 'fw_version'), ''), 100), p_unit.fw_version);
  v_new.fw_build_hash := coalesce(left(nullif(trim(p_read ->> 'fw_build_hash'), ''), 128), p_unit.fw_build_hash);
  if v_passes and p_run.result = 'PASS' then
    v_new.status := 'TEST_PASS';
  elsif not v_passes and p_unit.status = 'TEST_PASS' then
    v_new.status := 'FLASHED';
  end if;
  return v_new;
end $$;
comment on function private.after_test is 'The unit after a run that is stored already: passed once all its tests have, and no longer when one failed.';

create function public.record_test_result(
  p_sn text, p_result text default null, p_metrics jsonb default '{}', p_fw_readback jsonb default '{}', p_test text default 'final',
  p_hw_rev text default null, p_fw_version text default null, p_fw_build_hash text default null, p_started_at timestamptz default null,
  p_request_id uuid default null)
returns public.test_answer language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_unit('units.test', p_sn, p_request_id, 'record_test_result',
    jsonb_build_array(p_sn, p_result, p_metrics, p_fw_readback, p_test, p_hw_rev, p_fw_version, p_fw_build_hash, p_started_at));
  v_unit public.units := v_command.unit;
  v_metrics jsonb;
  v_limits jsonb;
  v_read jsonb := coalesce(p_fw_readback, '{}') || jsonb_strip_nulls(
    jsonb_build_object('hw_rev', p_hw_rev, 'fw_version', p_fw_version, 'fw_build_hash', p_fw_build_hash));
  v_run public.test_runs;
  v_change public.unit_change;
  v_answer public.test_answer;
begin
  if v_command.answer is not null then
    return jsonb_populate_record(null::public.test_answer, v_command.answer);
  end if;
  perform private.check_test(p_result, p_test, v_read, v_unit);
  v_metrics := private.metrics_of(p_metrics);
  v_limits := private.limits_of(private.active_rules(v_unit.variant_code), p_test);
  v_run.sn := v_unit.sn; v_run.site := v_unit.site; v_run.build_no := v_unit.build_no; v_run.test := p_test; v_run.claimed := p_result;
  v_run.why := private.breaches(v_metrics, v_limits);
  v_run.result := case when v_run.why = '[]' then p_result else 'FAIL' end;
  v_run.actor_id := v_command.actor; v_run.fw_readback := v_read; v_run.started_at := p_started_at;
  v_run := private.store_test(v_run, v_metrics, v_limits);
  v_change := private.save_unit(v_unit, private.after_test(v_unit, v_read, v_run), 'unit.tested', v_command.actor,
    jsonb_build_object('test', p_test, 'result', v_run.result, 'claimed', p_result, 'run_id', v_run.id, 'why', v_run.why));
  v_answer := row(true, v_change.event_id, v_run.id, v_run.result, p_result, v_run.why, v_change.unit, v_change.next_action)::public.test_answer;
  perform private.remember(v_command.actor, p_request_id, to_jsonb(v_answer));
  return v_answer;
end $$;
comment on function public.record_test_result is
$$A unit was tested. p_metrics {metric: number} or {metric: {value, unit}}; a PASS that breaks a limit of the rules in force, or lacks a metric
they ask for, is stored as FAIL. p_fw_readback {hw_rev, fw_version, fw_build_hash}: what is not read leaves what was known.
Permission: units.test at the site of the unit (fixtures have it).
Errors: unit.unknown (404), unit.wrong_state (409), unit.on_hold (423), test.result (422), test.name (422), test.metrics (422), test.readback (422), request.reused (422).
Idempotency: by p_request_id; without it every call is another run.
Locks: the unit.$$;

create type public.test_point as (
  run_id bigint, sn text, at timestamptz, result text, build_no integer, metric text, value numeric, unit text, low numeric, high numeric,
  is_pass boolean);
comment on type public.test_point is 'One measurement of one run, with the limits in force then. metric is null for a run without measurements.';

create function public.get_test_history(
  p_test text default 'final', p_metric text default null, p_limit integer default 50, p_variant text default null)
returns setof public.test_point language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('units.read');
  return query
    select r.id, r.sn, r.at, r.result, r.build_no, m.metric, m.value, m.unit, m.low, m.high, m.is_pass
      from (select t.* from public.test_runs t
             where t.test = p_test
               and (p_variant is null or exists (select 1 from public.units u where u.sn = t.sn and u.variant_code = p_variant))
               and (p_metric is null or exists (select 1 from public.test_measurements x where x.run_id = t.id and x.metric = p_metric))
             order by t.id desc limit least(greatest(coalesce(p_limit, 50), 1), 500)) r
      left join public.test_measurements m on m.run_id = r.id and (p_metric is null or m.metric = p_metric)
     order by r.id desc, m.metric;
end $$;
comment on function public.get_test_history is
$$The last p_limit (1–500) runs of a test, newest first, with their measurements (of p_metric, or all): what a plot against limits needs.
Permission: units.read.
Errors: auth.forbidden (403).
Idempotency: a read.
Locks: none.$$;

create type public.yield_row as (
  test text, day date, units bigint, passed bigint, first_pass_yield numeric, runs bigint, runs_passed bigint);
comment on type public.yield_row is 'units: tested for the first time that day; passed: of those, at once; first_pass_yield: passed / units; runs: all that day.';

create function public.get_yield(
  p_from date default null, p_to date default null, p_test text default null, p_site text default null)
returns setof public.yield_row language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('units.read', null, p_site);
  return query
    select r.test, r.day, count(*) filter (where r.is_first), count(*) filter (where r.is_first and r.result = 'PASS'),
        round(count(*) filter (where r.is_first and r.result = 'PASS')::numeric / nullif(count(*) filter (where r.is_first), 0), 4),
        count(*), count(*) filter (where r.result = 'PASS')
      from public.sites s join public.test_runs r on r.site = s.code
     where (p_site is null or s.code = p_site) and (p_test is null or r.test = p_test)
       and r.day between coalesce(p_from, private.site_day(s.code) - 30) and coalesce(p_to, private.site_day(s.code))
     group by r.test, r.day order by r.day desc, r.test;
end $$;
comment on function public.get_yield is
$$First-pass yield per test and plant day, newest first; the last 30 days unless told.
Permission: units.read at the site.
Errors: auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.record_test_result, public.get_test_history, public.get_yield to authenticated, service_role;

-- sql/M10_units/api_pack.sql

-- Packing: the kit, the gate, the box is closed. What the gate looks at is locked before it is asked, until the unit is packed.

create function public.scan_pack_kit(p_sn text, p_kit_id text default null, p_request_id uuid default null)
returns public.unit_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_unit('units.pack', p_sn, p_request_id, 'scan_pack_kit', jsonb_build_array(p_sn, p_kit_id));
  v_unit public.units := v_command.unit;
  v_new public.units := v_unit;
  v_kit text := private.clean_code(p_kit_id);
  v_change public.unit_change := private.unit_unchanged(v_unit);
begin
  if v_command.answer is null then
    if v_kit = '' or length(v_kit) > 100 then
      perform private.fail(422, 'kit.empty', 'Scan the code on the kit.', jsonb_build_object('field', 'p_kit_id', 'actual', left(v_kit, 100)));
    end if;
    perform private.check_step(v_unit, 'kit', 'given another kit');
    if v_unit.kit_id is distinct from v_kit then
      v_new.kit_id := v_kit;
      v_change := private.save_unit(v_unit, v_new, 'unit.kit_scanned', v_command.actor, jsonb_build_object('kit_id', v_kit));
    end if;
    v_change.notices := (
      select jsonb_agg(jsonb_build_object('code', b ->> 'code', 'message', b ->> 'message', 'details', b))
        from jsonb_array_elements(private.unit_blockers(v_change.unit)) b where b ->> 'code' ~ '^(PACK_KIT|KIT|MANUAL)_');
  end if;
  return private.finish_unit(v_command, v_change);
end $$;
comment on function public.scan_pack_kit is
$$This kit goes into the box of the unit. Any code is remembered; what is wrong with the kit stands in notices, and the gate refuses it.
Permission: units.pack at the site of the unit.
Errors: unit.unknown (404), unit.wrong_state (409), unit.on_hold (423), kit.empty (422), request.reused (422).
Idempotency: by p_request_id, and by the kit.
Locks: the unit.$$;

create function private.no_unit_gate(p_sn text)
returns jsonb language plpgsql immutable set search_path = '' as $$
begin
  return jsonb_build_object('allowed', false, 'expected', '{}'::jsonb, 'blockers', jsonb_build_array(private.blocker('UNIT_NOT_FOUND',
    'There is no unit ' || coalesce(p_sn, '') || '.', 'Scan the label of the unit again.', 'pack', p_sn)));
end $$;

create function public.check_pack_gate(p_sn text)
returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
  v_unit public.units;
begin
  select u.* into v_unit from public.units u where u.sn = private.serial_of(p_sn);
  perform private.authorize('units.read', null, v_unit.site);
  return case when v_unit.sn is null then private.no_unit_gate(p_sn) else private.gate_of(v_unit) end
    || jsonb_build_object('sn', coalesce(v_unit.sn, p_sn), 'status', v_unit.status, 'next_action', private.next_unit_action(v_unit));
end $$;
comment on function public.check_pack_gate is
$$What keeps the unit from being packed right now: {allowed, blockers [{code, message, next_action, target {page, sn}}], expected, sn, status, next_action}.
A look; finalize_pack looks again under its locks.
Permission: units.read at the site of the unit.
Errors: auth.other_site (403); an unknown serial is the blocker UNIT_NOT_FOUND.
Idempotency: a read.
Locks: none.$$;

create function private.lock_gate(p_sn text)
returns public.units language plpgsql set search_path = '' as $$
declare
  v_unit public.units := private.lock_units_of(p_sn);
begin
  perform 1 from public.product_variants v where v.code = v_unit.variant_code for share;   -- its rules are changed under this row
  perform 1 from public.packaging_kits k where k.kit_id = v_unit.kit_id for update;
  perform private.lock_lots_of(p_sn);
  return v_unit;
end $$;
comment on function private.lock_gate is
'Locks everything that can close the gate of a unit: the units inside it and itself, its variant (and so the rules), its kit, the lots inside. What is printed stays printed.';

create function private.pack_refusal(p_status integer, p_hint text, p_message text, p_gate jsonb, p_details jsonb)
returns jsonb language plpgsql immutable set search_path = '' as $$
begin
  return p_gate || jsonb_build_object('ok', false, 'changed', false, 'status', p_status, 'code', 'PT' || p_status, 'hint', p_hint,
    'message', p_message, 'details', p_details);
end $$;
comment on function private.pack_refusal is 'A refusal that is remembered: the gate, and what any error says.';

create function private.refused_pack(p_unit public.units, p_sn text, p_gate jsonb, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_codes jsonb := (select jsonb_agg(b -> 'code') from jsonb_array_elements(p_gate -> 'blockers') b);
  v_event bigint;
begin
  v_event := private.emit('unit', coalesce(p_unit.sn, p_sn, ''), 'unit.pack_refused', p_actor, jsonb_build_object('allowed', false,
    'version', p_unit.version, 'status', p_unit.status, 'codes', v_codes, 'blockers', p_gate -> 'blockers'), null, p_unit.site);
  return private.pack_refusal(409, 'unit.pack_blocked', p_gate #>> '{blockers,0,message}', p_gate || jsonb_build_object('event_id', v_event,
    'sn', coalesce(p_unit.sn, p_sn), 'unit', to_jsonb(p_unit)), jsonb_build_object('sn', coalesce(p_unit.sn, p_sn), 'codes', v_codes));
end $$;

create function private.answer_pack(p_answer jsonb)
returns jsonb language plpgsql set search_path = '' as $$
begin
  if p_answer -> 'allowed' = 'false' then
    perform set_config('response.status', '409', true);
  end if;
  return p_answer;
end $$;
comment on function private.answer_pack is 'A refusal returns normally, so that its event commits, and still is an HTTP error.';

create function public.finalize_pack(p_sn text, p_request_id uuid default null)
returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  v_unit public.units := (select u from public.units u where u.sn = private.serial_of(p_sn));
  v_actor uuid := private.authorize('units.pack', null, v_unit.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'finalize_pack', jsonb_build_array(p_sn));
  v_new public.units;
  v_gate jsonb;
  v_change public.unit_change;
begin
  if v_answer is not null then
    return private.answer_pack(v_answer);
  end if;
  if v_unit.sn is not null then
    v_unit := private.lock_gate(v_unit.sn);
    v_change := private.unit_unchanged(v_unit);
    v_gate := case when v_unit.status not in ('PACKED', 'IN_FINISHED_STOCK') then private.gate_of(v_unit)
      else jsonb_build_object('allowed', true, 'blockers', '[]'::jsonb, 'expected', '{}'::jsonb) end;
    if v_unit.status = 'SCRAPPED' then
      perform private.refuse_unit_state(v_unit, 'packed');
    end if;
    perform private.refuse_built_in(v_unit.sn);
  end if;
  v_gate := coalesce(v_gate, private.no_unit_gate(p_sn));
  if v_gate -> 'allowed' = 'false' then
    v_answer := private.refused_pack(v_unit, p_sn, v_gate, v_actor);
  else
    if v_unit.packed_at is null then
      v_new := v_unit;
      v_new.status := 'PACKED';
      v_new.packed_at := now();
      update public.packaging_kits k set used_by_sn = v_unit.sn where k.kit_id = v_unit.kit_id;
      v_change := private.save_unit(v_unit, v_new, 'unit.packed', v_actor, jsonb_build_object('allowed', true, 'kit_id', v_unit.kit_id,
        'rules_version', v_gate #> '{expected,rules_version}'));
    end if;
    v_answer := v_gate || jsonb_build_object('ok', true, 'changed', v_change.changed, 'sn', v_unit.sn, 'event_id', v_change.event_id,
      'unit', to_jsonb(v_change.unit), 'next_action', v_change.next_action);
  end if;
  perform private.remember(v_actor, p_request_id, v_answer);
  return private.answer_pack(v_answer);
end $$;
comment on function public.finalize_pack is
$$Pack the unit if its gate is open; looked at and packed in one transaction. {ok, changed, allowed, blockers, expected, sn, unit, next_action}.
A closed gate answers with HTTP 409, the same object and {code PT409, hint, message}, and is remembered as event unit.pack_refused.
A unit that is packed already answers changed = false.
Permission: units.pack at the site of the unit.
Errors (answered with its HTTP status and remembered): unit.pack_blocked (409); raised: unit.wrong_state (409) when scrapped, unit.built_in (409), request.reused (422).
Idempotency: by p_request_id; without it a refusal is asked again.
Locks: the units inside it and the unit by serial, its variant, its kit, the lots inside.$$;

create function private.piece_of_order(p_unit public.units, p_sku text)
returns text language plpgsql set search_path = '' as $$
begin
  return null;
end $$;
comment on function private.piece_of_order is 'Where the piece of this unit lies in stock already; null: it comes into stock with the unit. M12_production replaces it.';

create function private.book_unit(p_unit public.units, p_sku text, p_from text, p_to text, p_actor uuid)
returns bigint[] language plpgsql set search_path = '' as $$
declare
  v_ids bigint[] := '{}';
begin
  if p_from is null then
    v_ids := array[private.post_txn(p_sku, p_to, 'produce', 1, 'unit', p_unit.sn, null, p_actor)];
  elsif p_from <> p_to then
    v_ids := array[private.post_txn(p_sku, p_from, 'transfer', -1, 'unit', p_unit.sn, null, p_actor),
      private.post_txn(p_sku, p_to, 'transfer', 1, 'unit', p_unit.sn, null, p_actor)];
  end if;
  perform private.allocate(array[p_sku], jsonb_build_object('event', 'unit.moved_to_stock', 'ref', p_unit.sn));
  perform private.emit_moves(case when p_from is null then 'stock.produced' else 'stock.transferred' end, v_ids, p_actor);
  return v_ids;
end $$;
comment on function private.book_unit is 'The piece of a unit comes into stock, or goes from where it lies already to the place of the unit. Locks: the item.';

create function public.move_unit_to_stock(
  p_sn text, p_finished_item text default null, p_location text default null, p_request_id uuid default null)
returns public.unit_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_unit('units.pack', p_sn, p_request_id, 'move_unit_to_stock',
    jsonb_build_array(p_sn, p_finished_item, p_location));
  v_unit public.units := v_command.unit;
  v_new public.units := v_unit;
  v_sku text;
  v_place public.locations;
  v_from text;
  v_ids bigint[];
  v_change public.unit_change := private.unit_unchanged(v_unit);
begin
  if v_command.answer is null and v_unit.status <> 'IN_FINISHED_STOCK' then
    perform private.check_step(v_unit, 'stock', 'moved to stock');
    v_sku := private.finished_item(v_unit, p_finished_item);
    v_place := private.place(coalesce(p_location, private.default_location(v_unit.site)));
    perform private.check_place(v_place, p_location);
    if v_place.site <> v_unit.site then
      perform private.fail(422, 'unit.other_site', format('%s is at the site %s; choose a location there.', v_unit.sn, v_unit.site),
        jsonb_build_object('expected', v_unit.site, 'actual', v_place.site));
    end if;
    v_from := private.piece_of_order(v_unit, v_sku);
    v_ids := private.book_unit(v_unit, v_sku, v_from, v_place.code, v_command.actor);
    v_new.is_counted := v_unit.is_counted or v_from is not null;
    v_new.status := 'IN_FINISHED_STOCK';
    v_new.stocked_at := now();
    v_new.stock_sku := v_sku;
    v_new.stock_location := v_place.code;
    v_change := private.save_unit(v_unit, v_new, 'unit.moved_to_stock', v_command.actor,
      jsonb_build_object('sku', v_sku, 'location', v_place.code, 'txn_id', v_ids[1]));
  end if;
  return private.finish_unit(v_command, v_change);
end $$;
comment on function public.move_unit_to_stock is
$$A packed unit becomes one piece of the finished item of its variant in stock, once. The piece of a routed order of that item is in stock since its last
step counted it good: the unit takes it over, and waits until then. p_finished_item may be left out; given, it must be that item.
p_location: the default place of the site.
Permission: units.pack at the site of the unit.
Errors: unit.unknown (404), unit.wrong_state (409), unit.on_hold (423), unit.wrong_item (422), variant.no_item (422), unit.other_site (422),
unit.not_counted (409), stock.short (409), item.unknown (404), item.not_stocked (422), item.inactive (409), location.unknown (404), location.required (422), location.inactive (409), request.reused (422).
Idempotency: by p_request_id; a unit in stock stays as it is: changed = false.
Locks: the unit, then the item in stock and the order lines it is promised to.$$;

create function private.finished_item(p_unit public.units, p_given text)
returns text language plpgsql set search_path = '' as $$
declare
  v_sku text := (select v.sku from public.product_variants v where v.code = p_unit.variant_code);
begin
  if v_sku is null then
    perform private.fail(422, 'variant.no_item', format('The variant %s has no finished item. Ask a planner to name it.', p_unit.variant_code),
      jsonb_build_object('variant', p_unit.variant_code));
  elsif lower(p_given) <> lower(v_sku) then
    perform private.fail(422, 'unit.wrong_item', format('%s is a %s, not a %s.', p_unit.sn, v_sku, p_given),
      jsonb_build_object('sn', p_unit.sn, 'expected', v_sku, 'actual', p_given));
  end if;
  return (private.item_to_move(v_sku, true)).sku;
end $$;
comment on function private.finished_item is 'The item that the unit becomes. Errors: variant.no_item (422), unit.wrong_item (422), those of item_to_move.';

grant execute on function public.scan_pack_kit, public.check_pack_gate, public.finalize_pack, public.move_unit_to_stock to authenticated, service_role;

-- sql/M10_units/api_boxes.sql

create type public.box_change as (changed boolean, event_id bigint, box public.boxes, units bigint);
comment on type public.box_change is 'Answer of a command on a box or pallet: did it change anything, its event, the box now, how many units it holds.';

create function private.boxes_of(p_box text)
returns text[] language plpgsql stable set search_path = '' as $$
begin
  return array(select b.code from public.boxes b where b.code = p_box or b.parent = p_box order by b.code);
end $$;
comment on function private.boxes_of is 'The box, or the pallet with its boxes, by code.';

create function private.begin_box(p_permission text, p_box text, p_request_id uuid, p_rpc text, p_args jsonb)
returns private.unit_command language plpgsql set search_path = '' as $$
declare
  v_command private.unit_command;
  v_site text := (select b.site from public.boxes b where b.code = upper(private.clean_code(p_box)));
begin
  v_command.actor := private.authorize(p_permission, null, v_site);
  v_command.request_id := p_request_id;
  if v_site is null then
    perform private.fail(404, 'box.unknown', 'There is no box ' || coalesce(p_box, '') || '.', jsonb_build_object('box', p_box));
  end if;
  v_command.answer := private.replay(v_command.actor, p_request_id, p_rpc, p_args);
  return v_command;
end $$;
comment on function private.begin_box is
'Guard and replay for a command on one box; it locks units first, then boxes. Errors: those of authorize, box.unknown (404), request.reused (422).';

create function private.lock_box(p_box text)
returns public.boxes language plpgsql set search_path = '' as $$
declare
  v_box public.boxes;
begin
  select b.* into v_box from public.boxes b where b.code = upper(private.clean_code(p_box)) for update;
  return v_box;
end $$;

create function private.finish_box(p_command private.unit_command, p_box text, p_event text, p_payload jsonb default '{}')
returns public.box_change language plpgsql set search_path = '' as $$
declare
  v_change public.box_change;
begin
  if p_command.answer is not null then
    return jsonb_populate_record(null::public.box_change, p_command.answer);
  end if;
  v_change.box := (select b from public.boxes b where b.code = p_box);
  v_change.units := (select count(*) from public.units u where u.box_code = any (private.boxes_of(p_box)));
  v_change.changed := p_event is not null;
  if v_change.changed then
    v_change.event_id := private.emit('box', p_box, p_event, p_command.actor,
      p_payload || jsonb_build_object('version', (v_change.box).version, 'units', v_change.units), null, (v_change.box).site);
  end if;
  perform private.remember(p_command.actor, p_command.request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function private.finish_box is 'Emits the event (null: nothing was changed) and answers.';

create function private.refuse_sealed(p_box public.boxes)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if p_box.shipped_at is not null then
    perform private.fail(409, 'box.shipped', format('The box %s was shipped.', p_box.code), jsonb_build_object('box', p_box.code));
  elsif p_box.sealed_at is not null then
    perform private.fail(409, 'box.sealed', format('The box %s is sealed. Open it first.', p_box.code), jsonb_build_object('box', p_box.code));
  end if;
end $$;

create function public.create_box(
  p_kind text default 'box', p_code text default null, p_site text default null, p_request_id uuid default null)
returns public.box_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command;
  v_site text := coalesce(p_site, private.only_site());
  v_code text := nullif(upper(private.clean_code(p_code)), '');
begin
  v_command.actor := private.authorize('units.pack', null, v_site);
  v_command.request_id := p_request_id;
  v_command.answer := private.replay(v_command.actor, p_request_id, 'create_box', jsonb_build_array(p_kind, p_code, p_site));
  if v_command.answer is null then
    perform private.check_batch(1, 'BOX', v_site);
    if coalesce(p_kind, '') not in ('box', 'pallet') then
      perform private.fail(422, 'box.kind', 'Make a box or a pallet.', jsonb_build_object('field', 'p_kind', 'actual', p_kind));
    end if;
    v_code := coalesce(v_code, (private.next_serials(v_site, upper(p_kind), 1))[1]);
    insert into public.boxes (code, kind, site, created_by)
    values (v_code, p_kind, v_site, nullif(v_command.actor, '00000000-0000-0000-0000-000000000000')) on conflict on constraint boxes_pkey do nothing;
    if not found then
      perform private.fail(409, 'box.exists', format('There is a box %s already.', v_code), jsonb_build_object('box', v_code));
    end if;
  end if;
  return private.finish_box(v_command, v_code, 'box.created', jsonb_build_object('kind', p_kind));
end $$;
comment on function public.create_box is
$$A new box (for units) or pallet (for boxes). p_code: what its label says; left out, it gets a number like 2611-BOX-00001.
Permission: units.pack at the site.
Errors: box.kind (422), box.exists (409), unit.where (422), site.unknown (404), request.reused (422); constraint boxes_code_check.
Idempotency: by p_request_id; without it every call makes another.
Locks: the sequence of its numbers.$$;

create function private.pack_into(p_box public.boxes, p_unit public.units, p_actor uuid)
returns boolean language plpgsql set search_path = '' as $$
declare
  v_new public.units := p_unit;
begin
  perform private.check_step(p_unit, 'box', 'put into a box');
  if p_box.kind <> 'box' then
    perform private.fail(409, 'box.kind_mismatch', format('%s is a pallet: put the unit into a box first.', p_box.code), jsonb_build_object('box', p_box.code));
  elsif p_unit.box_code = p_box.code then
    return false;
  elsif p_unit.box_code is not null then
    perform private.fail(409, 'box.elsewhere', format('%s is in the box %s. Take it out there first.', p_unit.sn, p_unit.box_code),
      jsonb_build_object('sn', p_unit.sn, 'box', p_unit.box_code));
  end if;
  v_new.box_code := p_box.code;
  perform private.link('unit', p_unit.sn, 'box', p_box.code);
  perform private.save_unit(p_unit, v_new, 'unit.boxed', p_actor, jsonb_build_object('box', p_box.code));
  return true;
end $$;

create function private.stack_onto(p_pallet public.boxes, p_box public.boxes)
returns boolean language plpgsql set search_path = '' as $$
begin
  if p_pallet.kind <> 'pallet' or p_box.kind <> 'box' then
    perform private.fail(409, 'box.kind_mismatch', 'Boxes go onto pallets, units into boxes.', jsonb_build_object('box', p_box.code, 'into', p_pallet.code));
  elsif p_box.parent = p_pallet.code then
    return false;
  elsif p_box.parent is not null or p_box.shipped_at is not null or p_box.site <> p_pallet.site then
    perform private.fail(409, 'box.elsewhere', format('%s is elsewhere: %s.', p_box.code, coalesce(p_box.parent, 'shipped, or at another site')),
      jsonb_build_object('box', p_box.code, 'parent', p_box.parent));
  end if;
  update public.boxes b set parent = p_pallet.code where b.code = p_box.code;
  perform private.link('box', p_box.code, 'pallet', p_pallet.code);
  return true;
end $$;

create function public.put_in_box(p_box text, p_what text, p_request_id uuid default null)
returns public.box_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_box('units.pack', p_box, p_request_id, 'put_in_box', jsonb_build_array(p_box, p_what));
  v_sn text := private.serial_of(p_what);
  v_unit public.units;
  v_box public.boxes;
  v_inner public.boxes;
  v_changed boolean;
begin
  if v_command.answer is null then
    perform private.begin_genealogy();
    select u.* into v_unit from public.units u where u.sn = v_sn for update;
    perform 1 from public.boxes b where b.code in (upper(private.clean_code(p_box)), upper(private.clean_code(p_what))) order by b.code for update;
    v_box := private.lock_box(p_box);
    v_inner := private.lock_box(p_what);
    perform private.refuse_sealed(v_box);
    if v_unit.sn is null and v_inner.code is null then
      perform private.fail(404, 'unit.unknown', 'There is no unit or box ' || coalesce(p_what, '') || '.', jsonb_build_object('sn', p_what));
    elsif v_unit.site <> v_box.site then
      perform private.fail(422, 'unit.other_site', format('%s is at the site %s.', v_unit.sn, v_unit.site), jsonb_build_object('expected', v_box.site, 'actual', v_unit.site));
    end if;
    v_changed := case when v_unit.sn is not null then private.pack_into(v_box, v_unit, v_command.actor) else private.stack_onto(v_box, v_inner) end;
  end if;
  return private.finish_box(v_command, v_box.code, case when v_changed then 'box.filled' end, jsonb_build_object('what', p_what));
end $$;
comment on function public.put_in_box is
$$A packed unit goes into a box, or a box onto a pallet. What is in there already stays: changed = false.
Permission: units.pack at the site of the box.
Errors: box.unknown (404), unit.unknown (404), unit.wrong_state (409), unit.on_hold (423), unit.other_site (422), box.sealed (409), box.shipped (409),
box.kind_mismatch (409), box.elsewhere (409), request.reused (422).
Idempotency: by p_request_id.
Locks: the genealogy (shared), the unit, the boxes by code.$$;

create function public.take_from_box(p_box text, p_what text, p_request_id uuid default null)
returns public.box_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_box('units.pack', p_box, p_request_id, 'take_from_box', jsonb_build_array(p_box, p_what));
  v_unit public.units;
  v_new public.units;
  v_box public.boxes;
  v_inner text := upper(private.clean_code(p_what));
  v_changed boolean := false;
begin
  if v_command.answer is null then
    select u.* into v_unit from public.units u where u.sn = private.serial_of(p_what) for update;
    v_new := v_unit;
    perform 1 from public.boxes b where b.code in (upper(private.clean_code(p_box)), v_inner) order by b.code for update;
    v_box := private.lock_box(p_box);
    perform private.refuse_sealed(v_box);
    if v_unit.box_code = v_box.code then
      v_new.box_code := null;
      perform private.unlink('unit', v_unit.sn, 'box', v_box.code);
      perform private.save_unit(v_unit, v_new, 'unit.unboxed', v_command.actor, jsonb_build_object('box', v_box.code));
      v_changed := true;
    elsif exists (select 1 from public.boxes b where b.code = v_inner and b.parent = v_box.code) then
      update public.boxes b set parent = null where b.code = v_inner;
      perform private.unlink('box', v_inner, 'pallet', v_box.code);
      v_changed := true;
    end if;
  end if;
  return private.finish_box(v_command, v_box.code, case when v_changed then 'box.emptied' end, jsonb_build_object('what', p_what));
end $$;
comment on function public.take_from_box is
$$A unit comes out of a box, or a box off a pallet. What is not in there is no error: changed = false.
Permission: units.pack at the site of the box.
Errors: box.unknown (404), box.sealed (409), box.shipped (409), request.reused (422).
Idempotency: by p_request_id.
Locks: the unit, the boxes by code.$$;

create function public.seal_box(p_box text, p_is_sealed boolean default true, p_request_id uuid default null)
returns public.box_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_box('units.pack', p_box, p_request_id, 'seal_box', jsonb_build_array(p_box, p_is_sealed));
  v_box public.boxes;
  v_event text;
begin
  if v_command.answer is null then
    if not p_is_sealed then
      perform private.authorize('units.unpack');
    end if;
    v_box := private.lock_box(p_box);
    if v_box.shipped_at is not null then
      perform private.refuse_sealed(v_box);
    elsif (v_box.sealed_at is null) = p_is_sealed then
      update public.boxes b set sealed_at = case when p_is_sealed then now() end where b.code = v_box.code;
      v_event := case when p_is_sealed then 'box.sealed' else 'box.opened' end;
    end if;
  end if;
  return private.finish_box(v_command, v_box.code, v_event);
end $$;
comment on function public.seal_box is
$$Close a box or pallet: nothing goes in or out any more. p_is_sealed false opens it again, as long as it was not shipped.
Permission: units.pack at the site of the box; to open it units.unpack.
Errors: box.unknown (404), box.shipped (409), request.reused (422).
Idempotency: by p_request_id, and by the state.
Locks: the box.$$;

create function private.order_to_ship(p_box public.boxes, p_order text)
returns public.boxes language plpgsql stable set search_path = '' as $$
declare
  v_new public.boxes := p_box;
begin
  select o.row_id into v_new.order_row_id from public.orders o join public.stores st on st.code = o.store where o.id = p_order and st.site = p_box.site;
  if v_new.order_row_id is null then
    select o.id into v_new.production_order_id from public.production_orders o where o.code = p_order and o.site = p_box.site;
  end if;
  if num_nonnulls(v_new.order_row_id, v_new.production_order_id) = 0 then
    perform private.fail(404, 'order.unknown', format('There is no order %s at this site.', p_order), jsonb_build_object('id', p_order));
  end if;
  return v_new;
end $$;
comment on function private.order_to_ship is 'A copy of the box for a ticket (by id) or a production order (by code) of its site. Errors: order.unknown (404).';

create function private.check_shippable(p_box public.boxes)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_ticket public.orders;
  v_order public.production_orders;
begin
  select o.* into v_ticket from public.orders o where o.row_id = p_box.order_row_id;
  select o.* into v_order from public.production_orders o where o.id = p_box.production_order_id;
  perform private.authorize('units.pack', coalesce(v_ticket.store, v_order.store), p_box.site);
  if v_ticket.cancelled_at is not null then
    perform private.fail(409, 'order.cancelled', 'The order ' || v_ticket.id || ' is cancelled: nothing is sent.', jsonb_build_object('id', v_ticket.id));
  elsif v_order.status = 'CANCELLED' then
    perform private.refuse_closed(v_order);
  end if;
end $$;
comment on function private.check_shippable is
'Something may be sent to the order of this box, by the caller. Errors: those of authorize, order.cancelled (409), production.closed (409).';

create function private.ship_units(p_boxes text[], p_order text, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_unit public.units;
  v_new public.units;
begin
  for v_unit in select u.* from public.units u where u.box_code = any (p_boxes) order by u.sn loop
    if v_unit.status <> 'IN_FINISHED_STOCK' then
      perform private.refuse_unit_state(v_unit, 'shipped');
    end if;
    v_new := v_unit;
    v_new.shipped_at := now();
    perform private.save_unit(v_unit, v_new, 'unit.shipped', p_actor, jsonb_build_object('order', p_order, 'box', v_unit.box_code));
  end loop;
end $$;

create function public.ship_box(p_box text, p_order text, p_request_id uuid default null)
returns public.box_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_box('units.pack', p_box, p_request_id, 'ship_box', jsonb_build_array(p_box, p_order));
  v_codes text[] := private.boxes_of(upper(private.clean_code(p_box)));
  v_box public.boxes;
  v_new public.boxes;
begin
  if v_command.answer is null then
    perform private.begin_genealogy();
    perform 1 from public.units u where u.box_code = any (v_codes) order by u.sn for update;
    perform 1 from public.boxes b where b.code = any (v_codes) order by b.code for update;
    v_box := private.lock_box(p_box);
    v_new := private.order_to_ship(v_box, p_order);
    if v_box.shipped_at is not null and (v_new.order_row_id, v_new.production_order_id) is distinct from (v_box.order_row_id, v_box.production_order_id)
       or v_box.parent is not null then
      perform private.fail(409, 'box.elsewhere', format('%s stands on a pallet, or went to another order.', v_box.code), jsonb_build_object('box', v_box.code));
    elsif v_box.shipped_at is null and (v_box.sealed_at is null or v_codes <> private.boxes_of(v_box.code)) then
      perform private.fail(409, 'box.not_sealed', format('Seal %s first.', v_box.code), jsonb_build_object('box', v_box.code));
    elsif v_box.shipped_at is null then
      perform private.check_shippable(v_new);
      perform private.ship_units(v_codes, p_order, v_command.actor);
      update public.boxes b set shipped_at = now(), sealed_at = coalesce(b.sealed_at, now()), order_row_id = v_new.order_row_id,
        production_order_id = v_new.production_order_id where b.code = any (v_codes);
      perform private.link(v_box.kind, v_box.code, case when v_new.order_row_id is null then 'production_order' else 'order' end, p_order);
    end if;
  end if;
  return private.finish_box(v_command, v_box.code, case when v_box.shipped_at is null then 'box.shipped' end, jsonb_build_object('order', p_order));
end $$;
comment on function public.ship_box is
$$A sealed box, or a pallet with its boxes, leaves with an order: p_order is the id of a ticket or the code of a production order. Its units are
in stock until then; the order takes them out of stock as it takes everything else.
Permission: units.pack at the site of the box, and in the store of the order.
Errors: box.unknown (404), order.unknown (404), order.cancelled (409), production.closed (409), box.not_sealed (409), box.elsewhere (409), unit.wrong_state (409), unit.on_hold (423), request.reused (422).
Idempotency: by p_request_id; shipped with this order already: changed = false.
Locks: the genealogy (shared), the units by serial, the boxes by code.$$;

grant execute on function public.create_box, public.put_in_box, public.take_from_box, public.seal_box, public.ship_box to authenticated, service_role;

-- sql/M10_units/api_variants.sql

create function public.upsert_variant(
  p_code text, p_title text default null, p_product_code text default null, p_sku text default null, p_language_set text default null,
  p_is_active boolean default null, p_version integer default null, p_request_id uuid default null)
returns public.product_variants language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('units.plan');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'upsert_variant',
    jsonb_build_array(p_code, p_title, p_product_code, p_sku, p_language_set, p_is_active, p_version));
  v_old public.product_variants;
  v_variant public.product_variants;
  v_sku text;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.product_variants, v_stored);
  end if;
  v_sku := case when p_sku is not null then (private.find_item(p_sku)).sku end;
  select v.* into v_old from public.product_variants v where v.code = p_code for update;
  if v_old.version <> p_version then
    perform private.fail(409, 'variant.stale', 'Somebody else changed this variant. Look again.',
      jsonb_build_object('expected', p_version, 'actual', v_old.version));
  end if;
  insert into public.product_variants as v (code, title, product_code, sku, default_language_set, is_active)
  values (p_code, coalesce(p_title, p_code), coalesce(p_product_code, v_old.product_code, private.setting('units.product_code') #>> '{}'), v_sku,
    coalesce(p_language_set, 'EN'), coalesce(p_is_active, true))
  on conflict on constraint product_variants_pkey do update
    set title = coalesce(p_title, v.title), product_code = coalesce(p_product_code, v.product_code), sku = coalesce(v_sku, v.sku),
        default_language_set = coalesce(p_language_set, v.default_language_set), is_active = coalesce(p_is_active, v.is_active)
  returning * into v_variant;
  perform private.emit('variant', p_code, 'variant.saved', v_actor, jsonb_build_object('version', v_variant.version,
    'before', to_jsonb(v_old), 'after', to_jsonb(v_variant)));
  perform private.remember(v_actor, p_request_id, to_jsonb(v_variant));
  return v_variant;
end $$;
comment on function public.upsert_variant is
$$Add or change a variant; what is not given stays as it is. p_product_code: 2–8 capitals and digits; p_language_set like NL-EN; p_sku: its
finished item; p_version: refuse when somebody else changed it since.
Permission: units.plan.
Errors: item.unknown (404), variant.stale (409), request.reused (422); constraints by name (product_variants_product_code_check …).
Idempotency: by p_request_id; saving the same again only counts the version.
Locks: the variant: nobody packs one meanwhile.$$;

create function private.lock_variant(p_variant text)
returns public.product_variants language plpgsql set search_path = '' as $$
declare
  v_variant public.product_variants;
begin
  select v.* into v_variant from public.product_variants v where v.code = p_variant for update;
  if v_variant.code is null then
    perform private.find_variant(p_variant);
  end if;
  return v_variant;
end $$;
comment on function private.lock_variant is 'The variant, locked: nobody packs one, and nobody else changes its rules. Errors: variant.unknown (404).';

create function public.save_variant_rules(p_variant text, p_rules jsonb, p_note text default null, p_request_id uuid default null)
returns public.variant_rules language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('units.plan');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'save_variant_rules', jsonb_build_array(p_variant, p_rules, p_note));
  v_rules public.variant_rules;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.variant_rules, v_stored);
  end if;
  perform private.lock_variant(p_variant);
  perform private.check_length('p_note', p_note, 500);
  v_rules := private.rules_of(p_variant, p_rules);
  insert into public.variant_rules (variant, version, allowed_hw_revs, firmware, packaging, manual, required_tests, required_components, note, created_by)
  values (p_variant, 1 + coalesce((select max(r.version) from public.variant_rules r where r.variant = p_variant), 0), v_rules.allowed_hw_revs,
    v_rules.firmware, v_rules.packaging, v_rules.manual, v_rules.required_tests, v_rules.required_components, p_note,
    nullif(v_actor, '00000000-0000-0000-0000-000000000000'))
  returning * into v_rules;
  perform private.emit('variant', p_variant, 'variant.rules_saved', v_actor, jsonb_build_object('version', v_rules.version));
  perform private.remember(v_actor, p_request_id, to_jsonb(v_rules));
  return v_rules;
end $$;
comment on function public.save_variant_rules is
$$A new version of the rules, as a draft: activate_variant_rules puts it in force. p_rules {allowed_hw_revs, firmware {required_prefix, range,
build_hash, require_build_hash}, packaging {require_device_label, kit_required}, manual {language_set, min_insert_versions}, required_tests
[{test, limits {metric: {min, max, unit}}}], required_components [{sku, quantity}]}; what is missing is not asked.
Permission: units.plan.
Errors: variant.unknown (404), rules.invalid (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it every call makes another version.
Locks: the variant.$$;

create function public.activate_variant_rules(p_variant text, p_version integer, p_request_id uuid default null)
returns public.variant_rules language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('units.plan');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'activate_variant_rules', jsonb_build_array(p_variant, p_version));
  v_rules public.variant_rules;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.variant_rules, v_stored);
  end if;
  perform private.lock_variant(p_variant);
  select r.* into v_rules from public.variant_rules r where r.variant = p_variant and r.version = p_version;
  if v_rules.id is null then
    perform private.fail(404, 'rules.unknown', format('%s has no rules of version %s.', p_variant, p_version),
      jsonb_build_object('variant', p_variant, 'version', p_version));
  elsif not v_rules.is_active then
    update public.variant_rules r set is_active = false where r.variant = p_variant and r.is_active;
    update public.variant_rules r set is_active = true, activated_at = now(), activated_by = nullif(v_actor, '00000000-0000-0000-0000-000000000000')
     where r.id = v_rules.id returning r.* into v_rules;
    perform private.emit('variant', p_variant, 'variant.rules_activated', v_actor, jsonb_build_object('version', p_version));
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_rules));
  return v_rules;
end $$;
comment on function public.activate_variant_rules is
$$These rules are in force from now on, for every unit of the variant that is not packed yet. An older version can be put in force again.
Permission: units.plan.
Errors: variant.unknown (404), rules.unknown (404), request.reused (422).
Idempotency: by p_request_id; rules in force stay so.
Locks: the variant: nobody packs one meanwhile.$$;

create type public.rules_preview as (units bigint, pass_now bigint, pass_then bigint, newly_failing jsonb, newly_passing jsonb);
comment on type public.rules_preview is
$$What other rules would do to the units of a variant that are not packed: how many there are, could be packed now, could be packed then, and
which would change [{sn, status, blockers}], at most 100 each. blockers are those that are new, or that would go.$$;

create function public.preview_variant_rules(p_variant text, p_rules jsonb)
returns public.rules_preview language plpgsql stable security definer set search_path = '' as $$
declare
  v_variant public.product_variants;
  v_rules public.variant_rules;
  v_active public.variant_rules;
  v_preview public.rules_preview;
begin
  perform private.authorize('units.plan');
  v_variant := private.find_variant(p_variant);
  v_rules := private.rules_of(p_variant, p_rules);
  v_active := private.active_rules(p_variant);
  with open as (
    select u.sn, u.status, private.blockers_under(u, v_variant, v_active) as now, private.blockers_under(u, v_variant, v_rules) as later
      from public.units u where u.variant_code = p_variant and u.packed_at is null and u.status <> 'SCRAPPED' order by u.sn limit 1000
  ), changed as (
    select o.sn, o.status, o.now = '[]' as passed, o.later = '[]' as passes,
        (select jsonb_agg(b) from jsonb_array_elements(o.later) b where not o.now @> jsonb_build_array(jsonb_build_object('code', b -> 'code'))) as added,
        (select jsonb_agg(b) from jsonb_array_elements(o.now) b where not o.later @> jsonb_build_array(jsonb_build_object('code', b -> 'code'))) as gone
      from open o
  )
  select count(*), count(*) filter (where c.passed), count(*) filter (where c.passes),
      coalesce((select jsonb_agg(jsonb_build_object('sn', x.sn, 'status', x.status, 'blockers', x.added) order by x.sn)
        from (select * from changed y where y.added is not null order by y.sn limit 100) x), '[]'),
      coalesce((select jsonb_agg(jsonb_build_object('sn', x.sn, 'status', x.status, 'blockers', x.gone) order by x.sn)
        from (select * from changed y where y.gone is not null order by y.sn limit 100) x), '[]')
    into v_preview from changed c;
  return v_preview;
end $$;
comment on function public.preview_variant_rules is
$$Which open units would newly fail under these rules (of at most 1000, oldest first), and which blockers would go. p_rules as in save_variant_rules.
Permission: units.plan.
Errors: variant.unknown (404), rules.invalid (422).
Idempotency: a read.
Locks: none.$$;

-- Kits -------------------------------------------------------------------------------------------------------------

create function private.check_kits(p_kits jsonb)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_wrong text;
begin
  if coalesce(jsonb_typeof(p_kits), '') <> 'array' or jsonb_array_length(p_kits) not between 1 and 1000 then
    v_wrong := 'give a list of 1 to 1000';
  else
    select coalesce(k ->> 'kit_id', '(without kit_id)') into v_wrong from jsonb_array_elements(p_kits) k
     where jsonb_typeof(k) <> 'object' or coalesce(length(k ->> 'kit_id'), 0) = 0 or coalesce(k ->> 'language_set', '') !~ '^[A-Z]{2,3}(-[A-Z]{2,3}){0,9}$'
        or coalesce(jsonb_typeof(k -> 'variants'), '') <> 'array' or coalesce(jsonb_typeof(k -> 'insert_versions'), 'object') <> 'object'
        or private.insert_misfit(k -> 'insert_versions', '') is not null
        or exists (select 1 from jsonb_array_elements_text(case jsonb_typeof(k -> 'variants') when 'array' then k -> 'variants' else '[]' end) v
          where not exists (select 1 from public.product_variants p where p.code = v)) limit 1;
  end if;
  if v_wrong is not null then
    perform private.fail(422, 'kit.invalid', 'Kits look like {"kit_id": "K-1", "language_set": "NL-EN", "variants": ["A"], "insert_versions": '
      || '{"manual": "3"}}, with variants that exist. Wrong: ' || v_wrong || '.', jsonb_build_object('field', 'p_kits', 'kit', v_wrong));
  end if;
end $$;

create function public.register_kits(p_kits jsonb, p_request_id uuid default null)
returns setof public.packaging_kits language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('units.plan');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'register_kits', jsonb_build_array(p_kits));
  v_used text;
  v_ids text[];
begin
  if v_stored is null then
    perform private.check_kits(p_kits);
    v_ids := array(select distinct k ->> 'kit_id' from jsonb_array_elements(p_kits) k order by 1);
    perform 1 from public.packaging_kits k where k.kit_id = any (v_ids) order by k.kit_id for update;
    select k.kit_id into v_used from public.packaging_kits k where k.kit_id = any (v_ids) and k.used_by_sn is not null order by 1 limit 1;
    if v_used is not null then
      perform private.fail(409, 'kit.used', format('The kit %s was packed already.', v_used), jsonb_build_object('kit_id', v_used));
    end if;
    insert into public.packaging_kits as k (kit_id, language_set, variants, insert_versions)
    select distinct on (i ->> 'kit_id') i ->> 'kit_id', i ->> 'language_set', array(select jsonb_array_elements_text(i -> 'variants')),
        coalesce(i -> 'insert_versions', '{}') from jsonb_array_elements(p_kits) i order by i ->> 'kit_id'
    on conflict on constraint packaging_kits_pkey do update set language_set = excluded.language_set, variants = excluded.variants,
      insert_versions = excluded.insert_versions;
    perform private.emit('kit', v_ids[1], 'kit.registered', v_actor, jsonb_build_object('count', cardinality(v_ids), 'last', v_ids[cardinality(v_ids)]));
    select jsonb_agg(to_jsonb(k) order by k.kit_id) into v_stored from public.packaging_kits k where k.kit_id = any (v_ids);
    perform private.remember(v_actor, p_request_id, v_stored);
  end if;
  return query select k.* from jsonb_populate_recordset(null::public.packaging_kits, v_stored) k;
end $$;
comment on function public.register_kits is
$$Packaging kits as they are made up: p_kits [{kit_id, language_set, variants, insert_versions}], 1–1000. A kit that is there and not packed is changed.
Permission: units.plan.
Errors: kit.invalid (422), kit.used (409), request.reused (422).
Idempotency: by p_request_id, and by kit_id.
Locks: the kits, by id.$$;

create function public.set_kit_active(p_kit_id text, p_is_active boolean, p_request_id uuid default null)
returns public.packaging_kits language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('units.plan');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'set_kit_active', jsonb_build_array(p_kit_id, p_is_active));
  v_kit public.packaging_kits;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.packaging_kits, v_stored);
  end if;
  select k.* into v_kit from public.packaging_kits k where k.kit_id = p_kit_id for update;
  if v_kit.kit_id is null then
    perform private.fail(404, 'kit.unknown', 'There is no kit ' || coalesce(p_kit_id, '') || '.', jsonb_build_object('kit_id', p_kit_id));
  elsif v_kit.is_active is distinct from p_is_active then
    update public.packaging_kits k set is_active = p_is_active where k.kit_id = p_kit_id returning k.* into v_kit;
    perform private.emit('kit', p_kit_id, case when p_is_active then 'kit.activated' else 'kit.deactivated' end, v_actor,
      jsonb_build_object('version', v_kit.version));
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_kit));
  return v_kit;
end $$;
comment on function public.set_kit_active is
$$Take a kit out of use, or back. Out of use it is packed with nothing.
Permission: units.plan.
Errors: kit.unknown (404), request.reused (422).
Idempotency: by p_request_id, and by the state.
Locks: the kit.$$;

grant execute on function public.upsert_variant, public.save_variant_rules, public.activate_variant_rules, public.preview_variant_rules,
  public.register_kits, public.set_kit_active to authenticated, service_role;

-- sql/M10_units/api_reads.sql

create type public.unit_page as (units public.units[], next_cursor text, total bigint);
comment on type public.unit_page is 'A page of units, newest serial first; next_cursor is null on the last page; total only when asked for.';

create function private.unit_filter(
  p_status public.unit_status[], p_variant text, p_product_code text, p_search text, p_production_order text, p_box text, p_shipped boolean)
returns setof text language plpgsql stable set search_path = '' set plan_cache_mode = force_custom_plan as $$
begin
  return query
    select u.sn from public.units u
     where (p_status is null or u.status = any (p_status)) and (p_variant is null or u.variant_code = p_variant)
       and (p_product_code is null or u.product_code = p_product_code) and (p_box is null or u.box_code = p_box)
       and (p_shipped is null or (u.shipped_at is not null) = p_shipped)
       and (p_production_order is null or u.production_order_id = (select o.id from public.production_orders o where o.code = p_production_order))
       and (p_search is null or position(upper(p_search) in concat_ws(' ', u.sn, upper(u.variant_code), upper(u.kit_id))) > 0);
end $$;

create function private.unit_page(p_limit integer, p_sns text[])
returns public.unit_page language plpgsql stable set search_path = '' as $$
declare
  v_page public.unit_page;
begin
  v_page.units := array(select u from public.units u where u.sn = any (p_sns) order by u.sn desc limit p_limit);
  if cardinality(p_sns) > p_limit then
    v_page.next_cursor := private.cursor_of(jsonb_build_array((v_page.units[p_limit]).sn));
  end if;
  return v_page;
end $$;
comment on function private.unit_page is 'A page of these units, newest serial first; one more than fits says that there is another page.';

create function public.get_units(
  p_status public.unit_status[] default null, p_variant text default null, p_product_code text default null, p_search text default null,
  p_production_order text default null, p_box text default null, p_cursor text default null, p_limit integer default 100,
  p_with_total boolean default false)
returns public.unit_page language plpgsql stable security definer set search_path = '' as $$
declare
  v_after text;
  v_limit integer := least(greatest(coalesce(p_limit, 100), 1), 500);
  v_page public.unit_page;
begin
  perform private.authorize('units.read');
  v_after := private.keys_of(p_cursor, 1) ->> 0;
  v_page := private.unit_page(v_limit, array(
    select f.sn from private.unit_filter(p_status, p_variant, p_product_code, p_search, p_production_order, p_box, null) f (sn)
     where v_after is null or f.sn < v_after order by f.sn desc limit v_limit + 1));
  if p_with_total then
    v_page.total := (select count(*) from private.unit_filter(p_status, p_variant, p_product_code, p_search, p_production_order, p_box, null));
  end if;
  return v_page;
end $$;
comment on function public.get_units is
$$Units, newest serial first. p_search in serial, variant and kit. p_limit 1–500; total only with p_with_total.
Permission: units.read.
Errors: request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

create function public.get_finished_units(
  p_variant text default null, p_search text default null, p_cursor text default null, p_limit integer default 100, p_with_total boolean default false)
returns public.unit_page language plpgsql stable security definer set search_path = '' as $$
declare
  v_after text;
  v_limit integer := least(greatest(coalesce(p_limit, 100), 1), 500);
  v_page public.unit_page;
begin
  perform private.authorize('units.read');
  v_after := private.keys_of(p_cursor, 1) ->> 0;
  v_page := private.unit_page(v_limit, array(
    select f.sn from private.unit_filter('{IN_FINISHED_STOCK}', p_variant, null, p_search, null, null, false) f (sn)
     where v_after is null or f.sn < v_after order by f.sn desc limit v_limit + 1));
  if p_with_total then
    v_page.total := (select count(*) from private.unit_filter('{IN_FINISHED_STOCK}', p_variant, null, p_search, null, null, false));
  end if;
  return v_page;
end $$;
comment on function public.get_finished_units is
$$Units in finished stock that were not shipped, newest serial first. p_limit 1–500; total only with p_with_total.
Permission: units.read.
Errors: request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

create function private.unit_tests(p_sn text)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    select coalesce(jsonb_agg(to_jsonb(r) || jsonb_build_object('actor_name', private.actor_name(r.actor_id), 'measurements', (
        select coalesce(jsonb_agg(to_jsonb(m) - 'run_id' order by m.metric), '[]') from public.test_measurements m where m.run_id = r.id)) order by r.id desc), '[]')
      from (select t.* from public.test_runs t where t.sn = p_sn order by t.id desc limit 20) r);
end $$;

create function private.unit_history(p_sn text)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object('id', e.id, 'at', e.at, 'event', e.event, 'actor_id', e.actor_id,
        'actor_name', private.actor_name(e.actor_id), 'station', e.station, 'payload', e.payload) order by e.id desc), '[]')
      from (select v.* from public.events v where v.stream = 'unit' and v.stream_id = p_sn order by v.id desc limit 200) e);
end $$;

create function public.get_unit(p_sn text)
returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
  v_unit public.units;
  v_tests jsonb;
begin
  select u.* into v_unit from public.units u where u.sn = private.serial_of(p_sn);
  perform private.authorize('units.read', null, v_unit.site);
  if v_unit.sn is null then
    perform private.fail(404, 'unit.unknown', 'There is no unit ' || coalesce(p_sn, '') || '.', jsonb_build_object('sn', p_sn));
  end if;
  v_tests := private.unit_tests(v_unit.sn);
  return jsonb_build_object(
    'unit', to_jsonb(v_unit), 'next_action', private.next_unit_action(v_unit),
    'actions', private.unit_actions(v_unit),
    'next_statuses', (select coalesce(jsonb_agg(t.to_status order by t.to_status), '[]') from private.unit_transitions t where t.from_status = v_unit.status),
    'variant', (select to_jsonb(v) from public.product_variants v where v.code = v_unit.variant_code),
    'production_order', (select o.code from public.production_orders o where o.id = v_unit.production_order_id),
    'kit', (select to_jsonb(k) from public.packaging_kits k where k.kit_id = v_unit.kit_id),
    'box', (select to_jsonb(b) from public.boxes b where b.code = v_unit.box_code),
    'label', (select jsonb_build_object('state', l.state, 'job_id', l.job_id) from public.print_job_labels l
      where l.subject = v_unit.sn and l.purpose = 'unit_device' order by l.print_no desc limit 1),
    'last_test', v_tests -> 0, 'tests', v_tests, 'gate', private.gate_of(v_unit),
    'events', private.unit_history(v_unit.sn), 'genealogy', private.genealogy(v_unit.sn));
end $$;
comment on function public.get_unit is
$$Everything about one unit: {unit, next_action, actions (what its status and the role of the caller allow: flash, test, assemble, assign, install,
kit, pack, stock, box, unpack, label, rework, hold, release, scrap), next_statuses, variant, production_order, kit, box, label {state, job_id}, last_test, tests (20, newest
first, with measurements), gate {allowed, blockers, expected} as it is now, events (200, newest first), genealogy {node, made_of, went_into, edges}}.
Permission: units.read at the site of the unit.
Errors: unit.unknown (404).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_units, public.get_finished_units, public.get_unit to authenticated, service_role;

-- sql/M10_units/api_components.sql

-- What goes into a unit, and comes out of it again.

create type public.component_change as (
  changed boolean, event_id bigint, component public.unit_components, unit public.units, next_action text);
comment on type public.component_change is 'Answer of install and uninstall: did it change anything, its event, the component, the unit now, what to do next.';

create type private.component_found as (sku text, lot public.lots, inner_sn text);
comment on type private.component_found is 'What was scanned as a component: its item, its lot if it has one, and its serial when it is a unit of ours.';

create function private.find_component(p_sku text, p_lot text, p_component_sn text)
returns private.component_found language plpgsql stable set search_path = '' as $$
declare
  v_found private.component_found;
  v_inner public.units;
  v_lot public.lots;
begin
  if p_sku is not null then
    v_found.sku := (private.find_item(p_sku)).sku;
  end if;
  if p_lot is not null then
    v_lot := private.find_lot(v_found.sku, p_lot);
    v_found.lot := v_lot;
    v_found.sku := v_lot.sku;
  end if;
  if p_component_sn is not null then
    select u.* into v_inner from public.units u where u.sn = private.serial_of(p_component_sn);
    v_found.inner_sn := v_inner.sn;
    v_found.sku := coalesce(v_found.sku, (select v.sku from public.product_variants v where v.code = v_inner.variant_code));
  end if;
  if v_found.sku is null then
    perform private.fail(422, 'component.sku_required', 'Say which item it is, or scan its lot.',
      jsonb_build_object('field', 'p_sku', 'component_sn', p_component_sn));
  end if;
  return v_found;
end $$;

create function private.check_component(p_unit public.units, p_found private.component_found, p_component_sn text, p_quantity numeric)
returns void language plpgsql set search_path = '' as $$
declare
  v_lot public.lots;
  v_inner public.units;
  v_where text;
begin
  select l.* into v_lot from public.lots l where l.id = (p_found.lot).id for share;
  perform private.refuse_lot_elsewhere(v_lot, p_unit.site);
  select u.* into v_inner from public.units u where u.sn = p_found.inner_sn;
  select c.sn into v_where from public.unit_components c
   where c.component_sn = coalesce(p_found.inner_sn, p_component_sn) and c.sku = p_found.sku and c.removed_at is null;
  if v_lot.held_at is not null then
    perform private.fail(423, 'lot.on_hold', format('Lot %s of %s is on hold: %s Use another one.', v_lot.code, v_lot.sku, v_lot.hold_reason),
      jsonb_build_object('lot', v_lot.code, 'sku', v_lot.sku, 'reason', v_lot.hold_reason));
  elsif p_component_sn is not null and p_quantity <> 1 then
    perform private.fail(422, 'component.one_serial', 'A serial number is one piece.', jsonb_build_object('field', 'p_quantity', 'actual', p_quantity));
  elsif v_where is not null then
    perform private.fail(409, 'component.elsewhere', format('%s is built into %s. Take it out there first.', p_component_sn, v_where),
      jsonb_build_object('component_sn', p_component_sn, 'built_into', v_where));
  elsif v_inner.sn = p_unit.sn then
    perform private.fail(409, 'trace.circle', 'A unit is not a part of itself.', jsonb_build_object('parent', v_inner.sn, 'child', p_unit.sn));
  elsif v_inner.status in ('ON_HOLD', 'SCRAPPED') then
    perform private.refuse_unit_state(v_inner, 'built in');
  elsif v_inner.box_code is not null then
    perform private.fail(409, 'component.in_box', format('%s is in box %s. Take it out first.', v_inner.sn, v_inner.box_code),
      jsonb_build_object('component_sn', v_inner.sn, 'box', v_inner.box_code));
  end if;
end $$;
comment on function private.check_component is
$$Errors: lot.on_hold (423), component.one_serial (422), component.elsewhere (409), trace.circle (409), unit.on_hold (423), unit.wrong_state (409),
component.in_box (409). Locks: the lot, shared, until the transaction ends: nobody holds it between this look and the commit.$$;

create function private.begin_assembly(
  p_sn text, p_inner_sn text, p_request_id uuid, p_rpc text, p_args jsonb)
returns private.unit_command language plpgsql set search_path = '' as $$
declare
  v_command private.unit_command;
begin
  perform private.begin_genealogy();
  perform 1 from public.units u where u.sn in (private.serial_of(p_sn), private.serial_of(p_inner_sn)) order by u.sn for update;
  v_command := private.begin_unit('units.assemble', p_sn, p_request_id, p_rpc, p_args);
  if v_command.answer is null then
    perform private.check_step(v_command.unit, 'install', 'changed');
    perform private.refuse_built_in((v_command.unit).sn);
  end if;
  return v_command;
end $$;
comment on function private.begin_assembly is
$$Guard, replay and locks for a change of what is in a unit. Errors: those of begin_unit, unit.wrong_state (409), unit.on_hold (423),
unit.built_in (409). Locks: the genealogy, shared, then the unit and the one that goes in, by serial.$$;

create function private.finish_assembly(
  p_command private.unit_command, p_component public.unit_components, p_event text, p_invalidates boolean, p_payload jsonb)
returns public.component_change language plpgsql set search_path = '' as $$
declare
  v_saved public.unit_change := private.save_unit(p_command.unit, case when p_invalidates then private.invalidate_tests(p_command.unit)
    else p_command.unit end, p_event, p_command.actor, jsonb_strip_nulls(p_payload));
  v_change public.component_change := row(true, v_saved.event_id, p_component, v_saved.unit, v_saved.next_action)::public.component_change;
begin
  perform private.remember(p_command.actor, p_command.request_id, to_jsonb(v_change));
  return v_change;
end $$;

create function private.component_unchanged(p_command private.unit_command, p_component public.unit_components)
returns public.component_change language plpgsql set search_path = '' as $$
declare
  v_change public.component_change := row(false, null, p_component, p_command.unit, private.next_unit_action(p_command.unit))::public.component_change;
begin
  perform private.remember(p_command.actor, p_command.request_id, to_jsonb(v_change));
  return v_change;
end $$;

create function private.link_component(p_component public.unit_components, p_is_in boolean)
returns void language plpgsql set search_path = '' as $$
declare
  v_lot text := (select l.code from public.lots l where l.id = p_component.lot_id);
  v_kind text;
  v_key text;
begin
  for v_kind, v_key in
    select 'lot', v_lot where v_lot is not null
    union all
    select case when exists (select from public.units u where u.sn = p_component.component_sn) then 'unit' else 'serial' end, p_component.component_sn
     where p_component.component_sn is not null
    union all
    select 'item', p_component.sku where num_nonnulls(p_component.lot_id, p_component.component_sn) = 0
  loop
    if p_is_in then
      perform private.link(v_kind, v_key, 'unit', p_component.sn, p_component.quantity, case when v_kind <> 'unit' then p_component.sku end);
    else
      perform private.unlink(v_kind, v_key, 'unit', p_component.sn, p_component.quantity, case when v_kind <> 'unit' then p_component.sku end);
    end if;
  end loop;
end $$;
comment on function private.link_component is 'The edges of a component: from its lot, from its serial or unit, and from its item when it has neither.';

create function private.take_component(p_unit public.units, p_sku text, p_quantity numeric, p_location text, p_actor uuid)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_place public.locations := private.place(p_location);
  v_id bigint;
begin
  perform private.check_place(v_place, p_location);
  v_id := private.post_txn((private.item_to_move(p_sku)).sku, v_place.code, 'consume', -p_quantity, 'unit', p_unit.sn, null, p_actor);
  perform private.allocate(array[p_sku], jsonb_build_object('event', 'unit.component_installed', 'ref', p_unit.sn));
  return v_id;
end $$;
comment on function private.take_component is
  'Takes a component from the shelf. Errors: location.unknown (404), location.inactive (409), item.not_stocked (422), stock.short (409). Locks: the item.';

create function private.put_back_component(p_component public.unit_components, p_reason text, p_actor uuid)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_taken public.inventory_txn;
  v_id bigint;
begin
  select t.* into v_taken from public.inventory_txn t where t.id = p_component.txn_id;
  if v_taken.id is null then
    return null;
  end if;
  v_id := private.post_txn(v_taken.sku, v_taken.location, v_taken.kind, -v_taken.quantity, v_taken.ref_stream, v_taken.ref_id, p_reason, p_actor,
    v_taken.unit_cost, null, v_taken.id);
  perform private.allocate(array[v_taken.sku], jsonb_build_object('event', 'unit.component_removed', 'ref', v_taken.ref_id));
  return v_id;
end $$;
comment on function private.put_back_component is 'What was taken from the shelf goes back there; null when nothing was taken. Locks: the item.';

create function public.install_component(
  p_sn text, p_sku text default null, p_lot text default null, p_component_sn text default null, p_quantity numeric default 1,
  p_location text default null, p_request_id uuid default null)
returns public.component_change language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('units.assemble');
  v_command private.unit_command := private.begin_assembly(p_sn, p_component_sn, p_request_id, 'install_component',
    jsonb_build_array(p_sn, p_sku, p_lot, p_component_sn, p_quantity, p_location));
  v_found private.component_found;
  v_component public.unit_components;
begin
  if v_command.answer is not null then
    return jsonb_populate_record(null::public.component_change, v_command.answer);
  end if;
  perform private.check_quantity('p_quantity', p_quantity);
  v_found := private.find_component(p_sku, p_lot, nullif(trim(p_component_sn), ''));
  v_component.component_sn := coalesce(v_found.inner_sn, nullif(trim(p_component_sn), ''));
  select c.* into v_component from public.unit_components c where c.sn = (v_command.unit).sn and c.sku = v_found.sku
    and c.component_sn = v_component.component_sn and c.removed_at is null;
  if v_component.id is not null then
    return private.component_unchanged(v_command, v_component);
  end if;
  v_component.component_sn := coalesce(v_found.inner_sn, nullif(trim(p_component_sn), ''));
  perform private.check_component(v_command.unit, v_found, v_component.component_sn, p_quantity);
  insert into public.unit_components as c (sn, sku, lot_id, component_sn, quantity, installed_by)
  values ((v_command.unit).sn, v_found.sku, (v_found.lot).id, v_component.component_sn, p_quantity,
    nullif(v_actor, '00000000-0000-0000-0000-000000000000'))
  returning c.* into v_component;
  perform private.link_component(v_component, true);
  if p_location is not null then
    perform private.authorize('inventory.move', null, (private.place(p_location)).site);
    update public.unit_components c set txn_id = private.take_component(v_command.unit, v_found.sku, p_quantity, p_location, v_actor)
     where c.id = v_component.id returning c.* into v_component;
  end if;
  return private.finish_assembly(v_command, v_component, 'unit.component_installed', (v_command.unit).status = 'ASSEMBLED', jsonb_build_object(
    'component_id', v_component.id, 'sku', v_found.sku, 'lot', (v_found.lot).code, 'component_sn', v_component.component_sn,
    'quantity', trim_scale(p_quantity), 'txn_id', v_component.txn_id));
end $$;
comment on function public.install_component is
$$This went into the unit: so much of an item, of a lot (p_lot), or one piece with a serial number (p_component_sn: one of our units, or the
number on a bought part). p_sku may be left out when the lot or the unit says it. p_location: take it from the shelf there; without it stock is
not touched. Into an assembled unit it is a change that earlier tests do not survive.
Permission: units.assemble at the unit's site; inventory.move too when it is taken from the shelf.
Errors: unit.unknown (404), unit.wrong_state (409), unit.on_hold (423), unit.built_in (409), item.unknown (404), lot.unknown (404), lot.ambiguous (409), lot.on_hold (423), component.sku_required (422), component.one_serial (422), component.elsewhere (409), component.in_box (409), trace.circle (409), stock.quantity (422), location.unknown (404), location.inactive (409), item.not_stocked (422), stock.short (409), request.reused (422).
Idempotency: by p_request_id; the same serial number again changes nothing, the same lot again adds to it.
Locks: the genealogy (shared), the units by serial, the lot (shared), then the item.$$;

create function public.uninstall_component(
  p_component_id bigint, p_removal text default 'recovered', p_reason text default null, p_request_id uuid default null)
returns public.component_change language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('units.assemble');
  v_component public.unit_components := (select c from public.unit_components c where c.id = p_component_id);
  v_command private.unit_command;
  v_txn bigint;
begin
  if v_component.id is null then
    perform private.fail(404, 'component.unknown', 'There is no such component.', jsonb_build_object('component_id', p_component_id));
  end if;
  v_command := private.begin_assembly(v_component.sn, v_component.component_sn, p_request_id, 'uninstall_component',
    jsonb_build_array(p_component_id, p_removal, p_reason));
  if v_command.answer is not null then
    return jsonb_populate_record(null::public.component_change, v_command.answer);
  end if;
  select c.* into v_component from public.unit_components c where c.id = p_component_id;
  perform private.check_length('p_reason', p_reason, 500);
  if v_component.removed_at is not null then
    return private.component_unchanged(v_command, v_component);
  elsif p_removal is null or p_removal not in ('recovered', 'scrapped') then
    perform private.fail(422, 'component.removal', 'Say what becomes of it: recovered or scrapped.', jsonb_build_object('field', 'p_removal', 'actual', p_removal));
  elsif p_removal = 'scrapped' and exists (select from public.units u where u.sn = v_component.component_sn) then
    perform private.fail(422, 'component.is_unit', format('%s is a unit of its own: take it out as recovered, then scrap it.', v_component.component_sn),
      jsonb_build_object('field', 'p_removal', 'component_sn', v_component.component_sn));
  end if;
  update public.unit_components c
     set removed_at = now(), removed_by = nullif(v_actor, '00000000-0000-0000-0000-000000000000'), removal = p_removal, remove_reason = p_reason
   where c.id = p_component_id returning c.* into v_component;
  perform private.link_component(v_component, false);
  v_txn := case when p_removal = 'recovered' then private.put_back_component(v_component, p_reason, v_actor) end;
  update public.units u set hold_location = a.place   -- on hold it comes back to no shelf that others are promised from
    from private.set_aside(array(select i.sn from public.units i where i.sn = v_component.component_sn and i.status = 'ON_HOLD'), p_reason, v_actor, '{}') a
   where u.sn = a.sn;
  return private.finish_assembly(v_command, v_component, 'unit.component_removed', true, jsonb_build_object(
    'component_id', v_component.id, 'sku', v_component.sku, 'lot_id', v_component.lot_id, 'component_sn', v_component.component_sn,
    'quantity', trim_scale(v_component.quantity), 'removal', p_removal, 'reason', p_reason,
    'txn_id', v_txn));
end $$;
comment on function public.uninstall_component is
$$Taken out of the unit again, as it was installed (p_component_id). p_removal recovered: it may be used again, and goes back on the shelf if it
was taken from there; scrapped: it is thrown away. Earlier tests of the unit no longer count.
Permission: units.assemble at the unit's site.
Errors: component.unknown (404), unit.wrong_state (409), unit.on_hold (423), unit.built_in (409), component.removal (422), component.is_unit (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; what is out already stays as it is.
Locks: the genealogy (shared), the units by serial, then the item.$$;

grant execute on function public.install_component, public.uninstall_component to authenticated, service_role;

-- sql/M10_units/api_recall.sql

-- One scan → what is affected, and who has it → hold → export.

create type private.trace_query as (
  kind text, key text, sku text, first text, last text, since timestamptz, until timestamptz, with_removed boolean);
comment on type private.trace_query is 'What to trace: a key; or an item with a range of codes or of time; or a range of unit serials.';

create type public.trace_result as (
  starts public.trace_entry[], counts jsonb, entries public.trace_entry[], edges jsonb, is_complete boolean);
comment on type public.trace_result is
$$starts: what was asked for. counts: {unit, lot, serial, item, box, pallet, order, production_order: how many, customer_orders, status: {of units:
how many}}, of all. entries: the first of each kind, by key. edges [{parent, child, quantity, at, removed_at}] between nodes of the entries, only
when is_complete: when the entries are all there is.$$;

create function private.trace_query(p_trace jsonb)
returns private.trace_query language plpgsql stable set search_path = '' as $$
declare
  v_query private.trace_query;
begin
  if jsonb_typeof(p_trace) is distinct from 'object'
     or exists (select from jsonb_object_keys(p_trace) k where k not in ('kind', 'key', 'sku', 'first', 'last', 'since', 'until', 'with_removed')) then
    perform private.fail(422, 'trace.query', 'A trace is {kind, key, sku, first, last, since, until, with_removed}.', jsonb_build_object('actual', p_trace));
  end if;
  v_query := jsonb_populate_record(null::private.trace_query, p_trace);
  if v_query.key is null and v_query.sku is null and (v_query.kind is distinct from 'unit' or num_nonnulls(v_query.first, v_query.last) = 0)
     or v_query.key is not null and num_nonnulls(v_query.first, v_query.last, v_query.since, v_query.until) > 0 then
    perform private.fail(422, 'trace.query', 'Say what to trace: a code, an item (with a range of codes or of time), or a range of unit serials.',
      jsonb_build_object('actual', p_trace));
  end if;
  if v_query.sku is not null then
    v_query.sku := (private.find_item(v_query.sku)).sku;
  end if;
  v_query.with_removed := coalesce(v_query.with_removed, false);
  return v_query;
exception when invalid_text_representation or invalid_datetime_format or datetime_field_overflow then
  perform private.fail(422, 'trace.query', 'A trace is {kind, key, sku, first, last, since, until, with_removed}: ' || sqlerrm,
    jsonb_build_object('actual', p_trace));
  return null;
end $$;

create function private.starts_of_key(p_query private.trace_query)
returns bigint[] language plpgsql stable set search_path = '' as $$
declare
  v_found public.trace_nodes[] := array(
    select n from public.trace_nodes n
     where n.key in (trim(p_query.key), upper(trim(p_query.key)), lower(trim(p_query.key)))
       and (p_query.kind is null or n.kind = p_query.kind) and (p_query.sku is null or n.sku = p_query.sku)
    union
    select n from public.lots l join public.trace_nodes n on n.kind = 'lot' and n.sku = l.sku and n.key = l.code
     where lower(l.code) = lower(trim(p_query.key)) and coalesce(p_query.kind, 'lot') = 'lot' and (p_query.sku is null or l.sku = p_query.sku)
     limit 21);
begin
  if cardinality(v_found) > 1 then
    perform private.fail(409, 'trace.ambiguous', format('%s means more than one thing. Say which.', p_query.key),
      jsonb_build_object('key', p_query.key, 'candidates', (select jsonb_agg(jsonb_build_object('kind', n.kind, 'key', n.key, 'sku', n.sku)
        order by n.kind, n.sku) from unnest(v_found) n)));
  end if;
  return array(select n.id from unnest(v_found) n);
end $$;

create function private.starts_of_range(p_query private.trace_query)
returns bigint[] language plpgsql stable set search_path = '' as $$
declare
  v_variants text[] := array(select v.code from public.product_variants v where v.sku = p_query.sku);
  v_starts bigint[] := '{}';
begin
  if num_nonnulls(p_query.since, p_query.until) = 0 then   -- lots and serials by code; pieces that have neither only as a whole
    v_starts := array(
      select n.id from public.trace_nodes n
       where n.sku = p_query.sku and coalesce(p_query.kind, n.kind) = n.kind
         and (p_query.first is null or n.key >= p_query.first) and (p_query.last is null or n.key <= p_query.last));
  else
    v_starts := array(
      select distinct e.child from public.trace_nodes n join public.trace_edges e on e.parent = n.id
       where n.sku = p_query.sku and coalesce(p_query.kind, n.kind) = n.kind
         and (p_query.first is null or n.key >= p_query.first) and (p_query.last is null or n.key <= p_query.last)
         and e.at >= coalesce(p_query.since, '-infinity') and e.at <= coalesce(p_query.until, 'infinity')
         and (p_query.with_removed or e.removed_at is null));
  end if;
  if coalesce(p_query.kind, 'unit') = 'unit' and (p_query.sku is null or cardinality(v_variants) > 0) then
    v_starts := v_starts || array(   -- finished units of the item, or of any
      select n.id from public.units u join public.trace_nodes n on n.kind = 'unit' and n.key = u.sn
       where (p_query.sku is null or u.variant_code = any (v_variants))
         and (p_query.first is null or u.sn >= p_query.first) and (p_query.last is null or u.sn <= p_query.last)
         and (p_query.since is null or u.created_at >= p_query.since) and (p_query.until is null or u.created_at <= p_query.until));
  end if;
  return v_starts;
end $$;
comment on function private.starts_of_range is
  'Codes are compared as text. With a time, starts are what the item went into in that time: a lot of which more was used elsewhere is not one.';

create function private.trace_starts(p_query private.trace_query)
returns bigint[] language plpgsql stable set search_path = '' as $$
declare
  v_starts bigint[] := case when p_query.key is not null then private.starts_of_key(p_query) else private.starts_of_range(p_query) end;
begin
  if cardinality(v_starts) = 0 then
    perform private.fail(404, 'trace.unknown', 'Nothing is known of ' || coalesce(p_query.key, p_query.sku, 'these units')
      || ': no lot, serial, unit, box or order.', jsonb_strip_nulls(to_jsonb(p_query)));
  end if;
  return v_starts;
end $$;
comment on function private.trace_starts is 'Nodes that a trace begins with. Errors: trace.unknown (404), trace.ambiguous (409).';

create type private.trace_summary as (counts jsonb, listed bigint[]);

create function private.trace_summary(p_nodes bigint[], p_limit integer)
returns private.trace_summary language plpgsql stable set search_path = '' as $$
declare
  v_summary private.trace_summary;
begin
  with found as materialized (
    select n.id, n.kind, n.key, n.sku from unnest(p_nodes) r (id) join public.trace_nodes n on n.id = r.id
  ), kinds as (
    select f.kind, count(*) as n from found f group by f.kind
  ), status as (
    select u.status, count(*) as n from found f join public.units u on u.sn = f.key where f.kind = 'unit' group by u.status
  )
  select (select coalesce(jsonb_object_agg(k.kind, k.n), '{}') from kinds k) || jsonb_build_object(
      'status', (select coalesce(jsonb_object_agg(s.status, s.n), '{}') from status s),
      'customer_orders', (select count(distinct (o.store, o.order_number)) from found f join public.orders o on o.id = f.key where f.kind = 'order')),
    array(select t.id from kinds k cross join lateral (   -- the first of each kind: never a sort of all
      select f.id from found f where f.kind = k.kind order by f.key, f.sku limit p_limit) t)
    into v_summary.counts, v_summary.listed;
  return v_summary;
end $$;
comment on function private.trace_summary is 'Counts of the nodes as in trace_result, and the first p_limit of each kind.';

create function private.trace_result(p_query private.trace_query, p_starts bigint[], p_forward boolean, p_limit integer)
returns public.trace_result language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  v_limit integer := least(greatest(coalesce(p_limit, 100), 1), 1000);
  v_nodes bigint[] := array(select t.node from private.trace(p_starts, p_forward, p_query.with_removed) t (node));
  v_summary private.trace_summary := private.trace_summary(v_nodes, v_limit);
  v_result public.trace_result;
begin
  v_result.starts := array(select e from private.trace_entries(p_starts[1:v_limit]) e);
  v_result.counts := v_summary.counts;
  v_result.entries := array(select e from private.trace_entries(v_summary.listed) e);
  v_result.is_complete := cardinality(v_summary.listed) = cardinality(v_nodes);
  v_result.edges := case when v_result.is_complete then private.trace_edges_among(v_summary.listed, p_query.with_removed) else '[]' end;
  return v_result;
end $$;
-- One plan, by index, for ten nodes and for a quarter of a million: planning anew costs more than a small trace takes.

create function public.trace_forward(
  p_key text default null, p_kind text default null, p_sku text default null, p_first text default null, p_last text default null,
  p_since timestamptz default null, p_until timestamptz default null, p_with_removed boolean default false, p_limit integer default 100)
returns public.trace_result language plpgsql stable security definer set search_path = '' as $$
declare
  v_query private.trace_query;
begin
  perform private.authorize('units.read');
  v_query := private.trace_query(jsonb_build_object('kind', p_kind, 'key', p_key, 'sku', p_sku, 'first', p_first, 'last', p_last,
    'since', p_since, 'until', p_until, 'with_removed', p_with_removed));
  return private.trace_result(v_query, private.trace_starts(v_query), true, p_limit);
end $$;
comment on function public.trace_forward is
$$What a thing went into, through every level, to units, boxes, pallets and customer orders. p_key: a scanned code (a lot, a serial of a part or of
a unit, a box …; p_kind and p_sku where it means several things). Or p_sku with p_first and p_last (codes of its lots and serials, compared as
text) or p_since and p_until (when it was used). Or p_kind unit with p_first and p_last. p_with_removed: also through what was taken out again.
p_limit 1–1000 entries of each kind.
Permission: units.read; names of customers only for those who may read the orders of their store.
Errors: trace.unknown (404), trace.ambiguous (409), trace.query (422), item.unknown (404).
Idempotency: a read.
Locks: none.$$;

create function public.trace_back(p_sn text, p_kind text default null, p_sku text default null, p_with_removed boolean default false, p_limit integer default 100)
returns public.trace_result language plpgsql stable security definer set search_path = '' as $$
declare
  v_query private.trace_query;
begin
  perform private.authorize('units.read');
  v_query := private.trace_query(jsonb_build_object('kind', p_kind, 'key', p_sn, 'sku', p_sku, 'with_removed', p_with_removed));
  return private.trace_result(v_query, private.trace_starts(v_query), false, p_limit);
end $$;
comment on function public.trace_back is
$$What a unit is made of, through every level: units within it, serials and lots, and the lots of those lots. Also for a box, a pallet, an order or a
lot. p_limit 1–1000 entries of each kind.
Permission: units.read.
Errors: trace.unknown (404), trace.ambiguous (409), trace.query (422), item.unknown (404).
Idempotency: a read.
Locks: none.$$;

-- Hold ---------------------------------------------------------------------------------------------------------------

create type public.hold_result as (changed boolean, event_id bigint, units_held integer, units_held_before integer, units_scrapped integer,
  lots_held integer, lots_held_before integer, customer_orders integer, recall_id bigint);
comment on type public.hold_result is
$$What hold_all held now, what was held before or is scrapped and was left as it is, and how many customer orders are affected. recall_id: what
release_all takes; null when there is nothing to hold.$$;

create function private.check_recall(p_sns text[])
returns void language plpgsql stable set search_path = '' as $$
begin
  perform private.authorize('units.recall', null, s.site) from (select distinct u.site from unnest(p_sns) r (sn) join public.units u on u.sn = r.sn) s;
end $$;
comment on function private.check_recall is 'Refuses who may not recall at the site of each of these units.';

create function private.recall_units(p_nodes bigint[])
returns text[] language plpgsql stable set search_path = '' as $$
declare
  v_sns text[] := array(select n.key from unnest(p_nodes) r (id) join public.trace_nodes n on n.id = r.id where n.kind = 'unit');
begin
  perform private.check_recall(v_sns);
  return v_sns;
end $$;
comment on function private.recall_units is 'Serials of the units among the nodes. Refuses who may not recall at the site of each.';

create function private.open_recall(p_trace jsonb, p_reason text, p_actor uuid)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_id bigint;
begin
  select r.id into v_id from private.recalls r where r.trace = p_trace and r.released_at is null for update;
  if v_id is null then
    insert into private.recalls (trace, reason, held_by) values (p_trace, p_reason, nullif(p_actor, '00000000-0000-0000-0000-000000000000'))
    returning id into v_id;
  end if;
  return v_id;
end $$;
comment on function private.open_recall is 'The open recall of this trace, or a new one. The genealogy is locked alone. Locks: the recall.';

create function private.claim(p_recall bigint, p_kind text, p_keys text[], p_held text[])
returns bigint language plpgsql set search_path = '' as $$
declare
  v_new bigint;
begin
  with claimed as (
    insert into private.recall_claims as c (recall_id, kind, key, is_cause)
    select p_recall, p_kind, k.key, h.key is not null from unnest(p_keys) k (key) left join unnest(p_held) h (key) on h.key = k.key
    on conflict on constraint recall_claims_pkey do update set is_cause = true where excluded.is_cause returning 1
  )
  select count(*) into v_new from claimed;
  return v_new;
end $$;
comment on function private.claim is 'The recall wants these held; p_held are on hold because of it. Answers how many it did not want before. They are locked.';

create function private.hold_for_recall(
  p_result public.hold_result, p_sns text[], p_lots bigint[], p_reason text, p_actor uuid, p_detail jsonb)
returns public.hold_result language plpgsql set search_path = '' as $$
declare
  v_result public.hold_result := p_result;
  v_lots constant bigint[] := private.hold_lots(p_lots, p_reason, p_actor, p_detail);
  v_sns constant text[] := private.hold_units(p_sns, p_reason, p_actor, p_detail);
  v_new constant bigint := private.claim(p_result.recall_id, 'unit', p_sns, v_sns) + private.claim(p_result.recall_id, 'lot',
    array(select l::text from unnest(p_lots) l), array(select l::text from unnest(v_lots) l));
begin
  v_result.changed := v_new > 0;
  v_result.units_held := cardinality(v_sns);
  v_result.units_held_before := cardinality(p_sns) - cardinality(v_sns);
  v_result.lots_held := cardinality(v_lots);
  v_result.lots_held_before := cardinality(p_lots) - cardinality(v_lots);
  if not exists (select from private.recall_claims c where c.recall_id = p_result.recall_id) then
    delete from private.recalls r where r.id = p_result.recall_id;
    v_result.recall_id := null;
  end if;
  return v_result;
end $$;
comment on function private.hold_for_recall is 'Holds the locked units and the lots, and remembers that this recall wants them held. Locks: the lots by id, then the items in stock.';

create function public.hold_all(p_trace jsonb, p_reason text, p_request_id uuid default null)
returns public.hold_result language plpgsql security definer set search_path = '' set statement_timeout = '100s' as $$
declare
  v_actor uuid := private.authorize('units.recall');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'hold_all', jsonb_build_array(p_trace, p_reason));
  v_query private.trace_query;
  v_nodes bigint[];
  v_sns text[];
  v_lots bigint[];
  v_detail jsonb;
  v_result public.hold_result;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.hold_result, v_answer);
  end if;
  perform private.check_unit_reason(p_reason);
  v_query := private.trace_query(p_trace);
  perform private.begin_genealogy(true);   -- from here to the end nothing is built from what is being held
  v_nodes := array(select t.node from private.trace(private.trace_starts(v_query), true, v_query.with_removed) t (node));
  v_sns := private.recall_units(v_nodes);
  v_lots := array(select l.id from unnest(v_nodes) r (id) join public.trace_nodes n on n.id = r.id and n.kind = 'lot'
    join public.lots l on l.sku = n.sku and lower(l.code) = lower(n.key));
  perform private.authorize_lots(v_lots, 'units.recall');
  v_result.recall_id := private.open_recall(p_trace, p_reason, v_actor);
  v_detail := jsonb_build_object('recall', p_trace, 'recall_id', v_result.recall_id);
  perform 1 from public.units u where u.sn = any (v_sns) order by u.sn for update;
  v_result.units_scrapped := cardinality(v_sns);
  v_sns := array(select u.sn from public.units u where u.sn = any (v_sns) and u.status <> 'SCRAPPED');
  v_result.units_scrapped := v_result.units_scrapped - cardinality(v_sns);
  v_result := private.hold_for_recall(v_result, v_sns, v_lots, p_reason, v_actor, v_detail);
  v_result.customer_orders := ((private.trace_summary(v_nodes, 0)).counts ->> 'customer_orders')::integer;
  if v_result.changed then
    v_result.event_id := private.emit('recall', coalesce(v_query.key, v_query.sku, v_query.first, v_query.last), 'recall.held', v_actor,
      jsonb_build_object('trace', p_trace, 'reason', p_reason) || to_jsonb(v_result) - 'changed' - 'event_id');
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_result));
  return v_result;
end $$;
comment on function public.hold_all is
$$Everything that a trace forward reaches goes on hold in one step: every unit that is not scrapped, packed or in stock or not, and every lot.
p_trace {kind, key, sku, first, last, since, until, with_removed} as the arguments of trace_forward. It is traced anew under a lock: what was built
since somebody looked is held too, and nothing is built meanwhile. What was on hold before is wanted by this recall too from now on, and does not
become free before both are over. The same trace again adds to the recall that is open; release_all ends it.
Permission: units.recall, at the sites of all its units, and of the orders of all its lots.
Errors: trace.unknown (404), trace.ambiguous (409), trace.query (422), item.unknown (404), unit.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; what is on hold already stays so.
Locks: the genealogy, alone; the recall; the units by serial, the lots by id, then the items in stock and the order lines they are promised to.$$;

grant execute on function public.trace_forward, public.trace_back, public.hold_all to authenticated, service_role;

-- sql/M10_units/api_release.sql

create type public.release_result as (
  changed boolean, event_id bigint, recall_id bigint, units_released integer, units_kept integer, lots_released integer, lots_kept integer);
comment on type public.release_result is
  'What release_all released, and what stays on hold because another recall wants it too. What was released or scrapped by hand before is in neither.';

create function private.claimed(p_recall bigint, p_kind text)
returns text[] language plpgsql stable set search_path = '' as $$
begin
  return array(select c.key from private.recall_claims c where c.recall_id = p_recall and c.kind = p_kind and c.is_cause order by c.key);
end $$;
comment on function private.claimed is 'What is on hold because of this recall.';

create function public.release_all(p_recall_id bigint, p_reason text default null, p_request_id uuid default null)
returns public.release_result language plpgsql security definer set search_path = '' set statement_timeout = '100s' as $$
declare
  v_actor uuid := private.authorize('units.recall');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'release_all', jsonb_build_array(p_recall_id, p_reason));
  v_recall private.recalls;
  v_sns text[];
  v_lots bigint[];
  v_detail jsonb;
  v_result public.release_result;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.release_result, v_answer);
  end if;
  perform private.check_unit_reason(p_reason);
  select r.* into v_recall from private.recalls r where r.id = p_recall_id for update;
  if v_recall.id is null then
    perform private.fail(404, 'recall.unknown', 'There is no such recall.', jsonb_build_object('recall_id', p_recall_id));
  end if;
  perform private.check_recall(array(select c.key from private.recall_claims c where c.recall_id = p_recall_id and c.kind = 'unit'));
  perform private.authorize_lots(array(select c.key::bigint from private.recall_claims c where c.recall_id = p_recall_id and c.kind = 'lot'), 'units.recall');
  v_result := row(v_recall.released_at is null, null, p_recall_id, 0, 0, 0, 0);
  if v_result.changed then
    v_detail := jsonb_build_object('recall', v_recall.trace, 'recall_id', p_recall_id);
    perform 1 from public.units u where u.sn = any (private.claimed(p_recall_id, 'unit')) order by u.sn for update;
    perform 1 from public.lots l where l.id = any (private.claimed(p_recall_id, 'lot')::bigint[]) order by l.id for update;
    v_sns := private.claimed(p_recall_id, 'unit');   -- under their locks: what somebody released meanwhile is not among them
    v_lots := private.claimed(p_recall_id, 'lot')::bigint[];
    delete from private.recall_claims c where c.recall_id = p_recall_id;
    v_result.lots_released := cardinality(private.end_lot_holds(v_lots, p_reason, v_actor, v_detail));
    v_result.units_released := cardinality(private.end_holds(v_sns, p_reason, v_actor, v_detail));
    v_result.units_kept := cardinality(v_sns) - v_result.units_released;
    v_result.lots_kept := cardinality(v_lots) - v_result.lots_released;
    update private.recalls r set released_at = now(), release_reason = p_reason,
        released_by = nullif(v_actor, '00000000-0000-0000-0000-000000000000') where r.id = p_recall_id;
    v_result.event_id := private.emit('recall', coalesce(v_recall.trace ->> 'key', v_recall.trace ->> 'sku', v_recall.trace ->> 'first',
      v_recall.trace ->> 'last'), 'recall.released', v_actor, v_detail || jsonb_build_object('reason', p_reason, 'held_because', v_recall.reason)
      || to_jsonb(v_result) - 'changed' - 'event_id');
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_result));
  return v_result;
end $$;
comment on function public.release_all is
$$Takes one hold_all back: everything that is on hold because of it is what it was before, units in any status and lots, and pieces in stock are free
again. What was on hold before it stays so, for its own reason; what another open recall wants held stays on hold for that one. What somebody
released by hand, and then held for something else, is not touched.
Permission: units.recall, at the sites of all its units, and of the orders of all its lots.
Errors: recall.unknown (404), unit.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; a recall that is over stays so: changed = false.
Locks: the recall; the units by serial, the lots by id, then the items in stock and the order lines they go to.$$;

create type public.recall_entry as (
  recall_id bigint, trace jsonb, reason text, held_at timestamptz, held_by_name text, units_on_hold bigint, lots_on_hold bigint,
  released_at timestamptz, released_by_name text, release_reason text);
comment on type public.recall_entry is 'One hold_all: what was traced, why, who, what is still on hold because of it; who released it, and why.';

create function public.get_recalls(p_with_released boolean default false, p_limit integer default 50)
returns setof public.recall_entry language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('units.read');
  return query
    select r.id, r.trace, r.reason, r.held_at, private.actor_name(r.held_by), c.units, c.lots, r.released_at, private.actor_name(r.released_by),
        r.release_reason
      from (select x.* from private.recalls x where p_with_released or x.released_at is null order by x.id desc
             limit least(greatest(coalesce(p_limit, 50), 1), 500)) r
     cross join lateral (select count(*) filter (where k.kind = 'unit') as units, count(*) filter (where k.kind = 'lot') as lots
        from private.recall_claims k where k.recall_id = r.id and k.is_cause) c
     order by r.id desc;
end $$;
comment on function public.get_recalls is
$$The recalls that are open, newest first, with what each still holds; with p_with_released those that are over too. p_limit 1–500.
Permission: units.read.
Errors: auth.forbidden (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.release_all, public.get_recalls to authenticated, service_role;

-- sql/M10_units/api_export.sql

-- The list of affected units, page by page: a recall that reaches a quarter of a million of them is read as a stream.

create type public.recall_export as (export_id uuid, units bigint);
comment on type public.recall_export is 'What get_recall_export reads, for a day, and how many units are in it.';

create function public.start_recall_export(p_trace jsonb, p_request_id uuid default null)
returns public.recall_export language plpgsql security definer set search_path = '' set statement_timeout = '60s' as $$
declare
  v_actor uuid := private.authorize('units.recall');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'start_recall_export', jsonb_build_array(p_trace));
  v_query private.trace_query;
  v_nodes bigint[];
  v_export public.recall_export;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.recall_export, v_answer);
  end if;
  v_query := private.trace_query(p_trace);
  v_nodes := array(select t.node from private.trace(private.trace_starts(v_query), true, v_query.with_removed) t (node));
  v_export.units := cardinality(private.recall_units(v_nodes));
  insert into private.recall_exports (actor_id, trace) values (v_actor, p_trace) returning id into v_export.export_id;
  insert into private.recall_export_nodes (export_id, kind, key, node)
  select v_export.export_id, n.kind, n.key, n.id from unnest(v_nodes) r (id) join public.trace_nodes n on n.id = r.id order by n.kind, n.key, n.id;
  perform private.emit('recall', coalesce(v_query.key, v_query.sku, v_query.first, v_query.last), 'recall.exported', v_actor,
    jsonb_build_object('trace', p_trace, 'units', v_export.units));
  perform private.remember(v_actor, p_request_id, to_jsonb(v_export));
  return v_export;
end $$;
comment on function public.start_recall_export is
$$Find what a trace forward reaches and keep the list for a day, so that its pages belong together. p_trace as for hold_all. That it was exported,
by whom, stays among the events.
Permission: units.recall, at the sites of all its units.
Errors: trace.unknown (404), trace.ambiguous (409), trace.query (422), item.unknown (404), request.reused (422).
Idempotency: by p_request_id; without it every call makes another list.
Locks: none.$$;

create type public.recall_row as (
  sn text, site text, product_code text, variant_code text, variant_title text, status text, hw_rev text, fw_version text, through text[],
  box_code text, pallet_code text, store text, order_number text, order_id text, production_order text, customer_name text, created_at timestamptz,
  packed_at timestamptz, held_at timestamptz, hold_reason text);
comment on type public.recall_row is
$$An affected unit, as it is now. through: what of the trace is directly in it ("lot CELL L-77"). Box, pallet and order also when it sits in
another unit that went there. customer_name only for those who may read the orders of the store.$$;
create type public.recall_page as (rows public.recall_row[], next_cursor text);
comment on type public.recall_page is 'A page of affected units by serial; next_cursor is null on the last page.';

create function private.recall_through(p_export uuid, p_units bigint[], p_with_removed boolean)
returns table (unit bigint, through text[]) language plpgsql stable set search_path = '' as $$
begin
  return query
    select e.child, array_agg(concat_ws(' ', n.kind, n.sku, case when n.kind <> 'item' then n.key end) order by n.kind, n.sku, n.key)
      from unnest(p_units) p (id) join public.trace_edges e on e.child = p.id and (p_with_removed or e.removed_at is null)
      join public.trace_nodes n on n.id = e.parent
     where exists (select from private.recall_export_nodes x where x.export_id = p_export and x.kind = n.kind and x.key = n.key and x.node = n.id)
     group by e.child;
end $$;
comment on function private.recall_through is 'What of the trace is directly in each of the units.';

create function private.recall_whereabouts(p_units bigint[], p_with_removed boolean)
returns table (unit bigint, box text, pallet text, ticket text, production_order text)
language plpgsql stable set search_path = '' set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  return query   -- by index only: how much a recursion finds cannot be guessed, and a page is a small part of a large graph
    with recursive above (unit, node) as (
      select p.id, p.id from unnest(p_units) p (id)
      union
      select a.unit, e.child from above a join public.trace_edges e on e.parent = a.node where p_with_removed or e.removed_at is null
    )
    select a.unit, max(n.key) filter (where n.kind = 'box'), max(n.key) filter (where n.kind = 'pallet'),
        max(n.key) filter (where n.kind = 'order'), max(n.key) filter (where n.kind = 'production_order')
      from above a join public.trace_nodes n on n.id = a.node and n.kind in ('box', 'pallet', 'order', 'production_order')
     group by a.unit;
end $$;
comment on function private.recall_whereabouts is 'Where each of the units is, also by way of a unit that it is built into.';

create function private.recall_rows(p_export uuid, p_after text, p_limit integer, p_with_removed boolean)
returns public.recall_row[] language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  v_stores text[] := private.readable_stores('orders.read');
  v_units bigint[];
begin
  v_units := array(
    select x.node from private.recall_export_nodes x
     where x.export_id = p_export and x.kind = 'unit' and x.key > coalesce(p_after, '') order by x.key limit p_limit);
  return array(
    select row(u.sn, u.site, u.product_code, u.variant_code, v.title, u.status, u.hw_rev, u.fw_version, c.through, w.box, w.pallet,
        o.store, o.order_number, w.ticket, w.production_order, case when o.store = any (v_stores) then o.customer_name end,
        u.created_at, u.packed_at, u.held_at, u.hold_reason)::public.recall_row
      from unnest(v_units) with ordinality as p (id, place)
      join public.trace_nodes n on n.id = p.id
      join public.units u on u.sn = n.key
      left join public.product_variants v on v.code = u.variant_code
      left join private.recall_whereabouts(v_units, p_with_removed) w on w.unit = p.id
      left join private.recall_through(p_export, v_units, p_with_removed) c on c.unit = p.id
      left join public.orders o on o.id = w.ticket
     order by p.place);
end $$;

create function public.get_recall_export(p_export_id uuid, p_cursor text default null, p_limit integer default 1000)
returns public.recall_page language plpgsql stable security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('units.recall');
  v_after jsonb := private.keys_of(p_cursor, 1);
  v_limit integer := least(greatest(coalesce(p_limit, 1000), 1), 5000);
  v_export private.recall_exports := (select x from private.recall_exports x where x.id = p_export_id and x.actor_id = v_actor);
  v_page public.recall_page;
begin
  if v_export.id is null then
    perform private.fail(404, 'recall.no_export', 'This export is not there any more. Start it again.', jsonb_build_object('export_id', p_export_id));
  end if;
  v_page.rows := private.recall_rows(v_export.id, v_after ->> 0, v_limit, coalesce((v_export.trace ->> 'with_removed')::boolean, false));
  if cardinality(v_page.rows) = v_limit then
    v_page.next_cursor := private.cursor_of(jsonb_build_array((v_page.rows[v_limit]).sn));
  end if;
  return v_page;
end $$;
comment on function public.get_recall_export is
$$The next page of an export that the caller started: affected units by serial, as they are now. p_limit 1–5000.
Permission: units.recall.
Errors: recall.no_export (404), request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

create function private.purge_recall_exports(p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
begin
  delete from private.recall_exports x where x.created_at < p_now - interval '1 day';
  delete from private.recall_export_nodes n where not exists (select from private.recall_exports x where x.id = n.export_id);
end $$;
comment on function private.purge_recall_exports is 'Exports of yesterday go; that they were made stays among the events.';

grant execute on function public.start_recall_export, public.get_recall_export to authenticated, service_role;

-- sql/M10_units/views.sql

create view public.unit_events with (security_invoker = on) as
select e.id, e.stream_id as sn, case e.event
    when 'unit.created' then 'UNIT_CREATED' when 'unit.variant_assigned' then 'UNIT_ASSIGNED_TO_VARIANT' when 'unit.flashed' then 'FLASH_OK'
    when 'unit.flash_failed' then 'FLASH_FAIL' when 'unit.tested' then 'TEST_' || (e.payload ->> 'result') when 'unit.assembled' then 'ASSEMBLY_DONE'
    when 'unit.kit_scanned' then 'PACK_KIT_SCANNED' when 'unit.packed' then 'PACK_FINALIZED' when 'unit.pack_refused' then 'PACK_FINALIZED'
    when 'unit.moved_to_stock' then 'MOVE_TO_STOCK' else upper(replace(split_part(e.event, '.', 2), '.', '_')) end as event_type,
  e.event, e.station as station_id, e.actor_id as operator_id, e.at as created_at, e.payload
from public.events e
where e.stream = 'unit';
comment on view public.unit_events is 'What happened to units, in the old words. A refused pack is a PACK_FINALIZED whose payload says allowed = false.';

-- sql/M10_units/seed.sql

select private.allow(p, d, r) from (values
  ('units.read', 'See units, tests, kits and the pack gate', '{viewer,operator,technician,supervisor,planner,manager,admin,device.fixture,service}'::text[]),
  ('units.create', 'Create units with new serials', '{operator,technician,supervisor,planner,manager,admin,service}'),
  ('units.assign', 'Say which variant a unit becomes', '{operator,technician,supervisor,planner,manager,admin,service}'),
  ('units.flash', 'Record flashed firmware', '{operator,technician,supervisor,manager,admin,device.fixture,service}'),
  ('units.assemble', 'Record assembly, install and remove parts', '{operator,technician,supervisor,manager,admin,service}'),
  ('units.test', 'Record test results', '{operator,technician,supervisor,manager,admin,device.fixture}'),
  ('units.pack', 'Pack units, move them to stock, fill and ship boxes', '{operator,technician,supervisor,manager,admin,service}'),
  ('units.unpack', 'Unpack units, open sealed boxes', '{supervisor,manager,admin}'),
  ('units.rework', 'Send units to rework', '{operator,technician,supervisor,manager,admin,service}'),
  ('units.scrap', 'Scrap units', '{technician,supervisor,manager,admin,service}'),
  ('units.hold', 'Hold units and lots, and release them', '{technician,supervisor,planner,manager,admin,service}'),
  ('units.plan', 'Change variants, rules and packaging kits', '{planner,manager,admin,service}'),
  ('units.recall', 'Trace, hold and export everything affected', '{supervisor,planner,manager,admin,service}')
) as t (p, d, r);

insert into public.setting_definitions (key, scope, type, bounds, default_value, title, description, position) values
  ('units.product_code', 'site', 'text', '{"max_length": 8}', '"GN"', 'Product code', 'Of new units, where none is given: 2 to 8 capital letters and digits.', 80),
  ('units.serial_digits', 'site', 'integer', '{"min": 3, "max": 9}', '5', 'Serial digits', 'How wide the running number of a serial is, at least.', 81);

insert into private.scheduled_jobs (name, function_name, every) values ('forget recall exports', 'purge_recall_exports', '1 hour');

-- sql/M10_units/policies.sql

alter table public.product_variants enable row level security;
alter table public.variant_rules enable row level security;
alter table public.units enable row level security;
alter table public.boxes enable row level security;
alter table public.test_runs enable row level security;
alter table public.test_measurements enable row level security;
alter table public.packaging_kits enable row level security;
alter table public.unit_components enable row level security;
alter table public.lots enable row level security;
alter table public.trace_nodes enable row level security;
alter table public.trace_edges enable row level security;
alter table private.serial_sequences enable row level security;
alter table private.unit_transitions enable row level security;
alter table private.recall_exports enable row level security;
alter table private.recall_export_nodes enable row level security;
alter table private.recalls enable row level security;
alter table private.recall_claims enable row level security;

create policy select_active on public.product_variants for select to authenticated using ((select private.may('units.read')));
create policy select_active on public.variant_rules for select to authenticated using ((select private.may('units.read')));
create policy select_active on public.units for select to authenticated using ((select private.may('units.read')));
create policy select_active on public.boxes for select to authenticated using ((select private.may('units.read')));
create policy select_active on public.test_runs for select to authenticated using ((select private.may('units.read')));
create policy select_active on public.test_measurements for select to authenticated using ((select private.may('units.read')));
create policy select_active on public.packaging_kits for select to authenticated using ((select private.may('units.read')));
create policy select_active on public.unit_components for select to authenticated using ((select private.may('units.read')));
create policy select_site on public.lots for select to authenticated
  using ((select private.may('units.read')) and (site is null or (select private.readable_sites('units.read')) @> array[site]));
create policy select_active on public.trace_nodes for select to authenticated using ((select private.may('units.read')));
create policy select_active on public.trace_edges for select to authenticated using ((select private.may('units.read')));

grant select on public.product_variants, public.variant_rules, public.units, public.boxes, public.test_runs, public.test_measurements,
  public.packaging_kits, public.unit_components, public.lots, public.trace_nodes, public.trace_edges, public.unit_events to authenticated;
