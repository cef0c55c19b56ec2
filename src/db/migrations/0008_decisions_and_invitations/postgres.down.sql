alter table clients drop column invited_at;

-- What is answered would be open again without it.
delete from authorization_requests where decision is not null;
alter table authorization_requests drop column decision;
