import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { resourceMetadata, resourceMetadataUrl } from '../../src/api/resource-metadata.ts'
import type { Config } from '../../src/config.ts'
import { openTestServer, type TestServer } from '../support/gatehouse.ts'

describe('RFC 9728 §3.1: where the document stands', () => {
  const cases: [string, string | undefined][] = [
    ['https://api.example.com', 'https://api.example.com/.well-known/oauth-protected-resource'],
    ['https://api.example.com/', 'https://api.example.com/.well-known/oauth-protected-resource'],
    ['https://api.example.com/jobs', 'https://api.example.com/.well-known/oauth-protected-resource/jobs'],
    ['https://api.example.com/jobs/', 'https://api.example.com/.well-known/oauth-protected-resource/jobs/'],
    ['https://api.example.com/a?b=1', 'https://api.example.com/.well-known/oauth-protected-resource/a?b=1'],
    ['http://localhost:4400/mcp', 'http://localhost:4400/.well-known/oauth-protected-resource/mcp'],
    ['urn:example:jobs', undefined],
  ]
  for (const [resource, url] of cases) {
    test(`RFC 9728 §3.1: ${resource}`, () => assert.equal(resourceMetadataUrl(resource), url))
  }
})

test('RFC 9728 §2: the document of an API anywhere; no scope of OpenID Connect is ever in it (B8)', () => {
  assert.deepEqual(
    resourceMetadata({
      resource: 'https://api.example.com',
      issuer: 'https://auth.example.com',
      scopes: ['openid', 'jobs:read', 'profile', 'email', 'offline_access'],
      name: 'Job board',
    }),
    {
      resource: 'https://api.example.com',
      authorization_servers: ['https://auth.example.com'],
      scopes_supported: ['jobs:read'],
      bearer_methods_supported: ['header'],
      resource_name: 'Job board',
    },
  )
})

describe('documents answered by the server', () => {
  const testServers: TestServer[] = []
  after(async () => {
    for (const testServer of testServers) await testServer.close()
  })
  async function open(config: Partial<Config>): Promise<(path: string) => Promise<Response>> {
    const testServer = await openTestServer('sqlite', config)
    testServers.push(testServer)
    return (path) => testServer.g.fetch(new Request(new URL(path, config.issuer ?? 'http://localhost:4400')))
  }
  const well = '/.well-known/oauth-protected-resource'
  const server = '/.well-known/oauth-authorization-server'
  const resourceIn = async (response: Response) => {
    assert.equal(response.status, 200)
    assert.equal(response.headers.get('content-type'), 'application/json')
    return ((await response.json()) as { resource: string }).resource
  }

  test('RFC 9728 §3.1: path form and root, each with its own document', async () => {
    const origin = 'https://app.example.com'
    const get = await open({
      issuer: origin,
      scopes: { 'jobs:read': 'Search jobs', offline_access: 'Stay connected', other: 'Something else' },
      resources: {
        [`${origin}/jobs`]: { name: 'Job board', scopes: ['jobs:read'] },
        [`${origin}/mcp`]: {},
        'https://elsewhere.example.com/api': {},
      },
    })
    const answer = await get(`${well}/jobs`)
    assert.match(answer.headers.get('cache-control')!, /^public/)
    assert.deepEqual(await answer.json(), {
      resource: `${origin}/jobs`,
      authorization_servers: [origin],
      scopes_supported: ['jobs:read'],
      bearer_methods_supported: ['header'],
      resource_name: 'Job board',
      dpop_signing_alg_values_supported: ['ES256', 'RS256', 'PS256', 'EdDSA', 'Ed25519'],
    })
    const everything = (await (await get(`${well}/mcp`)).json()) as Record<string, unknown>
    assert.equal(everything.resource, `${origin}/mcp`)
    assert.deepEqual(
      everything.scopes_supported,
      ['jobs:read', 'other'],
      'what the server itself offers is elsewhere',
    )
    assert.equal(await resourceIn(await get(well)), `${origin}/jobs`, 'the first one stands at the root too')
    const unnamed = await open({ issuer: origin })
    assert.equal(await resourceIn(await unnamed(well)), origin, 'the issuer where there is no API')
    const both = await open({ issuer: origin, resources: { [`${origin}/mcp`]: {}, [origin]: {} } })
    assert.equal(await resourceIn(await both(well)), origin, 'the one at the root where there is one')
    assert.equal((await get(`${well}/api`)).status, 404, 'another origin answers for itself')
    assert.equal((await get(`${well}/jobs/`)).status, 404)
  })

  test('RFC 9728 §2: an API says which bound tokens it takes, and whether no others', async () => {
    const told = async (config: Partial<Config>) => {
      const get = await open(config)
      const { dpop_bound_access_tokens_required, tls_client_certificate_bound_access_tokens } = (await (
        await get(well)
      ).json()) as Record<string, unknown>
      return [dpop_bound_access_tokens_required, tls_client_certificate_bound_access_tokens]
    }
    assert.deepEqual(await told({}), [undefined, undefined])
    assert.deepEqual(await told({ dpop: { required: true } }), [true, undefined])
    const mutualTls = { certificateHeader: 'x-client-cert' }
    assert.deepEqual(await told({ mutualTls, trustedProxies: ['10.0.0.1'] }), [undefined, true])
  })

  test('RFC 8414 §3.1: an issuer with a path is found in every form', async () => {
    const issuer = 'https://app.example.com/auth'
    const get = await open({ issuer, resources: { 'https://app.example.com/api': {} } })
    for (const path of [`${server}/auth`, `/auth${server}`]) {
      const answer = await get(path)
      assert.equal(answer.status, 200, path)
      const metadata = (await answer.json()) as {
        issuer: string
        token_endpoint: string
        protected_resources: string[]
      }
      assert.equal(metadata.issuer, issuer)
      assert.equal(metadata.token_endpoint, `${issuer}/oauth/token`)
      assert.deepEqual(metadata.protected_resources, ['https://app.example.com/api'])
    }
    assert.equal((await get(`${server}/other`)).status, 404)
    for (const path of [`${well}/api`, well, `/auth${well}`]) {
      assert.equal(await resourceIn(await get(path)), 'https://app.example.com/api', path)
    }
    assert.equal(await resourceIn(await get(`${well}/auth`)), issuer)
  })

  test('RFC 9728 §5.1: browser code of any origin may read the documents', async () => {
    const testServer = await openTestServer('sqlite')
    testServers.push(testServer)
    const answer = await testServer.request(well, { headers: { origin: 'https://inspector.example.com' } })
    assert.equal(answer.headers.get('access-control-allow-origin'), '*')
    const preflight = await testServer.request(well, {
      method: 'OPTIONS',
      headers: { origin: 'https://x.example' },
    })
    assert.equal(preflight.status, 204)
    assert.equal((await testServer.request(well, { method: 'POST' })).status, 405)
  })

  test('RFC 9728 §2: the host may serve the document of an API elsewhere itself', async () => {
    const api = 'https://elsewhere.example.com/api'
    const testServer = await openTestServer('sqlite', { resources: { [api]: { name: 'Elsewhere' } } })
    testServers.push(testServer)
    assert.equal(testServer.g.resourceMetadata().resource, api)
    assert.equal(testServer.g.resourceMetadata(api).resource_name, 'Elsewhere')
    assert.deepEqual(testServer.g.resourceMetadata(api).authorization_servers, [testServer.g.issuer])
  })
})
