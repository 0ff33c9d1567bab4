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
