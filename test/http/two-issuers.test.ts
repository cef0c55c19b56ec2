// Two issuers on one host: a path issuer answers only below its path, and neither reads the other's cookies.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { localAccounts } from '../../src/accounts/local.ts'
import { nodeServer } from '../../src/http/node.ts'
import { routes, wellKnownRoutes } from '../../src/oauth/routes.ts'
import { paths } from '../../src/protocol/paths.ts'
import { onBothDatabases, openTestServer, type TestServer } from '../support/gatehouse.ts'

const host = 'https://one.example'

onBothDatabases('two issuers on one host', (dialect) => {
  const testServers: Record<string, TestServer> = {}
  before(async () => {
    for (const base of ['', '/auth', '/auth-b'])
      testServers[base] = await openTestServer(dialect, {
        issuer: host + base,
        secret: randomBytes(32).toString('base64'),
        accounts: localAccounts(),
        device: {},
        registration: { policy: 'open' },
      })
  })
  after(() => Promise.all(Object.values(testServers).map((testServer) => testServer.close())))
  const ask = (base: string, url: string, init?: RequestInit) =>
    testServers[base]!.g.fetch(new Request(host + url, { redirect: 'manual', ...init }), {
      address: '203.0.113.7',
    })

  test('RFC 8414 §3.1: a path issuer answers nothing outside its path but its own well-known documents', async () => {
    const { app } = testServers['/auth']!
    const own = wellKnownRoutes(app.settings).map(({ path }) => path)
    assert.ok(own.includes('/.well-known/oauth-authorization-server/auth'))
    for (const url of own) assert.equal((await ask('/auth', url)).status, 200, url)
    const outside = [
      ...routes.map(({ path }) => path),
      ...(app.accounts.routes ?? []).map(({ path }) => path),
      '/',
      '/webhooks/accounts',
      '/authority/oauth/token',
    ]
    for (const url of outside) {
      for (const method of ['GET', 'POST', 'OPTIONS'])
        assert.equal((await ask('/auth', url, { method })).status, 404, `${method} ${url}`)
    }
    for (const { path } of routes) assert.notEqual((await ask('/auth', `/auth${path}`)).status, 404, path)
  })

  test('RFC 8414 §3.1: the same holds on the plain server', async () => {
    const { app } = testServers['/auth']!
    const server = nodeServer(app.answer, { origin: host, base: '/auth', trustedProxies: undefined })
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    const { port } = server.address() as { port: number }
    const status = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).status
    try {
      assert.equal(await status(paths.jwks), 404)
      assert.equal(await status(`/auth${paths.jwks}`), 200)
      assert.equal(await status('/.well-known/oauth-authorization-server/auth'), 200)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  test('RFC 6265 §4.1.2.4: cookies of issuers on one host have names of their own, and are bound to that very host', async () => {
    const cookies = await Promise.all(
      Object.keys(testServers).map(async (base) => {
        const [cookie] = (await ask(base, `${base}/sign-in`)).headers.getSetCookie()
        return { base, name: cookie!.split('=')[0]!, cookie: cookie! }
      }),
    )
    assert.equal(new Set(cookies.map(({ name }) => name)).size, cookies.length)
    for (const { name, cookie } of cookies) {
      assert.match(cookie, /; HttpOnly; SameSite=Lax; Secure/)
      assert.ok(cookie.includes('; Path=/;'), cookie)
      assert.ok(name.startsWith('__Host-'), name)
    }
  })
})
