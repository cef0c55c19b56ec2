import { randomBytes } from 'node:crypto'
import pg from 'pg'
import type { AccessToken, Client, FloorStore, Granted, Person } from './floor-store.ts'

const schema = `
create table client (id text primary key, secret_hash text, redirect_uri text);
create table person (cookie_hash text primary key, subject text);
create table consent (subject text, client text, scope text, primary key (subject, client));
create table code (hash text primary key, client text, subject text, redirect_uri text, challenge text, scope text,
  expires_at bigint, spent_at bigint);
create table session (id text primary key, subject text, client text, scope text, created_at bigint);
create table refresh_token (hash text primary key, session text, expires_at bigint, spent_at bigint);
create table access_token (hash text primary key, client text, subject text, scope text, expires_at bigint);`

/** Requests one statement carries at most, and statements of one kind under way at once. */
const mostTogether = 256
const lanes = 2

type Column = [name: string, type: 'text' | 'bigint']
type Statement = { name: string; columns: Column[]; text: string }

/** A statement over `i`: one row a request, numbered by `n`; from arrays when it carries a batch. */
function statement(batched: boolean, name: string, columns: Column[], rest: string): Statement {
  const names = columns.map(([column]) => column).join(', ')
  const arrays = columns.map(([, type], at) => `$${at + 1}::${type}[]`).join(', ')
  const scalars = columns.map(([column, type], at) => `$${at + 1}::${type} as ${column}`).join(', ')
  const i = batched
    ? `select * from unnest(${arrays}) with ordinality as i(${names}, n)`
    : `select ${scalars}, 1 as n`
  return { name, columns, text: `with i as (${i}) ${rest}` }
}

type Pending = { values: unknown[]; done: (row: never) => void }

/**
 * The floor on PostgreSQL, in two kinds: one statement a request, or one statement for all requests that wait for
 * the same thing. Clients are kept in memory, since they hardly change.
 */
export async function openPostgresFloor(url: string, batched: boolean): Promise<FloorStore> {
  const pool = new pg.Pool({ connectionString: url, max: 16 })
  const clients = new Map<string, Client>()

  function operation(name: string, columns: Column[], rest: string) {
    const { text } = statement(batched, name, columns, rest)
    const waiting: Pending[] = []
    let running = 0
    let scheduled = false
    function schedule() {
      if (scheduled || running >= lanes || waiting.length === 0) return
      scheduled = true
      setImmediate(run)
    }
    async function run() {
      scheduled = false
      const batch = waiting.splice(0, mostTogether)
      running += 1
      schedule()
      const values = columns.map((_, at) => batch.map((pending) => pending.values[at]))
      const { rows } = await pool.query({ name, text, values })
      const answers: unknown[] = []
      for (const row of rows) answers[Number(row.n) - 1] = row
      for (const [at, pending] of batch.entries()) pending.done(answers[at] as never)
      running -= 1
      schedule()
    }
    async function alone({ values, done }: Pending) {
      const { rows } = await pool.query({ name, text, values })
      done(rows[0] as never)
    }
    return (values: unknown[], done: (row: never) => void) => {
      if (!batched) return void alone({ values, done })
      waiting.push({ values, done })
      schedule()
    }
  }

  const person = operation(
    'person',
    [
      ['cookie_hash', 'text'],
      ['client', 'text'],
    ],
    'select i.n, p.subject, c.scope from i join person p using (cookie_hash) ' +
      'join consent c on c.subject = p.subject and c.client = i.client',
  )
  const insertCode = operation(
    'insert_code',
    [
      ['hash', 'text'],
      ['client', 'text'],
      ['subject', 'text'],
      ['redirect_uri', 'text'],
      ['challenge', 'text'],
      ['scope', 'text'],
      ['expires_at', 'bigint'],
    ],
    'insert into code select hash, client, subject, redirect_uri, challenge, scope, expires_at, null from i',
  )
  const redeemCode = operation(
    'redeem_code',
    [
      ['hash', 'text'],
      ['client', 'text'],
      ['redirect_uri', 'text'],
      ['challenge', 'text'],
      ['session', 'text'],
      ['refresh_hash', 'text'],
      ['expires_at', 'bigint'],
      ['now', 'bigint'],
    ],
    `, spent as (update code c set spent_at = i.now from i where c.hash = i.hash and c.client = i.client
        and c.redirect_uri = i.redirect_uri and c.challenge = i.challenge and c.spent_at is null and c.expires_at > i.now
        returning i.n, i.client, i.session, i.refresh_hash, i.expires_at, i.now, c.subject, c.scope),
      started as (insert into session select session, subject, client, scope, now from spent),
      issued as (insert into refresh_token select refresh_hash, session, expires_at, null from spent)
    select n, subject, scope from spent`,
  )
  const rotate = operation(
    'rotate',
    [
      ['hash', 'text'],
      ['successor_hash', 'text'],
      ['expires_at', 'bigint'],
      ['now', 'bigint'],
    ],
    `, spent as (update refresh_token t set spent_at = i.now from i where t.hash = i.hash and t.spent_at is null
        and t.expires_at > i.now returning i.n, i.successor_hash, i.expires_at, t.session),
      issued as (insert into refresh_token select successor_hash, session, expires_at, null from spent)
    select spent.n, s.subject, s.scope from spent join session s on s.id = spent.session`,
  )
  const insertAccessToken = operation(
    'insert_access_token',
    [
      ['hash', 'text'],
      ['client', 'text'],
      ['subject', 'text'],
      ['scope', 'text'],
      ['expires_at', 'bigint'],
    ],
    'insert into access_token select hash, client, subject, scope, expires_at from i',
  )
  const accessToken = operation(
    'access_token',
    [['hash', 'text']],
    'select i.n, t.client, t.subject, t.scope, t.expires_at from i join access_token t using (hash)',
  )

  const { rows: tables } = await pool.query("select to_regclass('client') as found")
  if (tables[0].found === null) await pool.query(schema)
  const known = await pool.query<Client & { id: string }>('select id, secret_hash, redirect_uri from client')
  for (const row of known.rows) clients.set(row.id, row)

  return {
    async addClient(id, client) {
      await pool.query('insert into client values ($1, $2, $3)', [
        id,
        client.secret_hash,
        client.redirect_uri,
      ])
      clients.set(id, client)
    },
    async addPerson(cookieHash, clientId, { subject, scope }) {
      await pool.query('insert into person values ($1, $2)', [cookieHash, subject])
      await pool.query('insert into consent values ($1, $2, $3)', [subject, clientId, scope])
    },
    client: (id, done) => done(clients.get(id)),
    person: (cookieHash, clientId, done) =>
      person([cookieHash, clientId], (row: Person | undefined) => done(row)),
    insertCode: ({ hash, client, subject, redirectUri, challenge, scope, expiresAt }, done) =>
      insertCode([hash, client, subject, redirectUri, challenge, scope, expiresAt], () => done(undefined)),
    redeemCode: ({ hash, client, redirectUri, challenge, refreshHash, expiresAt }, done) => {
      const session = randomBytes(16).toString('base64url')
      const values = [hash, client, redirectUri, challenge, session, refreshHash, expiresAt, Date.now()]
      redeemCode(values, (row: Granted | undefined) => done(row))
    },
    rotate: ({ hash, successorHash, expiresAt }, done) =>
      rotate([hash, successorHash, expiresAt, Date.now()], (row: Granted | undefined) => done(row)),
    insertAccessToken: (hash, { client, subject, scope, expires_at }, _proof, done) =>
      insertAccessToken([hash, client, subject, scope, expires_at], () => done(true)),
    accessToken: (hash, done) =>
      accessToken([hash], (row: AccessToken | undefined) =>
        done(row && { ...row, expires_at: Number(row.expires_at) }),
      ),
  }
}
