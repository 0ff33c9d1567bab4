-- When the machines of the workshop work, and how fast they could, once: what somebody changed there stays. What they did in the last days, and what
-- they do now, is told by the simulator (services/simulator/machines.py).

do $$
declare
  v_today date := (now() at time zone (select s.time_zone from public.sites s where s.code = 'main'))::date;
begin
  if exists (select from public.shift_patterns p where p.work_centre = 'cnc-1') then
    return;
  end if;
  perform pg_temp.become('planner');
  perform public.save_machine(m.machine, p_work_centre => m.centre)
    from (values ('optimizer-1', 'opt-1'), ('precut-1', 'cut-1'), ('cnc-1', 'cnc-1'), ('cnc-2', 'cnc-2'), ('sander-1', 'cal-1'), ('brush-1', 'brush-1'),
      ('booth-1', 'paint-1'), ('packer-1', 'pack-1')) as m (machine, centre);
  perform public.save_shift_pattern(w.code, v_today - 4, '[
      {"shift": "early", "title": "Early shift", "starts": "06:00", "ends": "14:00", "breaks": [{"title": "Breakfast", "starts": "09:00", "ends": "09:15"},
        {"title": "Lunch", "starts": "12:00", "ends": "12:30"}]},
      {"shift": "late", "title": "Late shift", "starts": "14:00", "ends": "22:00", "breaks": [{"title": "Supper", "starts": "18:00", "ends": "18:30"}]},
      {"shift": "night", "title": "Night shift", "starts": "22:00", "ends": "06:00", "breaks": [{"title": "Break", "starts": "02:00", "ends": "02:30"}]}]')
    from (values ('opt-1'), ('cut-1'), ('cnc-1'), ('cnc-2'), ('cal-1'), ('brush-1'), ('paint-1'), ('pack-1')) as w (code);
  perform public.set_ideal_cycle(m.machine, m.seconds)
    from (values ('optimizer-1', 40), ('precut-1', 42), ('cnc-1', 45), ('cnc-2', 45), ('sander-1', 38), ('brush-1', 44), ('booth-1', 43),
      ('packer-1', 36)) as m (machine, seconds);
end $$;
