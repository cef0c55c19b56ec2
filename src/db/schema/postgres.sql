create table access_tokens (
  id text collate "C" not null,
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
  revoked_at bigint,
  claims text,
  constraint access_tokens_pkey PRIMARY KEY (id)
);
create index access_tokens_expiry ON access_tokens USING btree (expires_at);

create table authorization_requests (
  id text collate "C" not null,
  hash text collate "C" not null,
  client_id text collate "C" not null,
  request text not null,
  created_at bigint not null,
  expires_at bigint not null,
  pushed_id text,
  user_id text collate "C",
  sid text,
  decision text,
  constraint authorization_requests_pkey PRIMARY KEY (id),
  constraint authorization_requests_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id) ON DELETE CASCADE,
  constraint authorization_requests_decision_check CHECK ((decision = ANY (ARRAY['allow'::text, 'deny'::text])))
);
create index authorization_requests_client ON authorization_requests USING btree (client_id);
create index authorization_requests_expiry ON authorization_requests USING btree (expires_at);
create index authorization_requests_user ON authorization_requests USING btree (user_id);

create table clients (
  id text collate "C" not null,
  name text not null,
  description text,
  logo_uri text,
  client_uri text,
  policy_uri text,
  tos_uri text,
  source text not null,
  profile text not null,
  token_endpoint_auth_method text not null,
  secret_hash text,
  previous_secret_hash text,
  previous_secret_expires_at bigint,
  redirect_uris text not null,
  grant_types text not null,
  scope text not null,
  resources text not null,
  resource_server_for text not null default ''::text,
  require_pkce smallint not null default 1,
  token_format text,
  access_token_lifetime bigint,
  refresh_token_lifetime bigint,
  code_lifetime bigint,
  reuse_window bigint,
  rate_limit_per_hour bigint,
  owner text,
  metadata text not null default '{}'::text,
  suspended_at bigint,
  suspended_reason text,
  revoked_at bigint,
  revoked_reason text,
  total_authorizations bigint not null default 0,
  total_tokens_issued bigint not null default 0,
  last_used_at bigint,
  created_at bigint not null,
  updated_at bigint not null,
  response_types text not null default 'code'::text,
  jwks text,
  jwks_uri text,
  registration_token_hash text,
  metadata_expires_at bigint,
  registered_metadata text not null default '{}'::text,
  invited_at bigint,
  constraint clients_pkey PRIMARY KEY (id),
  constraint clients_check1 CHECK (((require_pkce = 1) OR (token_endpoint_auth_method <> 'none'::text))),
  constraint clients_jwks_check CHECK (((jwks IS NULL) OR (jwks_uri IS NULL))),
  constraint clients_profile_check CHECK ((profile = ANY (ARRAY['default'::text, 'gpt_action'::text, 'zapier'::text, 'mcp'::text, 'fapi2'::text]))),
  constraint clients_require_pkce_check CHECK ((require_pkce = ANY (ARRAY[0, 1]))),
  constraint clients_reuse_window_check CHECK (((reuse_window >= 0) AND (reuse_window <= 86400000))),
  constraint clients_secret_check CHECK (((token_endpoint_auth_method = ANY (ARRAY['client_secret_basic'::text, 'client_secret_post'::text])) = (secret_hash IS NOT NULL))),
  constraint clients_source_check CHECK ((source = ANY (ARRAY['admin'::text, 'dcr'::text, 'cimd'::text, 'builtin'::text]))),
  constraint clients_token_endpoint_auth_method_check CHECK ((token_endpoint_auth_method = ANY (ARRAY['client_secret_basic'::text, 'client_secret_post'::text, 'private_key_jwt'::text, 'tls_client_auth'::text, 'self_signed_tls_client_auth'::text, 'none'::text]))),
  constraint clients_token_format_check CHECK ((token_format = ANY (ARRAY['jwt'::text, 'opaque'::text])))
);
create index clients_reuse_window ON clients USING btree (reuse_window) WHERE (reuse_window IS NOT NULL);
create index clients_source ON clients USING btree (source, created_at, id);

create table codes (
  id text collate "C" not null,
  hash text collate "C" not null,
  client_id text collate "C" not null,
  user_id text collate "C" not null,
  subject text collate "C" not null,
  redirect_uri text not null,
  scope text not null,
  resources text not null,
  code_challenge text,
  code_challenge_method text,
  state text,
  nonce text,
  auth_time bigint,
  ip_address text,
  user_agent text,
  created_at bigint not null,
  expires_at bigint not null,
  used_at bigint,
  session_id text collate "C",
  binding text,
  acr text,
  amr text,
  sid text,
  claims text,
  authorization_details text,
  constraint codes_pkey PRIMARY KEY (id),
  constraint codes_code_challenge_method_check CHECK ((code_challenge_method = 'S256'::text)),
  constraint codes_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);
create index codes_expiry ON codes USING btree (expires_at);
create index codes_user ON codes USING btree (user_id);

create table consents (
  user_id text collate "C" not null,
  client_id text collate "C" not null,
  scope text not null,
  resources text not null,
  redirect_host text collate "C" not null,
  created_at bigint not null,
  updated_at bigint not null,
  constraint consents_pkey PRIMARY KEY (user_id, client_id, redirect_host),
  constraint consents_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id) ON DELETE CASCADE,
  constraint consents_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);
create index consents_client ON consents USING btree (client_id);

create table device_codes (
  id text collate "C" not null,
  hash text not null,
  user_code_hash text collate "C" not null,
  client_id text collate "C" not null,
  scope text not null,
  resources text not null,
  authorization_details text,
  poll_interval bigint not null,
  polled_at bigint,
  decision text,
  decided_at bigint,
  user_id text collate "C",
  subject text,
  auth_time bigint,
  acr text,
  amr text,
  ip_address text,
  user_agent text,
  created_at bigint not null,
  expires_at bigint not null,
  used_at bigint,
  session_id text,
  constraint device_codes_pkey PRIMARY KEY (id),
  constraint device_codes_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id) ON DELETE CASCADE,
  constraint device_codes_decision_check CHECK ((decision = ANY (ARRAY['approved'::text, 'denied'::text]))),
  constraint device_codes_user_code_hash_key UNIQUE (user_code_hash),
  constraint device_codes_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);
create index device_codes_client ON device_codes USING btree (client_id);
create index device_codes_expiry ON device_codes USING btree (expires_at);
create index device_codes_user ON device_codes USING btree (user_id);

create table events (
  id text collate "C" not null,
  type text collate "C" not null,
  version integer not null,
  user_id text collate "C",
  client_id text collate "C",
  session_id text collate "C",
  ip_address text,
  user_agent text,
  body text not null,
  created_at bigint not null,
  constraint events_pkey PRIMARY KEY (id)
);
create index events_client ON events USING btree (client_id, id) WHERE (client_id IS NOT NULL);
create index events_type ON events USING btree (type, id);
create index events_user ON events USING btree (user_id, id) WHERE (user_id IS NOT NULL);
comment on table events is 'Audit log and outbox: written in the same transaction as the change';

create table identities (
  provider text not null,
  issuer text not null,
  subject text collate "C" not null,
  user_id text collate "C" not null,
  created_at bigint not null,
  constraint identities_pkey PRIMARY KEY (provider, issuer, subject),
  constraint identities_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);
create index identities_user ON identities USING btree (user_id);

create table initial_access_tokens (
  id text collate "C" not null,
  hash text not null,
  name text not null,
  uses_left bigint not null,
  created_at bigint not null,
  expires_at bigint not null,
  revoked_at bigint,
  constraint initial_access_tokens_pkey PRIMARY KEY (id),
  constraint initial_access_tokens_uses_left_check CHECK ((uses_left >= 0))
);
create index initial_access_tokens_expiry ON initial_access_tokens USING btree (expires_at);

create table jobs (
  name text not null,
  holder text,
  lease_until bigint not null,
  last_started_at bigint,
  last_finished_at bigint,
  last_outcome text,
  last_result text,
  constraint jobs_pkey PRIMARY KEY (name)
);

create table local_accounts (
  user_id text collate "C" not null,
  login text not null,
  password_hash text not null,
  password_changed_at bigint not null,
  created_at bigint not null,
  constraint local_accounts_pkey PRIMARY KEY (user_id),
  constraint local_accounts_login_key UNIQUE (login),
  constraint local_accounts_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);

create table logout_deliveries (
  id text collate "C" not null,
  client_id text collate "C" not null,
  subject text not null,
  sid text,
  session_id text,
  attempts bigint not null default 0,
  next_attempt_at bigint not null,
  last_error text,
  created_at bigint not null,
  expires_at bigint not null,
  user_id text collate "C",
  constraint logout_deliveries_pkey PRIMARY KEY (id),
  constraint logout_deliveries_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id) ON DELETE CASCADE
);
create index logout_deliveries_client ON logout_deliveries USING btree (client_id, next_attempt_at);
create index logout_deliveries_due ON logout_deliveries USING btree (next_attempt_at);
create index logout_deliveries_expiry ON logout_deliveries USING btree (expires_at);

create table pairwise_subjects (
  user_id text collate "C" not null,
  sector text collate "C" not null,
  subject text collate "C" not null,
  created_at bigint not null,
  constraint pairwise_subjects_pkey PRIMARY KEY (user_id, sector),
  constraint pairwise_subjects_subject_key UNIQUE (subject),
  constraint pairwise_subjects_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);

create table password_links (
  id text collate "C" not null,
  hash text not null,
  user_id text collate "C" not null,
  created_at bigint not null,
  expires_at bigint not null,
  constraint password_links_pkey PRIMARY KEY (id),
  constraint password_links_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);
create index password_links_expiry ON password_links USING btree (expires_at);
create index password_links_user ON password_links USING btree (user_id);

create table pushed_authorization_requests (
  id text collate "C" not null,
  hash text not null,
  client_id text collate "C" not null,
  request text not null,
  subject text,
  created_at bigint not null,
  expires_at bigint not null,
  used_at bigint,
  constraint pushed_authorization_requests_pkey PRIMARY KEY (id),
  constraint pushed_authorization_requests_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id) ON DELETE CASCADE
);
create index pushed_authorization_requests_client ON pushed_authorization_requests USING btree (client_id);
create index pushed_authorization_requests_expiry ON pushed_authorization_requests USING btree (expires_at);

create table rate_limits (
  key text collate "C" not null,
  count bigint not null,
  expires_at bigint not null,
  constraint rate_limits_pkey PRIMARY KEY (key)
);
create index rate_limits_expiry ON rate_limits USING btree (expires_at);

create table refresh_tokens (
  id text collate "C" not null,
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
  salt text collate "C",
  constraint refresh_tokens_pkey PRIMARY KEY (id)
);
create index refresh_tokens_expiry ON refresh_tokens USING btree (expires_at);
comment on column refresh_tokens.salt is 'Random salt of the derivation of this token from its predecessor; null once this token was used or the reuse window ended';

create table schema_migrations (
  version integer not null,
  name text not null,
  checksum text not null,
  applied_at bigint not null,
  served_from integer,
  constraint schema_migrations_pkey PRIMARY KEY (version)
);
comment on column schema_migrations.served_from is 'the oldest schema version whose release may serve on this one; null where only this one may';

create table sessions (
  id text collate "C" not null,
  client_id text collate "C" not null,
  user_id text collate "C" not null,
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
  revoked_reason text,
  acr text,
  amr text,
  sid text,
  claims text,
  authorization_details text,
  constraint sessions_pkey PRIMARY KEY (id),
  constraint sessions_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id) ON DELETE CASCADE,
  constraint sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);
create index sessions_client ON sessions USING btree (client_id);
create index sessions_expiry ON sessions USING btree (expires_at);
create index sessions_revoked ON sessions USING btree (revoked_at) WHERE (revoked_at IS NOT NULL);
create index sessions_user ON sessions USING btree (user_id, client_id, id);
comment on table sessions is 'One authorization of one client by one user; every token points to it';

create table sign_ins (
  id text collate "C" not null,
  hash text collate "C" not null,
  user_id text collate "C" not null,
  auth_time bigint not null,
  created_at bigint not null,
  last_seen_at bigint not null,
  expires_at bigint not null,
  ip_address text,
  user_agent text,
  acr text,
  amr text,
  constraint sign_ins_pkey PRIMARY KEY (id),
  constraint sign_ins_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);
create index sign_ins_expiry ON sign_ins USING btree (expires_at);
create index sign_ins_user ON sign_ins USING btree (user_id);

create table signing_keys (
  kid text collate "C" not null,
  generation integer not null,
  alg text not null,
  public_jwk text not null,
  sealed_private text not null,
  source text not null,
  created_at bigint not null,
  not_before bigint not null,
  retired_at bigint,
  expires_at bigint,
  constraint signing_keys_pkey PRIMARY KEY (kid),
  constraint signing_keys_alg_check CHECK ((alg = ANY (ARRAY['ES256'::text, 'RS256'::text, 'PS256'::text, 'EdDSA'::text]))),
  constraint signing_keys_alg_generation_key UNIQUE (alg, generation),
  constraint signing_keys_source_check CHECK ((source = ANY (ARRAY['generated'::text, 'config'::text])))
);

create table used_jtis (
  id text collate "C" not null,
  expires_at bigint not null,
  constraint used_jtis_pkey PRIMARY KEY (id)
);
create index used_jtis_expiry ON used_jtis USING btree (expires_at);

create table users (
  id text collate "C" not null,
  subject text collate "C" not null,
  name text,
  email text,
  created_at bigint not null,
  disabled_at bigint,
  disabled_reason text,
  constraint users_pkey PRIMARY KEY (id),
  constraint users_subject_key UNIQUE (subject)
);

create view active_clients as
SELECT id,
    name,
    source,
    profile,
    scope,
    total_authorizations,
    total_tokens_issued,
    to_timestamp((((last_used_at)::numeric / 1000.0))::double precision) AS last_used,
    to_timestamp((((created_at)::numeric / 1000.0))::double precision) AS created
   FROM clients
  WHERE ((revoked_at IS NULL) AND (suspended_at IS NULL));

create view recent_events as
SELECT id,
    type,
    user_id,
    client_id,
    session_id,
    ip_address,
    user_agent,
    body,
    to_timestamp((((created_at)::numeric / 1000.0))::double precision) AS at
   FROM events;

create view sessions_per_user as
SELECT u.subject,
    u.email,
    count(*) AS sessions,
    count(DISTINCT s.client_id) AS clients,
    (sum(s.uses))::bigint AS uses,
    to_timestamp((((max(s.last_active_at))::numeric / 1000.0))::double precision) AS last_active
   FROM (sessions s
     JOIN users u ON ((u.id = s.user_id)))
  WHERE ((s.revoked_at IS NULL) AND (s.expires_at > ((EXTRACT(epoch FROM now()) * (1000)::numeric))::bigint))
  GROUP BY u.id, u.subject, u.email;

create view tokens_by_state as
SELECT 'refresh'::text AS kind,
        CASE
            WHEN (s.revoked_at IS NOT NULL) THEN 'revoked'::text
            WHEN (t.expires_at <= ((EXTRACT(epoch FROM now()) * (1000)::numeric))::bigint) THEN 'expired'::text
            WHEN (t.rotated_at IS NOT NULL) THEN 'rotated'::text
            ELSE 'active'::text
        END AS state,
    count(*) AS tokens,
    to_timestamp((((min(t.created_at))::numeric / 1000.0))::double precision) AS oldest,
    to_timestamp((((max(t.created_at))::numeric / 1000.0))::double precision) AS newest
   FROM (refresh_tokens t
     JOIN sessions s ON ((s.id = t.session_id)))
  GROUP BY 'refresh'::text,
        CASE
            WHEN (s.revoked_at IS NOT NULL) THEN 'revoked'::text
            WHEN (t.expires_at <= ((EXTRACT(epoch FROM now()) * (1000)::numeric))::bigint) THEN 'expired'::text
            WHEN (t.rotated_at IS NOT NULL) THEN 'rotated'::text
            ELSE 'active'::text
        END
UNION ALL
 SELECT 'access'::text AS kind,
        CASE
            WHEN ((t.revoked_at IS NOT NULL) OR (s.revoked_at IS NOT NULL)) THEN 'revoked'::text
            WHEN (t.expires_at <= ((EXTRACT(epoch FROM now()) * (1000)::numeric))::bigint) THEN 'expired'::text
            ELSE 'active'::text
        END AS state,
    count(*) AS tokens,
    to_timestamp((((min(t.created_at))::numeric / 1000.0))::double precision) AS oldest,
    to_timestamp((((max(t.created_at))::numeric / 1000.0))::double precision) AS newest
   FROM (access_tokens t
     LEFT JOIN sessions s ON ((s.id = t.session_id)))
  GROUP BY 'access'::text,
        CASE
            WHEN ((t.revoked_at IS NOT NULL) OR (s.revoked_at IS NOT NULL)) THEN 'revoked'::text
            WHEN (t.expires_at <= ((EXTRACT(epoch FROM now()) * (1000)::numeric))::bigint) THEN 'expired'::text
            ELSE 'active'::text
        END;

create view user_sessions as
SELECT s.id,
    u.subject,
    u.email,
    c.name AS client,
    s.granted_scope,
    s.uses,
        CASE
            WHEN (s.revoked_at IS NOT NULL) THEN 'revoked'::text
            WHEN (s.expires_at <= ((EXTRACT(epoch FROM now()) * (1000)::numeric))::bigint) THEN 'expired'::text
            ELSE 'active'::text
        END AS state,
    s.revoked_reason,
    to_timestamp((((s.created_at)::numeric / 1000.0))::double precision) AS since,
    to_timestamp((((s.last_active_at)::numeric / 1000.0))::double precision) AS last_active,
    to_timestamp((((s.expires_at)::numeric / 1000.0))::double precision) AS expires
   FROM ((sessions s
     JOIN users u ON ((u.id = s.user_id)))
     JOIN clients c ON ((c.id = s.client_id)));
