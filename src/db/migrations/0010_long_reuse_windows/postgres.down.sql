update clients set reuse_window = 300000 where reuse_window > 300000;
alter table clients drop constraint clients_reuse_window_check;
alter table clients add constraint clients_reuse_window_check check (reuse_window between 0 and 300000);
