drop index authorization_requests_user;
alter table authorization_requests drop column sid;
alter table authorization_requests drop column user_id;

-- One row is left for a user and a client, the newest: the others' scopes were never meant for its host.
delete from consents where exists (select 1 from consents newer
  where newer.user_id = consents.user_id and newer.client_id = consents.client_id
    and (newer.updated_at, newer.redirect_host) > (consents.updated_at, consents.redirect_host));
alter table consents drop constraint consents_pkey;
alter table consents add constraint consents_pkey primary key (user_id, client_id);
alter table consents alter column redirect_host type text collate "default";
