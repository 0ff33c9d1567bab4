-- Work queue: private enqueue for SQL, service RPCs for the daemons. One statement per claim: it beats select-then-update.

create function private.enqueue(
  p_topic text, p_payload jsonb default '{}', p_dedupe_key text default null, p_priority integer default 100,
  p_run_at timestamptz default now(), p_max_retries integer default 8)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_id bigint;
begin
  insert into public.work_queue (topic, payload, dedupe_key, priority, next_retry_at, max_retries)
  values (p_topic, p_payload, p_dedupe_key, p_priority, p_run_at, p_max_retries)
  on conflict (topic, dedupe_key) where status = 'ready' do nothing
  returning id into v_id;
  return v_id;
end $$;
comment on function private.enqueue is 'Queue a job; null when a ready job with the same topic and dedupe key already waits.';

create function private.lease(p_seconds integer)
returns interval language plpgsql immutable set search_path = '' as $$
begin
  return make_interval(secs => least(greatest(p_seconds, 1), 3600));
end $$;

-- The ready index is the order: without sorts a plan made for any limit walks it and stops.
create function public.claim_work(
  p_worker text, p_topics text[] default null, p_limit integer default 1, p_lease_seconds integer default 60)
returns setof public.work_queue language plpgsql security definer
set search_path = '' set enable_sort = off set plan_cache_mode = force_generic_plan as $$
declare
  v_limit integer := least(greatest(p_limit, 1), 500);
  v_until timestamptz := now() + private.lease(p_lease_seconds);
begin
  perform private.authorize('work.run');
  if v_limit = 1 then
    return query
      update public.work_queue w
         set status = 'running', locked_by = p_worker, locked_at = now(), lease_until = v_until, fence = w.fence + 1
       where w.id = (
         select q.id from public.work_queue q
          where q.status = 'ready' and q.next_retry_at <= now() and (p_topics is null or q.topic = any (p_topics))
          order by q.priority, q.id limit 1 for update skip locked)
      returning w.*;
  else
    return query
      update public.work_queue w
         set status = 'running', locked_by = p_worker, locked_at = now(), lease_until = v_until, fence = w.fence + 1
       where w.id = any (array(
         select q.id from public.work_queue q
          where q.status = 'ready' and q.next_retry_at <= now() and (p_topics is null or q.topic = any (p_topics))
          order by q.priority, q.id limit v_limit for update skip locked))
      returning w.*;
  end if;
end $$;
comment on function public.claim_work is
$$Take the next jobs: smallest priority first, then oldest. p_limit 1–500, p_lease_seconds 1–3600.
Permission: work.run (service only).
Errors: auth.forbidden (403).
Idempotency: none needed; an unsettled claim returns when its lease ends.
Locks: the claimed rows, SKIP LOCKED.$$;

create function public.complete_work(p_ids bigint[], p_fences bigint[])
returns setof bigint language plpgsql security definer set search_path = '' as $$
begin
  perform private.authorize('work.run');
  return query
    update public.work_queue w set status = 'done', lease_until = null, locked_by = null, finished_at = now(), last_error = null
     where w.id = any (p_ids) and w.fence = p_fences[array_position(p_ids, w.id)]
       and w.lease_until is not null   -- running; said so that no index of the running jobs is walked instead of the key
    returning w.id;
end $$;
comment on function public.complete_work is
$$Jobs are done. Answers the ids that were settled: a missing id was taken over by another worker (its fence is old).
Permission: work.run (service only).
Errors: auth.forbidden (403).
Idempotency: a second call settles nothing.
Locks: the job rows.$$;

create function public.complete_and_claim_work(
  p_id bigint, p_fence bigint, p_worker text, p_topics text[] default null, p_lease_seconds integer default 60)
returns setof public.work_queue language plpgsql security definer set search_path = '' as $$
begin
  perform private.authorize('work.run');
  perform public.complete_work(array[p_id], array[p_fence]);
  return query select * from public.claim_work(p_worker, p_topics, 1, p_lease_seconds);
end $$;
comment on function public.complete_and_claim_work is
$$This one is done, give me the next: one transaction instead of two.
Permission: work.run (service only).
Errors: auth.forbidden (403).
Idempotency: settling twice does nothing; the next job is a fresh claim.
Locks: the job row, and the claimed row with SKIP LOCKED.$$;

create function public.fail_work(p_id bigint, p_fence bigint, p_error text, p_retry_seconds integer default null)
returns public.work_queue language plpgsql security definer set search_path = '' as $$
declare
  v_job public.work_queue;
  v_wait double precision;
begin
  perform private.authorize('work.run');
  select w.* into v_job from public.work_queue w
   where w.id = p_id and w.fence = p_fence and w.lease_until is not null for update;
  if not found then
    perform private.fail(409, 'work.not_yours', 'Another worker has taken this job over.', jsonb_build_object('id', p_id));
  end if;
  v_wait := coalesce(p_retry_seconds, least(power(2, v_job.retries), 3600) * (0.5 + random()));
  -- A twin queued meanwhile does the same work: this one gives way to it.
  if v_job.retries < v_job.max_retries and v_job.dedupe_key is not null and exists (
    select 1 from public.work_queue t where t.topic = v_job.topic and t.dedupe_key = v_job.dedupe_key and t.status = 'ready'
  ) then
    update public.work_queue w set status = 'done', lease_until = null, locked_by = null, finished_at = now(),
        last_error = 'superseded: ' || left(p_error, 3900)
     where w.id = p_id returning w.* into v_job;
    return v_job;
  end if;
  update public.work_queue w
     set status = case when w.retries >= w.max_retries then 'dead' else 'ready' end,
         retries = w.retries + 1, next_retry_at = now() + make_interval(secs => v_wait),
         lease_until = null, locked_by = null, last_error = left(p_error, 4000),
         finished_at = case when w.retries >= w.max_retries then now() end
   where w.id = p_id returning w.* into v_job;
  return v_job;
end $$;
comment on function public.fail_work is
$$The attempt failed: retry later (2^n seconds with jitter, at most an hour, or p_retry_seconds), or dead after max_retries.
Permission: work.run (service only).
Errors: auth.forbidden (403), work.not_yours (409).
Idempotency: a second call is refused with work.not_yours.
Locks: the job row.$$;

create function public.extend_work(p_id bigint, p_fence bigint, p_lease_seconds integer default 60)
returns timestamptz language plpgsql security definer set search_path = '' as $$
declare
  v_until timestamptz;
begin
  perform private.authorize('work.run');
  update public.work_queue w set lease_until = now() + private.lease(p_lease_seconds)
   where w.id = p_id and w.fence = p_fence and w.lease_until is not null returning w.lease_until into v_until;
  if v_until is null then
    perform private.fail(409, 'work.not_yours', 'Another worker has taken this job over.', jsonb_build_object('id', p_id));
  end if;
  return v_until;
end $$;
comment on function public.extend_work is
$$Still working: the lease now ends p_lease_seconds from now. Answers its new end.
Permission: work.run (service only).
Errors: auth.forbidden (403), work.not_yours (409).
Idempotency: safe to repeat.
Locks: the job row.$$;

create function public.requeue_work(p_id bigint, p_request_id uuid default null)
returns public.work_queue language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('queue.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'requeue_work', jsonb_build_array(p_id));
  v_job public.work_queue;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.work_queue, v_answer);
  end if;
  select w.* into v_job from public.work_queue w where w.id = p_id for update;
  if not found then
    perform private.fail(404, 'work.unknown', 'There is no job ' || p_id || '.');
  elsif v_job.status in ('running', 'done') then
    perform private.fail(409, 'work.not_dead', 'Only a failed job can be queued again.', jsonb_build_object('status', v_job.status));
  elsif v_job.status = 'dead' and v_job.dedupe_key is not null and exists (
    select 1 from public.work_queue t where t.topic = v_job.topic and t.dedupe_key = v_job.dedupe_key and t.status = 'ready'
  ) then
    perform private.fail(409, 'work.twin_waits', 'The same work is queued already.', jsonb_build_object('dedupe_key', v_job.dedupe_key));
  end if;
  update public.work_queue w set status = 'ready', retries = 0, next_retry_at = now(), finished_at = null
   where w.id = p_id returning w.* into v_job;
  perform private.emit('queue', p_id::text, 'work.requeued', v_actor, jsonb_build_object('topic', v_job.topic));
  perform private.remember(v_actor, p_request_id, to_jsonb(v_job));
  return v_job;
end $$;
comment on function public.requeue_work is
$$Try a dead job again with all its retries.
Permission: queue.manage.
Errors: work.unknown (404), work.not_dead (409), work.twin_waits (409), request.reused (422).
Idempotency: by p_request_id; a job that waits already just runs sooner.
Locks: the job row.$$;

grant execute on function public.claim_work, public.complete_work, public.complete_and_claim_work, public.fail_work,
  public.extend_work to service_role;
grant execute on function public.requeue_work to authenticated, service_role;

create type public.queue_status as (topic text, status text, jobs bigint, oldest_seconds double precision);
create function public.work_queue_status()
returns setof public.queue_status language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('work.run');
  return query
    select w.topic, w.status, count(*), extract(epoch from now() - min(w.created_at))::double precision
      from public.work_queue w where w.status <> 'done' group by w.topic, w.status;
end $$;
comment on function public.work_queue_status is
$$Open jobs per topic and status, and the age of the oldest in seconds: the gauges of /metrics.
Permission: work.run (service only).
Errors: auth.forbidden (403).
Idempotency: a read.
Locks: none.$$;
grant execute on function public.work_queue_status to service_role;

-- The clock --------------------------------------------------------------------------------------------------------

create function private.sweep_queue(p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
begin
  with expired as (
    select w.id, row_number() over (partition by w.topic, coalesce(w.dedupe_key, w.id::text) order by w.id) > 1
        or exists (select 1 from public.work_queue t
                    where t.topic = w.topic and t.dedupe_key = w.dedupe_key and t.status = 'ready') as has_twin
      from (select * from public.work_queue q where q.status = 'running' and q.lease_until < p_now for update skip locked) w
  )
  update public.work_queue w
     set status = case when e.has_twin then 'done' when w.retries >= w.max_retries then 'dead' else 'ready' end,
         retries = w.retries + 1, lease_until = null, locked_by = null, next_retry_at = p_now,
         last_error = 'The worker ' || coalesce(w.locked_by, '?') || ' stopped answering.',
         finished_at = case when e.has_twin or w.retries >= w.max_retries then p_now end
    from expired e where w.id = e.id;
end $$;
comment on function private.sweep_queue is 'Jobs whose lease ran out go back to the queue, or to the dead letters after max_retries.';

create function private.purge_finished(p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
begin
  delete from public.work_queue w where w.status = 'done' and w.finished_at < p_now - interval '14 days';
  delete from private.commands c where c.at < p_now - interval '90 days';
  delete from private.device_enrolments e where e.expires_at < p_now;
  delete from private.person_sessions ps where ps.expires_at < p_now;
end $$;
comment on function private.purge_finished is
  'Done jobs go after 14 days, idempotency keys after 90 (the longest an offline station may wait), stale enrolment codes at once.';

create function private.tick(p_now timestamptz default now())
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_job private.scheduled_jobs;
  v_ran jsonb := '{}';
  v_error text;
begin
  for v_job in select * from private.scheduled_jobs s
    where s.last_run_at is null or s.last_run_at <= p_now - s.every order by s.name for update skip locked
  loop
    begin
      v_error := null;
      execute format('select private.%I($1)', v_job.function_name) using p_now;
    exception when others then
      v_error := sqlerrm;
    end;
    update private.scheduled_jobs s set last_run_at = p_now, last_error = v_error where s.name = v_job.name;
    v_ran := v_ran || jsonb_build_object(v_job.name, coalesce(v_error, 'ok'));
  end loop;
  return v_ran;
end $$;
comment on function private.tick is
  'Run every scheduled job that is due; one failing job does not stop the others. Answers {job: ok | error}.';

create function public.tick()
returns jsonb language plpgsql security definer set search_path = '' as $$
begin
  perform private.authorize('work.run');
  return private.tick();
end $$;
comment on function public.tick is
$$The plant's clock for servers without pg_cron: takt worker calls it every few seconds.
Permission: work.run (service only).
Errors: auth.forbidden (403).
Idempotency: a job runs once per its interval, whoever calls.
Locks: the due rows of private.scheduled_jobs, SKIP LOCKED.$$;
grant execute on function public.tick to service_role;
