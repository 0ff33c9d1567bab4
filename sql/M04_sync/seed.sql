insert into private.scheduled_jobs (name, function_name, every) values ('reconcile stock pushes', 'reconcile_pushes', '5 minutes');
