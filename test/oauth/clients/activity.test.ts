import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Unavailable } from '../../../src/db/database.ts'
import { sql } from '../../../src/db/sql.ts'
import { countActivity } from '../../../src/oauth/clients/activity.ts'
import { obtainTokens } from '../../support/flow.ts'
import { onBothDatabases, testServerFor } from '../../support/gatehouse.ts'

onBothDatabases('activity', (dialect) => {
  const open = testServerFor(dialect)

  test('C26: uses are counted in memory and written together; what could not be written is written next time', async () => {
    const server = await open()
    await obtainTokens(server, await server.createClient())
    const { db } = server.app.server
    const [session] = await db.query<{ id: string; client_id: string }>(
      sql`select id, client_id from sessions`,
    )
    let broken = true
    const writes: unknown[] = []
    const activity = countActivity({
      now: server.clock.now,
      db: {
        ...db,
        write: (operation, input) => {
          writes.push(input)
          return broken ? Promise.reject(new Unavailable('not now')) : db.write(operation, input)
        },
      },
    })
    for (let n = 0; n < 3; n++) activity.sessionUsed(session!.id)
    activity.clientUsed(session!.client_id, { tokens: 2 })
    await assert.rejects(activity.flush(), Unavailable)
    activity.sessionUsed(session!.id)
    activity.clientUsed(session!.client_id, { authorizations: 1 })
    broken = false
    writes.length = 0
    server.clock.advance(1_000)
    await activity.flush()
    assert.equal(writes.length, 2, 'one write each')
    const [counted] = await db.query<{ uses: number; tokens: number; authorizations: number }>(sql`
      select s.uses, c.total_tokens_issued as tokens, c.total_authorizations as authorizations
      from sessions s join clients c on c.id = s.client_id`)
    assert.deepEqual({ ...counted }, { uses: 4, tokens: 2, authorizations: 1 })
    writes.length = 0
    await activity.flush()
    assert.equal(writes.length, 0)
  })
})
