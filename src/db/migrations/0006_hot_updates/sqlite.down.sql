drop index sessions_user;
create index sessions_user on sessions (user_id, client_id, last_active_at);
