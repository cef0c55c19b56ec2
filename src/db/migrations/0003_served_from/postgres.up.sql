-- served_from: 2
alter table schema_migrations add column served_from integer;
comment on column schema_migrations.served_from is 'the oldest schema version whose release may serve on this one; null where only this one may';
