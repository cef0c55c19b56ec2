import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jobsOf } from '../../../src/app.ts'
import { sql } from '../../../src/db/sql.ts'
import { spendJti } from '../../../src/oauth/guards/replay.ts'
import { onBothDatabases, type TestServer, testServerFor } from '../../support/gatehouse.ts'

const won = (outcomes: boolean[]) => outcomes.filter(Boolean).length

async function remembered(testServer: TestServer): Promise<number> {
  const [row] = await testServer.app.server.db.query<{ count: number }>(
    sql`select count(*) as count from used_jtis`,
  )
  return row!.count
}

onBothDatabases('single use of a jti', (dialect) => {
  const open = testServerFor(dialect)

  test('RFC 7519 §4.1.7: of many at once in two processes exactly one has it, then nobody, a new process included', async () => {
    const testServer = await open()
    const { app: twin } = await testServer.twin()
    const until = testServer.clock.now() + 60_000
    const ids = Array.from({ length: 20 }, (_, n) => `jti ${n}`)
    const outcomes = await Promise.all(
      ids.map((id) =>
        Promise.all(
          [testServer.app, twin, testServer.app, twin, testServer.app, testServer.app].map(({ server }) =>
            spendJti(server, 'test', id, until),
          ),
        ),
      ),
    )
    assert.deepEqual(
      outcomes.map(won),
      ids.map(() => 1),
    )
    const { app: later } = await testServer.twin()
    for (const { server } of [testServer.app, twin, later]) {
      assert.equal(await spendJti(server, 'test', ids[0]!, until), false)
    }
  })

  test('RFC 7519 §2: a time with a fraction is a time', async () => {
    const testServer = await open()
    const until = testServer.clock.now() + 60_000.4
    assert.equal(await spendJti(testServer.app.server, 'test', 'a fraction', until), true)
    assert.equal(await spendJti(testServer.app.server, 'test', 'a fraction', until), false)
  })

  test('RFC 7519 §4.1.7: the same jti of another kind or issuer is another one', async () => {
    const { app, clock } = await open()
    const until = clock.now() + 60_000
    const all: [string, string | string[]][] = [
      ['assertion', ['one', 'x']],
      ['assertion', ['two', 'x']],
      ['grant', ['one', 'x']],
      ['assertion', ['one ', 'x']],
      ['assertion', 'one x'],
      ['assertion', 'x'],
    ]
    for (const [kind, id] of all) assert.equal(await spendJti(app.server, kind, id, until), true)
    for (const [kind, id] of all) assert.equal(await spendJti(app.server, kind, id, until), false)
  })

  test('RFC 7523 §5.2: what cannot be presented any more is forgotten, a minute later', async () => {
    const testServer = await open()
    const { server } = testServer.app
    const cleanUp = () =>
      jobsOf(server)
        .find(({ name }) => name === 'clean_up')!
        .run({ previous: null, pause: async () => {} })
    testServer.clock.advance(3_600_000)
    await cleanUp()
    assert.equal(await remembered(testServer), 0)
    await spendJti(server, 'test', 'short', testServer.clock.now() + 1_000)
    await spendJti(server, 'test', 'long', testServer.clock.now() + 120_000)
    testServer.clock.advance(61_000)
    await cleanUp()
    assert.equal(await remembered(testServer), 2)
    testServer.clock.advance(1)
    assert.equal((await cleanUp()).used_jtis, 1)
    assert.equal(await spendJti(server, 'test', 'long', testServer.clock.now() + 60_000), false)
  })
})
