import { DatabaseSync } from 'node:sqlite'

const schema = `
create table if not exists client (id text primary key, secret_hash blob, redirect_uri text) without rowid;
create table if not exists person (cookie_hash blob primary key, subject text) without rowid;
create table if not exists consent (subject text, client text, scope text, primary key (subject, client)) without rowid;
create table if not exists code (hash blob primary key, client text, subject text, redirect_uri text, challenge text,
  scope text, expires_at integer, spent_at integer) without rowid;
create table if not exists session (id integer primary key, subject text, client text, scope text, created_at integer);
create table if not exists refresh_token (hash blob primary key, session integer, expires_at integer,
  spent_at integer) without rowid;
create table if not exists access_token (hash blob primary key, client text, subject text, scope text,
  expires_at integer) without rowid;`

type Client = { secret_hash: Uint8Array; redirect_uri: string }
type Code = { subject: string; redirect_uri: string; challenge: string; scope: string }
type RefreshToken = { session: number; subject: string; scope: string }
type AccessToken = { client: string; subject: string; scope: string; expires_at: number }

/** The floor's statements over one SQLite file; `write` joins what arrives together into one durable commit. */
export function openFloor(file: string) {
  const db = new DatabaseSync(file)
  db.exec('pragma journal_mode = wal; pragma synchronous = full')
  db.exec(schema)
  const begin = db.prepare('begin immediate')
  const commit = db.prepare('commit')

  const addClient = db.prepare('insert into client values (?, ?, ?)')
  const addPerson = db.prepare('insert into person values (?, ?)')
  const addConsent = db.prepare('insert into consent values (?, ?, ?)')
  const client = db.prepare('select secret_hash, redirect_uri from client where id = ?')
  const person = db.prepare('select subject from person where cookie_hash = ?')
  const consent = db.prepare('select scope from consent where subject = ? and client = ?')
  const insertCode = db.prepare('insert into code values (?, ?, ?, ?, ?, ?, ?, null)')
  const spendCode = db.prepare(
    'update code set spent_at = ? where hash = ? and client = ? and spent_at is null and expires_at > ? ' +
      'returning subject, redirect_uri, challenge, scope',
  )
  const insertSession = db.prepare(
    'insert into session (subject, client, scope, created_at) values (?, ?, ?, ?)',
  )
  const refreshToken = db.prepare(
    'select session, subject, scope from refresh_token join session on session.id = session where hash = ?',
  )
  const spendRefreshToken = db.prepare(
    'update refresh_token set spent_at = ? where hash = ? and spent_at is null',
  )
  const insertRefreshToken = db.prepare('insert into refresh_token values (?, ?, ?, null)')
  const insertAccessToken = db.prepare('insert into access_token values (?, ?, ?, ?, ?)')
  const accessToken = db.prepare('select client, subject, scope, expires_at from access_token where hash = ?')

  let waiting: { work: () => void; done: () => void }[] = []
  function flush() {
    const batch = waiting
    waiting = []
    begin.run()
    for (const entry of batch) entry.work()
    commit.run()
    for (const entry of batch) entry.done()
  }

  return {
    /** Runs `work` in the next commit, and `done` with its result once that commit is durable. */
    write<T>(work: () => T, done: (result: T) => void) {
      let result: T
      if (waiting.length === 0) setImmediate(flush)
      waiting.push({
        work() {
          result = work()
        },
        done: () => done(result),
      })
    },
    addClient: (id: string, secretHash: Uint8Array, redirectUri: string) =>
      addClient.run(id, secretHash, redirectUri),
    addPerson(cookieHash: Uint8Array, subject: string, clientId: string, scope: string) {
      addPerson.run(cookieHash, subject)
      addConsent.run(subject, clientId, scope)
    },
    client: (id: string) => client.get(id) as Client | undefined,
    person: (cookieHash: Uint8Array) => person.get(cookieHash) as { subject: string } | undefined,
    consent: (subject: string, clientId: string) =>
      consent.get(subject, clientId) as { scope: string } | undefined,
    insertCode: (...values: [Uint8Array, string, string, string, string, string, number]) =>
      insertCode.run(...values),
    spendCode: (hash: Uint8Array, clientId: string) =>
      spendCode.get(Date.now(), hash, clientId, Date.now()) as Code | undefined,
    insertSession: (subject: string, clientId: string, scope: string) =>
      Number(insertSession.run(subject, clientId, scope, Date.now()).lastInsertRowid),
    refreshToken: (hash: Uint8Array) => refreshToken.get(hash) as RefreshToken | undefined,
    spendRefreshToken: (hash: Uint8Array) => spendRefreshToken.run(Date.now(), hash).changes,
    insertRefreshToken: (hash: Uint8Array, session: number, expiresAt: number) =>
      insertRefreshToken.run(hash, session, expiresAt),
    insertAccessToken: (...values: [Uint8Array, string, string, string, number]) =>
      insertAccessToken.run(...values),
    accessToken: (hash: Uint8Array) => accessToken.get(hash) as AccessToken | undefined,
  }
}

export type Floor = ReturnType<typeof openFloor>
