-- served_from: 2
-- What is counted with every use stands in no index. Each entry also holds the primary key, so they are in its order.
drop index sessions_user;
create index sessions_user on sessions (user_id, client_id);
