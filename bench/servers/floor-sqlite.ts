import { DatabaseSync } from 'node:sqlite'
import type { AccessToken, Client, FloorStore, Granted, Person, UsedProof } from './floor-store.ts'

const schema = `
create table if not exists client (id text primary key, secret_hash text, redirect_uri text) without rowid;
create table if not exists person (cookie_hash text primary key, subject text) without rowid;
create table if not exists consent (subject text, client text, scope text, primary key (subject, client)) without rowid;
create table if not exists code (hash text primary key, client text, subject text, redirect_uri text, challenge text,
  scope text, expires_at integer, spent_at integer) without rowid;
create table if not exists session (id integer primary key, subject text, client text, scope text, created_at integer);
create table if not exists refresh_token (hash text primary key, session integer, expires_at integer,
  spent_at integer) without rowid;
create table if not exists access_token (hash text primary key, client text, subject text, scope text,
  expires_at integer) without rowid;
create table if not exists used_proof (hash text primary key, expires_at integer) without rowid;`

/** The floor on one SQLite file: WAL, synchronous=FULL; writes that arrive together share one durable commit. */
export function openFloor(file: string): FloorStore {
  const db = new DatabaseSync(file)
  db.exec('pragma journal_mode = wal; pragma synchronous = full')
  db.exec(schema)
  const begin = db.prepare('begin immediate')
  const commit = db.prepare('commit')
  const addClient = db.prepare('insert into client values (?, ?, ?)')
  const addPerson = db.prepare('insert into person values (?, ?)')
  const addConsent = db.prepare('insert into consent values (?, ?, ?)')
  const client = db.prepare('select secret_hash, redirect_uri from client where id = ?')
  const person = db.prepare(
    'select p.subject, c.scope from person p join consent c on c.subject = p.subject and c.client = ? ' +
      'where p.cookie_hash = ?',
  )
  const insertCode = db.prepare('insert into code values (?, ?, ?, ?, ?, ?, ?, null)')
  const spendCode = db.prepare(
    'update code set spent_at = ? where hash = ? and client = ? and redirect_uri = ? and challenge = ? ' +
      'and spent_at is null and expires_at > ? returning subject, scope',
  )
  const insertSession = db.prepare(
    'insert into session (subject, client, scope, created_at) values (?, ?, ?, ?)',
  )
  const session = db.prepare('select subject, scope from session where id = ?')
  const spendRefreshToken = db.prepare(
    'update refresh_token set spent_at = ? where hash = ? and spent_at is null and expires_at > ? returning session',
  )
  const insertRefreshToken = db.prepare('insert into refresh_token values (?, ?, ?, null)')
  const insertAccessToken = db.prepare('insert into access_token values (?, ?, ?, ?, ?)')
  const insertProof = db.prepare('insert into used_proof values (?, ?) on conflict do nothing')
  const spend = (proof: UsedProof | undefined) =>
    proof === undefined || insertProof.run(proof.hash, proof.expiresAt).changes === 1
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
  function write<T>(work: () => T, done: (result: T) => void) {
    let result: T
    if (waiting.length === 0) setImmediate(flush)
    waiting.push({
      work() {
        result = work()
      },
      done: () => done(result),
    })
  }

  // Reads that arrive together are answered together too: one burst of answers wakes the other side once, which
  // costs less than half of waking it for each.
  let reading: (() => void)[] = []
  function answerReads() {
    const batch = reading
    reading = []
    for (const read of batch) read()
  }

  return {
    async addClient(id, { secret_hash, redirect_uri }) {
      addClient.run(id, secret_hash, redirect_uri)
    },
    async addPerson(cookieHash, clientId, { subject, scope }) {
      addPerson.run(cookieHash, subject)
      addConsent.run(subject, clientId, scope)
    },
    client: (id, done) => done(client.get(id) as Client | undefined),
    person: (cookieHash, clientId, done) => done(person.get(clientId, cookieHash) as Person | undefined),
    insertCode: (code, done) =>
      write(() => {
        const { hash, subject, redirectUri, challenge, scope, expiresAt } = code
        insertCode.run(hash, code.client, subject, redirectUri, challenge, scope, expiresAt)
        return undefined
      }, done),
    redeemCode: ({ hash, client: clientId, redirectUri, challenge, refreshHash, expiresAt }, done) =>
      write(() => {
        const now = Date.now()
        const spent = spendCode.get(now, hash, clientId, redirectUri, challenge, now) as Granted | undefined
        if (!spent) return undefined
        const { lastInsertRowid } = insertSession.run(spent.subject, clientId, spent.scope, now)
        insertRefreshToken.run(refreshHash, lastInsertRowid, expiresAt)
        return spent
      }, done),
    rotate: ({ hash, successorHash, expiresAt, proof }, done) =>
      write(() => {
        if (!spend(proof)) return undefined
        const now = Date.now()
        const spent = spendRefreshToken.get(now, hash, now) as { session: number } | undefined
        if (!spent) return undefined
        insertRefreshToken.run(successorHash, spent.session, expiresAt)
        return session.get(spent.session) as Granted
      }, done),
    insertAccessToken: (hash, token, proof, done) =>
      write(() => {
        if (!spend(proof)) return false
        insertAccessToken.run(hash, token.client, token.subject, token.scope, token.expires_at)
        return true
      }, done),
    accessToken(hash, done) {
      if (reading.length === 0) setImmediate(answerReads)
      reading.push(() => done(accessToken.get(hash) as AccessToken | undefined))
    },
  }
}
