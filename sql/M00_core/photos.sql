-- Photos that people take at the bench. The server makes the path, Storage keeps the file, a command of the domain attaches it.

create table private.photo_kinds (
  about text not null constraint photo_kinds_about_check check (about ~ '^[a-z_]{1,40}$'),
  read_permission text not null,
  constraint photo_kinds_pkey primary key (about),
  constraint photo_kinds_read_permission_fkey foreign key (read_permission) references public.permissions (permission) on delete restrict
);
create index photo_kinds_read_permission_idx on private.photo_kinds (read_permission);
comment on table private.photo_kinds is 'What photos may show, and who sees them. A domain adds its own in its seed; its command decides who keeps one.';

create table private.photos (
  id uuid not null default gen_random_uuid(),
  about text not null,
  about_id text constraint photos_about_id_check check (length(about_id) <= 200),
  site text not null,
  store text,
  path text not null generated always as (site || '/' || about || '/' || id::text || '.jpg') stored,
  uploader uuid not null,
  created_by uuid not null,
  created_at timestamptz not null default now(),
  attached_at timestamptz,
  constraint photos_pkey primary key (id),
  constraint photos_path_key unique (path),
  constraint photos_about_fkey foreign key (about) references private.photo_kinds (about) on delete restrict,
  constraint photos_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint photos_store_fkey foreign key (store) references public.stores (code) on delete restrict
);
create index photos_about_idx on private.photos (about, about_id);
create index photos_site_idx on private.photos (site);
create index photos_store_idx on private.photos (store) where store is not null;
create index photos_open_idx on private.photos (uploader, created_at) where attached_at is null;
comment on table private.photos is 'Paths that were given out for photos. A file in the bucket that stands here belongs to somebody; no other gets in.';
comment on column private.photos.uploader is 'The Auth user that may upload it: the person, or the shared station where they stood.';
comment on column private.photos.store is 'The store of what it shows: seen by those who work there; null: by those of the site.';
comment on column private.photos.about_id is 'What it shows; null until a command has attached it.';

create type public.photo_place as (bucket text, path text, max_bytes integer);
comment on type public.photo_place is 'Where a photo is uploaded to: bucket and path of Storage, and how many bytes it may have.';

create function public.start_photo(p_about text, p_site text, p_request_id uuid default null)
returns public.photo_place language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('photos.take', null, p_site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'start_photo', jsonb_build_array(p_about, p_site));
  v_uploader uuid := nullif(private.claims() ->> 'sub', '')::uuid;
  v_place public.photo_place;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.photo_place, v_answer);
  elsif not exists (select 1 from private.photo_kinds k where k.about = p_about) then
    perform private.fail(422, 'photo.about', 'Photos cannot be taken of that.', jsonb_build_object('field', 'p_about', 'actual', p_about));
  elsif not exists (select 1 from public.sites s where s.code = p_site) then
    perform private.fail(404, 'site.unknown', 'There is no site ' || coalesce(p_site, '') || '.', jsonb_build_object('site', p_site));
  elsif (select count(*) >= 200 from private.photos p where p.uploader = v_uploader and p.attached_at is null and p.created_at > now() - interval '1 day') then
    perform private.fail(429, 'photo.too_many', 'Too many photos were begun and never kept. Try again tomorrow.');
  end if;
  insert into private.photos as p (about, site, uploader, created_by) values (p_about, p_site, v_uploader, v_actor)
  returning 'photos', p.path, 3145728 into v_place;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_place));
  return v_place;
end $$;
comment on function public.start_photo is
$$A photo is about to be uploaded: answers bucket and path, which the server makes; upload image/jpeg there within a day, as the same Auth user. Then a
command of the domain (confirm_plate …) takes the path. p_about what it will show: print_run …; p_site where.
Permission: photos.take at the site; keeping it needs the permission of that command.
Errors: photo.about (422), site.unknown (404), photo.too_many (429), request.reused (422).
Idempotency: by p_request_id; without it every call gives another path.
Locks: none.$$;

create function private.attach_photo(p_path text, p_about text, p_about_id text, p_site text, p_actor uuid, p_store text default null)
returns void language plpgsql set search_path = '' as $$
declare
  v_photo private.photos;
begin
  select p.* into v_photo from private.photos p where p.path = p_path and p.about = p_about and p.site = p_site and p.created_by = p_actor for update;
  if v_photo.id is null or v_photo.about_id <> p_about_id then
    perform private.fail(404, 'photo.unknown', 'This photo was not taken for this. Take it again.', jsonb_build_object('path', p_path));
  elsif not exists (select 1 from storage.objects o where o.bucket_id = 'photos' and o.name = p_path) then
    perform private.fail(409, 'photo.missing', 'The photo has not arrived yet. Send it again.', jsonb_build_object('path', p_path));
  end if;
  update private.photos p set about_id = p_about_id, store = p_store, attached_at = coalesce(p.attached_at, now()) where p.id = v_photo.id;
end $$;
comment on function private.attach_photo is
$$The photo at this path shows p_about_id (of p_store, where that is of one), for good. Only who took it, for this kind and site, and only when its file is there.
Errors: photo.unknown (404), photo.missing (409). Locks: the photo.$$;

-- Storage ----------------------------------------------------------------------------------------------------------

insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
values ('photos', 'photos', false, 3145728, '{image/jpeg}')
on conflict (id) do update set public = false, file_size_limit = excluded.file_size_limit, allowed_mime_types = excluded.allowed_mime_types;

create function private.may_upload_photo(p_path text)
returns boolean language plpgsql stable security definer set search_path = '' as $$
declare
  v_who private.identity := private.listener();
begin
  return v_who.actor_id is not null and exists (select 1 from private.photos p
    where p.path = p_path and p.uploader = nullif(private.claims() ->> 'sub', '')::uuid
      and p.attached_at is null and p.created_at > now() - interval '1 day');
end $$;
comment on function private.may_upload_photo is 'For the policy on storage.objects: was this path given to the caller, and is it still waiting for its file?';
grant execute on function private.may_upload_photo to authenticated;

create function private.may_read_photo(p_path text)
returns boolean language plpgsql stable security definer set search_path = '' as $$
declare
  v_who private.identity := private.listener();
begin
  return exists (select 1 from private.photos p join private.photo_kinds k on k.about = p.about
      join public.role_permissions rp on rp.permission = k.read_permission and rp.role = v_who.role
    where p.path = p_path and v_who.actor_id is not null and private.works_at(v_who, p.site)
      and (p.store is null or v_who.stores && array[p.store, '*']));
end $$;
comment on function private.may_read_photo is
  'For the policy on storage.objects: active staff of the site, and of the store where it is of one, who may read what it shows; at a shared station whoever stands there.';
grant execute on function private.may_read_photo to authenticated;

create policy insert_uploader on storage.objects for insert to authenticated
  with check (bucket_id = 'photos' and (select private.may_upload_photo(name)));
create policy select_staff on storage.objects for select to authenticated
  using (bucket_id = 'photos' and (select private.may_read_photo(name)));
alter table private.photo_kinds enable row level security;
alter table private.photos enable row level security;
grant execute on function public.start_photo to authenticated;
