-- 50 machines with 90 days of states and counts, and one with a day: written past the triggers, which have their own line.
insert into public.sites (code, name, time_zone) values ('kpi', 'Figures', 'UTC');
insert into public.process_steps (code, title, sequence) values ('KPI', 'Figures', 1);
insert into public.work_centres (code, title, step, site) values ('KPI', 'Figures', 'KPI', 'kpi');
insert into public.shift_patterns (work_centre, valid_from, shifts) values ('KPI', current_date - 91,
  '[{"shift": "a", "starts": "00:00", "ends": "08:00", "breaks": [{"starts": "04:00", "ends": "04:30"}]},
    {"shift": "b", "starts": "08:00", "ends": "16:00"}, {"shift": "c", "starts": "16:00", "ends": "00:00"}]');
insert into public.machines (code, name, site, work_centre)
select m, m, 'kpi', 'KPI' from (select 'long-' || n from generate_series(1, 50) n union all values ('short-1'), ('new-1')) as x (m);

alter table public.machine_state_events disable trigger user;
insert into public.machine_state_events (machine, at, state)
select m.code, s, (array['running', 'running', 'running', 'stopped', 'running', 'idle'])[1 + (extract(epoch from s)::bigint / 288) % 6]
  from public.machines m cross join lateral generate_series(date_trunc('day', now())
    - case when m.code like 'long-%' then interval '90 days' else interval '1 day' end, now(), interval '288 seconds') s
 where m.code <> 'new-1';
alter table public.machine_state_events enable trigger user;

insert into public.count_minute (machine, minute, ideal_s, good, scrap, rework, first_at, last_at)
select m.code, s, 20, 10, 0, 0, s, s + interval '40 seconds'
  from public.machines m cross join lateral generate_series(date_trunc('day', now())
    - case when m.code like 'long-%' then interval '90 days' else interval '1 day' end, now() - interval '5 minutes', interval '5 minutes') s
 where m.code <> 'new-1';

create table bench_states (machine text, at timestamptz, seq bigint, state text, source text, primary key (machine, at, seq, state));
create table bench_counts (machine text, key text, at timestamptz, good numeric, primary key (machine, key));
