-- Takes M04_sync back. Gone with it: what shops were told about items that ran out. Jobs of topic stock.push stay in the queue.
-- Role postgres, one transaction; then `supabase migration repair --status reverted <version>`.
set local lock_timeout = '10s';

drop trigger _300_dead_push on public.work_queue;
drop trigger _500_push on private.shop_secrets;
drop trigger _900_crossing on public.inventory_stock;

drop function
  private.push_alarms, private.queue_open_pushes, private.queue_push, private.reconcile_pushes, private.tg_inventory_stock__crossing,
  private.tg_shop_secrets__push, private.tg_work_queue__dead_push, public.begin_stock_push, public.finish_stock_push,
  public.get_stock_alarms, public.retry_stock_pushes;

drop type
  public.push_task;

drop table
  public.stock_pushes;

delete from private.scheduled_jobs where name = 'reconcile stock pushes';
