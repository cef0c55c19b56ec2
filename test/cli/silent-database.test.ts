// A server whose PostgreSQL has fallen silent ends when it is told to.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dropTestDatabase, testDatabaseUrl } from '../support/postgres.ts'
import { startSilentProxy } from '../support/silent-proxy.ts'
import { emptyFolder, freePort, run, serve } from './command-line.ts'

test('SIGTERM ends a server whose database says nothing any more', async () => {
  const folder = emptyFolder()
  const url = await testDatabaseUrl()
  const proxy = await startSilentProxy(url)
  try {
    const PORT = await freePort()
    const env = {
      PORT,
      GATEHOUSE_DATABASE_URL: proxy.url,
      GATEHOUSE_ISSUER: `http://localhost:${PORT}`,
      GATEHOUSE_SECRET: 'Zm9yIGEgdGVzdCBvbmx5LCBhbmQgbG9uZyBlbm91Z2g',
    }
    assert.equal((await run(folder, ['migrate', 'up'], env)).code, 0)
    const server = await serve(folder, ['serve'], env)
    const ask = () =>
      fetch(`${server.issuer}/oauth/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          client_id: 'gh_client_unknown',
          client_secret: 'none',
        }),
      }).then(
        (answer) => answer.status,
        () => 'cut off',
      )
    assert.equal(await ask(), 401)
    proxy.silence('new')
    const asked = ask()
    await server.line('stderr', /"path":"\/oauth\/token"/)
    assert.equal(await server.end('SIGTERM'), 0)
    assert.notEqual(await asked, 401)
  } finally {
    await proxy.close()
    await dropTestDatabase(url)
  }
})
