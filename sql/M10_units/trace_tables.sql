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
