import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import type { AccessNeeds } from '../../../src/api/bearer.ts'
import { resourceServer } from '../../../src/api/standalone/resource-server.ts'
import { toNodeHandler } from '../../../src/http/mount.ts'
import { makeProofKey, proofFor } from '../../support/dpop.ts'
import { credentials, introspect, obtainTokens, readTokens } from '../../support/flow.ts'
import {
  alice,
  issuer,
  onBothDatabases,
  openTestServer,
  type TestServer,
  testServerFor,
} from '../../support/gatehouse.ts'

const classes = ['urn:example:password', 'urn:example:second-factor', 'urn:example:passport']
const [password, secondFactor, passport] = classes as [string, string, string]

function signIn(testServer: TestServer, acr: string | undefined, secondsAgo = 0): void {
  const authTime = testServer.clock.now() - secondsAgo * 1_000
  testServer.signedIn.account = {
    ...alice,
    authTime,
    ...(acr === undefined ? {} : { acr, amr: ['pwd', 'otp'] }),
  }
}

/** The parameters of a challenge (RFC 9110 §11.6.1). */
function challengeOf(response: Response): Record<string, string> {
  const text = response.headers.get('www-authenticate') ?? ''
  return Object.fromEntries(
    [...text.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, name, value]) => [name!, value!]),
  )
}

onBothDatabases('step-up', (dialect) => {
  const open = testServerFor(dialect, { authentication: { acrValues: classes } })
  const call = (testServer: TestServer, token: string, needs: AccessNeeds) =>
    testServer.g.authenticate(
      new Request(`${issuer}/pay`, { headers: { authorization: `Bearer ${token}` } }),
      needs,
    )

  for (const check of ['session', 'offline'] as const) {
    test(`RFC 9470 §3, §4: too weak an authentication is told what is needed, and the next one is enough, ${check} (N121)`, async () => {
      const testServer = await open()
      const client = await testServer.createClient()
      signIn(testServer, password, 600)
      const { access_token } = await obtainTokens(testServer, client)
      const needs = {
        check,
        acrValues: `${passport} ${secondFactor}`,
        maxAge: 60,
        scope: 'applications:write',
      }
      assert.ok((await call(testServer, access_token, { check, scope: 'jobs:read' })).ok)
      const refused = await call(testServer, access_token, needs)
      assert.ok(!refused.ok)
      assert.equal(refused.response.status, 401)
      assert.equal(
        refused.response.headers.get('www-authenticate'),
        'Bearer error="insufficient_user_authentication", error_description="Another way of authentication is required", ' +
          `scope="applications:write", acr_values="${passport} ${secondFactor}", max_age="60", ` +
          `resource_metadata="${issuer}/.well-known/oauth-protected-resource"`,
      )
      assert.equal(
        ((await refused.response.json()) as { error: string }).error,
        'insufficient_user_authentication',
      )

      // What the challenge says goes into the next authorization request as it stands.
      const { scope, acr_values, max_age } = challengeOf(refused.response)
      signIn(testServer, secondFactor)
      const next = await obtainTokens(testServer, client, {
        scope: `jobs:read ${scope}`,
        acr_values,
        max_age,
      })
      const access = await call(testServer, next.access_token, needs)
      assert.ok(access.ok)
      assert.equal(access.acr, secondFactor)
      assert.deepEqual(access.amr, ['pwd', 'otp'])
      assert.equal(access.authTime, Math.floor(testServer.clock.now() / 1_000) * 1_000)
      assert.equal(access.claims['acr'], secondFactor)
    })

    test(`RFC 9470 §3: an authentication too old is told the greatest age, ${check} (N121)`, async () => {
      const testServer = await open()
      const client = await testServer.createClient()
      signIn(testServer, password, 600)
      const { access_token } = await obtainTokens(testServer, client)
      assert.ok((await call(testServer, access_token, { check, maxAge: 600 })).ok)
      const refused = await call(testServer, access_token, { check, maxAge: 599 })
      assert.ok(!refused.ok)
      const told = challengeOf(refused.response)
      assert.deepEqual(
        [told.error, told.max_age, told.acr_values],
        ['insufficient_user_authentication', '599', undefined],
      )
    })

    test(`RFC 9470 §3: a stronger class does, a weaker or unknown one does not, ${check} (N121)`, async () => {
      const testServer = await open()
      const client = await testServer.createClient()
      for (const [acr, enough] of [
        [undefined, false],
        [password, false],
        [secondFactor, true],
        [passport, true],
        ['urn:example:other', false],
      ] as const) {
        signIn(testServer, acr)
        const { access_token } = await obtainTokens(testServer, client)
        const access = await call(testServer, access_token, { check, acrValues: [secondFactor] })
        assert.equal(access.ok, enough, acr)
        if (!access.ok) assert.equal(challengeOf(access.response).acr_values, secondFactor)
      }
    })
  }

  test('RFC 9470 §3, RFC 9449 §7.1: the challenge to a bound token is in the words of DPoP (N121)', async () => {
    const testServer = await open()
    const key = await makeProofKey()
    const client = await testServer.createClient({ redirectUris: [], grantTypes: ['client_credentials'] })
    const url = `${issuer}/pay`
    const headers = { ...credentials(client).headers, dpop: await proofFor(testServer, key) }
    const { access_token } = await readTokens(
      await testServer.post('/oauth/token', { grant_type: 'client_credentials' }, headers),
    )
    const dpop = await proofFor(testServer, key, { method: 'GET', url, accessToken: access_token })
    const request = new Request(url, { headers: { authorization: `DPoP ${access_token}`, dpop } })
    const refused = await testServer.g.authenticate(request, { acrValues: secondFactor })
    assert.ok(!refused.ok)
    assert.match(
      refused.response.headers.get('www-authenticate')!,
      /^DPoP error="insufficient_user_authentication"/,
    )
    assert.equal(challengeOf(refused.response).acr_values, secondFactor)
    assert.ok((await testServer.g.authenticate(request)).ok, 'the proof was not spent')
  })

  test('RFC 9470 §6.2: introspection says how and when the user was authenticated', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    signIn(testServer, secondFactor, 60)
    const { access_token } = await obtainTokens(testServer, client)
    const { acr, auth_time } = await introspect(testServer, client, access_token)
    assert.deepEqual([acr, auth_time], [secondFactor, Math.floor(testServer.clock.now() / 1_000) - 60])
  })
})

describe('step-up at an API in another process', () => {
  let testServer: TestServer
  let end: () => Promise<void>
  const resource = 'https://api.example.com'

  before(async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise<void>((resolve) => server.once('listening', resolve))
    const own = `http://localhost:${(server.address() as AddressInfo).port}`
    testServer = await openTestServer('sqlite', {
      issuer: own,
      resources: { [resource]: {} },
      authentication: { acrValues: classes },
    })
    server.on('request', toNodeHandler(testServer.g))
    end = () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      })
  })
  after(async () => {
    await end()
    await testServer.close()
  })

  test('RFC 9470 §3: by published keys and by introspection, with the order of classes it was told (N121)', async () => {
    const client = await testServer.createClient()
    const api = await testServer.createClient({
      redirectUris: [],
      grantTypes: ['client_credentials'],
      resourceServerFor: [resource],
    })
    signIn(testServer, secondFactor, 30)
    const { access_token } = await obtainTokens(testServer, client)
    const options = { issuer: testServer.g.issuer, resource, log: 'silent' as const }
    const introspection = { clientId: api.client.id, clientSecret: api.secret! }
    for (const more of [{}, { introspection }]) {
      const answer = async (needs: AccessNeeds, acrValues?: string[]) => {
        const guard = resourceServer(
          { ...options, ...more, ...(acrValues && { acrValues }) },
          { now: testServer.clock.now },
        )
        const access = await guard.authenticate(
          new Request(resource, { headers: { authorization: `Bearer ${access_token}` } }),
          needs,
        )
        return access.ok ? access.acr : challengeOf(access.response)
      }
      assert.equal(await answer({ acrValues: secondFactor, maxAge: 30 }), secondFactor)
      assert.equal(await answer({ acrValues: password }, classes), secondFactor)
      const told = { error: 'insufficient_user_authentication', acr_values: password }
      assert.partialDeepStrictEqual(await answer({ acrValues: password }), told)
      assert.partialDeepStrictEqual(await answer({ acrValues: passport, maxAge: 9 }, classes), {
        acr_values: passport,
        max_age: '9',
      })
    }
  })
})
