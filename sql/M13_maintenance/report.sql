-- Somebody says that something is wrong with a machine: staff, or whoever scans its QR code.

create type private.reported_problem as (repair public.repairs, is_new boolean, event_id bigint);

create function private.ticket_of(p_report public.repairs, p_actor uuid)
returns private.reported_problem language plpgsql set search_path = '' as $$
declare
  v_repair public.repairs;
begin
  select r.* into v_repair from public.repairs r
   where r.machine = p_report.machine and r.symptom = p_report.symptom and r.is_open and r.type = 'unscheduled' and p_report.type = 'unscheduled' for update;
  if v_repair.id is not null then
    update public.repairs r set reports = r.reports + 1, is_down = r.is_down or p_report.is_down where r.id = v_repair.id returning r.* into v_repair;
    return row(v_repair, false, private.emit_repair(v_repair, 'repair.reported_again', p_actor, jsonb_build_object('reports', v_repair.reports)))::private.reported_problem;
  end if;
  select r.* into v_repair from public.repairs r
   where r.machine = p_report.machine and r.symptom = p_report.symptom and r.type = 'unscheduled' and p_report.type = 'unscheduled' and r.status = 'closed'
   order by r.closed_at desc limit 1 for update;
  if private.is_same_failure(v_repair, now()) then
    update public.repairs r set reports = r.reports + 1, is_down = r.is_down or p_report.is_down where r.id = v_repair.id returning r.* into v_repair;
    -- Who says that it stands since an hour ago, says when it came back; before it was closed it ran.
    v_repair := private.move_repair(v_repair, 'reported', case when p_report.is_down then greatest(p_report.occurred_at, v_repair.closed_at) else now() end, p_actor);
    return row(v_repair, false, private.emit_repair(v_repair, 'repair.reopened', p_actor, jsonb_build_object('reopened', v_repair.reopened)))::private.reported_problem;
  end if;
  v_repair := private.open_repair(p_report, p_actor);
  return row(v_repair, true, private.emit_repair(v_repair, 'repair.reported', p_actor, jsonb_build_object('source', v_repair.source)))::private.reported_problem;
end $$;
comment on function private.ticket_of is
$$A report of a locked machine: it joins the open repair with the same symptom, opens again one that was closed so short ago that it is the same
failure, or is a new repair.$$;

create function private.take_report(p_report public.repairs, p_actor uuid)
returns private.reported_problem language plpgsql set search_path = '' as $$
declare
  v_problem private.reported_problem := private.ticket_of(p_report, p_actor);
begin
  insert into public.repair_reports (repair_id, source, is_down, occurred_at, description, reported_by, reporter)
  values ((v_problem.repair).id, p_report.source, p_report.is_down, p_report.occurred_at, p_report.description, nullif(p_actor, '00000000-0000-0000-0000-000000000000'),
    p_report.reporter);
  return v_problem;
end $$;
comment on function private.take_report is 'The repair that a report of a locked machine belongs to, with the words of this report kept beside those of the others.';

create function private.check_symptom(p_symptom text)
returns public.machine_symptoms language plpgsql stable set search_path = '' as $$
declare
  v_symptom public.machine_symptoms := (select s from public.machine_symptoms s where s.code = p_symptom and s.is_active);
begin
  if v_symptom.code is null then
    perform private.fail(404, 'symptom.unknown', 'Choose what is wrong from the list.', jsonb_build_object('field', 'p_symptom', 'actual', p_symptom,
      'expected', array(select s.code from public.machine_symptoms s where s.is_active order by s.position)));
  end if;
  return v_symptom;
end $$;

create function private.refuse_idle_machine(p_machine public.machines)
returns void language plpgsql stable set search_path = '' as $$
begin
  if not p_machine.is_active then
    perform private.fail(409, 'machine.inactive', p_machine.name || ' is not in use any more.', jsonb_build_object('machine', p_machine.code));
  end if;
end $$;
comment on function private.refuse_idle_machine is 'Errors: machine.inactive (409) when the machine was taken out of use.';

create function public.report_repair(
  p_machine text, p_symptom text default null, p_description text default null, p_is_down boolean default null, p_priority text default 'normal',
  p_occurred_at timestamptz default null, p_type text default 'unscheduled', p_assignee_id uuid default null, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.machines := (select m from public.machines m where m.code = p_machine);
  v_actor uuid := private.authorize('maintenance.report', null, v_machine.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'report_repair', jsonb_build_array(p_machine, p_symptom, p_description, p_is_down, p_priority,
    p_occurred_at, p_type, p_assignee_id));
  v_report public.repairs;
  v_problem private.reported_problem;
  v_change public.repair_change;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.repair_change, v_answer);
  end if;
  perform private.find_machine(p_machine);
  v_machine := private.lock_machine(p_machine);
  perform private.refuse_idle_machine(v_machine);
  perform private.check_repair_report(p_symptom, p_description, p_priority, p_type, p_assignee_id);
  v_report.machine := p_machine; v_report.type := p_type; v_report.source := 'staff'; v_report.symptom := p_symptom;
  v_report.description := nullif(trim(p_description), ''); v_report.priority := p_priority; v_report.assignee_id := p_assignee_id;
  v_report.is_down := coalesce(p_is_down, (select s.is_down from public.machine_symptoms s where s.code = p_symptom), false);
  v_report.occurred_at := private.instant_given(p_occurred_at, '-infinity', 'p_occurred_at');
  v_report.reported_at := now();
  v_problem := private.take_report(v_report, v_actor);
  v_change := row(true, v_problem.event_id, v_problem.repair)::public.repair_change;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.report_repair is
$$Something is wrong with a machine (p_type unscheduled), or work on it is planned (scheduled). p_symptom from machine_symptoms, or words in
p_description; p_is_down: it cannot run (default: what the symptom usually means); p_occurred_at: since when. The same symptom joins the open
repair, and one closed within the setting maintenance.same_failure_hours is opened again.
Permission: maintenance.report at the site of the machine.
Errors: machine.unknown (404), machine.inactive (409), symptom.unknown (404), repair.what (422), repair.choice (422), repair.time (422), staff.unknown (404), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it the same symptom counts as reported once more.
Locks: the machine, then the repair.$$;

create function private.check_repair_report(p_symptom text, p_description text, p_priority text, p_type text, p_assignee_id uuid)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_symptom is not null then
    perform private.check_symptom(p_symptom);
  elsif coalesce(trim(p_description), '') = '' then
    perform private.fail(422, 'repair.what', 'Say what is wrong: choose a symptom or write it down.', jsonb_build_object('field', 'p_description'));
  end if;
  perform private.check_length('p_description', p_description, 4000);
  perform private.check_choice('p_priority', p_priority, '{low,normal,high}');
  perform private.check_choice('p_type', p_type, '{unscheduled,scheduled}');
  perform private.check_repair_assignee(p_assignee_id);
end $$;

create function private.check_choice(p_field text, p_value text, p_choices text[])
returns void language plpgsql immutable set search_path = '' as $$
begin
  if p_value is null or p_value <> all (p_choices) then
    perform private.fail(422, 'repair.choice', format('Choose %s.', array_to_string(p_choices, ', ')),
      jsonb_build_object('field', p_field, 'actual', p_value, 'expected', p_choices));
  end if;
end $$;
comment on function private.check_choice is 'PT422 repair.choice unless the value is one of the choices.';

create function private.check_repair_assignee(p_assignee_id uuid)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_assignee_id is not null and not exists (select from public.staff_shared s where s.user_id = p_assignee_id and s.is_active) then
    perform private.fail(404, 'staff.unknown', 'There is nobody like that here.', jsonb_build_object('user_id', p_assignee_id));
  end if;
end $$;

-- Without an account -------------------------------------------------------------------------------------------------

create function private.begin_report(p_token text)
returns public.machines language plpgsql stable set search_path = '' as $$
declare
  v_machine public.machines;
begin
  select m.* into v_machine from private.machine_tokens t join public.machines m on m.code = t.machine where t.token = p_token;
  if v_machine.code is null then
    perform private.fail(404, 'report.unknown_code', 'This code is not in use any more. Tell somebody of the maintenance.');
  end if;
  perform private.refuse_idle_machine(v_machine);
  return v_machine;
end $$;
comment on function private.begin_report is
$$The guard of what needs no account: the machine whose QR code carries this token. Errors: report.unknown_code (404), machine.inactive (409).$$;

create function private.caller_address()
returns text language plpgsql stable set search_path = '' as $$
begin
  return encode(sha256(convert_to(left(trim(split_part(coalesce(
    nullif(current_setting('request.headers', true), '')::jsonb ->> 'x-forwarded-for', ''), ',', 1)), 100), 'UTF8')), 'hex');
end $$;
comment on function private.caller_address is
$$SHA-256 of the address that the gateway saw. Who sends a made-up one meets the limit of the machine.$$;

create function private.flooded_until(p_machine public.machines, p_address text)
returns timestamptz language plpgsql stable set search_path = '' as $$
declare
  v_since timestamptz := now() - interval '1 hour';
begin
  return interval '1 hour' + greatest(
    (select p.at from private.problem_reports p where p.machine = p_machine.code and p.address = p_address and p.at > v_since
      order by p.at desc offset private.setting('maintenance.reports_per_address', null, p_machine.site)::integer - 1 limit 1),
    (select p.at from private.problem_reports p where p.machine = p_machine.code and p.address is not null and p.at > v_since
      order by p.at desc offset private.setting('maintenance.reports_per_machine', null, p_machine.site)::integer - 1 limit 1),
    (select p.at from private.problem_reports p join public.machines m on m.code = p.machine
      where m.site = p_machine.site and p.address is not null and p.at > v_since
      order by p.at desc offset private.setting('maintenance.reports_per_site', null, p_machine.site)::integer - 1 limit 1));
end $$;
comment on function private.flooded_until is
$$Until when no more reports without an account are taken, null: they are. An address has its limit at each machine, since a whole plant may stand behind
one: who floods one machine locks nobody out of the others.$$;

create type public.report_form as (machine text, name text, line text, symptoms jsonb);
comment on type public.report_form is
'What somebody sees who scanned the QR code of a machine: which one it is, and symptoms [{code, title, is_down, is_open}]; is_open: reported already.';

create function public.get_report_form(p_token text)
returns public.report_form language plpgsql stable security definer set search_path = '' as $$
declare
  v_machine public.machines := private.begin_report(p_token);
begin
  return row(v_machine.code, v_machine.name, (select l.title from public.lines l where l.code = v_machine.line), (
    select jsonb_agg(jsonb_build_object('code', s.code, 'title', s.title, 'is_down', s.is_down, 'is_open', exists (
        select from public.repairs r where r.machine = v_machine.code and r.symptom = s.code and r.is_open and r.type = 'unscheduled')) order by s.position)
      from public.machine_symptoms s where s.is_active))::public.report_form;
end $$;
comment on function public.get_report_form is
$$What the QR code of a machine opens: its name and the symptoms to choose from. Says nothing else about the plant.
Permission: none; the token of the QR code is the right.
Errors: report.unknown_code (404), machine.inactive (409).
Idempotency: a read.
Locks: none.$$;

create type public.problem_report as (repair_id bigint, is_new boolean, status text, machine text, name text, reports integer, photo_path text);
comment on type public.problem_report is
$$The ticket of a report: is_new false: it was reported before, so often by now. photo_path: where the photo goes in the bucket maintenance;
null without a photo, or when the repair has 50 files already: the report counts all the same.$$;

create function private.known_problem(p_machine public.machines, p_symptom text, p_retry_at timestamptz)
returns public.problem_report language plpgsql stable set search_path = '' as $$
declare
  v_repair public.repairs;
begin
  select r.* into v_repair from public.repairs r
   where r.machine = p_machine.code and r.symptom = p_symptom and r.is_open and r.type = 'unscheduled';
  if v_repair.id is null then
    perform private.fail(429, 'report.too_many', 'Too many reports in an hour. Tell somebody of the maintenance.', jsonb_build_object('retry_at', p_retry_at));
  end if;
  return row(v_repair.id, false, v_repair.status, p_machine.code, p_machine.name, v_repair.reports, null)::public.problem_report;
end $$;
comment on function private.known_problem is
  'Beyond the limits nothing is written any more, but who reports what is known already hears so. Errors: report.too_many (429).';

create function private.past_report(p_machine text, p_request_id uuid, p_said text)
returns public.problem_report language plpgsql set search_path = '' as $$
declare
  v_past private.problem_reports;
  v_answer public.problem_report;
begin
  select p.* into v_past from private.problem_reports p where p.machine = p_machine and p.request_id = p_request_id;
  if v_past.said <> p_said then
    perform private.fail(422, 'request.reused', 'This request id was used for another report.', jsonb_build_object('first', 'report_problem'));
  end if;
  v_answer := jsonb_populate_record(null::public.problem_report, v_past.answer);
  -- Who lost the connection before the photo has another hour for it.
  update public.repair_attachments a set created_at = now()
   where a.path = v_answer.photo_path and a.removed_at is null
     and not exists (select from storage.objects o where o.bucket_id = a.bucket and o.name = a.path);
  return v_answer;
end $$;
comment on function private.past_report is 'The answer of an earlier identical report. Errors: request.reused (422).';

create function public.report_problem(
  p_token text, p_symptom text, p_description text default null, p_is_down boolean default null, p_reporter text default null,
  p_photo_type text default null, p_request_id uuid default null)
returns public.problem_report language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.machines := private.begin_report(p_token);
  v_actor uuid := (private.identify()).actor_id;
  v_address text := case when v_actor is null then private.caller_address() end;
  v_said text := encode(sha256(convert_to(jsonb_build_array(p_symptom, p_description, p_is_down, p_reporter, p_photo_type)::text, 'UTF8')), 'hex');
  v_answer public.problem_report;
  v_report public.repairs;
  v_problem private.reported_problem;
  v_retry_at timestamptz;
begin
  perform pg_advisory_xact_lock(hashtextextended('report ' || v_address, 0));   -- two at once from one address are counted one after the other
  perform private.lock_machine(v_machine.code);
  v_answer := private.past_report(v_machine.code, p_request_id, v_said);
  if v_answer.repair_id is not null then
    return v_answer;
  end if;
  v_retry_at := case when v_address is not null then private.flooded_until(v_machine, v_address) end;
  if v_retry_at is not null then
    return private.known_problem(v_machine, p_symptom, v_retry_at);
  end if;
  perform private.check_length('p_description', p_description, 1000);
  perform private.check_length('p_reporter', p_reporter, 100);
  if p_photo_type = 'application/pdf' then
    perform private.fail(422, 'attachment.type', 'Send a photo.', jsonb_build_object('actual', p_photo_type));
  end if;
  v_report.machine := v_machine.code; v_report.type := 'unscheduled'; v_report.source := 'qr'; v_report.reporter := nullif(trim(p_reporter), '');
  v_report.is_down := coalesce(p_is_down, (private.check_symptom(p_symptom)).is_down);
  v_report.symptom := (private.check_symptom(p_symptom)).code; v_report.description := nullif(trim(p_description), '');
  v_report.occurred_at := now(); v_report.reported_at := now();
  v_problem := private.take_report(v_report, v_actor);
  v_answer := row((v_problem.repair).id, v_problem.is_new, (v_problem.repair).status, v_machine.code, v_machine.name, (v_problem.repair).reports, case
    when p_photo_type is not null and not private.has_many_files(v_problem.repair) then (private.new_attachment(v_problem.repair, null, p_photo_type, v_actor)).path end)::public.problem_report;
  insert into private.problem_reports (machine, repair_id, address, request_id, said, answer)
  values (v_machine.code, v_answer.repair_id, v_address, p_request_id, v_said, to_jsonb(v_answer));
  return v_answer;
end $$;
comment on function public.report_problem is
$$Report a problem by the QR code of a machine, without an account. p_symptom from get_report_form; p_reporter: how to call who reports, if they
want; p_photo_type image/jpeg, image/png, image/webp or image/heic: a photo follows, to photo_path of the bucket maintenance, within the hour.
One repair is open per machine and symptom: the same again joins it, in its own words.
Permission: none; the token of the QR code is the right. So many an hour per address at a machine, per machine and per site as the settings say;
beyond them what is open already is answered and nothing is written. Who has signed in is not limited.
Errors: report.unknown_code (404), machine.inactive (409), report.too_many (429), symptom.unknown (404), attachment.type (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id, for a day; a repeat gives a photo that is not there yet another hour.
Locks: the address, the machine, then the repair.$$;

create function private.forget_problem_reports(p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
begin
  delete from private.problem_reports p where p.at < p_now - interval '1 day';
end $$;

grant execute on function public.report_repair to authenticated;
grant execute on function public.get_report_form, public.report_problem to anon, authenticated;
