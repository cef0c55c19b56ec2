-- served_from: 2
alter table schema_migrations add column served_from integer;
