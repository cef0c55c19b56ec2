-- foreign_keys: off
-- SQLite changes a check only by making the table anew.

drop view user_sessions;
drop view active_clients;

create table clients_new (
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
  reuse_window integer check (reuse_window between 0 and 300000),
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
  registered_metadata text not null default '{}',
  check ((token_endpoint_auth_method in ('client_secret_basic', 'client_secret_post')) = (secret_hash is not null)),
  check (jwks is null or jwks_uri is null),
  check (require_pkce = 1 or token_endpoint_auth_method <> 'none')
) strict, without rowid;
insert into clients_new (id, name, description, logo_uri, client_uri, policy_uri, tos_uri, source, profile, token_endpoint_auth_method, secret_hash, previous_secret_hash, previous_secret_expires_at, redirect_uris, grant_types, scope, resources, resource_server_for, require_pkce, token_format, access_token_lifetime, refresh_token_lifetime, code_lifetime, reuse_window, rate_limit_per_hour, owner, metadata, suspended_at, suspended_reason, revoked_at, revoked_reason, total_authorizations, total_tokens_issued, last_used_at, created_at, updated_at)
select id, name, description, logo_uri, client_uri, policy_uri, tos_uri, source, profile, token_endpoint_auth_method, secret_hash, previous_secret_hash, previous_secret_expires_at, redirect_uris, grant_types, scope, resources, resource_server_for, require_pkce, token_format, access_token_lifetime, refresh_token_lifetime, code_lifetime, reuse_window, rate_limit_per_hour, owner, metadata, suspended_at, suspended_reason, revoked_at, revoked_reason, total_authorizations, total_tokens_issued, last_used_at, created_at, updated_at from clients;
drop table clients;
alter table clients_new rename to clients;
create index clients_reuse_window on clients (reuse_window) where reuse_window is not null;
create index clients_source on clients (source, created_at, id);

create view active_clients as
select id, name, source, profile, scope, total_authorizations, total_tokens_issued,
  strftime('%Y-%m-%dT%H:%M:%fZ', last_used_at / 1000.0, 'unixepoch') as last_used,
  strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000.0, 'unixepoch') as created
from clients where revoked_at is null and suspended_at is null;

create view user_sessions as
select s.id, u.subject, u.email, c.name as client, s.granted_scope, s.uses,
  case when s.revoked_at is not null then 'revoked'
       when s.expires_at <= cast(unixepoch('subsec') * 1000 as integer) then 'expired' else 'active' end as state,
  s.revoked_reason,
  strftime('%Y-%m-%dT%H:%M:%fZ', s.created_at / 1000.0, 'unixepoch') as since,
  strftime('%Y-%m-%dT%H:%M:%fZ', s.last_active_at / 1000.0, 'unixepoch') as last_active,
  strftime('%Y-%m-%dT%H:%M:%fZ', s.expires_at / 1000.0, 'unixepoch') as expires
from sessions s join users u on u.id = s.user_id join clients c on c.id = s.client_id;

create table signing_keys_new (
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
insert into signing_keys_new select * from signing_keys;
drop table signing_keys;
alter table signing_keys_new rename to signing_keys;

alter table sign_ins add column acr text;
alter table sign_ins add column amr text;
alter table codes add column binding text;
alter table codes add column acr text;
alter table codes add column amr text;
alter table codes add column sid text;
alter table codes add column claims text;
alter table codes add column authorization_details text;
alter table sessions add column acr text;
alter table sessions add column amr text;
alter table sessions add column sid text;
alter table sessions add column claims text;
alter table sessions add column authorization_details text;
alter table access_tokens add column claims text;
alter table authorization_requests add column pushed_id text;

-- Requests that clients pushed (RFC 9126). Removed some time after expires_at: a person may still be signing in.
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

-- Devices that wait for a person (RFC 8628). Removed a day after expires_at; until then a second use is recognised.
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
create index device_codes_user on device_codes (user_id);
create index device_codes_expiry on device_codes (expires_at);

-- Identifiers of JWTs that are good once: client assertions, authorization grants, DPoP proofs. Removed after expires_at.
create table used_jtis (
  id text primary key,
  expires_at integer not null
) strict, without rowid;
create index used_jtis_expiry on used_jtis (expires_at);

-- What lets a client register itself where not everyone may (RFC 7591 §3). Removed after expires_at.
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

-- What a user is called at the clients of one sector (OpenID Connect Core §8.1). Removed with the user.
create table pairwise_subjects (
  user_id text not null references users (id) on delete cascade,
  sector text not null,
  subject text not null unique,
  created_at integer not null,
  primary key (user_id, sector)
) strict, without rowid;

-- Back-channel logout requests on their way (OpenID Connect Back-Channel Logout). Removed when delivered, or after expires_at.
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
) strict, without rowid;
create index logout_deliveries_client on logout_deliveries (client_id);
create index logout_deliveries_due on logout_deliveries (next_attempt_at);
create index logout_deliveries_expiry on logout_deliveries (expires_at);
