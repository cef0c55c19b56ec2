import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from '../../src/db/sql.ts'
import { introspect, obtainTokens } from '../support/flow.ts'
import { onBothDatabases, testServerFor } from '../support/gatehouse.ts'

onBothDatabases('sessions', (dialect) => {
  const open = testServerFor(dialect)

  test('RFC 7662 §2.2: an access token whose session was deleted with its user is not active', async () => {
    const server = await open()
    const client = await server.createClient()
    const tokens = await obtainTokens(server, client)
    assert.equal((await introspect(server, client, tokens.access_token)).active, true)
    await server.app.server.db.query(sql`delete from users`)
    assert.deepEqual(await introspect(server, client, tokens.access_token), { active: false })
  })
})
