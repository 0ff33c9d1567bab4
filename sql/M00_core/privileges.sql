-- Nothing is granted by accident. The global form is the one that works: the `in schema` form of the first statement has no effect.
alter default privileges for role postgres revoke execute on functions from public;
alter default privileges for role postgres in schema public revoke all on tables from anon, authenticated, service_role;
alter default privileges for role postgres in schema public revoke all on sequences from anon, authenticated, service_role;
alter default privileges for role postgres in schema public revoke all on functions from anon, authenticated, service_role;

create schema private;
comment on schema private is 'Helpers, secrets, inboxes and idempotency keys. Never among the exposed schemas.';
revoke all on schema private from public;
grant usage on schema private to authenticated;   -- policies call a few helpers there; each is granted by name

create schema if not exists extensions;
create extension if not exists pgcrypto with schema extensions;
