-- served_from: 2
-- One client may have a reuse window of a day; a release before this one takes five minutes of it.
drop index clients_reuse_window;
alter table clients rename column reuse_window to former_reuse_window;
alter table clients add column reuse_window integer check (reuse_window between 0 and 86400000);
update clients set reuse_window = former_reuse_window where former_reuse_window is not null;
alter table clients drop column former_reuse_window;
create index clients_reuse_window on clients (reuse_window) where reuse_window is not null;
