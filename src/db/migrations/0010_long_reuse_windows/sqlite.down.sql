drop index clients_reuse_window;
alter table clients rename column reuse_window to former_reuse_window;
alter table clients add column reuse_window integer check (reuse_window between 0 and 300000);
update clients set reuse_window = min(former_reuse_window, 300000) where former_reuse_window is not null;
alter table clients drop column former_reuse_window;
create index clients_reuse_window on clients (reuse_window) where reuse_window is not null;
