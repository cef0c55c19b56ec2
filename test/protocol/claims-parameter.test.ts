import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { assertRedirectError, grantsNothing, readAnswer } from '../oauth/answers.ts'
import {
  answerConsent,
  authorize,
  authorizeParameters,
  makePkce,
  obtainTokens,
  readConsent,
  readTokens,
  redeem,
  refresh,
  type Tokens,
} from '../support/flow.ts'
import {
  alice,
  onBothDatabases,
  openTestServer,
  scopes,
  type TestServer,
  testServerFor,
} from '../support/gatehouse.ts'

type OpenidTokens = Tokens & { id_token: string }

async function userinfo(server: TestServer, { access_token }: Tokens): Promise<Record<string, unknown>> {
  const answer = await server.request('/oauth/userinfo', {
    headers: { authorization: `Bearer ${access_token}` },
  })
  return (await answer.json()) as Record<string, unknown>
}

const personal = ['name', 'email', 'email_verified', 'phone_number', 'given_name', 'made_up']
/** The claims about the user among all others. */
const about = (claims: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(claims).filter(([name]) => personal.includes(name)))

onBothDatabases('claims parameter', (dialect) => {
  const open = testServerFor(dialect)

  test('OpenID Connect Core §5.5: claims asked by name come where they were asked for, now and after a refresh', async () => {
    const server = await open()
    const client = await server.createClient({ claimsInIdToken: false })
    const claims = JSON.stringify({
      userinfo: { name: { essential: true }, made_up: null },
      id_token: { email: null, auth_time: { essential: true } },
      elsewhere: { email: null },
    })
    const tokens = (await obtainTokens(server, client, { scope: 'openid', claims })) as OpenidTokens
    for (const given of [tokens, await readTokens(await refresh(server, client, tokens.refresh_token!))]) {
      assert.deepEqual(await userinfo(server, given), { sub: 'alice', name: 'Alice' })
      assert.deepEqual(about(decodeJwt((given as OpenidTokens).id_token)), { email: 'alice@example.com' })
    }
    assert.equal(tokens.scope, 'openid', 'no scope is granted by it')
    const both = JSON.stringify({ userinfo: { email: null }, id_token: {} })
    const more = await obtainTokens(server, client, { scope: 'openid profile', claims: both })
    assert.deepEqual(await userinfo(server, more), {
      sub: 'alice',
      name: 'Alice',
      email: 'alice@example.com',
    })
    assert.deepEqual(about(decodeJwt((more as OpenidTokens).id_token)), {})
  })

  test('OpenID Connect Core §5.5: a claim ends with the leave of the client to have it', async () => {
    const server = await open()
    const client = await server.createClient()
    const claims = JSON.stringify({
      userinfo: { email: null, name: null },
      id_token: { email: null, name: null },
    })
    const tokens = await obtainTokens(server, client, { scope: 'openid jobs:read', claims })
    await server.g.clients.change(client.client.id, { scope: ['openid', 'profile', 'jobs:read'] })
    server.clock.advance(2_000)
    assert.deepEqual(await userinfo(server, tokens), { sub: 'alice', name: 'Alice' })
    const later = (await readTokens(await refresh(server, client, tokens.refresh_token!))) as OpenidTokens
    assert.deepEqual(about(decodeJwt(later.id_token)), { name: 'Alice' })
    assert.deepEqual(await userinfo(server, later), { sub: 'alice', name: 'Alice' })
  })

  test('OpenID Connect Core §5.5: what a client may not have, or nobody knows, is left out without an error', async () => {
    const server = await open()
    const client = await server.createClient({ scope: ['openid', 'profile'] })
    const claims = JSON.stringify({
      userinfo: { email: { essential: true }, phone_number: null, address: null, sub: null, name: null },
      id_token: { email: null, iss: null, made_up: { value: 'x' } },
    })
    const tokens = (await obtainTokens(server, client, { scope: 'openid', claims })) as OpenidTokens
    assert.deepEqual(await userinfo(server, tokens), { sub: 'alice', name: 'Alice' })
    assert.deepEqual(about(decodeJwt(tokens.id_token)), {})
  })

  test('OpenID Connect Core §5.5: without openid it is ignored', async () => {
    const server = await open()
    const client = await server.createClient()
    const asked = authorizeParameters(client, makePkce(), { claims: '{"userinfo":{"email":null}}' })
    const shown = await server.request(`/oauth/authorize?${asked}`)
    assert.doesNotMatch(await shown.text(), /e-mail address/)
  })

  test('OpenID Connect Core §5.5: what is no JSON object of claims is invalid_request', async () => {
    const server = await open()
    const client = await server.createClient()
    for (const claims of [
      'name',
      '[]',
      'null',
      '"x"',
      '{"userinfo":[]}',
      '{"id_token":"email"}',
      '{"userinfo":{"email":true}}',
      '{"id_token":{"email":["x"]}}',
      '{"userinfo":{}',
    ]) {
      const asked = authorizeParameters(client, makePkce(), { scope: 'openid', claims })
      assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'invalid_request')
    }
    for (const claims of ['{}', '{"userinfo":{},"id_token":{}}', '{"userinfo":null}', '{"other":1}']) {
      const asked = authorizeParameters(client, makePkce(), { scope: 'openid', claims })
      assert.ok(readAnswer(await authorize(server, asked)).get('code'), claims)
    }
  })

  test('OpenID Connect Core §5.5: the consent page says what is asked by name, and it is asked once', async () => {
    const server = await open()
    server.signedIn.account = { ...alice, subject: 'dora', authTime: server.clock.now() }
    const client = await server.createClient()
    const ask = (more: Record<string, string>) =>
      server.request(
        `/oauth/authorize?${authorizeParameters(client, makePkce(), { scope: 'openid', ...more })}`,
      )
    const first = await ask({})
    const page = await readConsent(first)
    assert.doesNotMatch(page.html, /e-mail address/)
    await answerConsent(server, page, { decision: 'allow' })
    assert.ok(readAnswer(await ask({ prompt: 'none' })).get('code'))
    const claims = '{"id_token":{"email":null}}'
    assertRedirectError(
      await grantsNothing(server, () => ask({ claims, prompt: 'none' })),
      'consent_required',
    )
    const asked = await readConsent(await ask({ claims }))
    assert.match(asked.html, /e-mail address/)
    await answerConsent(server, asked, { decision: 'allow' })
    assert.ok(readAnswer(await ask({ claims, prompt: 'none' })).get('code'))
    const pkce = makePkce()
    const parameters = authorizeParameters(client, pkce, { scope: 'openid', claims })
    const code = readAnswer(await authorize(server, parameters)).get('code')!
    const tokens = (await readTokens(await redeem(server, client, code, pkce))) as OpenidTokens
    assert.equal(decodeJwt(tokens.id_token).email, 'alice@example.com')
    assert.equal(tokens.scope, 'openid')
    server.signedIn.account = { ...alice, authTime: server.clock.now() }
  })

  test('OpenID Connect Core §5.4: one claim by name brings none of its neighbours', async () => {
    const server = await openTestServer(dialect, {
      scopes: { ...scopes, phone: 'See your phone number' },
      accounts: {
        authenticate: () => alice,
        claims: () => ({
          given_name: 'Alice',
          phone_number: '+1 555',
          phone_number_verified: true,
          email_verified: true,
          made_up: 1,
        }),
      },
    })
    try {
      const client = await server.createClient({ claimsInIdToken: false })
      const claims = '{"userinfo":{"phone_number":null,"given_name":null},"id_token":{"email":null}}'
      const tokens = (await obtainTokens(server, client, { scope: 'openid', claims })) as OpenidTokens
      assert.deepEqual(await userinfo(server, tokens), {
        sub: 'alice',
        phone_number: '+1 555',
        given_name: 'Alice',
        // Of no scope that the specification knows: the adapter says what it stands for.
        made_up: 1,
      })
      assert.equal(decodeJwt(tokens.id_token).email, 'alice@example.com')
      for (const name of ['email_verified', 'made_up'])
        assert.equal(decodeJwt(tokens.id_token)[name], undefined)
    } finally {
      await server.close()
    }
  })
})
