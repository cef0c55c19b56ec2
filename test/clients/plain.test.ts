import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClientInput } from '../../src/oauth/clients/client-input.ts'
import { onBothDatabases } from '../support/gatehouse.ts'
import { issuerFor } from './issuer.ts'
import { Visitor } from './visitor.ts'

// What a client sends that was written by hand, or by an older library: no discovery, endpoints from its settings, one state,
// and the spellings of Basic credentials and of the form that are seen in the wild.

const redirectUri = 'https://client.example/callback'

interface Tokens {
  access_token: string
  refresh_token?: string
  token_type: string
  expires_in: number
  scope: string
}

onBothDatabases('plain requests', (dialect) => {
  const at = issuerFor(dialect)
  const register = (input: Partial<ClientInput> = {}) =>
    at.current.auth.clients.create({
      name: 'A client',
      redirectUris: [redirectUri],
      requirePkce: false,
      ...input,
    })

  async function post(path: string, form: Record<string, string>, headers: Record<string, string> = {}) {
    const answer = await fetch(`${at.current.issuer}${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json',
        ...headers,
      },
      body: new URLSearchParams(form).toString(),
    })
    const text = await answer.text()
    return {
      status: answer.status,
      json: (text === '' ? {} : JSON.parse(text)) as Tokens & { error?: string; active?: boolean },
    }
  }

  async function codeFor(clientId: string, extra: Record<string, string> = {}): Promise<string> {
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: clientId,
      redirect_uri: redirectUri,
      scope: 'jobs:read',
      state: '{"return":"/a b?c=d&e"}',
      ...extra,
    })
    const back = await new Visitor(at.current.origin).authorize(
      `${at.current.issuer}/oauth/authorize?${query}`,
    )
    assert.ok(back instanceof URL)
    assert.equal(back.searchParams.get('state'), '{"return":"/a b?c=d&e"}', 'unchanged')
    return back.searchParams.get('code')!
  }

  const basic = (id: string, secret: string) => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`
  const call = async (token: string) =>
    (await fetch(at.current.api, { headers: { authorization: `Bearer ${token}` } })).status

  const forms: [
    string,
    (id: string, secret: string) => { headers?: Record<string, string>; form?: Record<string, string> },
  ][] = [
    ['Basic, as it stands', (id, secret) => ({ headers: { authorization: basic(id, secret) } })],
    [
      'Basic, form-encoded',
      (id, secret) => ({
        headers: { authorization: basic(encodeURIComponent(id), encodeURIComponent(secret)) },
      }),
    ],
    [
      'Basic, scheme in lower case',
      (id, secret) => ({ headers: { authorization: basic(id, secret).replace('B', 'b') } }),
    ],
    [
      'Basic, and client_id in the body',
      (id, secret) => ({ headers: { authorization: basic(id, secret) }, form: { client_id: id } }),
    ],
    ['body', (id, secret) => ({ form: { client_id: id, client_secret: secret } })],
    [
      'body, charset named',
      (id, secret) => ({
        form: { client_id: id, client_secret: secret },
        headers: { 'content-type': 'application/x-www-form-urlencoded; charset=UTF-8' },
      }),
    ],
  ]
  for (const [name, credentials] of forms) {
    test(`RFC 6749 §2.3.1, §4.1, §6: ${name}: code, refresh, introspection, revocation`, async () => {
      const { client, secret } = await register()
      const { headers, form = {} } = credentials(client.id, secret!)
      const redeemed = await post(
        '/oauth/token',
        {
          grant_type: 'authorization_code',
          code: await codeFor(client.id),
          redirect_uri: redirectUri,
          ...form,
        },
        headers,
      )
      assert.equal(redeemed.status, 200, JSON.stringify(redeemed.json))
      const { access_token, refresh_token, token_type, expires_in, scope } = redeemed.json
      assert.deepEqual([token_type.toLowerCase(), expires_in, scope], ['bearer', 900, 'jobs:read'])
      assert.equal(await call(access_token), 200)

      const refreshed = await post(
        '/oauth/token',
        { grant_type: 'refresh_token', refresh_token: refresh_token!, ...form },
        headers,
      )
      assert.equal(refreshed.status, 200)
      const active = await post('/oauth/introspect', { token: refreshed.json.access_token, ...form }, headers)
      assert.equal(active.json.active, true)
      for (const token of [refreshed.json.refresh_token!, refreshed.json.access_token]) {
        assert.equal((await post('/oauth/revoke', { token, ...form }, headers)).status, 200)
      }
      assert.equal(await call(refreshed.json.access_token), 401)
      const ended = await post('/oauth/introspect', { token: access_token, ...form }, headers)
      assert.deepEqual(ended.json, { active: false })
    })
  }

  test('RFC 7636 §4: a public client proves itself by its verifier alone', async () => {
    const { client } = await register({ tokenEndpointAuthMethod: 'none', requirePkce: true })
    const challenge = {
      code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      code_challenge_method: 'S256',
    }
    const form = {
      grant_type: 'authorization_code',
      code: await codeFor(client.id, challenge),
      redirect_uri: redirectUri,
      client_id: client.id,
    }
    const wrong = await post('/oauth/token', { ...form, code_verifier: 'w'.repeat(43) })
    assert.equal(wrong.json.error, 'invalid_grant')
    const right = await post('/oauth/token', {
      ...form,
      code_verifier: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
    })
    assert.equal(right.status, 200)
    assert.equal(await call(right.json.access_token), 200)
  })

  test('RFC 6749 §4.4: client credentials, and parameters that nobody knows are ignored', async () => {
    const { client, secret } = await register({
      redirectUris: [],
      grantTypes: ['client_credentials'],
      requirePkce: true,
    })
    const { status, json } = await post('/oauth/token', {
      grant_type: 'client_credentials',
      scope: 'jobs:read',
      audience: 'something',
      client_id: client.id,
      client_secret: secret!,
    })
    assert.equal(status, 200)
    assert.equal(json.refresh_token, undefined)
    assert.equal(await call(json.access_token), 200)
  })

  test('RFC 6749 §5.2: errors are JSON with a code, whatever was asked for', async () => {
    const { client, secret } = await register()
    const form = { client_id: client.id, client_secret: secret! }
    const cases: [Record<string, string>, number, string][] = [
      [{ grant_type: 'refresh_token', refresh_token: 'unknown', ...form }, 400, 'invalid_grant'],
      [{ grant_type: 'authorization_code', code: 'unknown', ...form }, 400, 'invalid_grant'],
      [{ grant_type: 'password', username: 'a', password: 'b', ...form }, 400, 'unsupported_grant_type'],
      [{ ...form }, 400, 'invalid_request'],
      [{ grant_type: 'refresh_token', ...form, client_secret: 'wrong' }, 401, 'invalid_client'],
    ]
    for (const [body, status, error] of cases) {
      const answer = await post('/oauth/token', body, { accept: 'text/html' })
      assert.equal(answer.status, status, error)
      assert.equal(answer.json.error, error)
    }
  })
})
