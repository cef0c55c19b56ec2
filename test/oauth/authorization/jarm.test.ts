import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLocalJWKSet, decodeProtectedHeader, type JWTPayload, jwtVerify } from 'jose'
import { algorithms } from '../../../src/crypto/jws.ts'
import { sql } from '../../../src/db/sql.ts'
import {
  authorize,
  authorizeParameters,
  makePkce,
  readConsent,
  readTokens,
  redeem,
} from '../../support/flow.ts'
import { issuer, onBothDatabases, type TestServer, testServerFor } from '../../support/gatehouse.ts'
import { assertPage, assertRedirectError, assertUnframed, grantsNothing, readAnswer } from '../answers.ts'

const callback = 'https://client.example/callback'

/** The one parameter of a signed answer that is a redirect. */
function responseIn(answer: Response): string {
  assert.equal(answer.status, 303)
  const location = answer.headers.get('location')!
  assert.ok(location.startsWith(`${callback}?`), location)
  const parameters = new URL(location).searchParams
  assert.deepEqual([...parameters.keys()], ['response'], 'nothing stands beside it')
  return parameters.get('response')!
}

/** Verifies a signed answer as the client does, by the published keys. */
async function verified(server: TestServer, response: string, clientId: string): Promise<JWTPayload> {
  const keys = createLocalJWKSet(await (await server.request('/.well-known/jwks.json')).json())
  const currentDate = new Date(server.clock.now())
  const { payload } = await jwtVerify(response, keys, { issuer, audience: clientId, currentDate })
  assert.ok(payload.exp! > server.clock.now() / 1_000 && payload.exp! <= server.clock.now() / 1_000 + 600)
  return payload
}

onBothDatabases('signed authorization responses', (dialect) => {
  const open = testServerFor(dialect)

  test('JARM §2.1, §2.3.1: the answer is one JWT with every parameter, signed for the client (N125)', async () => {
    const server = await open()
    const created = await server.createClient()
    for (const response_mode of ['jwt', 'query.jwt']) {
      const pkce = makePkce()
      const answer = await authorize(server, authorizeParameters(created, pkce, { response_mode }))
      const response = responseIn(answer)
      const { exp: _, ...payload } = await verified(server, response, created.client.id)
      const { code } = payload as { code: string }
      assert.deepEqual(payload, { code, state: 'a state', iss: issuer, aud: created.client.id })
      await readTokens(await redeem(server, created, code, pkce))
    }
    const stateless = authorizeParameters(created, makePkce(), { response_mode: 'jwt', state: undefined })
    const payload = await verified(server, responseIn(await authorize(server, stateless)), created.client.id)
    assert.ok(!('state' in payload))
  })

  test('JARM §2.3.3: form_post.jwt posts it', async () => {
    const server = await open()
    const created = await server.createClient()
    readAnswer(await authorize(server, authorizeParameters(created, makePkce())))
    for (const pkce of [makePkce(), null]) {
      const asked = authorizeParameters(created, pkce, { response_mode: 'form_post.jwt' })
      const posted = await server.request(`/oauth/authorize?${asked}`)
      assert.equal(posted.status, 200)
      assertUnframed(posted)
      const { html, fields } = await readConsent(posted)
      assert.match(html, /<form method="post" action="https:\/\/client\.example\/callback">/)
      assert.deepEqual(Object.keys(fields), ['response'])
      const payload = await verified(server, fields.response!, created.client.id)
      assert.equal(Boolean(payload['code']), pkce !== null)
      assert.equal(payload['error'], pkce === null ? 'invalid_request' : undefined)
    }
  })

  test('JARM §2.1: errors are signed too, of the user as of the server', async () => {
    const server = await open()
    const created = await server.createClient()
    const signed = { response_mode: 'jwt', prompt: 'consent' }
    const denied = await authorize(server, authorizeParameters(created, makePkce(), signed), 'deny')
    const refused = await grantsNothing(server, () =>
      authorize(server, authorizeParameters(created, makePkce(), { ...signed, scope: 'nonsense' })),
    )
    for (const [answer, error] of [
      [denied, 'access_denied'],
      [refused, 'invalid_scope'],
    ] as const) {
      const payload = await verified(server, responseIn(answer), created.client.id)
      assert.equal(payload['error'], error)
      assert.equal(payload['state'], 'a state')
      assert.equal(payload['code'], undefined)
    }
  })

  test('JARM §3, §4: signed with the algorithm the client registered; metadata lists them', async () => {
    const server = await open()
    const metadata = (await (
      await server.request('/.well-known/oauth-authorization-server')
    ).json()) as Record<string, unknown>
    assert.deepEqual(metadata.authorization_signing_alg_values_supported, algorithms)
    assert.deepEqual(metadata.response_modes_supported, [
      'query',
      'fragment',
      'form_post',
      'jwt',
      'query.jwt',
      'fragment.jwt',
      'form_post.jwt',
    ])
    for (const alg of algorithms) {
      const created = await server.createClient({ authorizationSignedResponseAlg: alg })
      const asked = authorizeParameters(created, makePkce(), { response_mode: 'jwt' })
      const response = responseIn(await authorize(server, asked))
      assert.equal(decodeProtectedHeader(response).alg, alg)
      await verified(server, response, created.client.id)
    }
    const standard = await server.createClient()
    const asked = authorizeParameters(standard, makePkce(), { response_mode: 'jwt' })
    assert.equal(decodeProtectedHeader(responseIn(await authorize(server, asked))).alg, 'RS256')
  })

  test('JARM §2.3.2; OAuth 2.0 Multiple Response Types §2.1: a program in a browser may have its answer in the fragment', async () => {
    const server = await open()
    const created = await server.createClient()
    const answerTo = async (response_mode: string, more = {}) => {
      const asked = authorizeParameters(created, makePkce(), { response_mode, ...more })
      const url = new URL((await authorize(server, asked)).headers.get('location')!)
      assert.equal(url.search, '')
      return new URLSearchParams(url.hash.slice(1))
    }
    const plain = await answerTo('fragment')
    assert.match(plain.get('code')!, /^gh_ac_/)
    assert.equal(plain.get('iss'), issuer)
    assert.equal((await answerTo('fragment', { scope: 'unknown' })).get('error'), 'invalid_scope')
    await verified(server, (await answerTo('fragment.jwt')).get('response')!, created.client.id)
  })

  test('OAuth 2.0 Multiple Response Types §2.1: the page for an unknown response_mode names what was sent and what is allowed', async () => {
    const server = await open()
    const created = await server.createClient()
    const asked = authorizeParameters(created, makePkce(), { response_mode: 'web_message' })
    const page = await grantsNothing(server, () => authorize(server, asked))
    const text = await page.clone().text()
    await assertPage(page)
    assert.match(text, /form_post/)
    assert.match(text, /sent: web_message/)
    const odd = authorizeParameters(created, makePkce(), { response_mode: '<b>x' })
    assert.match(await (await authorize(server, odd)).text(), /sent: \(4 characters\)/)
  })

  test('RFC 9700 §4.11.2: a client that registered itself sends nobody away unasked', async () => {
    const server = await open()
    for (const source of ['dcr', 'cimd']) {
      const created = await server.createClient({ name: 'Stranger' })
      await server.app.server.db.query(
        sql`update clients set source = ${source}, metadata_expires_at = ${server.clock.now() + 3_600_000}
          where id = ${created.client.id}`,
      )
      server.clock.advance(1_000)
      const early: Record<string, string>[] = [
        { scope: 'nonsense' },
        { prompt: 'none' },
        { gatehouse_cancelled: '1' },
        { code_challenge_method: 'plain' },
      ]
      for (const overrides of early) {
        const asked = authorizeParameters(created, makePkce(), overrides)
        const answer = await grantsNothing(server, () => authorize(server, asked))
        const html = await assertPage(answer, 400, { shows: ['Stranger', 'client.example'] })
        const link = /href="(https:\/\/client\.example\/callback\?[^"]+)"/.exec(html)![1]!
        const parameters = new URL(link.replaceAll('&amp;', '&')).searchParams
        assert.ok(parameters.get('error'))
        assert.equal(parameters.get('state'), 'a state')
        assert.equal(parameters.get('iss'), issuer)
      }
      const posted = authorizeParameters(created, makePkce(), { prompt: 'none', response_mode: 'form_post' })
      const page = await server.request(`/oauth/authorize?${posted}`)
      assert.doesNotMatch(page.headers.get('content-security-policy')!, /form-action/)
      const html = await assertPage(page, 400, { shows: ['client.example'] })
      assert.match(html, /<form method="post" action="https:\/\/client\.example\/callback">/)
      assert.match(html, /name="error" value="consent_required"/)
      if (source === 'cimd') continue
      // Who has seen where the answer goes and decides is taken there.
      const decided = await authorize(server, authorizeParameters(created, makePkce()), 'deny')
      assertRedirectError(decided, 'access_denied')
      assert.ok(readAnswer(await authorize(server, authorizeParameters(created, makePkce()))).get('code'))
    }
  })

  test('OpenID Connect Core §3.1.2.1: a missing nonce is invalid_request where the client must send one (N42)', async () => {
    const server = await open()
    const created = await server.createClient({ requireNonce: true })
    const asked = authorizeParameters(created, makePkce(), { scope: 'openid jobs:read' })
    assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'invalid_request')
    asked.set('nonce', '')
    assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'invalid_request')
    asked.set('nonce', 'n-0S6')
    assert.ok(readAnswer(await authorize(server, asked)).get('code'))
    const plain = authorizeParameters(created, makePkce())
    assert.ok(readAnswer(await authorize(server, plain)).get('code'), 'without openid there is no ID token')
  })
})
