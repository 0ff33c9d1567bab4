-- What lies in the exposed schema, and that every table there is closed by default.
begin;
set local search_path = extensions, pg_catalog;
select plan(13);

select tables_are('public', array[
  'sites', 'stores', 'roles', 'permissions', 'role_permissions', 'staff_shared', 'devices', 'events', 'work_queue', 'orders',
  'setting_definitions', 'settings',
  'shop_tokens', 'sync_runs', 'channel_orders', 'extraction_rules',
  'inventory_items', 'locations', 'inventory_stock', 'inventory_balances', 'inventory_txn', 'stock_imports', 'stock_counts',
  'stock_count_lines', 'product_requirements', 'deduction_rules', 'stock_pushes',
  'production_orders', 'production_order_lines', 'order_fulfilments', 'order_part_allocations', 'demand_totals',
  'parts', 'gcode_part_mappings', 'print_machines', 'print_machine_states', 'print_machine_counters', 'print_coverage_gaps',
  'print_runs', 'inventory_print_log',
  'product_variants', 'variant_rules', 'units', 'boxes', 'test_runs', 'test_measurements', 'packaging_kits',
  'unit_components', 'lots', 'trace_nodes', 'trace_edges', 'production_lots', 'trace_activities', 'trace_inputs', 'trace_outputs', 'item_gtins',
  'process_steps', 'work_centres', 'routings', 'routing_steps', 'production_order_progress', 'production_order_steps', 'piece_counts', 'piece_counters', 'production_order_refs',
  'quality_reasons', 'quality_records', 'production_discrepancies', 'approvals', 'replenishments', 'replenishment_links',
  'lines', 'machines', 'machine_versions', 'machine_counters', 'machine_symptoms', 'maintenance_plans', 'maintenance_plan_items', 'repairs',
  'repair_reports', 'repair_statuses', 'repair_checks', 'repair_attachments',
  'shift_patterns', 'calendar_exceptions', 'shift_instances', 'time_classes', 'time_class_policies', 'planned_stops', 'overtime_windows', 'machine_state_events', 'quarantined_events',
  'ideal_cycles', 'count_events', 'count_minute', 'stop_reasons', 'stops', 'stop_repairs', 'oee_shifts', 'shift_handovers',
  'stage_transitions', 'stations',
  'printers', 'print_routes', 'print_jobs', 'print_job_labels', 'print_job_events',
  'label_templates', 'label_template_versions', 'label_proofs'
]);
select has_view('public', 'stage_events', 'the old name of what happened to tickets');
select has_pk('public', 'orders', 'orders have a primary key');
select col_is_unique('public', 'orders', array['id'], 'a barcode names one ticket');
select enum_has_labels('public', 'stage_type', array['Filling', 'Covering', 'Decorating', 'Packing', 'Complete']);
select has_trigger('public', 'orders', '_200_stage', 'no update jumps a stage');
select has_trigger('public', 'events', '_200_append_only', 'events are never changed');
select has_trigger('public', 'events', '_200_no_truncate', 'events are never removed');
select has_index('public', 'work_queue', 'work_queue_ready_idx', array['priority', 'id'], 'claims walk one small index');

select is_empty($$
  select c.oid::regclass from pg_class c
   where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace) and c.relkind in ('r', 'p') and not c.relrowsecurity
$$, 'row level security is on everywhere');
select is_empty($$
  select c.oid::regclass, a.privilege_type from pg_class c, aclexplode(c.relacl) a
   where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace) and a.grantee in ('anon'::regrole, 0)
$$, 'anon holds nothing');
select is_empty($$
  select c.oid::regclass, a.privilege_type from pg_class c, aclexplode(c.relacl) a
   where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
     and a.grantee in ('authenticated'::regrole, 'service_role'::regrole) and a.privilege_type <> 'SELECT'
$$, 'nobody writes a table directly');
select schema_privs_are('private', 'anon', array[]::text[], 'private is closed to anon');

select * from finish();
rollback;
