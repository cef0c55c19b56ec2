alter table clients drop constraint clients_profile_check;
alter table clients add constraint clients_profile_check
  check (profile in ('default', 'gpt_action', 'zapier', 'mcp', 'fapi2'));
alter table clients drop constraint clients_token_endpoint_auth_method_check;
alter table clients add constraint clients_token_endpoint_auth_method_check
  check (token_endpoint_auth_method in ('client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth',
      'self_signed_tls_client_auth', 'none'));
alter table clients drop constraint clients_check;
alter table clients
  add column response_types text not null default 'code',
  add column jwks text,
  add column jwks_uri text,
  add column registration_token_hash text,
  add column metadata_expires_at bigint,
  add column registered_metadata text not null default '{}',
  add constraint clients_secret_check
    check ((token_endpoint_auth_method in ('client_secret_basic', 'client_secret_post')) = (secret_hash is not null)),
  add constraint clients_jwks_check check (jwks is null or jwks_uri is null);
create index clients_source on clients (source, created_at, id);

alter table signing_keys drop constraint signing_keys_alg_check;
alter table signing_keys add constraint signing_keys_alg_check check (alg in ('ES256', 'RS256', 'PS256', 'EdDSA'));
alter table signing_keys drop constraint signing_keys_generation_key;
alter table signing_keys add constraint signing_keys_alg_generation_key unique (alg, generation);

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
  id text collate "C" primary key,
  hash text not null,
  client_id text collate "C" not null references clients (id) on delete cascade,
  request text not null,
  subject text,
  created_at bigint not null,
  expires_at bigint not null,
  used_at bigint
);
create index pushed_authorization_requests_client on pushed_authorization_requests (client_id);
create index pushed_authorization_requests_expiry on pushed_authorization_requests (expires_at);

-- Devices that wait for a person (RFC 8628). Removed a day after expires_at; until then a second use is recognised.
create table device_codes (
  id text collate "C" primary key,
  hash text not null,
  user_code_hash text collate "C" not null unique,
  client_id text collate "C" not null references clients (id) on delete cascade,
  scope text not null,
  resources text not null,
  authorization_details text,
  poll_interval bigint not null,
  polled_at bigint,
  decision text check (decision in ('approved', 'denied')),
  decided_at bigint,
  user_id text collate "C" references users (id) on delete cascade,
  subject text,
  auth_time bigint,
  acr text,
  amr text,
  ip_address text,
  user_agent text,
  created_at bigint not null,
  expires_at bigint not null,
  used_at bigint,
  session_id text
);
create index device_codes_client on device_codes (client_id);
create index device_codes_user on device_codes (user_id);
create index device_codes_expiry on device_codes (expires_at);

-- Identifiers of JWTs that are good once: client assertions, authorization grants, DPoP proofs. Removed after expires_at.
create table used_jtis (
  id text collate "C" primary key,
  expires_at bigint not null
);
create index used_jtis_expiry on used_jtis (expires_at);

-- What lets a client register itself where not everyone may (RFC 7591 §3). Removed after expires_at.
create table initial_access_tokens (
  id text collate "C" primary key,
  hash text not null,
  name text not null,
  uses_left bigint not null check (uses_left >= 0),
  created_at bigint not null,
  expires_at bigint not null,
  revoked_at bigint
);
create index initial_access_tokens_expiry on initial_access_tokens (expires_at);

-- What a user is called at the clients of one sector (OpenID Connect Core §8.1). Removed with the user.
create table pairwise_subjects (
  user_id text collate "C" not null references users (id) on delete cascade,
  sector text collate "C" not null,
  subject text collate "C" not null unique,
  created_at bigint not null,
  primary key (user_id, sector)
);

-- Back-channel logout requests on their way (OpenID Connect Back-Channel Logout). Removed when delivered, or after expires_at.
create table logout_deliveries (
  id text collate "C" primary key,
  client_id text collate "C" not null references clients (id) on delete cascade,
  subject text not null,
  sid text,
  -- The one session that ended; null where a sign-out or a withdrawal ended them all.
  session_id text,
  attempts bigint not null default 0,
  next_attempt_at bigint not null,
  last_error text,
  created_at bigint not null,
  expires_at bigint not null
);
create index logout_deliveries_client on logout_deliveries (client_id);
create index logout_deliveries_due on logout_deliveries (next_attempt_at);
create index logout_deliveries_expiry on logout_deliveries (expires_at);
