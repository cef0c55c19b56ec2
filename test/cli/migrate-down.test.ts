// Steps are not taken back under a server that lives on them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freshDatabase, onBothDatabases } from '../support/house.ts'
import { emptyFolder, freePort, run, serve } from './command-line.ts'

onBothDatabases('migrate down', (dialect) => {
  test('is refused while a server has the database open, unless it is forced', async () => {
    const folder = emptyFolder()
    const database = await freshDatabase(dialect)
    try {
      const PORT = await freePort()
      const env = {
        PORT,
        GATEHOUSE_DATABASE_URL: database.url,
        GATEHOUSE_ISSUER: `http://localhost:${PORT}`,
        GATEHOUSE_SECRET: 'Zm9yIGEgdGVzdCBvbmx5LCBhbmQgbG9uZyBlbm91Z2g',
      }
      assert.equal((await run(folder, ['migrate', 'up'], env)).code, 0)
      const down = (...more: string[]) => run(folder, ['migrate', 'down', '--to', '6', '--yes', ...more], env)
      const server = await serve(folder, ['serve'], env)
      const refused = await down()
      assert.equal(refused.code, 1)
      assert.match(refused.stderr, /has the database open.*--force/)
      assert.equal((await run(folder, ['migrate', 'status'], env)).code, 0, 'nothing was changed')
      await server.end()
      const done = await down()
      assert.equal(done.code, 0, done.stderr)
      assert.match(done.stdout, /taken back 7/)
      assert.equal((await run(folder, ['migrate', 'up'], env)).code, 0)
      const again = await serve(folder, ['serve'], env)
      assert.equal((await down('--force')).code, 0)
      await again.end()
    } finally {
      await database.remove()
    }
  })
})
