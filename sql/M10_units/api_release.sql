create type public.release_result as (
  changed boolean, event_id bigint, recall_id bigint, units_released integer, units_kept integer, lots_released integer, lots_kept integer);
comment on type public.release_result is
  'What release_all released, and what stays on hold because another recall wants it too. What was released or scrapped by hand before is in neither.';

create function private.claimed(p_recall bigint, p_kind text)
returns text[] language plpgsql stable set search_path = '' as $$
begin
  return array(select c.key from private.recall_claims c where c.recall_id = p_recall and c.kind = p_kind and c.is_cause order by c.key);
end $$;
comment on function private.claimed is 'What is on hold because of this recall.';

create function public.release_all(p_recall_id bigint, p_reason text default null, p_request_id uuid default null)
returns public.release_result language plpgsql security definer set search_path = '' set statement_timeout = '100s' as $$
declare
  v_actor uuid := private.authorize('units.recall');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'release_all', jsonb_build_array(p_recall_id, p_reason));
  v_recall private.recalls;
  v_sns text[];
  v_lots bigint[];
  v_detail jsonb;
  v_result public.release_result;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.release_result, v_answer);
  end if;
  perform private.check_unit_reason(p_reason);
  select r.* into v_recall from private.recalls r where r.id = p_recall_id for update;
  if v_recall.id is null then
    perform private.fail(404, 'recall.unknown', 'There is no such recall.', jsonb_build_object('recall_id', p_recall_id));
  end if;
  perform private.check_recall(array(select c.key from private.recall_claims c where c.recall_id = p_recall_id and c.kind = 'unit'));
  perform private.authorize_lots(array(select c.key::bigint from private.recall_claims c where c.recall_id = p_recall_id and c.kind = 'lot'), 'units.recall');
  v_result := row(v_recall.released_at is null, null, p_recall_id, 0, 0, 0, 0);
  if v_result.changed then
    v_detail := jsonb_build_object('recall', v_recall.trace, 'recall_id', p_recall_id);
    perform 1 from public.units u where u.sn = any (private.claimed(p_recall_id, 'unit')) order by u.sn for update;
    perform 1 from public.lots l where l.id = any (private.claimed(p_recall_id, 'lot')::bigint[]) order by l.id for update;
    v_sns := private.claimed(p_recall_id, 'unit');   -- under their locks: what somebody released meanwhile is not among them
    v_lots := private.claimed(p_recall_id, 'lot')::bigint[];
    delete from private.recall_claims c where c.recall_id = p_recall_id;
    v_result.lots_released := cardinality(private.end_lot_holds(v_lots, p_reason, v_actor, v_detail));
    v_result.units_released := cardinality(private.end_holds(v_sns, p_reason, v_actor, v_detail));
    v_result.units_kept := cardinality(v_sns) - v_result.units_released;
    v_result.lots_kept := cardinality(v_lots) - v_result.lots_released;
    update private.recalls r set released_at = now(), release_reason = p_reason,
        released_by = nullif(v_actor, '00000000-0000-0000-0000-000000000000') where r.id = p_recall_id;
    v_result.event_id := private.emit('recall', coalesce(v_recall.trace ->> 'key', v_recall.trace ->> 'sku', v_recall.trace ->> 'first',
      v_recall.trace ->> 'last'), 'recall.released', v_actor, v_detail || jsonb_build_object('reason', p_reason, 'held_because', v_recall.reason)
      || to_jsonb(v_result) - 'changed' - 'event_id');
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_result));
  return v_result;
end $$;
comment on function public.release_all is
$$Takes one hold_all back: everything that is on hold because of it is what it was before, units in any status and lots, and pieces in stock are free
again. What was on hold before it stays so, for its own reason; what another open recall wants held stays on hold for that one. What somebody
released by hand, and then held for something else, is not touched.
Permission: units.recall, at the sites of all its units, and of the orders of all its lots.
Errors: recall.unknown (404), unit.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; a recall that is over stays so: changed = false.
Locks: the recall; the units by serial, the lots by id, then the items in stock and the order lines they go to.$$;

create type public.recall_entry as (
  recall_id bigint, trace jsonb, reason text, held_at timestamptz, held_by_name text, units_on_hold bigint, lots_on_hold bigint,
  released_at timestamptz, released_by_name text, release_reason text);
comment on type public.recall_entry is 'One hold_all: what was traced, why, who, what is still on hold because of it; who released it, and why.';

create function public.get_recalls(p_with_released boolean default false, p_limit integer default 50)
returns setof public.recall_entry language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('units.read');
  return query
    select r.id, r.trace, r.reason, r.held_at, private.actor_name(r.held_by), c.units, c.lots, r.released_at, private.actor_name(r.released_by),
        r.release_reason
      from (select x.* from private.recalls x where p_with_released or x.released_at is null order by x.id desc
             limit least(greatest(coalesce(p_limit, 50), 1), 500)) r
     cross join lateral (select count(*) filter (where k.kind = 'unit') as units, count(*) filter (where k.kind = 'lot') as lots
        from private.recall_claims k where k.recall_id = r.id and k.is_cause) c
     order by r.id desc;
end $$;
comment on function public.get_recalls is
$$The recalls that are open, newest first, with what each still holds; with p_with_released those that are over too. p_limit 1–500.
Permission: units.read.
Errors: auth.forbidden (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.release_all, public.get_recalls to authenticated, service_role;
