drop index logout_deliveries_client;
create index logout_deliveries_client on logout_deliveries (client_id);
alter table logout_deliveries drop column user_id;
