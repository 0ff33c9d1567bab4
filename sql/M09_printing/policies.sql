alter table public.printers enable row level security;
alter table public.label_templates enable row level security;
alter table public.label_template_versions enable row level security;
alter table public.label_proofs enable row level security;
alter table public.print_routes enable row level security;
alter table public.print_jobs enable row level security;
alter table public.print_job_labels enable row level security;
alter table public.print_job_events enable row level security;
alter table private.print_transitions enable row level security;
alter table private.print_refusals enable row level security;

create function private.readable_printers()
returns text[] language plpgsql stable security definer set search_path = '' as $$
declare
  v_who private.identity := private.identify();
begin
  return array(
    select p.code from public.printers p
     where private.may('printing.read') and private.works_at(v_who, p.site)
       and (v_who.role <> 'device.print_agent' or p.device_id = (select d.id from public.devices d where d.user_id = v_who.actor_id)));
end $$;
comment on function private.readable_printers is
  'For policies: printers at the sites of an active caller with printing.read; of a print agent its own ones. Wrap it in (select …).';
grant execute on function private.readable_printers to authenticated;

create policy select_active on public.label_templates for select to authenticated using ((select private.may('printing.read')));
create policy select_active on public.label_template_versions for select to authenticated using ((select private.may('printing.read')));
create policy select_active on public.label_proofs for select to authenticated using ((select private.may('printing.read')));
create policy select_printer on public.printers for select to authenticated using ((select private.readable_printers()) @> array[code]);
create policy select_printer on public.print_routes for select to authenticated using ((select private.readable_printers()) @> array[printer]);
create policy select_printer on public.print_jobs for select to authenticated
  using ((select private.readable_printers()) @> array[printer]
    and (store is null or (select private.readable_stores('printing.read')) @> array[store]));
create policy select_job on public.print_job_labels for select to authenticated
  using (exists (select from public.print_jobs j where j.id = job_id));   -- under its own policy
create policy select_job on public.print_job_events for select to authenticated
  using (exists (select from public.print_jobs j where j.id = job_id));

grant select on public.printers, public.label_templates, public.label_template_versions, public.label_proofs, public.print_routes,
  public.print_jobs, public.print_job_labels, public.print_job_events, public.print_agents to authenticated;
