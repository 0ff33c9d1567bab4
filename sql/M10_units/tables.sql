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
