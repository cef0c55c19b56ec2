-- served_from: 2
-- One client may have a reuse window of a day; a release before this one takes five minutes of it.
alter table clients drop constraint clients_reuse_window_check;
alter table clients add constraint clients_reuse_window_check check (reuse_window between 0 and 86400000) not valid;
alter table clients validate constraint clients_reuse_window_check;
