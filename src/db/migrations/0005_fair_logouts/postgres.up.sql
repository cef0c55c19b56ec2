-- served_from: 2
-- Whose logout it is: one user's receivers may hold only so many attempts at once. Null in rows of before.
alter table logout_deliveries add column user_id text collate "C";
-- Clients take turns, each with what has waited longest.
drop index logout_deliveries_client;
create index logout_deliveries_client on logout_deliveries (client_id, next_attempt_at);
