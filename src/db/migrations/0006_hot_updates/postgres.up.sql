-- served_from: 2
-- What is counted with every use stands in no index, and its pages keep room for the next version of a row: such an update
-- then leaves all indexes of its table alone. The order of a user's sessions with a client is that of their ids.
drop index sessions_user;
create index sessions_user on sessions (user_id, client_id, id);

alter table clients set (fillfactor = 70);
alter table codes set (fillfactor = 80);
alter table device_codes set (fillfactor = 70);
alter table initial_access_tokens set (fillfactor = 80);
alter table jobs set (fillfactor = 50);
alter table pushed_authorization_requests set (fillfactor = 80);
alter table rate_limits set (fillfactor = 50);
alter table refresh_tokens set (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.05);
alter table sessions set (fillfactor = 65, autovacuum_vacuum_scale_factor = 0.05);
alter table sign_ins set (fillfactor = 75);

-- What is deleted is looked for again after a twentieth of the table, not a fifth: rows come and go in the order of time.
alter table access_tokens set (autovacuum_vacuum_scale_factor = 0.05);
alter table events set (autovacuum_vacuum_scale_factor = 0.05);
alter table used_jtis set (autovacuum_vacuum_scale_factor = 0.05);
