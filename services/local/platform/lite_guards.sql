-- Two rules of Supabase Auth that lite does not keep, kept by the database: people are added by
-- an administrator only, and a banned person gets no session.
-- Applied by a superuser after lite has made its tables; safe to repeat.

create or replace function lite.refuse_sign_up() returns trigger
language plpgsql set search_path = ''
as $$
begin
  raise exception 'signup_disabled' using errcode = 'insufficient_privilege';
end
$$;

create or replace function lite.refuse_banned() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if exists (
    select from auth.users as u
    where u.id = new.user_id and (u.banned_until > now() or u.deleted_at is not null)
  ) then
    raise exception 'user_banned' using errcode = 'insufficient_privilege';
  end if;
  return new;
end
$$;

revoke execute on function lite.refuse_sign_up(), lite.refuse_banned() from public;

create or replace trigger lite_refuse_sign_up before insert on auth.users
  for each row when ('supabase_lite' in (session_user, current_user))
  execute function lite.refuse_sign_up();
create or replace trigger lite_refuse_banned before insert on auth.sessions
  for each row execute function lite.refuse_banned();
create or replace trigger lite_refuse_banned before insert on auth.refresh_tokens
  for each row execute function lite.refuse_banned();
