// Steps are not taken back under a server that lives on them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onBothDatabases, openTestServer } from '../support/gatehouse.ts'
import { emptyFolder, run } from './command-line.ts'

onBothDatabases('migrate down', (dialect) => {
  test('is refused while a server has the database open, unless it is forced', async () => {
    const folder = emptyFolder()
    const testServer = await openTestServer(dialect)
    try {
      const env = { GATEHOUSE_DATABASE_URL: testServer.app.settings.database }
      const down = (...more: string[]) => run(folder, ['migrate', 'down', '--to', '6', '--yes', ...more], env)
      await testServer.createClient()
      const refused = await down()
      assert.equal(refused.code, 1)
      assert.match(refused.stderr, /has the database open.*--force/)
      const forced = await down('--force')
      assert.equal(forced.code, 0, forced.stderr)
      assert.match(forced.stdout, /taken back 7/)
      await testServer.app.close()
      const left = await down()
      assert.equal(left.code, 0, left.stderr)
    } finally {
      await testServer.close()
    }
  })
})
