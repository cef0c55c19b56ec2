-- Clients that authenticate by a key, and signing keys of other algorithms, have no place in the former tables.

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

delete from signing_keys where alg <> 'ES256';
alter table signing_keys drop constraint signing_keys_alg_generation_key;
alter table signing_keys add constraint signing_keys_generation_key unique (generation);
alter table signing_keys drop constraint signing_keys_alg_check;
alter table signing_keys add constraint signing_keys_alg_check check (alg = 'ES256');

delete from clients where token_endpoint_auth_method not in ('client_secret_basic', 'client_secret_post', 'none');
update clients set profile = 'default' where profile = 'fapi2';
drop index clients_source;
alter table clients
  drop constraint clients_jwks_check,
  drop constraint clients_secret_check,
  drop column registered_metadata,
  drop column metadata_expires_at,
  drop column registration_token_hash,
  drop column jwks_uri,
  drop column jwks,
  drop column response_types;
alter table clients add constraint clients_check check ((token_endpoint_auth_method = 'none') = (secret_hash is null));
alter table clients drop constraint clients_token_endpoint_auth_method_check;
alter table clients add constraint clients_token_endpoint_auth_method_check
  check (token_endpoint_auth_method in ('client_secret_basic', 'client_secret_post', 'none'));
alter table clients drop constraint clients_profile_check;
alter table clients add constraint clients_profile_check check (profile in ('default', 'gpt_action', 'zapier', 'mcp'));
