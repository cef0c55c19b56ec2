import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  credentials,
  makePkce,
  obtainCode,
  obtainTokens,
  readTokens,
  redeem,
  refresh,
} from '../support/flow.ts'
import {
  formText,
  onBothDatabases,
  openTestServer,
  type TestServer,
  testServerFor,
} from '../support/gatehouse.ts'
import { assertJson, grantsNothing } from './answers.ts'

type Created = Awaited<ReturnType<TestServer['createClient']>>

const formType = 'application/x-www-form-urlencoded'

/** A correct token request, to be spoiled. */
function tokenRequest(client: Created, code: string, verifier: string): Record<string, string> {
  return {
    grant_type: 'authorization_code',
    code,
    code_verifier: verifier,
    redirect_uri: 'https://client.example/callback',
    client_id: client.client.id,
    client_secret: client.secret!,
  }
}

onBothDatabases('token endpoint', (dialect) => {
  const open = testServerFor(dialect)

  /** Runs refused requests against one living code and shows that the right request still spends it. */
  async function withCode(
    work: (server: TestServer, client: Created, form: Record<string, string>) => Promise<void>,
  ): Promise<void> {
    const server = await open()
    const client = await server.createClient()
    const pkce = makePkce()
    const code = await obtainCode(server, client, pkce)
    const form = tokenRequest(client, code, pkce.verifier)
    await grantsNothing(server, () => work(server, client, form))
    await readTokens(await server.post('/oauth/token', form))
  }

  test('RFC 6749 §5.2: a body that breaks off is invalid_request, not a fault of the server', () =>
    withCode(async (server, _client, form) => {
      const whole = new TextEncoder().encode(formText(form))
      const body = new ReadableStream({
        pull(controller) {
          controller.enqueue(whole.slice(0, -1))
          controller.error(new Error('the client went away'))
        },
      })
      const init = { method: 'POST', headers: { 'content-type': formType }, body, duplex: 'half' }
      const answer = await server.request('/oauth/token', init)
      await assertJson(answer, 400, 'invalid_request')
    }))

  test('RFC 6749 §2.3.1: GET is 405 with Allow, parameters in the query are invalid_request (N54)', () =>
    withCode(async (server, _client, form) => {
      for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE']) {
        const answer = await server.request(`/oauth/token?${formText(form)}`, { method })
        assert.equal(answer.headers.get('allow'), 'POST')
        assert.equal(answer.status, 405)
        assert.equal(answer.headers.get('cache-control'), 'no-store')
      }
      const { client_secret, ...rest } = form
      const { code, ...withoutCode } = form
      for (const [query, body] of [
        [form, {}],
        [{ client_secret: client_secret! }, rest],
        [{ code: code! }, withoutCode],
        [{ grant_type: 'authorization_code' }, form],
        [{ client_id: form.client_id! }, form],
      ] as const) {
        const answer = await server.post(`/oauth/token?${formText(query)}`, body)
        await assertJson(answer, 400, 'invalid_request')
      }
      await assertJson(await server.post('/oauth/token?code=%zz', form), 400, 'invalid_request')
    }))

  test('RFC 6749 §3.2: a query that says nothing about OAuth, or says it without a value, is ignored', async () => {
    const server = await open()
    const client = await server.createClient()
    const pkce = makePkce()
    for (const query of ['', 'api-version=1', 'path=oauth&path=token', 'code=']) {
      const form = tokenRequest(client, await obtainCode(server, client, pkce), pkce.verifier)
      await readTokens(await server.post(`/oauth/token?${query}`, form))
    }
  })

  test('RFC 6749 §4.1.3: a body that is no form is invalid_request (N55)', () =>
    withCode(async (server, _client, form) => {
      const bodies: [string | undefined, string][] = [
        ['application/json', JSON.stringify(form)],
        ['application/json', formText(form)],
        ['text/plain', formText(form)],
        ['multipart/form-data; boundary=x', formText(form)],
        ['application/x-www-form-urlencodedx', formText(form)],
        ['', formText(form)],
        [undefined, ''],
        [formType, '{"grant_type":"authorization_code"}'],
        [formType, `${formText(form)}&x=%zz`],
        [formType, `${formText(form)}&x=%00`],
        [formType, `${formText(form)}&%ff=x`],
      ]
      for (const [type, body] of bodies) {
        const answer = await server.request('/oauth/token', {
          method: 'POST',
          body,
          headers: type === undefined ? {} : { 'content-type': type },
        })
        // Without readable parameters there is no client either; both conform.
        if (body.startsWith('{') && type === formType) await assertJson(answer, 401, 'invalid_client')
        else await assertJson(answer, 400, 'invalid_request')
      }
      const large = await server.post('/oauth/token', { ...form, padding: 'x'.repeat(70_000) })
      await assertJson(large, 413, 'invalid_request')
    }))

  test('RFC 6749 §4.1.3: the content type may carry a charset and any letter case', async () => {
    const server = await open()
    const client = await server.createClient()
    const pkce = makePkce()
    for (const type of [`${formType}; charset=UTF-8`, `${formType};charset=utf-8`, formType.toUpperCase()]) {
      const form = tokenRequest(client, await obtainCode(server, client, pkce), pkce.verifier)
      await readTokens(await server.post('/oauth/token', form, { 'content-type': type }))
    }
  })

  test('RFC 6749 §3.2: a parameter that is sent twice is invalid_request, resource alone may repeat (N56)', async () => {
    await withCode(async (server, _client, form) => {
      for (const name of [...Object.keys(form), 'unknown', 'scope', 'audience']) {
        const value = form[name] ?? 'x'
        for (const other of [value, 'another']) {
          const answer = await server.post('/oauth/token', { ...form, [name]: [value, other] })
          await assertJson(answer, 400, 'invalid_request')
        }
      }
    })
    const server = await open()
    const client = await server.createClient()
    const pkce = makePkce()
    const issuer = server.app.settings.issuer
    const code = await obtainCode(server, client, pkce)
    await readTokens(
      await server.post('/oauth/token', {
        ...tokenRequest(client, code, pkce.verifier),
        resource: [issuer, issuer],
        code_verifier: ['', pkce.verifier],
      }),
    )
  })

  test('RFC 6749 §5.2: a missing grant_type is invalid_request, an unknown one unsupported_grant_type (N57)', () =>
    withCode(async (server, _client, form) => {
      const { grant_type: _, ...without } = form
      await assertJson(await server.post('/oauth/token', without), 400, 'invalid_request')
      await assertJson(await server.post('/oauth/token', { ...form, grant_type: '' }), 400, 'invalid_request')
      for (const grant_type of [
        'password',
        'implicit',
        'AUTHORIZATION_CODE',
        'authorization_code ',
        'urn:ietf:params:oauth:grant-type:device_code',
        'urn:ietf:params:oauth:grant-type:jwt-bearer',
        '__proto__',
        'x'.repeat(10_000),
      ]) {
        const answer = await server.post('/oauth/token', {
          ...form,
          grant_type,
          username: 'alice',
          password: 'secret',
        })
        await assertJson(answer, 400, 'unsupported_grant_type')
      }
    }))

  test('RFC 6749 §5.2: a grant type that is not registered for the client is unauthorized_client (N58)', async () => {
    const server = await open()
    const client = await server.createClient({ grantTypes: ['authorization_code'] })
    const pkce = makePkce()
    const code = await obtainCode(server, client, pkce)
    const tokens = await readTokens(await redeem(server, client, code, pkce))
    assert.equal(tokens.refresh_token, undefined, 'no refresh token without its grant type')

    const full = await server.createClient()
    const { refresh_token } = await obtainTokens(server, full)
    const another = await obtainCode(server, full, pkce)
    await server.g.clients.change(full.client.id, { grantTypes: ['client_credentials'] })
    await grantsNothing(server, async () => {
      for (const form of [
        { grant_type: 'refresh_token', refresh_token: refresh_token! },
        { grant_type: 'authorization_code', code: another, code_verifier: pkce.verifier },
      ] as Record<string, string>[]) {
        const { headers } = credentials(full)
        await assertJson(await server.post('/oauth/token', form, headers), 400, 'unauthorized_client')
      }
    })
    await server.g.clients.change(full.client.id, { grantTypes: ['authorization_code', 'refresh_token'] })
    await readTokens(await refresh(server, full, refresh_token!))
    await readTokens(await redeem(server, full, another, pkce))
  })

  test('RFC 6749 §5.1: no answer of the endpoint may be kept by a cache (N64)', async () => {
    const server = await open()
    const client = await server.createClient()
    const pkce = makePkce()
    const code = await obtainCode(server, client, pkce)
    const answers = [
      await redeem(server, client, code, pkce),
      await redeem(server, client, code, pkce),
      await server.request('/oauth/token'),
      await server.post('/oauth/token', {}),
      await server.post('/oauth/token', {}, { authorization: 'Basic x' }),
      await server.post('/oauth/token', { x: 'y'.repeat(70_000) }),
      await server.request('/oauth/token', {
        method: 'POST',
        body: '{}',
        headers: { 'content-type': 'application/json' },
      }),
    ]
    assert.deepEqual(
      answers.map((answer) => answer.status),
      [200, 400, 405, 401, 401, 413, 400],
    )
    for (const answer of answers) {
      assert.equal(answer.headers.get('cache-control'), 'no-store')
      assert.equal(answer.headers.get('pragma'), 'no-cache')
      assert.equal(answer.headers.get('content-type'), 'application/json')
    }
    const preflight = await server.request('/oauth/token', {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example' },
    })
    assert.equal(preflight.status, 204)
    assert.equal(preflight.headers.get('cache-control'), 'no-store')
  })

  test('Fetch §3.2.3: a preflight allows the headers that were asked for, on every route browser code may call', async () => {
    const server = await openTestServer(dialect, { registration: { policy: 'open' }, device: {} })
    try {
      const asked = 'authorization,x-requested-with,mcp-protocol-version,x-okta-user-agent-extended'
      for (const path of [
        '/oauth/token',
        '/oauth/revoke',
        '/oauth/par',
        '/oauth/userinfo',
        '/oauth/register',
        '/oauth/device_authorization',
        '/.well-known/jwks.json',
        '/.well-known/openid-configuration',
        '/.well-known/oauth-authorization-server',
        '/.well-known/oauth-protected-resource',
      ]) {
        const headers = { origin: 'https://app.example', 'access-control-request-headers': asked }
        const answer = await server.request(path, { method: 'OPTIONS', headers })
        assert.equal(answer.status, 204, path)
        assert.equal(answer.headers.get('access-control-allow-origin'), '*', path)
        assert.equal(answer.headers.get('access-control-allow-headers'), asked.replaceAll(',', ', '), path)
        assert.match(answer.headers.get('vary')!, /access-control-request-headers/)
        assert.equal(answer.headers.get('access-control-allow-credentials'), null)
      }
      const odd = {
        origin: 'https://app.example',
        'access-control-request-headers': `a b, ${'x'.repeat(2_000)}`,
      }
      const answer = await server.request('/oauth/token', { method: 'OPTIONS', headers: odd })
      assert.ok(answer.headers.get('access-control-allow-headers')!.length <= 1_000)
    } finally {
      await server.close()
    }
  })

  test('RFC 9449 §8: browser code of other origins may read WWW-Authenticate and DPoP-Nonce', async () => {
    const server = await open()
    const answer = await server.post(
      '/oauth/token',
      {},
      { origin: 'https://app.example', authorization: 'Basic x' },
    )
    assert.equal(answer.headers.get('access-control-allow-origin'), '*')
    const exposed = (answer.headers.get('access-control-expose-headers') ?? '').toLowerCase()
    assert.match(exposed, /\bwww-authenticate\b/)
    assert.match(exposed, /\bdpop-nonce\b/)
    assert.equal(answer.headers.get('access-control-allow-credentials'), null)
    const { g } = await server.twin({ cors: ['https://app.example'] })
    for (const [origin, allowed] of [
      ['https://app.example', 'https://app.example'],
      ['https://evil.example', null],
    ] as const) {
      const answer = await g.fetch(
        new Request('http://localhost:4400/oauth/token', { method: 'POST', headers: { origin } }),
      )
      assert.equal(answer.headers.get('access-control-allow-origin'), allowed)
      assert.equal(answer.headers.get('vary'), 'origin')
    }
  })
})
