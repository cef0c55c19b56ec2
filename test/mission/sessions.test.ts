import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from '../../src/db/sql.ts'
import { introspect, obtainTokens } from '../support/flow.ts'
import { houseFor, onBothDatabases } from '../support/gatehouse.ts'

onBothDatabases('sessions', (dialect) => {
  const open = houseFor(dialect)

  test('RFC 7662 §2.2: an access token whose session was deleted with its user is not active', async () => {
    const house = await open()
    const client = await house.createClient()
    const tokens = await obtainTokens(house, client)
    assert.equal((await introspect(house, client, tokens.access_token)).active, true)
    await house.app.server.db.query(sql`delete from users`)
    assert.deepEqual(await introspect(house, client, tokens.access_token), { active: false })
  })
})
