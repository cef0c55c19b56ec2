-- served_from: 2
-- Links behind which a person sets a password, good once; of one user's only the newest counts. Removed after expires_at.
create table password_links (
  id text primary key,
  hash text not null,
  user_id text not null references users (id) on delete cascade,
  created_at integer not null,
  expires_at integer not null
) strict, without rowid;
create index password_links_expiry on password_links (expires_at);
create index password_links_user on password_links (user_id);
