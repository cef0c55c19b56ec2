import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import * as client from 'openid-client'
import { AccountsUnavailable } from '../../src/accounts/account.ts'
import { jwtAccounts } from '../../src/accounts/jwt.ts'
import { countCrypto } from '../support/counted-crypto.ts'
import { cookies, seconds, sign, testKey, versionOf, visit, whoIs } from './asking.ts'
import { accounts, claims } from './issuer.ts'

describe('a published key set', () => {
  test('RFC 7517 §5: a key added later is found, and an issuer that cannot be reached is not a sign-out', async (t) => {
    const first = testKey('ES256', 'old')
    const second = testKey('ES256', 'new')
    let published: unknown = { keys: [first.jwk] }
    let reads = 0
    const server = await serve((_request, respond) => {
      reads++
      respond(published === undefined ? 500 : 200, published ?? {})
    })
    t.after(() => server.close())
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
    const made = accounts({ jwks: undefined, jwksUri: `${originOf(server)}/jwks` })
    const who = async (by: typeof first) =>
      whoIs(made.accounts, cookies({ id: await sign(by, claims({ exp: seconds(86_400) })) }))

    assert.ok(await who(first))
    assert.ok(await who(first))
    assert.equal(reads, 1)

    published = { keys: [first.jwk, second.jwk] }
    assert.equal(await who(second), null, 'unknown keys do not make us read again at once')
    assert.equal(reads, 1)
    t.mock.timers.tick(31_000)
    assert.ok(await who(second))
    assert.equal(reads, 2)

    published = undefined
    t.mock.timers.tick(11 * 60_000)
    await assert.rejects(who(second), AccountsUnavailable)
  })
})

test('RFC 7517 §4.5: a stranger’s tokens cost few verifications, however many keys and cookies there are', async () => {
  const stranger = testKey('ES256', 'stranger')
  const keys = Array.from({ length: 12 }, (_, n) => testKey('ES256', `k${n}`))
  const made = accounts({ jwks: { keys: keys.map(({ jwk }) => jwk) } as never })
  const signed = (header: Record<string, unknown>) => sign(stranger, claims(), header)
  const unnamed = await signed({ kid: undefined })
  const counts = async (request: Request) =>
    (await countCrypto(async () => assert.equal(await whoIs(made.accounts, request), null))).verify
  assert.equal(await counts(cookies({ id: unnamed })), 2, 'two keys without a kid')
  assert.equal(await counts(cookies({ id: await signed({ kid: 'k3' }) })), 1, 'one with')
  const cookie = Array.from({ length: 50 }, () => `id=${unnamed}`).join('; ')
  assert.equal(await counts(visit({ cookie })), 8, 'four cookies of one name')

  const twice = accounts({ jwks: { keys: keys.map(({ jwk }) => ({ ...jwk, kid: 'same' })) } as never })
  const same = cookies({ id: await signed({ kid: 'same' }) })
  const tried = await countCrypto(async () => assert.equal(await whoIs(twice.accounts, same), null))
  assert.equal(tried.verify, 1, 'one of those that share a kid')
  assert.ok(await whoIs(made.accounts, cookies({ id: await sign(keys[7]!, claims()) })))
})

test('OIDC Core §3.1.3.7: openid-client and the adapter agree on every ID token', async (t) => {
  t.diagnostic(`openid-client ${versionOf('openid-client', import.meta.url)}`)
  const rsa = testKey('RS256', 'op')
  let idToken = ''
  const server = await serve((request, respond) => {
    if (request === '/jwks') respond(200, { keys: [rsa.jwk] })
    else respond(200, { access_token: 'x', token_type: 'bearer', id_token: idToken })
  })
  t.after(() => server.close())
  const issuer = originOf(server)
  const oracle = new client.Configuration(
    { issuer, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/jwks` },
    'app',
    { client_secret: 'not used' },
  )
  client.allowInsecureRequests(oracle)
  client.enableNonRepudiationChecks(oracle)
  const adapter = jwtAccounts({
    issuer,
    audience: 'app',
    jwksUri: `${issuer}/jwks`,
    token: { cookie: 'id' },
    signInUrl: '/login',
  })

  const cases: [string, boolean, string][] = [
    ['good', true, await sign(rsa, claims({ iss: issuer }))],
    ['issuer with a slash', false, await sign(rsa, claims({ iss: `${issuer}/` }))],
    ['foreign issuer', false, await sign(rsa, claims({ iss: 'https://evil.example.com' }))],
    ['foreign audience', false, await sign(rsa, claims({ iss: issuer, aud: 'other' }))],
    ['expired', false, await sign(rsa, claims({ iss: issuer, exp: seconds(-90), iat: seconds(-150) }))],
    ['without exp', false, await sign(rsa, claims({ iss: issuer, exp: undefined }))],
    ['without sub', false, await sign(rsa, claims({ iss: issuer, sub: undefined }))],
    ['wrong key', false, await sign(testKey('RS256', 'op'), claims({ iss: issuer }))],
    ['unknown kid', false, await sign(rsa, claims({ iss: issuer }), { kid: 'nope' })],
  ]
  for (const [name, counts, token] of cases) {
    idToken = token
    const theirs = await client
      .authorizationCodeGrant(
        oracle,
        new URL('http://127.0.0.1/callback?code=c'),
        { idTokenExpected: true },
        { redirect_uri: 'http://127.0.0.1/callback' },
      )
      .then(
        (answer) => answer.claims()?.sub,
        () => undefined,
      )
    const ours = (await whoIs(adapter, cookies({ id: token })))?.subject
    assert.equal(theirs, counts ? 'user-1' : undefined, `openid-client: ${name}`)
    assert.equal(ours, theirs, `adapter: ${name}`)
  }
})

async function serve(answer: (path: string, respond: (status: number, body: unknown) => void) => void) {
  const server = createServer((request, response) => {
    answer(request.url ?? '/', (status, body) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  return server
}

function originOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
