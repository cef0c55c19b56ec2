drop index authorization_requests_user;
alter table authorization_requests drop column sid;
alter table authorization_requests drop column user_id;

-- One row is left for a user and a client, the newest: the others' scopes were never meant for its host.
create table consents_old (
  user_id text not null references users (id) on delete cascade,
  client_id text not null references clients (id) on delete cascade,
  scope text not null,
  resources text not null,
  redirect_host text not null,
  created_at integer not null,
  updated_at integer not null,
  primary key (user_id, client_id)
) strict, without rowid;
insert into consents_old (user_id, client_id, scope, resources, redirect_host, created_at, updated_at)
select user_id, client_id, scope, resources, redirect_host, created_at, updated_at
from consents where not exists (select 1 from consents newer
  where newer.user_id = consents.user_id and newer.client_id = consents.client_id
    and (newer.updated_at, newer.redirect_host) > (consents.updated_at, consents.redirect_host));
drop table consents;
alter table consents_old rename to consents;
create index consents_client on consents (client_id);
