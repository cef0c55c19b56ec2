import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, describe, test } from 'node:test'
import { type ResourceServerOptions, resourceServer } from '../../src/api/standalone/resource-server.ts'
import type { Config } from '../../src/config.ts'
import { ConfigError } from '../../src/config-error.ts'
import { type FetchHandler, toNodeHandler } from '../../src/http/mount.ts'
import { obtainTokens } from '../support/flow.ts'
import { openTestServer, type TestServer } from '../support/gatehouse.ts'

const jobs = 'https://api.example.com/jobs'
const notes = 'https://notes.example.com'

/** The authorization server on a real port, with a say in what goes wrong. */
const wire = {
  asked: [] as string[],
  answer: undefined as ((request: Request) => Promise<Response> | Response | undefined) | undefined,
}
let testServer: TestServer
let issuer: string
let end: () => Promise<void>

async function serve(
  handler: (issuer: string) => Promise<FetchHandler>,
): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => void ready(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://localhost:${(server.address() as AddressInfo).port}`
  const ready = toNodeHandler(await handler(url))
  return {
    url,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

before(async () => {
  const served = await serve(async (url) => {
    issuer = `${url}/auth`
    const config: Partial<Config> = { issuer, resources: { [jobs]: {}, [notes]: { tokenFormat: 'opaque' } } }
    testServer = await openTestServer('sqlite', config)
    return {
      issuer,
      async fetch(request, connection) {
        wire.asked.push(new URL(request.url).pathname)
        return (await wire.answer?.(request)) ?? testServer.g.fetch(request, connection)
      },
    }
  })
  end = served.close
})
after(async () => {
  await end()
  await testServer.close()
})
beforeEach(() => {
  wire.asked = []
  wire.answer = undefined
})

const paths = {
  metadata: '/.well-known/oauth-authorization-server/auth',
  keys: '/auth/.well-known/jwks.json',
  introspection: '/auth/oauth/introspect',
}
const asked = (path: string) => wire.asked.filter((one) => one === path).length

function open(options: Partial<ResourceServerOptions> = {}, deadline?: number) {
  return resourceServer(
    { issuer, resource: jobs, log: 'silent', ...options },
    { now: testServer.clock.now, ...(deadline === undefined ? {} : { deadline }) },
  )
}

type Api = ReturnType<typeof open>
function call(api: Api, token: string, needs: Parameters<Api['authenticate']>[1] = {}) {
  return api.authenticate(new Request(jobs, { headers: { authorization: `Bearer ${token}` } }), needs)
}
async function status(api: Api, token: string, needs: Parameters<Api['authenticate']>[1] = {}) {
  const access = await call(api, token, needs)
  return access.ok ? 200 : access.response.status
}
async function tokenFor(resource: string, scope = 'jobs:read') {
  return obtainTokens(testServer, await testServer.createClient(), { resource, scope })
}
async function introspection(resource: string, cacheFor?: number) {
  const { client, secret } = await testServer.createClient({
    redirectUris: [],
    grantTypes: ['client_credentials'],
    resourceServerFor: [resource],
  })
  return {
    resource,
    introspection: {
      clientId: client.id,
      clientSecret: secret!,
      ...(cacheFor === undefined ? {} : { cacheFor }),
    },
  }
}

describe('RFC 9068 §4: tokens checked by the published keys', () => {
  test('RFC 8414 §3.1: the keys are found from the issuer alone and asked for once', async () => {
    const api = open()
    const { access_token } = await tokenFor(jobs)
    const all = await Promise.all(
      Array.from({ length: 20 }, () => call(api, access_token, { scope: 'jobs:read' })),
    )
    assert.ok(all.every((access) => access.ok && access.subject === 'alice'))
    await call(api, (await tokenFor(jobs)).access_token)
    assert.equal(asked(paths.metadata), 1)
    assert.equal(asked(paths.keys), 1)
  })

  test('RFC 6750 §3.1: the same challenges as beside the server', async () => {
    const api = open()
    const missing = await api.authenticate({ headers: {}, url: '/jobs' }, { scope: 'jobs:read' })
    assert.ok(!missing.ok)
    assert.equal(
      missing.response.headers.get('www-authenticate'),
      'Bearer scope="jobs:read", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/jobs"',
    )
    assert.equal(asked(paths.keys), 0, 'nobody is asked about a request without a token')
    const { access_token } = await tokenFor(jobs)
    assert.equal(await status(api, access_token), 200)
    assert.equal(await status(api, access_token, { scope: 'applications:write' }), 403)
    assert.equal(await status(api, `${access_token}A`), 401)
    assert.equal(await status(open({ resource: notes }), access_token), 401)
    assert.equal(
      await status(api, (await tokenFor(notes)).access_token),
      401,
      'an opaque token cannot be read here',
    )
    const short = await testServer.createClient({ accessTokenLifetime: 60 })
    const brief = await obtainTokens(testServer, short, { resource: jobs })
    assert.equal(await status(api, brief.access_token), 200)
    testServer.clock.advance(60_000)
    assert.equal(await status(api, brief.access_token), 401)
    assert.equal(await status(api, access_token), 200)
  })

  test('RFC 9728 §3: it answers its own document', async () => {
    const api = open({ name: 'Jobs', scopes: ['jobs:read', 'offline_access'] })
    assert.equal(api.metadataPath, '/.well-known/oauth-protected-resource/jobs')
    assert.deepEqual(await api.metadata().json(), {
      resource: jobs,
      authorization_servers: [issuer],
      scopes_supported: ['jobs:read'],
      bearer_methods_supported: ['header'],
      resource_name: 'Jobs',
      dpop_signing_alg_values_supported: ['ES256', 'RS256', 'PS256', 'EdDSA', 'Ed25519'],
    })
  })

  test('RFC 7517 §5: a new key is found, an unknown one asked for at most every ten seconds', async () => {
    const api = open()
    const { access_token } = await tokenFor(jobs)
    assert.equal(await status(api, access_token), 200)
    await testServer.app.server.keys.rotate({ force: true })
    const next = await tokenFor(jobs)
    testServer.clock.advance(10_000)
    const unknown = `${Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid: 'x' })).toString('base64url')}.e30.${'A'.repeat(86)}`
    await Promise.all(Array.from({ length: 20 }, () => call(api, unknown)))
    assert.equal(asked(paths.keys), 2)
    assert.equal(await status(api, next.access_token), 200)
    assert.equal(await status(api, unknown), 401)
    assert.equal(asked(paths.keys), 2)
  })

  test('RFC 8414 §3.3: whoever answers for another issuer is not believed', async () => {
    const { access_token } = await tokenFor(jobs)
    for (const name of [`${issuer}/`, issuer.replace('localhost', '127.0.0.1'), undefined]) {
      const api = open()
      wire.answer = (request) =>
        new URL(request.url).pathname === paths.metadata
          ? Response.json({ issuer: name, jwks_uri: `${issuer}/.well-known/jwks.json` })
          : undefined
      assert.equal(await status(api, access_token), 503, String(name))
      wire.answer = undefined
      testServer.clock.advance(1_000)
      assert.equal(await status(api, access_token), 200)
    }
  })

  test('RFC 8414 §3.1: a server that is mounted below its path alone is found too', async () => {
    wire.answer = (request) =>
      new URL(request.url).pathname === paths.metadata ? new Response(null, { status: 404 }) : undefined
    const { access_token } = await tokenFor(jobs)
    assert.equal(await status(open(), access_token), 200)
  })

  test('trouble of the server is 503 with Retry-After, never 401, and it is not hammered', async () => {
    const { access_token } = await tokenFor(jobs)
    const answers: (() => Response | Promise<Response>)[] = [
      () => new Response('down', { status: 500 }),
      () => new Response('<html>'),
      () => Response.json([]),
      () => Response.redirect('https://elsewhere.example.com', 302),
      () => new Response('x'.repeat(2_000_000)),
    ]
    for (const answer of answers) {
      const api = open()
      wire.asked = []
      wire.answer = answer
      const access = await call(api, access_token)
      assert.ok(!access.ok)
      assert.equal(access.response.status, 503)
      assert.equal(access.response.headers.get('retry-after'), '1')
      assert.equal(access.response.headers.get('www-authenticate'), null)
      assert.equal(await status(api, access_token), 503)
      assert.equal(wire.asked.length, 1)
      wire.answer = undefined
      testServer.clock.advance(1_000)
      assert.equal(await status(api, access_token), 200)
    }
    assert.equal(
      await status(
        resourceServer({ issuer: 'http://127.0.0.1:1', resource: jobs, log: 'silent' }),
        access_token,
      ),
      503,
    )
  })

  test('a server that does not answer is given up after the deadline', async () => {
    let release = () => {}
    wire.answer = () =>
      new Promise((resolve) => {
        release = () => resolve(new Response(null, { status: 503 }))
      })
    assert.equal(await status(open({}, 50), (await tokenFor(jobs)).access_token), 503)
    release()
  })

  test('a key that was withdrawn is refused after ten minutes, even by an API that was idle', async () => {
    const api = open()
    const { access_token } = await tokenFor(jobs)
    assert.equal(await status(api, access_token), 200)
    const set = { keys: [] }
    wire.answer = (request) =>
      new URL(request.url).pathname.endsWith('/jwks.json') ? Response.json(set) : undefined
    assert.equal(await status(api, access_token), 200)
    testServer.clock.advance(10 * 60_000 + 1)
    assert.equal(await status(api, access_token), 401)
    wire.answer = undefined
  })

  test('keys that were read stay good for an hour while the server is away', async () => {
    const api = open()
    assert.equal(await status(api, (await tokenFor(jobs)).access_token), 200)
    testServer.clock.advance(50 * 60_000)
    const { access_token } = await tokenFor(jobs)
    wire.answer = () => new Response(null, { status: 502 })
    assert.equal(await status(api, access_token), 200)
    testServer.clock.advance(11 * 60_000)
    assert.equal(await status(api, access_token), 503)
    wire.answer = undefined
    testServer.clock.advance(1_000)
    assert.equal(await status(api, access_token), 200)
  })
})

describe('RFC 7662 §2: tokens the server is asked about', () => {
  test('RFC 7009 §2.1 (N115): revocation bites within the second', async () => {
    const api = open(await introspection(jobs))
    const { access_token } = await tokenFor(jobs)
    const access = await call(api, access_token, { scope: 'jobs:read' })
    assert.ok(access.ok)
    assert.equal(access.subject, 'alice')
    assert.deepEqual(access.resource, [jobs])
    await call(api, access_token)
    assert.equal(asked(paths.introspection), 1, 'an answer counts for a second')
    await testServer.g.clients.suspend(access.clientId, 'test')
    testServer.clock.advance(1_000)
    assert.equal(await status(api, access_token), 401)
    assert.equal(await status(api, access_token, { check: 'offline' }), 200)
  })

  test('RFC 7662 §2.2: with cacheFor 0 every call asks, and parallel ones share no answer', async () => {
    const api = open(await introspection(jobs, 0))
    const { access_token } = await tokenFor(jobs)
    for (let n = 0; n < 3; n++) assert.equal(await status(api, access_token), 200)
    assert.equal(asked(paths.introspection), 3)
  })

  test('RFC 7662 §2.1: opaque tokens work; garbage never reaches the server', async () => {
    const api = open(await introspection(notes))
    const { access_token } = await tokenFor(notes)
    assert.match(access_token, /^gh_at_/)
    assert.equal(await status(api, access_token), 200)
    wire.asked = []
    for (const wrong of ['x', 'a.b.c', `${access_token}A`, access_token.slice(0, -1)]) {
      assert.equal(await status(api, wrong), 401)
    }
    assert.equal(asked(paths.introspection), 0)
    const unknown = access_token.replace(/.{43}$/, 'A'.repeat(43))
    assert.equal(await status(api, unknown), 401)
    assert.equal(asked(paths.introspection), 1)
  })

  test('RFC 7662 §4: an API that does not serve the token’s resource learns nothing', async () => {
    const api = open({ ...(await introspection(notes)), resource: jobs })
    const { access_token } = await tokenFor(jobs)
    assert.equal(await status(api, access_token, { check: 'offline' }), 200)
    assert.equal(await status(api, access_token), 401)
  })

  test('RFC 7662 §2.3: wrong credentials of the API are its own trouble: 503, never 401', async () => {
    const { introspection: good } = await introspection(jobs)
    const { access_token } = await tokenFor(jobs)
    const api = open({ introspection: { ...good, clientSecret: 'wrong' } })
    assert.equal(await status(api, access_token), 503)
    wire.answer = (request) =>
      new URL(request.url).pathname === paths.introspection
        ? new Response(null, { status: 429, headers: { 'retry-after': '9' } })
        : undefined
    const access = await call(open({ introspection: good }), access_token)
    assert.ok(!access.ok)
    assert.equal(access.response.headers.get('retry-after'), '9')
    wire.answer = undefined
    assert.equal(await status(open({ introspection: good }), access_token), 200)
  })
})

describe('options', () => {
  test('every problem is named at once', () => {
    const wrong = {
      issuer: 'https://auth.example.com/',
      resource: 'jobs',
      introspection: { clientId: '', clientSecret: 'x', cacheFor: 2 },
      acrValues: 'high',
      dpop: { secret: ['short'], nonces: 'never', required: 'yes', spendJti: 'yes' },
      mutualTls: { certificateHeader: 'X Cert', trustedProxies: ['here'] },
    } as unknown as ResourceServerOptions
    assert.throws(
      () => resourceServer(wrong),
      (error) =>
        error instanceof ConfigError &&
        [
          'issuer',
          'resource',
          'introspection.cacheFor',
          'introspection.clientId',
          'acrValues',
          'dpop.secret',
          'dpop.nonces',
          'dpop.required',
          'dpop.spendJti',
          'mutualTls.certificateHeader',
          'mutualTls.trustedProxies',
        ].every((path) => error.problems.some((one) => one.path === path)),
    )
    for (const dpop of [{ nonces: 'required' }, { secret: [] }] as const)
      assert.throws(() => resourceServer({ issuer, resource: jobs, dpop }), ConfigError)
    const mutualTls = { certificateHeader: 'x-client-cert', trustedProxies: [] }
    assert.throws(() => resourceServer({ issuer, resource: jobs, mutualTls }), ConfigError)
    assert.throws(() => resourceServer({ issuer: 'http://auth.example.com', resource: jobs }), ConfigError)
    assert.ok(
      resourceServer({ issuer: 'http://auth.example.com', resource: jobs, allowInsecureIssuer: true }),
    )
  })

  test('a session check without introspection is the API’s mistake', async () => {
    await assert.rejects(call(open(), 'x', { check: 'session' }), TypeError)
  })
})
