// What must hold in the tables after any crash: each line is a question whose answer is no row.

/** Questions both databases understand. The client of the load may refresh, so every session has a refresh token. */
export const invariants: Readonly<Record<string, string>> = {
  'a session has its refresh token':
    'select s.id from sessions s where not exists (select 1 from refresh_tokens r where r.session_id = s.id)',
  'a used code has its session':
    'select c.id from codes c where c.used_at is not null and not exists (select 1 from sessions s where s.id = c.session_id)',
  'an unused code has none': 'select id from codes where used_at is null and session_id is not null',
  'a session comes from one code, its own or a device’s': `select s.id from sessions s left join
      (select session_id from codes union all select session_id from device_codes) c on c.session_id = s.id
      group by s.id having count(c.session_id) <> 1`,
  'a used device code has its session': `select d.id from device_codes d where d.used_at is not null
      and not exists (select 1 from sessions s where s.id = d.session_id)`,
  'an unused device code has none':
    'select id from device_codes where used_at is null and session_id is not null',
  'an allowed device has a user and a consent': `select d.id from device_codes d where d.decision = 'approved'
      and not exists (select 1 from consents k where k.user_id = d.user_id and k.client_id = d.client_id)`,
  'a user allowed one device for each event that says so': `select user_id from (
      select user_id, count(*) as devices, 0 as events from device_codes where decision = 'approved' group by user_id
      union all select user_id, 0, count(*) from events where type = 'device_approved' group by user_id
    ) counted group by user_id having sum(devices) <> sum(events)`,
  'a client that pushes has one code for each pushed request that was used': `select client_id from (
      select client_id, count(*) as requests, 0 as codes from pushed_authorization_requests
        where used_at is not null group by client_id
      union all select client_id, 0, count(*) from codes
        where client_id in (select client_id from pushed_authorization_requests) group by client_id
    ) counted group by client_id having sum(requests) <> sum(codes)`,
  'a registered client has its event': `select c.id from clients c left join events e on e.client_id = c.id
      and e.type = 'client_registered' where c.source = 'dcr' group by c.id having count(e.id) <> 1`,
  'a registration that was written down has its client': `select e.id from events e where e.type = 'client_registered'
      and not exists (select 1 from clients c where c.id = e.client_id)`,
  'a code comes with a consent':
    'select c.id from codes c where not exists (select 1 from consents k where k.user_id = c.user_id and k.client_id = c.client_id)',
  'a rotated token has its successor, in its own session': `select t.id from refresh_tokens t where t.rotated_at is not null
      and not exists (select 1 from refresh_tokens n where n.id = t.rotated_to and n.session_id = t.session_id)`,
  'a token that was not rotated has none':
    'select id from refresh_tokens where rotated_at is null and rotated_to is not null',
  'a session has one newest refresh token':
    'select session_id from refresh_tokens group by session_id having sum(case when rotated_at is null then 1 else 0 end) <> 1',
  'a successor succeeds one token':
    'select rotated_to from refresh_tokens where rotated_to is not null group by rotated_to having count(*) <> 1',
  'a used token keeps no salt':
    'select id from refresh_tokens where rotated_at is not null and salt is not null',
  'an access token of a session has one': `select a.id from access_tokens a where a.session_id is not null
      and not exists (select 1 from sessions s where s.id = a.session_id)`,
  'a session has its event': `select s.id from sessions s left join events e
      on e.session_id = s.id and e.type = 'token_exchange' group by s.id having count(e.id) <> 1`,
  'an event has its session': `select e.id from events e where e.type = 'token_exchange'
      and not exists (select 1 from sessions s where s.id = e.session_id)`,
  'a session has one access token for each event that gave one': `select session_id from (
      select session_id, count(*) as tokens, 0 as events from access_tokens where session_id is not null group by session_id
      union all select session_id, 0, count(*) from events where type in ('token_exchange', 'token_refresh') group by session_id
    ) counted group by session_id having sum(tokens) <> sum(events)`,
  'a session has one event for each rotation': `select session_id from (
      select session_id, count(*) as rotations, 0 as events from refresh_tokens where rotated_at is not null group by session_id
      union all select session_id, 0, count(*) from events where type = 'token_refresh' and body not like '%"retry":true%' group by session_id
    ) counted group by session_id having sum(rotations) <> sum(events)`,
  'a session ended with an event': `select s.id from sessions s left join events e on e.session_id = s.id
      and e.type in ('token_revoke', 'reuse_detected', 'code_replayed') where s.revoked_at is not null
      group by s.id having count(e.id) <> 1`,
  'an event that ends a session ended it': `select e.id from events e join sessions s on s.id = e.session_id
      where e.type in ('token_revoke', 'reuse_detected', 'code_replayed') and s.revoked_at is null`,
  'a client has one token for each event that gave one': `select client_id from (
      select client_id, count(*) as tokens, 0 as events from access_tokens where session_id is null group by client_id
      union all select client_id, 0, count(*) from events where type = 'client_credentials' group by client_id
    ) counted group by client_id having sum(tokens) <> sum(events)`,
  'a user has one code for each event that gave one': `select user_id from (
      select user_id, count(*) as codes, 0 as events from codes group by user_id
      union all select user_id, 0, count(*) from events where type = 'authorize' group by user_id
    ) counted group by user_id having sum(codes) <> sum(events)`,
  'a user has an identity':
    'select u.id from users u where not exists (select 1 from identities i where i.user_id = u.id)',
  'one key signs': 'select count(*) as keys from signing_keys where retired_at is null having count(*) <> 1',
}
