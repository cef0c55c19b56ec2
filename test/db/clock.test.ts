// What decides life and death is compared on one clock, the database's: a process whose own is wrong ends nothing of
// others, says so, and stops answering when it is far off.

import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { decodeJwt } from 'jose'
import { openApp } from '../../src/app.ts'
import { openClock } from '../../src/db/clock.ts'
import type { Database } from '../../src/db/database.ts'
import { databaseClock } from '../../src/db/health.ts'
import { migrateUp } from '../../src/db/migrate.ts'
import { openDatabase } from '../../src/db/open.ts'
import { sql } from '../../src/db/sql.ts'
import { embed } from '../../src/gatehouse.ts'
import { processConfig, signedInHeader } from '../races/config.ts'
import { introspect, obtainTokens, readTokens, refresh } from '../support/flow.ts'
import {
  formText,
  freshDatabase,
  onBothDatabases,
  openTestServer,
  type TestServer,
} from '../support/gatehouse.ts'

const minute = 60_000

/** Clocks of a machine that only move when told. */
function machine(wall: number) {
  const time = { wall, since: 0 }
  return {
    system: () => time.wall,
    monotonic: () => time.since,
    pass(milliseconds: number) {
      time.wall += milliseconds
      time.since += milliseconds
    },
    /** Somebody sets the clock. */
    set(by: number) {
      time.wall += by
    },
  }
}

/** A log that remembers. */
function remembering() {
  const lines: string[] = []
  const say = (level: string) => (message: string) => void lines.push(`${level}: ${message}`)
  return { lines, info: say('info'), warn: say('warn'), error: say('error') }
}

describe('the clock of a process on PostgreSQL', () => {
  let db: Database
  let remove: () => Promise<void>
  before(async () => {
    const database = await freshDatabase('postgres')
    remove = database.remove
    db = await openDatabase(database.url)
    await migrateUp(db)
  })
  after(async () => {
    await db.close()
    await remove()
  })

  /** The corrected time lies between two looks at the database's clock, but for the way there and back. */
  async function assertAgrees(now: () => number) {
    const sent = performance.now()
    const earlier = await databaseClock(db)
    const here = now()
    const later = await databaseClock(db)
    const way = performance.now() - sent
    assert.ok(here >= earlier - way - 1_000 && here <= later + way + 1_000, `${earlier} ${here} ${later}`)
  }

  test('says what the database says, however wrong the system’s is', async () => {
    for (const [off, ok] of [
      [0, true],
      [20_000, true],
      [-20_000, true],
      [10 * minute, false],
      [-10 * minute, false],
    ] as const) {
      const log = remembering()
      const shifted = () => Date.now() + off
      const clock = await openClock({ db, log, system: shifted })
      await assertAgrees(clock.now)
      assert.equal(clock.ok, ok)
      assert.ok(Math.abs(clock.offset - off) < 5_000, `${clock.offset}`)
      assert.equal(log.lines.length, off === 0 ? 0 : 1)
      if (off !== 0) assert.match(log.lines[0]!, ok ? /^warn: / : /^error: /)
      clock.close()
    }
  })

  test('does not jump when somebody sets the system’s, and notices it', async () => {
    const log = remembering()
    const here = machine(await databaseClock(db))
    const clock = await openClock({ db, log, ...here })
    assert.equal(clock.ok, true)
    const earlier = clock.now()
    here.set(10 * minute)
    assert.ok(clock.now() - earlier < minute, 'time goes on as if nothing had happened')
    await clock.measured()
    assert.equal(clock.ok, false)
    assert.match(log.lines.join('\n'), /error: /)
    here.set(-10 * minute)
    clock.now()
    await clock.measured()
    assert.equal(clock.ok, true)
    clock.close()
  })

  test('is not trusted when it could not be compared for long', async () => {
    const here = machine(await databaseClock(db))
    const answers = { silent: false }
    const flaky: Database = {
      ...db,
      query: (query) => (answers.silent ? Promise.reject(new Error('away')) : db.query(query)),
    }
    const clock = await openClock({ db: flaky, log: remembering(), ...here })
    answers.silent = true
    here.pass(5 * minute)
    await clock.measure()
    assert.equal(clock.ok, true, 'a clock does not go wrong in minutes')
    here.pass(6 * minute)
    await clock.measure()
    assert.equal(clock.ok, false)
    answers.silent = false
    await clock.measure()
    // The machine's own clocks were moved by eleven minutes beside the database's.
    assert.equal(clock.ok, false)
    here.set(-11 * minute)
    await clock.measure()
    assert.equal(clock.ok, true)
    clock.close()
  })
})

describe('the clock of a process on SQLite', () => {
  async function withDatabase(work: (db: Database) => Promise<void>) {
    const { url, remove } = await freshDatabase('sqlite')
    const db = await openDatabase(url)
    await migrateUp(db)
    await work(db)
    await db.close()
    await remove()
  }
  const lastCleanUp = (db: Database, at: number) =>
    db.query(sql`insert into jobs (name, lease_until, last_started_at) values ('clean_up', 0, ${at})`)

  test('is the machine’s; when somebody sets it nothing is removed for a while', () =>
    withDatabase(async (db) => {
      const log = remembering()
      const here = machine(Date.UTC(2026, 0, 1))
      const clock = await openClock({ db, log, ...here })
      assert.deepEqual([clock.ok, clock.offset, clock.steady], [true, 0, true])
      here.set(30 * 24 * 60 * minute)
      await clock.measure()
      assert.equal(clock.now(), here.system())
      assert.deepEqual([clock.ok, clock.steady], [true, false])
      assert.match(log.lines.join('\n'), /warn: /)
      here.pass(11 * minute)
      await clock.measure()
      assert.equal(clock.steady, true)
      clock.close()
    }))

  test('that differs much from the last run of the clean-up removes nothing at first', () =>
    withDatabase(async (db) => {
      const now = Date.UTC(2026, 0, 1)
      await lastCleanUp(db, now - 40 * 24 * 60 * minute)
      for (const at of [now, now - 80 * 24 * 60 * minute]) {
        const here = machine(at)
        const clock = await openClock({ db, log: remembering(), ...here })
        assert.equal(clock.steady, false)
        here.pass(11 * minute)
        await clock.measure()
        assert.equal(clock.steady, true)
        clock.close()
      }
      const here = machine(now - 40 * 24 * 60 * minute + 2 * minute)
      const clock = await openClock({ db, log: remembering(), ...here })
      assert.equal(clock.steady, true, 'an ordinary restart')
      clock.close()
    }))
})

onBothDatabases('a server whose clock cannot be trusted', (dialect) => {
  test('answers 503 with Retry-After to all that depends on time, and serves its documents', async () => {
    const testServer = await openTestServer(dialect)
    try {
      const created = await testServer.createClient()
      const tokens = await obtainTokens(testServer, created)
      Object.defineProperty(testServer.app.server.clock, 'ok', { value: false })
      for (const answer of [
        await refresh(testServer, created, tokens.refresh_token!),
        await testServer.request('/oauth/authorize'),
        await testServer.request('/account'),
      ]) {
        assert.equal(answer.status, 503)
        assert.match(answer.headers.get('retry-after') ?? '', /^[1-9]\d*$/)
      }
      const access = await testServer.g.authenticate(
        new Request('https://api.example/', { headers: { authorization: `Bearer ${tokens.access_token}` } }),
      )
      assert.ok(!access.ok && access.response.status === 503)
      for (const path of ['/.well-known/oauth-authorization-server', '/.well-known/jwks.json']) {
        assert.equal((await testServer.request(path)).status, 200)
      }
    } finally {
      await testServer.close()
    }
  })
})

describe('processes with clocks of their own on one PostgreSQL', () => {
  test('none ends a session of another, and every token it answers lives', { timeout: 300_000 }, async () => {
    const database = await freshDatabase('postgres')
    const db = await openDatabase(database.url)
    await migrateUp(db)
    const app = await openApp(processConfig({ database: database.url, port: 0 }))
    const g = embed(app)
    const asked = { name: 'Job board', redirectUris: ['https://client.example/callback'] }
    const shifts = [0, 10 * minute, -10 * minute, 20_000, -20_000]
    const processes = await Promise.all(shifts.map((shift) => start(shift, database.url)))
    try {
      const [right, ahead, behind, ...near] = processes.map((one) => one.testServer) as [
        TestServer,
        TestServer,
        TestServer,
        TestServer,
      ]
      const created = await g.clients.create(asked)
      const stranger = await g.clients.create(asked)
      const first = await obtainTokens(right, created)
      const second = await readTokens(await refresh(right, created, first.refresh_token!))
      for (const wrong of [ahead, behind]) {
        // By a clock ten minutes ahead, this would be a replay long after the reuse window.
        const answer = await refresh(wrong, created, first.refresh_token!)
        assert.equal(answer.status, 503)
        assert.match(answer.headers.get('retry-after') ?? '', /^[1-9]\d*$/)
        assert.equal((await refresh(wrong, stranger, second.refresh_token!)).status, 503)
      }
      let { refresh_token: newest } = second
      for (const one of [...near, right]) {
        const earlier = await databaseClock(db)
        const tokens = await readTokens(await refresh(one, created, newest!))
        const later = await databaseClock(db)
        newest = tokens.refresh_token
        const { iat } = decodeJwt(tokens.access_token)
        assert.ok(
          iat! * 1_000 >= earlier - 2_000 && iat! * 1_000 <= later + 2_000,
          'iat by the database’s clock',
        )
        for (const other of [...near, right])
          assert.equal((await introspect(other, created, tokens.access_token)).active, true)
        // The same token again, within the window, at a process whose clock is off a little.
        await readTokens(await refresh(near[0]!, created, newest!))
      }
      const [ended] = await db.query<{ n: number }>(
        sql`select count(*) as n from sessions where revoked_at is not null`,
      )
      assert.equal(ended!.n, 0)
    } finally {
      for (const { child } of processes) child.kill()
      await Promise.all(processes.map(({ child }) => child.exitCode ?? once(child, 'exit')))
      await app.close()
      await db.close()
      await database.remove()
    }
  })
})

const worker = fileURLToPath(new URL('../races/worker.ts', import.meta.url))
const preload = new URL('../support/shifted-clock.ts', import.meta.url).href

async function start(shift: number, database: string) {
  const child = fork(worker, [], {
    execArgv: ['--import', preload],
    env: { ...process.env, CLOCK_SHIFT: String(shift) },
  })
  await once(child, 'message')
  child.send({ database, port: 0, config: { jobs: true } })
  const [port] = (await once(child, 'message')) as [number]
  const request = (path: string, init: RequestInit & { cookie?: string } = {}) => {
    const { pathname, search } = new URL(path, 'http://localhost:4400/')
    const headers = new Headers(init.headers)
    headers.set(signedInHeader, 'alice')
    if (init.cookie) headers.set('cookie', init.cookie)
    return fetch(`http://127.0.0.1:${port}${pathname}${search}`, { redirect: 'manual', ...init, headers })
  }
  const post = (
    path: string,
    form: Record<string, string | string[]>,
    headers: Record<string, string> = {},
  ) =>
    request(path, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: formText(form),
    })
  return { child, testServer: { request, post } as unknown as TestServer }
}
