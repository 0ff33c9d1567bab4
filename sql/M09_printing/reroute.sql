-- A waiting job for another printer, another resolution, another roll; and a printer's troubles in words.

create function private.reason_words(p_reasons text[])
returns text language plpgsql immutable set search_path = '' as $$
begin
  return coalesce((
    select string_agg(coalesce(w.words, r.reason), ', ' order by r.n)
      from unnest(p_reasons) with ordinality as r (reason, n)
      left join (values
        ('media-empty', 'out of labels: load a roll'), ('media-jam', 'labels are jammed: open the cover and clear them'), ('media-low', 'nearly out of labels'),
        ('marker-supply-empty', 'out of ribbon: load a ribbon'), ('marker-supply-jam', 'the ribbon is jammed'), ('cover-open', 'the cover is open: close it'),
        ('paused', 'paused: press the pause button'), ('cutter-fault', 'the cutter is stuck'), ('head-over-temp', 'the head is too hot: wait'),
        ('motor-over-temp', 'the motor is too hot: wait'), ('head-fault', 'the print head is broken'), ('head-needs-cleaning', 'the print head needs cleaning'),
        ('head-needs-replacing', 'the print head needs replacing'), ('media-uncalibrated', 'it does not find the gaps: calibrate it'),
        ('buffer-full', 'its memory is full: switch it off and on'), ('diagnostic-mode', 'it is in diagnostic mode: switch it off and on'),
        ('memory-lost', 'it lost its settings: set it up again'), ('unreadable', 'its answers cannot be read'),
        ('unreachable', 'not reachable: switch it on, check its cable'), ('not-a-printer', 'what answers at its address is no label printer'),
        ('resolution-unknown', 'it does not say how fine it prints'), ('resolution-changed', 'it prints in another resolution than before')
      ) as w (reason, words) on w.reason = r.reason), 'it stands still and does not say why');
end $$;
comment on function private.reason_words is 'The reasons of a printer (IPP words) as a person says them, with what to do. An unknown reason is shown as it is.';

create function private.job_labels(p_job_id bigint)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (select jsonb_agg(jsonb_build_object('subject', l.subject, 'data', l.data) order by l.seq)
    from public.print_job_labels l where l.job_id = p_job_id);
end $$;

create function private.recompile_print(p_job public.print_jobs, p_printer public.printers)
returns public.print_jobs language plpgsql set search_path = '' as $$
declare
  v_job public.print_jobs;
  v_version public.label_template_versions;
  v_payload text := p_job.payload;
begin
  select v.* into v_version from public.label_template_versions v where v.id = p_job.version_id;
  perform private.check_size(v_version, p_printer);
  if (p_job.language, p_job.dpi) is distinct from (p_printer.language, p_printer.dpi) and p_printer.dpi is not null then
    v_payload := private.compile_label(v_version, private.job_labels(p_job.id), p_job.copies, p_printer.language, p_printer.dpi);
  end if;
  update public.print_jobs j
     set printer = p_printer.code, language = p_printer.language, dpi = coalesce(p_printer.dpi, j.dpi), payload = v_payload,
         payload_sha256 = encode(sha256(convert_to(v_payload, 'UTF8')), 'hex'),
         routed_from = case when j.printer <> p_printer.code then j.printer else j.routed_from end
   where j.id = p_job.id returning j.* into v_job;
  return v_job;
end $$;
comment on function private.recompile_print is
  'A job that has not begun, for this printer as it is now: compiled anew when language or resolution differ. Errors: print.too_large (412), those of compile_label.';

create function private.refit_prints(p_printer public.printers)
returns void language plpgsql set search_path = '' as $$
declare
  v_job public.print_jobs;
  v_message text;
begin
  for v_job in select j.* from public.print_jobs j where j.printer = p_printer.code and j.state = 'queued'
    and (j.language, j.dpi) is distinct from (p_printer.language, p_printer.dpi) order by j.id for update
  loop
    begin
      perform private.recompile_print(v_job, p_printer);
    exception when others then
      get stacked diagnostics v_message = message_text;
      perform private.move_print(v_job, 'held', null, v_message);
    end;
  end loop;
end $$;
comment on function private.refit_prints is 'The printer has another resolution or language: what waits for it is compiled anew, or held where it does not fit any more.';

create function private.release_media(p_printer public.printers, p_by private.print_mover)
returns void language plpgsql set search_path = '' as $$
declare
  v_job public.print_jobs;
begin
  for v_job in select j.* from public.print_jobs j where j.printer = p_printer.code and j.state = 'held' and j.why like 'Wrong media: %'
    and j.media = coalesce(p_printer.loaded_media, j.media) order by j.id for update
  loop
    perform private.move_print(private.recompile_print(v_job, p_printer), 'queued', p_by);
  end loop;
end $$;
comment on function private.release_media is 'The right roll is in: the jobs that were held for it wait for their turn again.';

create function private.reroute_prints(p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
declare
  v_job public.print_jobs;
  v_next public.printers;
begin
  for v_job in
    select j.* from public.printers p
      join public.print_jobs j on j.printer = p.code and j.state = 'queued' and not j.printer_fixed and j.queued_at < p_now - interval '60 seconds'
     where private.printer_trouble(p, null, p_now) is not null
     order by j.priority, j.id limit 200 for update of j skip locked
  loop
    v_next := private.pick_printer(v_job.site, v_job.station, v_job.label_type, v_job.media);
    continue when v_next.code is null or v_next.code = v_job.printer or v_next.dpi is null
      or private.printer_trouble(v_next, v_job.media, p_now) is not null;
    begin
      v_job := private.recompile_print(v_job, v_next);
      perform private.note_print(v_job, v_job.state, 'print.queued', format('%s does not print: it goes to %s.', v_job.routed_from, v_next.name));
    exception when others then
      null;   -- it does not fit there: it keeps waiting here
    end;
  end loop;
end $$;
comment on function private.reroute_prints is
$$Jobs that wait for a printer in trouble go to the next one of their route that prints, with a remark in their history. Only waiting jobs,
and never one that somebody gave to a printer.$$;
