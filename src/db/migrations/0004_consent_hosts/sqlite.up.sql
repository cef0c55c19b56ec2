-- served_from: 4
-- Consent is remembered for the answers it was given to: '*' for every answer to a client that an administrator registered,
-- otherwise the host the answers go to, and '' for devices, which get none. What a client that came by itself was allowed
-- before may have been collected at several hosts, so it stays, but answers no host any more: the user is asked once again.
-- Removed with their user or client.
create table consents_new (
  user_id text not null references users (id) on delete cascade,
  client_id text not null references clients (id) on delete cascade,
  scope text not null,
  resources text not null,
  redirect_host text not null,
  created_at integer not null,
  updated_at integer not null,
  primary key (user_id, client_id, redirect_host)
) strict, without rowid;
insert into consents_new (user_id, client_id, scope, resources, redirect_host, created_at, updated_at)
select user_id, client_id, scope, resources,
  case when (select c.source from clients c where c.id = consents.client_id) in ('dcr', 'cimd') then '' else '*' end,
  created_at, updated_at
from consents;
drop table consents;
alter table consents_new rename to consents;
create index consents_client on consents (client_id);

-- Whose browser shows the form of a request, so that it ends with the sign-in.
alter table authorization_requests add column user_id text;
alter table authorization_requests add column sid text;
create index authorization_requests_user on authorization_requests (user_id);
