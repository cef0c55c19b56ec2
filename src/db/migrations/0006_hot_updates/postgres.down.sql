drop index sessions_user;
create index sessions_user on sessions (user_id, client_id, last_active_at);

alter table clients reset (fillfactor);
alter table codes reset (fillfactor);
alter table device_codes reset (fillfactor);
alter table initial_access_tokens reset (fillfactor);
alter table jobs reset (fillfactor);
alter table pushed_authorization_requests reset (fillfactor);
alter table rate_limits reset (fillfactor);
alter table refresh_tokens reset (fillfactor, autovacuum_vacuum_scale_factor);
alter table sessions reset (fillfactor, autovacuum_vacuum_scale_factor);
alter table sign_ins reset (fillfactor);
alter table access_tokens reset (autovacuum_vacuum_scale_factor);
alter table events reset (autovacuum_vacuum_scale_factor);
alter table used_jtis reset (autovacuum_vacuum_scale_factor);
