// /livez and /readyz: whether the process runs, and whether it should be sent requests.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Database, Unavailable } from '../src/db/database.ts'
import { openDatabase } from '../src/db/open.ts'
import { sql } from '../src/db/sql.ts'
import { onBothDatabases, openTestServer } from './support/gatehouse.ts'

/** A database that can be made to fail or to hang, and counts what it is asked. */
function faulty(db: Database) {
  const state = { reads: 0, hangs: false, fails: false, broken: undefined as string | undefined }
  const release = Promise.withResolvers<void>()
  const wrapped: Database = {
    ...db,
    async one(statement, input) {
      state.reads++
      if (state.fails) throw new Unavailable('gone')
      if (state.hangs) await release.promise
      return db.one(statement, input)
    },
    broken: () => state.broken,
  }
  return { state, wrapped, release: () => release.resolve() }
}

onBothDatabases('health', (dialect) => {
  async function open() {
    let seen!: ReturnType<typeof faulty>
    const server = await openTestServer(dialect, {}, async (url) => {
      seen = faulty(await openDatabase(url))
      return seen.wrapped
    })
    const ready = async () => {
      const response = await server.request('/readyz')
      const body = (await response.json()) as { status: string; failing?: string[] }
      return { status: response.status, failing: body.failing, headers: response.headers }
    }
    // What was found is shared for a second of the process's own clock.
    const later = () => server.app.health.forget()
    return { server, ready, later, ...seen }
  }

  test('/livez asks nothing, /readyz reads from the database', async () => {
    const { server, ready, state, later } = await open()
    state.reads = 0
    const live = await server.request('/livez')
    assert.deepEqual([live.status, await live.json()], [200, { status: 'live' }])
    assert.equal(state.reads, 0)
    const first = await ready()
    assert.deepEqual([first.status, first.failing], [200, undefined])
    assert.equal(first.headers.get('cache-control'), 'no-store')
    assert.equal(state.reads, 1)

    state.fails = true
    later()
    const lost = await ready()
    assert.deepEqual([lost.status, lost.failing], [503, ['database']])
    assert.match(lost.headers.get('retry-after')!, /^\d+$/)
    assert.equal((await server.request('/livez')).status, 200, 'a database that is away restarts nothing')
    state.fails = false
    later()
    assert.equal((await ready()).status, 200)
    await server.close()
  })

  test('a flood of looks is one read', async () => {
    const { server, ready, state, later } = await open()
    state.reads = 0
    await Promise.all(Array.from({ length: 50 }, ready))
    await ready()
    assert.equal(state.reads, 1)
    later()
    await ready()
    assert.equal(state.reads, 2)
    await server.close()
  })

  test('a database that does not answer is not waited for, nor asked again and again', async () => {
    const { server, ready, state, later, release } = await open()
    state.hangs = true
    state.reads = 0
    for (let n = 0; n < 3; n++) {
      later()
      assert.deepEqual((await ready()).failing, ['database'])
    }
    assert.equal(state.reads, 1)
    state.hangs = false
    release()
    later()
    assert.equal((await ready()).status, 200)
    await server.close()
  })

  test('a schema that was taken back, a broken log, keys that are away, and an end are each named', async () => {
    const { server, ready, state, later, wrapped } = await open()
    state.broken = 'for a test'
    later()
    assert.deepEqual((await ready()).failing, ['storage'])
    state.broken = undefined
    await wrapped.query(sql`update schema_migrations set version = version + 1000`)
    later()
    assert.deepEqual((await ready()).failing, ['schema'])
    await wrapped.query(sql`update schema_migrations set version = version - 1000`)
    server.app.stopping()
    assert.deepEqual((await ready()).failing, ['stopping'], 'at once, whatever was found before')
    assert.equal((await server.request('/livez')).status, 200)
    await server.close()
  })

  test('they take GET and HEAD, and stand below the path of the issuer', async () => {
    const server = await openTestServer(dialect, { issuer: 'https://example.com/auth' })
    for (const path of ['/auth/livez', '/auth/readyz']) {
      assert.equal((await server.request(path)).status, 200, path)
      assert.equal((await server.request(path, { method: 'HEAD' })).status, 200, path)
      assert.equal((await server.request(path, { method: 'POST' })).status, 405, path)
    }
    await server.close()
  })
})

describe('readiness', () => {
  test('what changes is logged, what stays is not', async () => {
    const lines: string[] = []
    const say = (message: string, facts?: object) => void lines.push(`${message} ${JSON.stringify(facts)}`)
    let state!: ReturnType<typeof faulty>['state']
    const server = await openTestServer(
      'sqlite',
      { log: { info: say, warn: say, error: say } },
      async (url) => {
        const seen = faulty(await openDatabase(url))
        state = seen.state
        return seen.wrapped
      },
    )
    const look = async () => {
      server.app.health.forget()
      await server.request('/readyz')
      return lines.splice(0)
    }
    assert.deepEqual(await look(), [])
    state.fails = true
    assert.deepEqual(await look(), ['not ready {"failing":"database"}'])
    assert.deepEqual(await look(), [])
    state.fails = false
    assert.deepEqual(await look(), ['ready again undefined'])
    await server.close()
  })
})
