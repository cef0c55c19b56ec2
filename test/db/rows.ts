// Fills every table with rows that belong together. Row k of each table has the same id, so an operation on row k finds
// its user, client, session and tokens. Rows with an odd number ended long ago, the others live for fifty years.

import type { Database } from '../../src/db/database.ts'

export const growingTables = [
  'users',
  'identities',
  'local_accounts',
  'sign_ins',
  'clients',
  'consents',
  'authorization_requests',
  'codes',
  'sessions',
  'refresh_tokens',
  'access_tokens',
  'events',
  'rate_limits',
  'pushed_authorization_requests',
  'device_codes',
  'used_jtis',
  'initial_access_tokens',
  'password_links',
  'pairwise_subjects',
  'logout_deliveries',
] as const

/** The id of row k in every table. */
export const rowId = (k: number) => `r${String(k).padStart(9, '0')}`
/** The hash of row k's token. */
export const rowHash = (k: number) => `h${String(k).padStart(9, '0')}`

/** When row 0 was made; each next one a millisecond later. */
export const firstRowAt = Date.UTC(2026, 0, 1)
/** Writes rows `from`…`rows - 1` into each table there is, and each column: an older schema has fewer. */
export async function fill(db: Database, rows: number, from = 0): Promise<void> {
  const sqlite = db.dialect === 'sqlite'
  const series = sqlite
    ? `(with recursive n(k) as (select ${from} union all select k + 1 from n where k + 1 < ${rows}) select k from n)`
    : `(select generate_series(${from}, ${rows - 1}) as k)`
  const id = sqlite ? "printf('r%09d', k)" : "'r' || lpad(k::text, 9, '0')"
  const hash = sqlite ? "printf('h%09d', k)" : "'h' || lpad(k::text, 9, '0')"
  const at = `${firstRowAt} + k`
  const end = `${firstRowAt} + k + case when k % 2 = 0 then ${50 * 365 * 86_400_000} else 0 end`
  const odd = (value: string) => `case when k % 2 = 1 then ${value} end`
  const columns: Record<(typeof growingTables)[number], Record<string, string>> = {
    users: { id, subject: id, name: "'Name'", email: id, created_at: at },
    identities: { provider: "'test'", issuer: "''", subject: id, user_id: id, created_at: at },
    local_accounts: { user_id: id, login: id, password_hash: "'x'", password_changed_at: at, created_at: at },
    sign_ins: { id, hash, user_id: id, auth_time: at, created_at: at, last_seen_at: at, expires_at: end },
    clients: {
      id,
      name: "'Job board'",
      source: "'admin'",
      profile: "'default'",
      token_endpoint_auth_method: "'client_secret_basic'",
      secret_hash: "'x'",
      redirect_uris: `'["https://client.example/callback"]'`,
      grant_types: "'authorization_code refresh_token'",
      scope: "'jobs:read'",
      resources: "''",
      reuse_window: odd('120000'),
      last_used_at: at,
      created_at: at,
      updated_at: at,
      registered_metadata: `'{"backchannel_logout_uri":"https://client.example/logout"}'`,
    },
    consents: {
      user_id: id,
      client_id: id,
      scope: "'jobs:read'",
      resources: "''",
      redirect_host: "'client.example'",
      created_at: at,
      updated_at: at,
    },
    authorization_requests: {
      id,
      hash,
      client_id: id,
      request: "'{}'",
      created_at: at,
      expires_at: end,
      pushed_id: id,
      user_id: id,
      sid: id,
    },
    codes: {
      id,
      hash,
      client_id: id,
      user_id: id,
      subject: id,
      redirect_uri: "'https://client.example/callback'",
      scope: "'jobs:read'",
      resources: "''",
      created_at: at,
      expires_at: end,
    },
    sessions: {
      id,
      client_id: id,
      user_id: id,
      subject: id,
      scope: "'jobs:read openid'",
      granted_scope: "'jobs:read openid'",
      resources: "''",
      last_active_at: at,
      created_at: at,
      expires_at: end,
      revoked_at: odd(at),
      revoked_reason: odd("'test'"),
      sid: id,
    },
    refresh_tokens: {
      id,
      hash,
      session_id: id,
      scope: "'jobs:read'",
      resources: "''",
      created_at: at,
      expires_at: end,
      salt: "'salt'",
    },
    access_tokens: {
      id,
      hash,
      client_id: id,
      session_id: id,
      user_id: id,
      subject: id,
      scope: "'jobs:read'",
      resources: "''",
      created_at: at,
      expires_at: end,
    },
    events: {
      id,
      type: `case when k % 2 = 1 then 'token_refresh' else 'authorize' end`,
      version: '1',
      user_id: id,
      client_id: id,
      session_id: id,
      body: "'{}'",
      created_at: at,
    },
    rate_limits: { key: id, count: '1', expires_at: end },
    pushed_authorization_requests: {
      id,
      hash,
      client_id: id,
      request: "'[]'",
      created_at: at,
      expires_at: end,
    },
    device_codes: {
      id,
      hash,
      user_code_hash: hash,
      client_id: id,
      scope: "'jobs:read'",
      resources: "''",
      poll_interval: '5000',
      created_at: at,
      expires_at: end,
    },
    used_jtis: { id, expires_at: end },
    initial_access_tokens: { id, hash, name: "'test'", uses_left: '1', created_at: at, expires_at: end },
    password_links: { id, hash, user_id: id, created_at: at, expires_at: end },
    pairwise_subjects: { user_id: id, sector: "'client.example'", subject: id, created_at: at },
    logout_deliveries: {
      id,
      client_id: id,
      user_id: id,
      subject: id,
      next_attempt_at: at,
      created_at: at,
      expires_at: end,
    },
  }
  await db.connection(async (run) => {
    const there = await run<{ name: string; columns: string }>(
      sqlite
        ? `select m.name, group_concat(c.name, ' ') as columns from sqlite_master m join pragma_table_info(m.name) c
            where m.type = 'table' group by m.name`
        : `select table_name as name, string_agg(column_name, ' ') as columns from information_schema.columns
            where table_schema = 'public' group by table_name`,
      [],
    )
    for (const table of growingTables) {
      const known = there.find(({ name }) => name === table)?.columns.split(' ')
      if (!known) continue
      const of = Object.entries(columns[table]).filter(([name]) => known.includes(name))
      const [names, filled] = [0, 1].map((side) => of.map((pair) => pair[side]).join(', '))
      await run(`insert into ${table} (${names}) select ${filled} from ${series} as series`)
    }
  })
}
