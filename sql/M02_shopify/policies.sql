alter table public.shop_tokens enable row level security;
alter table public.sync_runs enable row level security;
alter table public.channel_orders enable row level security;
alter table public.extraction_rules enable row level security;
alter table private.shop_secrets enable row level security;
alter table private.webhook_formats enable row level security;
alter table private.webhook_topics enable row level security;
alter table private.webhook_inbox enable row level security;

create policy select_store on public.shop_tokens for select to authenticated
  using (store = any ((select private.readable_stores('channels.read'))::text[]));
create policy select_store on public.channel_orders for select to authenticated
  using (store = any ((select private.readable_stores('channels.read'))::text[]));
create policy select_store on public.sync_runs for select to authenticated
  using (store = any ((select private.readable_stores('channels.read'))::text[])
    or store is null and (select private.may('channels.read')));
create policy select_store on public.extraction_rules for select to authenticated
  using (store = any ((select private.readable_stores('channels.read'))::text[])
    or store is null and (select private.may('channels.read')));

grant select on public.shop_tokens, public.sync_runs, public.channel_orders, public.extraction_rules to authenticated;
