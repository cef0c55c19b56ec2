-- served_from: 4
-- What a form was answered with: the same answer sent again gets the same redirect. The row is removed after expires_at.
-- A release before this one deletes the row instead, and may answer one of a newer release anew.
alter table authorization_requests add column decision text check (decision in ('allow', 'deny'));

-- When it registered with an initial access token; null for every other client, and for those that did so before.
alter table clients add column invited_at bigint;
