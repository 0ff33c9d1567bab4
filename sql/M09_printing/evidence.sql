-- What a printer showed before and after decides what became of a job. Nothing here trusts a word of the agent beyond its readings.

create function private.check_evidence(p_evidence jsonb)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if coalesce(jsonb_typeof(p_evidence), '') <> 'object' or length(p_evidence::text) > 4000
    or exists (select from jsonb_each(p_evidence) e where e.value <> 'null' and case e.key
      when 'idle' then jsonb_typeof(e.value) <> 'boolean'
      when 'partial' then jsonb_typeof(e.value) <> 'boolean'
      when 'faults' then jsonb_typeof(e.value) <> 'array'
      when 'struck' then jsonb_typeof(e.value) <> 'array'
      when 'boot_id' then jsonb_typeof(e.value) <> 'string'
      when 'odometer' then private.is_count(e.value) is not true
      when 'formats' then private.is_count(e.value) is not true
      when 'remaining' then private.is_count(e.value) is not true
      when 'openings' then private.is_count(e.value) is not true
      when 'dpi' then private.is_count(e.value) is not true
      when 'uptime_s' then jsonb_typeof(e.value) <> 'number'
      else false end)
  then
    perform private.fail(422, 'print.bad_evidence', 'What the agent says about the printer cannot be read. Update the agent.',
      jsonb_build_object('field', 'p_evidence'));
  end if;
end $$;
comment on function private.check_evidence is
$$PT422 print.bad_evidence unless it is {odometer, openings, boot_id, uptime_s, formats, remaining, partial, faults, struck, idle, dpi}, each null or of its
type. openings: how often the lid was ever opened; struck: the faults seen since the last byte, in the order in which they came.$$;

create function private.is_count(p_value jsonb)
returns boolean language plpgsql immutable set search_path = '' as $$
begin
  return case when jsonb_typeof(p_value) = 'number' then (p_value #>> '{}')::numeric % 1 = 0 and (p_value #>> '{}')::numeric between 0 and 1e15 end;
end $$;

create function private.not_ready(p_evidence jsonb)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return case
    when p_evidence -> 'idle' is distinct from 'true' then 'the printer is busy or was not asked'
    when coalesce(nullif(p_evidence -> 'faults', 'null'), '[]') <> '[]' then 'the printer reports ' || (p_evidence ->> 'faults')
    when p_evidence -> 'partial' = 'true' then 'half a label lies in the printer'
    when (p_evidence ->> 'formats')::numeric > 0 or (p_evidence ->> 'remaining')::numeric > 0 then 'labels lie in the printer'
  end;
end $$;
comment on function private.not_ready is 'Why this reading is not of an idle, healthy, empty printer; null when it is.';

create function private.is_same_boot(p_before text, p_after text)
returns boolean language plpgsql immutable set search_path = '' as $$
declare
  v_form constant text := '^(.*)@([0-9]{1,12})$';
  v_before constant text[] := regexp_match(p_before, v_form);
  v_after constant text[] := regexp_match(p_after, v_form);
begin
  return p_before is not distinct from p_after
    or coalesce(v_before[1] = v_after[1] and abs(v_before[2]::bigint - v_after[2]::bigint) <= 3, false);
end $$;
comment on function private.is_same_boot is
$$True when both name one boot, "<printer>@<second it was switched on, since 1970>". An agent that lost its memory works the second out anew:
uptimes are cut to whole seconds and up to two seconds old, so 3 s apart is the same moment. No printer starts twice in 3 s.$$;

create function private.was_restarted(p_before jsonb, p_after jsonb)
returns boolean language plpgsql immutable set search_path = '' as $$
begin
  return not private.is_same_boot(p_before ->> 'boot_id', p_after ->> 'boot_id')
    or coalesce((p_after ->> 'uptime_s')::numeric < (p_before ->> 'uptime_s')::numeric, false);
end $$;
comment on function private.was_restarted is 'True unless both readings are of one boot: a restart wipes the buffer and feeds labels of its own.';

create function private.was_overtaken(p_job public.print_jobs)
returns boolean language plpgsql stable set search_path = '' as $$
begin
  return exists (select from public.print_jobs o where o.printer = p_job.printer and o.sending_at > p_job.sending_at);
end $$;
comment on function private.was_overtaken is 'True when a later job was begun on the printer: the counter then speaks of that one too.';

create function private.faults_struck(p_job public.print_jobs, p_evidence jsonb)
returns text[] language plpgsql stable set search_path = '' as $$
begin
  if coalesce(nullif(p_evidence -> 'struck', 'null'), '[]') <> '[]' then
    return array(select f.word from jsonb_array_elements_text(p_evidence -> 'struck') with ordinality f (word, n) order by f.n);
  end if;
  return array(
    select f.word from public.print_job_events e cross join jsonb_array_elements_text(e.evidence -> 'faults') f (word)
     where e.job_id = p_job.id and e.fence = p_job.fence and e.reason like 'A fault struck while it printed%'
     order by e.id, f.word <> 'cover-open');
end $$;
comment on function private.faults_struck is
$$Faults in the middle of this try, oldest first: as its agent saw them, else as heartbeats told them. Of several at once the lid comes first.$$;

create function private.may_be_half(p_job public.print_jobs, p_evidence jsonb)
returns boolean language plpgsql stable set search_path = '' as $$
declare
  v_struck constant text[] := private.faults_struck(p_job, p_evidence);
  v_before constant numeric := (p_job.evidence_before ->> 'openings')::numeric;
  v_after constant numeric := (p_evidence ->> 'openings')::numeric;
  v_openings constant numeric := greatest(cardinality(array_positions(v_struck, 'cover-open')), v_after - v_before, (v_after < v_before)::integer, 0);
  -- A roll ends between two labels, and nobody changes it without opening the lid once.
  v_roll constant boolean := coalesce(array_position(v_struck, 'media-empty') < coalesce(array_position(v_struck, 'cover-open'), 1000), false);
begin
  return v_openings > v_roll::integer or v_struck && array['marker-supply-empty', 'marker-supply-jam', 'media-jam'];
end $$;
comment on function private.may_be_half is
$$True when something struck that may have cut a label in half: the lid was opened (as seen, or as its own counter says), the ribbon ended, a jam.
A counter counts half a label like a whole one.$$;

create type private.print_decision as (outcome text, why text, level smallint, extra integer, came_out bigint);
comment on type private.print_decision is 'outcome: printed, unknown, queued (provably nothing came out) or wait (this reading proves nothing yet).';

create function private.decision(p_outcome text, p_why text, p_level integer default null, p_extra bigint default 0, p_came_out bigint default null)
returns private.print_decision language plpgsql immutable set search_path = '' as $$
begin
  return row(p_outcome, p_why, p_level::smallint, p_extra::integer, p_came_out)::private.print_decision;
end $$;

create function private.counted(p_job public.print_jobs, p_evidence jsonb)
returns private.print_decision language plpgsql stable set search_path = '' as $$
declare
  v_expected constant integer := p_job.copies * p_job.labels;
  v_delta constant bigint := (p_evidence ->> 'odometer')::numeric - (p_job.evidence_before ->> 'odometer')::numeric;
  v_restarted constant boolean := private.was_restarted(p_job.evidence_before, p_evidence);
  v_half constant boolean := private.may_be_half(p_job, p_evidence);
  v_words constant text := format('The counter moved by %s, expected were %s', v_delta, v_expected)
    || case when v_restarted then '; the printer was switched off meanwhile.' when v_half then '; a fault struck in the middle of it.' else '.' end;
begin
  return case
    when private.was_overtaken(p_job) then
      private.decision('unknown', 'Another label was begun since: the counter no longer speaks for this one.')
    when v_delta = 0 and now() < p_job.settle_after then private.decision('wait', 'The counter has not moved yet.')
    when v_delta = 0 then private.decision('queued', v_words || case when v_restarted or v_half then ' Half a label may lie there.' else '' end, 2, 0, 0)
    when v_restarted or v_delta < v_expected then private.decision('unknown', v_words)
    when v_half then private.decision('unknown', v_words || ' It counts half a label too.')
    when v_delta = v_expected then private.decision('printed', v_words, 2, 0, v_delta)
    when p_job.state = 'unknown' then private.decision('unknown', v_words)
    else private.decision('printed', v_words || ' Look for a duplicate.', 2, v_delta - v_expected, v_delta)
  end;
end $$;
comment on function private.counted is
$$What a label counter proves: exactly the labels = printed, none = queued again (once it has had time to move), more = printed with a
notice if all bytes had left; anything else, and whatever may have cut a label in half, is for a person.$$;

create function private.decide_print(p_job public.print_jobs, p_evidence jsonb)
returns private.print_decision language plpgsql stable set search_path = '' as $$
declare
  v_level constant smallint := (select p.evidence_level from public.printers p where p.code = p_job.printer);
  v_problem constant text := private.not_ready(p_evidence);
begin
  return case
    when v_problem is not null then private.decision('wait', v_problem)
    when p_job.evidence_before ->> 'odometer' is not null and p_evidence ->> 'odometer' is not null then private.counted(p_job, p_evidence)
    when v_level = 2 then private.decision('wait', 'The counter cannot be read.')
    when p_job.state = 'unknown' then private.decision('unknown', 'This printer has no counter: somebody must look.')
    when p_job.state = 'sending' then private.decision('wait', 'Not all bytes have left.')
    when v_level = 1 and private.was_restarted(p_job.evidence_before, p_evidence)
      then private.decision('unknown', 'The printer was switched off while it printed.')
    when v_level = 1 and private.may_be_half(p_job, p_evidence)
      then private.decision('unknown', 'A fault struck in the middle of it: half a label may lie there.')
    else private.decision('printed', null, v_level, 0, p_job.copies * p_job.labels)
  end;
end $$;
comment on function private.decide_print is
$$From the readings before and after: printed, unknown, queued or wait. Without a counter a job whose bytes all left is printed when the
printer is idle again (level 1: and was never switched off or opened; level 0: its word is taken), and an unknown one stays unknown.$$;

create function private.settle_print(p_job public.print_jobs, p_evidence jsonb, p_by private.print_mover)
returns public.print_jobs language plpgsql set search_path = '' as $$
declare
  v_decision private.print_decision := private.decide_print(p_job, p_evidence);
  v_job public.print_jobs := p_job;
begin
  if v_job.state = 'unknown' and v_job.evidence_after is not null then
    return v_job;   -- the counter has spoken; what it says later may be the feed button
  elsif v_decision.outcome = 'wait' or v_job.state = 'sending' and v_decision.outcome <> 'printed' then
    v_job.why := v_decision.why;   -- said, not stored: nothing moved
    return v_job;
  end if;
  v_job.evidence_after := p_evidence;
  if v_decision.outcome = 'printed' then
    return private.count_as_printed(v_job, v_decision, p_by);
  elsif v_job.state <> 'unknown' then
    v_job := private.move_print(v_job, 'unknown', p_by, v_decision.why, p_evidence);
  elsif v_decision.outcome = 'unknown' then
    update public.print_jobs j set evidence_after = p_evidence, why = v_decision.why where j.id = v_job.id returning j.* into v_job;
    perform private.note_print(v_job, 'unknown', 'print.unknown', v_decision.why, p_evidence, p_by.actor_id, p_by.device_id);
  end if;
  if v_decision.outcome = 'queued' then
    v_job := private.requeue_print(v_job, p_by, v_decision.why, interval '0', false, p_evidence);
  end if;
  return v_job;
end $$;
comment on function private.settle_print is
$$Let the evidence decide a job that was begun, and move it. A job still being sent is only ever moved to printed: its agent may be at work.
An unknown job is judged once. The printer and the job are locked by the caller.$$;

create function private.count_as_printed(p_job public.print_jobs, p_decision private.print_decision, p_by private.print_mover)
returns public.print_jobs language plpgsql set search_path = '' as $$
declare
  v_job public.print_jobs := p_job;
begin
  if v_job.state = 'sending' then
    v_job.sent_at := now();
    v_job := private.move_print(v_job, 'sent', p_by, 'The counter proves it; nobody said that all bytes had left.');
  end if;
  v_job.evidence_level := p_decision.level;
  v_job.extra_labels := p_decision.extra;
  update public.printers p
     set labels_since_media = p.labels_since_media + p_decision.came_out,
         odometer = coalesce((v_job.evidence_after ->> 'odometer')::numeric, p.odometer), boot_id = coalesce(v_job.evidence_after ->> 'boot_id', p.boot_id)
   where p.code = v_job.printer;
  return private.move_print(v_job, 'printed', p_by, concat_ws(' ', p_decision.why,
    case when private.faults_struck(v_job, v_job.evidence_after) <> '{}' then 'A fault struck meanwhile: look at the label.' end), v_job.evidence_after);
end $$;
