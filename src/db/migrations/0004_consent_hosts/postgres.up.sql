-- served_from: 4
-- Consent is remembered for the answers it was given to: '*' for every answer to a client that an administrator registered,
-- otherwise the host the answers go to, and '' for devices, which get none. What a client that came by itself was allowed
-- before may have been collected at several hosts, so it stays, but answers no host any more: the user is asked once again.
-- Removed with their user or client.
update consents set redirect_host = case
  when (select c.source from clients c where c.id = consents.client_id) in ('dcr', 'cimd') then '' else '*' end;
alter table consents alter column redirect_host type text collate "C";
alter table consents drop constraint consents_pkey;
alter table consents add constraint consents_pkey primary key (user_id, client_id, redirect_host);

-- Whose browser shows the form of a request, so that it ends with the sign-in.
alter table authorization_requests add column user_id text collate "C";
alter table authorization_requests add column sid text;
create index authorization_requests_user on authorization_requests (user_id);
