alter table schema_migrations drop column served_from;
