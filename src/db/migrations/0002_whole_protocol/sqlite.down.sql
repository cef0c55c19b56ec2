-- foreign_keys: off
-- Clients that authenticate by a key, and signing keys of other algorithms, have no place in the former tables.

drop view user_sessions;
drop view active_clients;
drop table logout_deliveries;
drop table pairwise_subjects;
drop table initial_access_tokens;
drop table used_jtis;
drop table device_codes;
drop table pushed_authorization_requests;
alter table sign_ins drop column acr;
alter table sign_ins drop column amr;
alter table codes drop column binding;
alter table codes drop column acr;
alter table codes drop column amr;
alter table codes drop column sid;
alter table codes drop column claims;
alter table codes drop column authorization_details;
alter table sessions drop column acr;
alter table sessions drop column amr;
alter table sessions drop column sid;
alter table sessions drop column claims;
alter table sessions drop column authorization_details;
alter table access_tokens drop column claims;
alter table authorization_requests drop column pushed_id;

delete from sessions where client_id in (select id from clients where token_endpoint_auth_method not in ('client_secret_basic', 'client_secret_post', 'none'));
delete from consents where client_id in (select id from clients where token_endpoint_auth_method not in ('client_secret_basic', 'client_secret_post', 'none'));
delete from authorization_requests where client_id in (select id from clients where token_endpoint_auth_method not in ('client_secret_basic', 'client_secret_post', 'none'));

create table clients_old (
  id text primary key,
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
  check ((token_endpoint_auth_method = 'none') = (secret_hash is null)),
  check (require_pkce = 1 or token_endpoint_auth_method <> 'none')
) strict, without rowid;
insert into clients_old (id, name, description, logo_uri, client_uri, policy_uri, tos_uri, source, profile, token_endpoint_auth_method, secret_hash, previous_secret_hash, previous_secret_expires_at, redirect_uris, grant_types, scope, resources, resource_server_for, require_pkce, token_format, access_token_lifetime, refresh_token_lifetime, code_lifetime, reuse_window, rate_limit_per_hour, owner, metadata, suspended_at, suspended_reason, revoked_at, revoked_reason, total_authorizations, total_tokens_issued, last_used_at, created_at, updated_at)
select id, name, description, logo_uri, client_uri, policy_uri, tos_uri, source, case profile when 'fapi2' then 'default' else profile end, token_endpoint_auth_method, secret_hash, previous_secret_hash, previous_secret_expires_at, redirect_uris, grant_types, scope, resources, resource_server_for, require_pkce, token_format, access_token_lifetime, refresh_token_lifetime, code_lifetime, reuse_window, rate_limit_per_hour, owner, metadata, suspended_at, suspended_reason, revoked_at, revoked_reason, total_authorizations, total_tokens_issued, last_used_at, created_at, updated_at
from clients where not (token_endpoint_auth_method not in ('client_secret_basic', 'client_secret_post', 'none'));
drop table clients;
alter table clients_old rename to clients;
create index clients_reuse_window on clients (reuse_window) where reuse_window is not null;

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

create table signing_keys_old (
  kid text primary key,
  generation integer not null unique,
  alg text not null check (alg = 'ES256'),
  public_jwk text not null,
  sealed_private text not null,
  source text not null check (source in ('generated', 'config')),
  created_at integer not null,
  not_before integer not null,
  retired_at integer,
  expires_at integer
) strict, without rowid;
insert into signing_keys_old select * from signing_keys where alg = 'ES256';
drop table signing_keys;
alter table signing_keys_old rename to signing_keys;
