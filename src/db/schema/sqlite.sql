create table access_tokens (
  id text primary key,
  hash text not null,
  client_id text not null,
  session_id text,
  user_id text,
  subject text not null,
  scope text not null,
  resources text not null,
  jkt text,
  created_at integer not null,
  expires_at integer not null,
  revoked_at integer
, claims text) strict, without rowid;

create index access_tokens_expiry on access_tokens (expires_at);

create table authorization_requests (
  id text primary key,
  hash text not null,
  client_id text not null references clients (id) on delete cascade,
  request text not null,
  created_at integer not null,
  expires_at integer not null
, pushed_id text, user_id text, sid text, decision text check (decision in ('allow', 'deny'))) strict, without rowid;

create index authorization_requests_client on authorization_requests (client_id);

create index authorization_requests_expiry on authorization_requests (expires_at);

create index authorization_requests_user on authorization_requests (user_id);

create table "clients" (
  id text primary key,
  name text not null,
  description text,
  logo_uri text,
  client_uri text,
  policy_uri text,
  tos_uri text,
  source text not null check (source in ('admin', 'dcr', 'cimd', 'builtin')),
  profile text not null check (profile in ('default', 'gpt_action', 'zapier', 'mcp', 'fapi2')),
  token_endpoint_auth_method text not null
    check (token_endpoint_auth_method in ('client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth',
      'self_signed_tls_client_auth', 'none')),
  secret_hash text,
  previous_secret_hash text,
  previous_secret_expires_at integer,
  redirect_uris text not null,
  grant_types text not null,
  scope text not null,
  resources text not null,
  resource_server_for text not null default '',
  require_pkce integer not null default 1 check (require_pkce in (0, 1)),
  token_format text check (token_format in ('jwt', 'opaque')),
  access_token_lifetime integer,
  refresh_token_lifetime integer,
  code_lifetime integer,
  rate_limit_per_hour integer,
  owner text,
  metadata text not null default '{}',
  suspended_at integer,
  suspended_reason text,
  revoked_at integer,
  revoked_reason text,
  total_authorizations integer not null default 0,
  total_tokens_issued integer not null default 0,
  last_used_at integer,
  created_at integer not null,
  updated_at integer not null,
  response_types text not null default 'code',
  jwks text,
  jwks_uri text,
  registration_token_hash text,
  metadata_expires_at integer,
  registered_metadata text not null default '{}', invited_at integer, reuse_window integer check (reuse_window between 0 and 86400000),
  check ((token_endpoint_auth_method in ('client_secret_basic', 'client_secret_post')) = (secret_hash is not null)),
  check (jwks is null or jwks_uri is null),
  check (require_pkce = 1 or token_endpoint_auth_method <> 'none')
) strict, without rowid;

create index clients_reuse_window on clients (reuse_window) where reuse_window is not null;

create index clients_source on clients (source, created_at, id);

create table codes (
  id text primary key,
  hash text not null,
  client_id text not null,
  user_id text not null references users (id) on delete cascade,
  subject text not null,
  redirect_uri text not null,
  scope text not null,
  resources text not null,
  code_challenge text,
  code_challenge_method text check (code_challenge_method = 'S256'),
  state text,
  nonce text,
  auth_time integer,
  ip_address text,
  user_agent text,
  created_at integer not null,
  expires_at integer not null,
  used_at integer,
  session_id text
, binding text, acr text, amr text, sid text, claims text, authorization_details text) strict, without rowid;

create index codes_expiry on codes (expires_at);

create index codes_user on codes (user_id);

create table "consents" (
  user_id text not null references users (id) on delete cascade,
  client_id text not null references clients (id) on delete cascade,
  scope text not null,
  resources text not null,
  redirect_host text not null,
  created_at integer not null,
  updated_at integer not null,
  primary key (user_id, client_id, redirect_host)
) strict, without rowid;

create index consents_client on consents (client_id);

create table device_codes (
  id text primary key,
  hash text not null,
  user_code_hash text not null unique,
  client_id text not null references clients (id) on delete cascade,
  scope text not null,
  resources text not null,
  authorization_details text,
  poll_interval integer not null,
  polled_at integer,
  decision text check (decision in ('approved', 'denied')),
  decided_at integer,
  user_id text references users (id) on delete cascade,
  subject text,
  auth_time integer,
  acr text,
  amr text,
  ip_address text,
  user_agent text,
  created_at integer not null,
  expires_at integer not null,
  used_at integer,
  session_id text
) strict, without rowid;

create index device_codes_client on device_codes (client_id);

create index device_codes_expiry on device_codes (expires_at);

create index device_codes_user on device_codes (user_id);

create table events (
  id text primary key,
  type text not null,
  version integer not null,
  user_id text,
  client_id text,
  session_id text,
  ip_address text,
  user_agent text,
  body text not null,
  created_at integer not null
) strict, without rowid;

create index events_client on events (client_id) where client_id is not null;

create index events_type on events (type);

create index events_user on events (user_id) where user_id is not null;

create table identities (
  provider text not null,
  issuer text not null,
  subject text not null,
  user_id text not null references users (id) on delete cascade,
  created_at integer not null,
  primary key (provider, issuer, subject)
) strict, without rowid;

create index identities_user on identities (user_id);

create table initial_access_tokens (
  id text primary key,
  hash text not null,
  name text not null,
  uses_left integer not null check (uses_left >= 0),
  created_at integer not null,
  expires_at integer not null,
  revoked_at integer
) strict, without rowid;

create index initial_access_tokens_expiry on initial_access_tokens (expires_at);

create table jobs (
  name text primary key,
  holder text,
  lease_until integer not null,
  last_started_at integer,
  last_finished_at integer,
  last_outcome text,
  last_result text
) strict, without rowid;

create table local_accounts (
  user_id text primary key references users (id) on delete cascade,
  login text not null unique,
  password_hash text not null,
  password_changed_at integer not null,
  created_at integer not null
) strict, without rowid;

create table logout_deliveries (
  id text primary key,
  client_id text not null references clients (id) on delete cascade,
  subject text not null,
  sid text,
  -- The one session that ended; null where a sign-out or a withdrawal ended them all.
  session_id text,
  attempts integer not null default 0,
  next_attempt_at integer not null,
  last_error text,
  created_at integer not null,
  expires_at integer not null
, user_id text) strict, without rowid;

create index logout_deliveries_client on logout_deliveries (client_id, next_attempt_at);

create index logout_deliveries_due on logout_deliveries (next_attempt_at);

create index logout_deliveries_expiry on logout_deliveries (expires_at);

create table pairwise_subjects (
  user_id text not null references users (id) on delete cascade,
  sector text not null,
  subject text not null unique,
  created_at integer not null,
  primary key (user_id, sector)
) strict, without rowid;

create table password_links (
  id text primary key,
  hash text not null,
  user_id text not null references users (id) on delete cascade,
  created_at integer not null,
  expires_at integer not null
) strict, without rowid;

create index password_links_expiry on password_links (expires_at);

create index password_links_user on password_links (user_id);

create table pushed_authorization_requests (
  id text primary key,
  hash text not null,
  client_id text not null references clients (id) on delete cascade,
  request text not null,
  subject text,
  created_at integer not null,
  expires_at integer not null,
  used_at integer
) strict, without rowid;

create index pushed_authorization_requests_client on pushed_authorization_requests (client_id);

create index pushed_authorization_requests_expiry on pushed_authorization_requests (expires_at);

create table rate_limits (
  key text primary key,
  count integer not null,
  expires_at integer not null
) strict, without rowid;

create index rate_limits_expiry on rate_limits (expires_at);

create table refresh_tokens (
  id text primary key,
  hash text not null,
  session_id text not null,
  scope text not null,
  resources text not null,
  jkt text,
  created_at integer not null,
  expires_at integer not null,
  rotated_at integer,
  rotated_to text,
  rotated_for text,
  salt text
) strict, without rowid;

create index refresh_tokens_expiry on refresh_tokens (expires_at);

create table schema_migrations (version integer primary key, name text not null, checksum text not null, applied_at bigint not null, served_from integer);

create table sessions (
  id text primary key,
  client_id text not null references clients (id) on delete cascade,
  user_id text not null references users (id) on delete cascade,
  subject text not null,
  scope text not null,
  granted_scope text not null,
  resources text not null,
  auth_time integer,
  ip_address text,
  user_agent text,
  uses integer not null default 0,
  last_active_at integer not null,
  created_at integer not null,
  expires_at integer not null,
  revoked_at integer,
  revoked_reason text
, acr text, amr text, sid text, claims text, authorization_details text) strict, without rowid;

create index sessions_client on sessions (client_id);

create index sessions_expiry on sessions (expires_at);

create index sessions_revoked on sessions (revoked_at) where revoked_at is not null;

create index sessions_user on sessions (user_id, client_id);

create table sign_ins (
  id text primary key,
  hash text not null,
  user_id text not null references users (id) on delete cascade,
  auth_time integer not null,
  created_at integer not null,
  last_seen_at integer not null,
  expires_at integer not null,
  ip_address text,
  user_agent text
, acr text, amr text) strict, without rowid;

create index sign_ins_expiry on sign_ins (expires_at);

create index sign_ins_user on sign_ins (user_id);

create table "signing_keys" (
  kid text primary key,
  generation integer not null,
  alg text not null check (alg in ('ES256', 'RS256', 'PS256', 'EdDSA')),
  public_jwk text not null,
  sealed_private text not null,
  source text not null check (source in ('generated', 'config')),
  created_at integer not null,
  not_before integer not null,
  retired_at integer,
  expires_at integer,
  unique (alg, generation)
) strict, without rowid;

create table used_jtis (
  id text primary key,
  expires_at integer not null
) strict, without rowid;

create index used_jtis_expiry on used_jtis (expires_at);

create table users (
  id text primary key,
  subject text not null unique,
  name text,
  email text,
  created_at integer not null,
  disabled_at integer,
  disabled_reason text
) strict, without rowid;

create view active_clients as
select id, name, source, profile, scope, total_authorizations, total_tokens_issued,
  strftime('%Y-%m-%dT%H:%M:%fZ', last_used_at / 1000.0, 'unixepoch') as last_used,
  strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000.0, 'unixepoch') as created
from clients where revoked_at is null and suspended_at is null;

create view recent_events as
select id, type, user_id, client_id, session_id, ip_address, user_agent, body,
  strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000.0, 'unixepoch') as at
from events;

create view sessions_per_user as
select u.subject, u.email, count(*) as sessions, count(distinct s.client_id) as clients, sum(s.uses) as uses,
  strftime('%Y-%m-%dT%H:%M:%fZ', max(s.last_active_at) / 1000.0, 'unixepoch') as last_active
from sessions s join users u on u.id = s.user_id
where s.revoked_at is null and s.expires_at > cast(unixepoch('subsec') * 1000 as integer)
group by u.id, u.subject, u.email;

create view tokens_by_state as
select 'refresh' as kind,
  case when s.revoked_at is not null then 'revoked'
       when t.expires_at <= cast(unixepoch('subsec') * 1000 as integer) then 'expired'
       when t.rotated_at is not null then 'rotated' else 'active' end as state,
  count(*) as tokens,
  strftime('%Y-%m-%dT%H:%M:%fZ', min(t.created_at) / 1000.0, 'unixepoch') as oldest,
  strftime('%Y-%m-%dT%H:%M:%fZ', max(t.created_at) / 1000.0, 'unixepoch') as newest
from refresh_tokens t join sessions s on s.id = t.session_id group by 1, 2
union all
select 'access',
  case when t.revoked_at is not null or s.revoked_at is not null then 'revoked'
       when t.expires_at <= cast(unixepoch('subsec') * 1000 as integer) then 'expired' else 'active' end,
  count(*),
  strftime('%Y-%m-%dT%H:%M:%fZ', min(t.created_at) / 1000.0, 'unixepoch'),
  strftime('%Y-%m-%dT%H:%M:%fZ', max(t.created_at) / 1000.0, 'unixepoch')
from access_tokens t left join sessions s on s.id = t.session_id group by 1, 2;

create view user_sessions as
select s.id, u.subject, u.email, c.name as client, s.granted_scope, s.uses,
  case when s.revoked_at is not null then 'revoked'
       when s.expires_at <= cast(unixepoch('subsec') * 1000 as integer) then 'expired' else 'active' end as state,
  s.revoked_reason,
  strftime('%Y-%m-%dT%H:%M:%fZ', s.created_at / 1000.0, 'unixepoch') as since,
  strftime('%Y-%m-%dT%H:%M:%fZ', s.last_active_at / 1000.0, 'unixepoch') as last_active,
  strftime('%Y-%m-%dT%H:%M:%fZ', s.expires_at / 1000.0, 'unixepoch') as expires
from sessions s join users u on u.id = s.user_id join clients c on c.id = s.client_id;
