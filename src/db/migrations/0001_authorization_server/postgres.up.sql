-- Times are epoch milliseconds. Every table that grows names what removes its rows.

create table users (
  id text collate "C" primary key,
  subject text collate "C" not null unique,
  name text,
  email text,
  created_at bigint not null,
  disabled_at bigint,
  disabled_reason text
);

create table identities (
  provider text not null,
  issuer text not null,
  subject text collate "C" not null,
  user_id text collate "C" not null references users (id) on delete cascade,
  created_at bigint not null,
  primary key (provider, issuer, subject)
);
create index identities_user on identities (user_id);

create table local_accounts (
  user_id text collate "C" primary key references users (id) on delete cascade,
  login text not null unique,
  password_hash text not null,
  password_changed_at bigint not null,
  created_at bigint not null
);

-- Removed after expires_at.
create table sign_ins (
  id text collate "C" primary key,
  hash text collate "C" not null,
  user_id text collate "C" not null references users (id) on delete cascade,
  auth_time bigint not null,
  created_at bigint not null,
  last_seen_at bigint not null,
  expires_at bigint not null,
  ip_address text,
  user_agent text
);
create index sign_ins_user on sign_ins (user_id);
create index sign_ins_expiry on sign_ins (expires_at);

create table clients (
  id text collate "C" primary key,
  name text not null,
  description text,
  logo_uri text,
  client_uri text,
  policy_uri text,
  tos_uri text,
  source text not null check (source in ('admin', 'dcr', 'cimd', 'builtin')),
  profile text not null check (profile in ('default', 'gpt_action', 'zapier', 'mcp')),
  token_endpoint_auth_method text not null
    check (token_endpoint_auth_method in ('client_secret_basic', 'client_secret_post', 'none')),
  secret_hash text,
  previous_secret_hash text,
  previous_secret_expires_at bigint,
  redirect_uris text not null,
  grant_types text not null,
  scope text not null,
  resources text not null,
  resource_server_for text not null default '',
  require_pkce smallint not null default 1 check (require_pkce in (0, 1)),
  token_format text check (token_format in ('jwt', 'opaque')),
  access_token_lifetime bigint,
  refresh_token_lifetime bigint,
  code_lifetime bigint,
  reuse_window bigint check (reuse_window between 0 and 300000),
  rate_limit_per_hour bigint,
  owner text,
  metadata text not null default '{}',
  suspended_at bigint,
  suspended_reason text,
  revoked_at bigint,
  revoked_reason text,
  total_authorizations bigint not null default 0,
  total_tokens_issued bigint not null default 0,
  last_used_at bigint,
  created_at bigint not null,
  updated_at bigint not null,
  check ((token_endpoint_auth_method = 'none') = (secret_hash is null)),
  check (require_pkce = 1 or token_endpoint_auth_method <> 'none')
);
create index clients_reuse_window on clients (reuse_window) where reuse_window is not null;

-- What a user allowed a client, cumulative. Removed with the user or the client.
create table consents (
  user_id text collate "C" not null references users (id) on delete cascade,
  client_id text collate "C" not null references clients (id) on delete cascade,
  scope text not null,
  resources text not null,
  redirect_host text not null,
  created_at bigint not null,
  updated_at bigint not null,
  primary key (user_id, client_id)
);
create index consents_client on consents (client_id);

-- Requests that wait for a person. Removed when decided, or after expires_at.
create table authorization_requests (
  id text collate "C" primary key,
  hash text collate "C" not null,
  client_id text collate "C" not null references clients (id) on delete cascade,
  request text not null,
  created_at bigint not null,
  expires_at bigint not null
);
create index authorization_requests_client on authorization_requests (client_id);
create index authorization_requests_expiry on authorization_requests (expires_at);

-- Removed a day after expires_at; until then a second use is recognised.
create table codes (
  id text collate "C" primary key,
  hash text collate "C" not null,
  client_id text collate "C" not null,
  user_id text collate "C" not null references users (id) on delete cascade,
  subject text collate "C" not null,
  redirect_uri text not null,
  scope text not null,
  resources text not null,
  code_challenge text,
  code_challenge_method text check (code_challenge_method = 'S256'),
  state text,
  nonce text,
  auth_time bigint,
  ip_address text,
  user_agent text,
  created_at bigint not null,
  expires_at bigint not null,
  used_at bigint,
  session_id text collate "C"
);
create index codes_user on codes (user_id);
create index codes_expiry on codes (expires_at);

-- One authorization of one client by one user; every token points to it. Removed some time after its end.
create table sessions (
  id text collate "C" primary key,
  client_id text collate "C" not null references clients (id) on delete cascade,
  user_id text collate "C" not null references users (id) on delete cascade,
  subject text collate "C" not null,
  scope text not null,
  granted_scope text not null,
  resources text not null,
  auth_time bigint,
  ip_address text,
  user_agent text,
  uses bigint not null default 0,
  last_active_at bigint not null,
  created_at bigint not null,
  expires_at bigint not null,
  revoked_at bigint,
  revoked_reason text
);
create index sessions_user on sessions (user_id, client_id, last_active_at);
create index sessions_client on sessions (client_id);
create index sessions_expiry on sessions (expires_at);
create index sessions_revoked on sessions (revoked_at) where revoked_at is not null;

-- Removed after expires_at: as long as a rotated one could be replayed, it is recognised. No key to sessions: the index it
-- needs would cost each rotation a page of its own, and a token without its session is dead.
create table refresh_tokens (
  id text collate "C" primary key,
  hash text collate "C" not null,
  session_id text collate "C" not null,
  scope text not null,
  resources text not null,
  jkt text,
  created_at bigint not null,
  expires_at bigint not null,
  rotated_at bigint,
  rotated_to text collate "C",
  rotated_for text,
  salt text collate "C"
);
create index refresh_tokens_expiry on refresh_tokens (expires_at);

-- id is the jti of a JWT. Removed after expires_at, which is at most a day away; so no key to sessions.
create table access_tokens (
  id text collate "C" primary key,
  hash text collate "C" not null,
  client_id text collate "C" not null,
  session_id text collate "C",
  user_id text collate "C",
  subject text collate "C" not null,
  scope text not null,
  resources text not null,
  jkt text,
  created_at bigint not null,
  expires_at bigint not null,
  revoked_at bigint
);
create index access_tokens_expiry on access_tokens (expires_at);

-- Removed when expires_at has passed: no token it signed can be alive then.
-- Each key follows the one before it: of several processes that add the next generation at once, one does.
create table signing_keys (
  kid text collate "C" primary key,
  generation integer not null unique,
  alg text not null check (alg = 'ES256'),
  public_jwk text not null,
  sealed_private text not null,
  source text not null check (source in ('generated', 'config')),
  created_at bigint not null,
  not_before bigint not null,
  retired_at bigint,
  expires_at bigint
);

-- The audit log and the outbox of everything that happened. Removed by age, each type after its own time.
create table events (
  id text collate "C" primary key,
  type text collate "C" not null,
  version integer not null,
  user_id text collate "C",
  client_id text collate "C",
  session_id text collate "C",
  ip_address text,
  user_agent text,
  body text not null,
  created_at bigint not null
);
create index events_user on events (user_id, id) where user_id is not null;
create index events_client on events (client_id, id) where client_id is not null;
create index events_type on events (type, id);

-- Counters shared by all processes. Removed after expires_at.
create table rate_limits (
  key text collate "C" primary key,
  count bigint not null,
  expires_at bigint not null
);
create index rate_limits_expiry on rate_limits (expires_at);

-- One row a job: who leads it and how its last run went.
create table jobs (
  name text primary key,
  holder text,
  lease_until bigint not null,
  last_started_at bigint,
  last_finished_at bigint,
  last_outcome text,
  last_result text
);

create view active_clients as
select id, name, source, profile, scope, total_authorizations, total_tokens_issued,
  to_timestamp(last_used_at / 1000.0) as last_used,
  to_timestamp(created_at / 1000.0) as created
from clients where revoked_at is null and suspended_at is null;

create view user_sessions as
select s.id, u.subject, u.email, c.name as client, s.granted_scope, s.uses,
  case when s.revoked_at is not null then 'revoked'
       when s.expires_at <= (extract(epoch from now()) * 1000)::bigint then 'expired' else 'active' end as state,
  s.revoked_reason,
  to_timestamp(s.created_at / 1000.0) as since,
  to_timestamp(s.last_active_at / 1000.0) as last_active,
  to_timestamp(s.expires_at / 1000.0) as expires
from sessions s join users u on u.id = s.user_id join clients c on c.id = s.client_id;

create view sessions_per_user as
select u.subject, u.email, count(*) as sessions, count(distinct s.client_id) as clients, sum(s.uses)::bigint as uses,
  to_timestamp(max(s.last_active_at) / 1000.0) as last_active
from sessions s join users u on u.id = s.user_id
where s.revoked_at is null and s.expires_at > (extract(epoch from now()) * 1000)::bigint
group by u.id, u.subject, u.email;

create view tokens_by_state as
select 'refresh' as kind,
  case when s.revoked_at is not null then 'revoked'
       when t.expires_at <= (extract(epoch from now()) * 1000)::bigint then 'expired'
       when t.rotated_at is not null then 'rotated' else 'active' end as state,
  count(*) as tokens,
  to_timestamp(min(t.created_at) / 1000.0) as oldest,
  to_timestamp(max(t.created_at) / 1000.0) as newest
from refresh_tokens t join sessions s on s.id = t.session_id group by 1, 2
union all
select 'access',
  case when t.revoked_at is not null or s.revoked_at is not null then 'revoked'
       when t.expires_at <= (extract(epoch from now()) * 1000)::bigint then 'expired' else 'active' end,
  count(*),
  to_timestamp(min(t.created_at) / 1000.0),
  to_timestamp(max(t.created_at) / 1000.0)
from access_tokens t left join sessions s on s.id = t.session_id group by 1, 2;

create view recent_events as
select id, type, user_id, client_id, session_id, ip_address, user_agent, body,
  to_timestamp(created_at / 1000.0) as at
from events;

comment on table sessions is 'One authorization of one client by one user; every token points to it';
comment on table events is 'Audit log and outbox: written in the same transaction as the change';
comment on column refresh_tokens.salt is 'Random salt of the derivation of this token from its predecessor; null once this token was used or the reuse window ended';
