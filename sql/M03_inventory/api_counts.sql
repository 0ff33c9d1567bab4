-- Blind counts: what is expected is worked out when the figures come in, and written down only then.

create function private.blind_skus()
returns text[] language plpgsql stable security definer set search_path = '' as $$
declare
  v_me uuid := (private.identify()).actor_id;
begin
  return array(select l.sku from public.stock_counts c join public.stock_count_lines l on l.count_id = c.id
    where c.status in ('open', 'recount', 'approval') and c.started_by = v_me and l.status in ('open', 'recount'));
end $$;
comment on function private.blind_skus is 'For policies and reads: items that the caller is counting right now, whose figures they must not see. Wrap it in (select …).';
grant execute on function private.blind_skus to authenticated;

create function private.lock_count(p_count_id bigint)
returns public.stock_counts language plpgsql set search_path = '' as $$
declare
  v_count public.stock_counts;
begin
  select c.* into v_count from public.stock_counts c where c.id = p_count_id for update;
  if v_count.id is null then
    perform private.fail(404, 'count.unknown', 'There is no count ' || coalesce(p_count_id::text, '') || '.', jsonb_build_object('id', p_count_id));
  elsif v_count.status in ('applied', 'cancelled') then
    perform private.fail(409, 'count.closed', 'This count is finished.', jsonb_build_object('id', p_count_id, 'status', v_count.status));
  end if;
  return v_count;
end $$;

create function private.count_site(p_count_id bigint)
returns text language sql stable set search_path = '' as $$
  select l.site from public.stock_counts c join public.locations l on l.code = c.location where c.id = p_count_id
$$;

create type public.count_answer as (count_row public.stock_counts, lines jsonb);
comment on type public.count_answer is
'A count and its lines [{sku, title, uom, status, counted, counted_at, expected, variance, moved, rounds, txn_id}]; expected and variance are null until submitted.';

create function private.count_answer(p_count_id bigint)
returns public.count_answer language sql stable set search_path = '' as $$
  select row(c, (select coalesce(jsonb_agg(to_jsonb(l) - '{count_id,counted_by}'::text[] || jsonb_build_object('title', i.title, 'uom', i.uom)
      order by l.sku), '[]')
    from public.stock_count_lines l join public.inventory_items i on i.sku = l.sku where l.count_id = c.id))::public.count_answer
    from public.stock_counts c where c.id = p_count_id
$$;

create function private.finish_count(p_count public.stock_counts, p_event text, p_actor uuid, p_request_id uuid)
returns public.count_answer language plpgsql set search_path = '' as $$
declare
  v_states text[] := array(select distinct l.status from public.stock_count_lines l where l.count_id = p_count.id);
  v_answer public.count_answer;
begin
  update public.stock_counts c
     set status = case when p_count.status = 'cancelled' then 'cancelled' when 'open' = any (v_states) then 'open'
           when 'recount' = any (v_states) then 'recount' when 'approval' = any (v_states) then 'approval' else 'applied' end
   where c.id = p_count.id;
  update public.stock_counts c set closed_at = now() where c.id = p_count.id and c.status in ('applied', 'cancelled');
  v_answer := private.count_answer(p_count.id);
  perform private.emit('count', p_count.id::text, p_event, p_actor, jsonb_build_object('location', p_count.location, 'version',
    (v_answer.count_row).version, 'status', (v_answer.count_row).status), null, private.count_site(p_count.id));
  perform private.remember(p_actor, p_request_id, to_jsonb(v_answer));
  return v_answer;
end $$;

create function public.start_count(p_location text default null, p_skus text[] default null, p_note text default null, p_request_id uuid default null)
returns public.count_answer language plpgsql security definer set search_path = '' as $$
declare
  v_place public.locations := private.place(p_location);
  v_actor uuid := private.authorize('inventory.count', null, v_place.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'start_count', jsonb_build_array(p_location, p_skus, p_note));
  v_skus text[];
  v_busy text;
  v_count public.stock_counts;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.count_answer, v_answer);
  end if;
  perform private.check_place(v_place, p_location);
  perform private.check_length('p_note', p_note, 500);
  if p_skus is null then
    v_skus := array(select b.sku from public.inventory_balances b join public.inventory_items i on i.sku = b.sku
      where b.location = v_place.code and (b.on_hand <> 0 or i.is_active));
  else
    v_skus := array(select distinct (private.item_to_move(s)).sku from unnest(p_skus) s);
  end if;
  if cardinality(v_skus) not between 1 and 5000 then
    perform private.fail(422, 'count.empty', 'Choose 1 to 5000 items to count.', jsonb_build_object('actual', cardinality(v_skus)));
  end if;
  perform pg_advisory_xact_lock(hashtextextended('takt count ' || v_place.code, 0));   -- two counts of one shelf must see each other
  select l.sku into v_busy from public.stock_count_lines l join public.stock_counts c on c.id = l.count_id
   where c.location = v_place.code and c.status in ('open', 'recount', 'approval') and l.status <> 'applied' and l.sku = any (v_skus) order by 1 limit 1;
  if v_busy is not null then
    perform private.fail(409, 'count.running', v_busy || ' is being counted there already.', jsonb_build_object('sku', v_busy, 'location', v_place.code));
  end if;
  insert into public.stock_counts as c (location, note, started_by)
  values (v_place.code, p_note, nullif(v_actor, '00000000-0000-0000-0000-000000000000')) returning c.* into v_count;
  insert into public.stock_count_lines (count_id, sku) select v_count.id, s from unnest(v_skus) s;
  return private.finish_count(v_count, 'count.started', v_actor, p_request_id);
end $$;
comment on function public.start_count is
$$Begin a blind count of a location (default place): of these items, or of all that lie there. Until it is submitted nobody is told what is expected,
and who counts does not see these items' figures anywhere.
Permission: inventory.count at the site of the location.
Errors: item.unknown (404), item.not_stocked (422), location.unknown (404), location.required (422), location.inactive (409), count.empty (422), count.running (409), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it a repeat is refused with count.running.
Locks: counts of the location against each other.$$;

create function private.apply_count_line(p_count public.stock_counts, p_sku text, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_line public.stock_count_lines;
  v_id bigint;
begin
  select l.* into v_line from public.stock_count_lines l where l.count_id = p_count.id and l.sku = p_sku;
  if v_line.variance <> 0 then
    v_id := private.post_txn(p_sku, p_count.location, 'adjust', v_line.variance, 'count', p_count.id::text, p_count.note, p_actor);
  end if;
  update public.stock_count_lines l set status = 'applied', txn_id = v_id where l.count_id = p_count.id and l.sku = p_sku;
end $$;

create function private.check_count_lines(p_lines jsonb)
returns void language plpgsql stable set search_path = '' as $$
begin
  if jsonb_typeof(p_lines) is distinct from 'array' or jsonb_array_length(p_lines) not between 1 and 5000 or exists (
    select 1 from jsonb_array_elements(p_lines) l (item) where jsonb_typeof(l.item) <> 'object'
       or coalesce(l.item ->> 'counted', '') !~ '^\d{1,9}(\.\d{1,3})?$')
     or (select count(*) <> count(distinct lower(l.item ->> 'sku')) from jsonb_array_elements(p_lines) l (item)) then
    perform private.fail(422, 'count.lines', 'Each line needs its SKU, once, and the counted figure, 0 or more.', jsonb_build_object('field', 'p_lines'));
  end if;
  perform (l.item ->> 'counted_at')::timestamptz from jsonb_array_elements(p_lines) l (item);
exception when datetime_field_overflow or invalid_datetime_format then
  perform private.fail(422, 'count.counted_at', 'The time of counting cannot be read.', jsonb_build_object('field', 'counted_at'));
end $$;

create function private.submit_count_line(p_count public.stock_counts, p_sku text, p_counted numeric, p_at timestamptz, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_line public.stock_count_lines;
  v_expected numeric;
  v_moved boolean;
  v_asks boolean;
begin
  insert into public.stock_count_lines (count_id, sku) values (p_count.id, p_sku) on conflict do nothing;   -- found, though nobody expected it
  select l.* into v_line from public.stock_count_lines l where l.count_id = p_count.id and l.sku = p_sku;
  if v_line.status not in ('open', 'recount') then
    perform private.fail(409, 'count.submitted', p_sku || ' was submitted already.', jsonb_build_object('sku', p_sku));
  elsif p_at > clock_timestamp() + interval '1 minute' or p_at < p_count.started_at - interval '1 minute' or v_line.rounds > 0 and p_at < v_line.opened_at then
    perform private.fail(422, 'count.counted_at', 'The time of counting lies before the count began or in the future. Check the clock.',
      jsonb_build_object('sku', p_sku, 'actual', p_at, 'since', v_line.opened_at));
  end if;
  -- What lay there when it was looked at: now, without what moved later. Without an instant it was looked at just now.
  select coalesce((select b.on_hand from public.inventory_balances b where b.sku = p_sku and b.location = p_count.location), 0)
      - coalesce(sum(t.quantity) filter (where t.at > p_at), 0), count(*) > 0 and p_at is null
    into v_expected, v_moved
    from public.inventory_txn t where t.sku = p_sku and t.location = p_count.location and t.at > least(v_line.opened_at, p_at);
  v_asks := p_counted <> v_expected and (v_moved or abs(p_counted - v_expected) * 100
    > private.setting('inventory.count_tolerance', null, private.count_site(p_count.id))::integer * greatest(abs(v_expected), 1));
  update public.stock_count_lines l
     set counted = p_counted, counted_at = coalesce(p_at, clock_timestamp()), counted_by = nullif(p_actor, '00000000-0000-0000-0000-000000000000'),
         expected = v_expected, moved = v_moved, rounds = l.rounds + 1, status = 'approval'
   where l.count_id = p_count.id and l.sku = p_sku;
  if not v_asks then
    perform private.apply_count_line(p_count, p_sku, p_actor);
  end if;
end $$;
comment on function private.submit_count_line is
$$One figure. A difference above setting inventory.count_tolerance (percent of what is expected), or of something that moved while nobody said when
they looked, waits for another person; the rest is booked at once. Errors: count.submitted (409), count.counted_at (422). Locks: the item is locked.$$;

create function public.submit_count(p_count_id bigint, p_lines jsonb, p_request_id uuid default null)
returns public.count_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.count', null, private.count_site(p_count_id));
  v_answer jsonb := private.replay(v_actor, p_request_id, 'submit_count', jsonb_build_array(p_count_id, p_lines));
  v_count public.stock_counts;
  v_skus text[];
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.count_answer, v_answer);
  end if;
  v_count := private.lock_count(p_count_id);
  if v_count.started_by is distinct from nullif(v_actor, '00000000-0000-0000-0000-000000000000') then
    perform private.fail(403, 'count.not_yours', 'Somebody else is counting this. Whoever began a count submits it.', jsonb_build_object('id', p_count_id));
  end if;
  perform private.check_count_lines(p_lines);
  v_skus := array(select (private.item_to_move(l.item ->> 'sku')).sku from jsonb_array_elements(p_lines) l (item) order by 1);
  perform private.lock_stock(v_skus);
  perform private.submit_count_line(v_count, (private.find_item(l.item ->> 'sku')).sku, (l.item ->> 'counted')::numeric,
      (l.item ->> 'counted_at')::timestamptz, v_actor)
    from (select x.item from jsonb_array_elements(p_lines) x (item) order by x.item ->> 'sku') l;
  update public.stock_counts c set submitted_at = clock_timestamp() where c.id = p_count_id;
  perform private.allocate(v_skus, jsonb_build_object('event', 'count.booked', 'ref', p_count_id));
  return private.finish_count(v_count, 'count.submitted', v_actor, p_request_id);
end $$;
comment on function public.submit_count is
$$What was counted: p_lines [{sku, counted, counted_at}], some or all, counted_at when each was looked at (without it: just now). The difference is taken
from what lay there at that instant, so movements before and after are safe. Small differences are booked; larger ones wait for approve_count.
An item that nobody expected there may be added. Only now expected and variance are shown.
Permission: inventory.count at the site of the location, and one's own count.
Errors: count.unknown (404), count.closed (409), count.not_yours (403), count.lines (422), count.counted_at (422), count.submitted (409), item.unknown (404), item.not_stocked (422), request.reused (422).
Idempotency: by p_request_id; a line is submitted once per round.
Locks: the count, then the items by SKU.$$;

create function private.lines_to_decide(p_count public.stock_counts, p_skus text[])
returns text[] language plpgsql stable set search_path = '' as $$
declare
  v_skus text[] := array(select l.sku from public.stock_count_lines l where l.count_id = p_count.id and l.status = 'approval'
    and (p_skus is null or l.sku = any (p_skus)) order by l.sku);
begin
  if v_skus = '{}' then
    perform private.fail(409, 'count.nothing_waits', 'No difference of this count waits for a decision.', jsonb_build_object('id', p_count.id));
  end if;
  return v_skus;
end $$;

create function public.approve_count(p_count_id bigint, p_skus text[] default null, p_request_id uuid default null)
returns public.count_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.approve', null, private.count_site(p_count_id));
  v_answer jsonb := private.replay(v_actor, p_request_id, 'approve_count', jsonb_build_array(p_count_id, p_skus));
  v_count public.stock_counts;
  v_skus text[];
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.count_answer, v_answer);
  end if;
  v_count := private.lock_count(p_count_id);
  v_skus := private.lines_to_decide(v_count, p_skus);
  if exists (select 1 from public.stock_count_lines l where l.count_id = p_count_id and l.sku = any (v_skus) and l.counted_by = v_actor) then
    perform private.fail(403, 'count.same_person', 'You counted this yourself. Another person must approve it.', jsonb_build_object('id', p_count_id));
  end if;
  perform private.lock_stock(v_skus);
  perform private.apply_count_line(v_count, s, v_actor) from unnest(v_skus) s;
  update public.stock_counts c set decided_by = nullif(v_actor, '00000000-0000-0000-0000-000000000000') where c.id = p_count_id;
  perform private.allocate(v_skus, jsonb_build_object('event', 'count.booked', 'ref', p_count_id));
  return private.finish_count(v_count, 'count.approved', v_actor, p_request_id);
end $$;
comment on function public.approve_count is
$$Book the differences that wait (of p_skus, or all): as differences, so that what moved since the count stays.
Permission: inventory.approve at the site of the location, by another person than the counter.
Errors: count.unknown (404), count.closed (409), count.nothing_waits (409), count.same_person (403), stock.short (409), request.reused (422).
Idempotency: by p_request_id; a repeat finds nothing that waits.
Locks: the count, then the items by SKU.$$;

create function public.recount(p_count_id bigint, p_skus text[] default null, p_request_id uuid default null)
returns public.count_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.approve', null, private.count_site(p_count_id));
  v_answer jsonb := private.replay(v_actor, p_request_id, 'recount', jsonb_build_array(p_count_id, p_skus));
  v_count public.stock_counts;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.count_answer, v_answer);
  end if;
  v_count := private.lock_count(p_count_id);
  update public.stock_count_lines l
     set status = 'recount', counted = null, counted_at = null, expected = null, moved = false, opened_at = clock_timestamp()
   where l.count_id = p_count_id and l.sku = any (private.lines_to_decide(v_count, p_skus));
  return private.finish_count(v_count, 'count.recount', v_actor, p_request_id);
end $$;
comment on function public.recount is
$$Count the differences that wait (of p_skus, or all) once more: the figures are forgotten and blind again.
Permission: inventory.approve at the site of the location.
Errors: count.unknown (404), count.closed (409), count.nothing_waits (409), request.reused (422).
Idempotency: by p_request_id; a repeat finds nothing that waits.
Locks: the count.$$;

create function public.cancel_count(p_count_id bigint, p_request_id uuid default null)
returns public.count_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.count', null, private.count_site(p_count_id));
  v_answer jsonb := private.replay(v_actor, p_request_id, 'cancel_count', jsonb_build_array(p_count_id));
  v_count public.stock_counts;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.count_answer, v_answer);
  end if;
  v_count := private.lock_count(p_count_id);
  v_count.status := 'cancelled';
  return private.finish_count(v_count, 'count.cancelled', v_actor, p_request_id);
end $$;
comment on function public.cancel_count is
$$Give a count up. What was booked stays booked; what waits or was not counted is dropped.
Permission: inventory.count at the site of the location.
Errors: count.unknown (404), count.closed (409), request.reused (422).
Idempotency: by p_request_id; without it a repeat is refused with count.closed.
Locks: the count.$$;

create function public.get_count(p_count_id bigint)
returns public.count_answer language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('inventory.count', null, private.count_site(p_count_id));
  return private.count_answer(p_count_id);
end $$;
comment on function public.get_count is
$$A count with its lines; expected and variance of a line only after it was submitted. Null when there is none.
Permission: inventory.count at the site of the location.
Errors: auth.other_site (403).
Idempotency: a read.
Locks: none.$$;
grant execute on function public.start_count, public.submit_count, public.approve_count, public.recount, public.cancel_count, public.get_count
  to authenticated, service_role;
