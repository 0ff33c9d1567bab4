-- The end state, file by file. A folder is one domain, one milestone and one migration.
\ir M00_core/privileges.sql
\ir M00_core/tables.sql
\ir M00_core/orders.sql
\ir M00_core/internal.sql
\ir M00_core/queue.sql
\ir M00_core/api_events.sql
\ir M00_core/api_plant.sql
\ir M00_core/api_staff.sql
\ir M00_core/api_devices.sql
\ir M00_core/seed.sql
\ir M00_core/policies.sql
