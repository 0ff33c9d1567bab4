-- What somebody meets who is not on the staff, and what nobody may do.
begin;
set local search_path = extensions, pg_catalog;
select plan(12);

set local role anon;
select throws_ok($$select * from public.orders$$, '42501');
select throws_ok($$select public.whoami()$$, '42501');
reset role;

select set_config('request.jwt.claims', '{"role": "authenticated", "sub": "00000000-0000-0000-0000-00000000dead"}', true);
set local role authenticated;
select is_empty($$select * from public.orders$$, 'a signed-in stranger sees no order');
select is_empty($$select * from public.staff_shared$$, 'a signed-in stranger sees nobody');
select throws_ok($$select public.whoami()$$, 'PT403', 'Your account is not active here. Ask an admin.');
select throws_ok($$select public.complete_filling('bannos-18617')$$, 'PT403');
select throws_ok($$insert into public.orders default values$$, '42501');
select throws_ok($$update public.orders set notes = 'x'$$, '42501');
select throws_ok($$delete from public.events$$, '42501');
select throws_ok($$select * from private.commands$$, '42501');

select set_config('request.jwt.claims', '{"role": "authenticated"}', true);
select throws_ok($$select public.whoami()$$, 'PT401', 'Sign in first.');
reset role;

select throws_ok($$truncate public.events$$, 'PT409', 'Events are never changed or removed.');

select * from finish();
rollback;
