import assert from 'node:assert/strict'
import { test } from 'node:test'
import { issuer, onBothDatabases, scopes, testServerFor } from '../support/gatehouse.ts'
import { assertJson } from './answers.ts'

onBothDatabases('server metadata', (dialect) => {
  const open = testServerFor(dialect, { resources: { 'https://jobs.example': {} } })

  test('RFC 8414 §2: what is offered, and every address in it answers', async () => {
    const server = await open()
    const answer = await server.request('/.well-known/oauth-authorization-server')
    assert.equal(answer.headers.get('content-type'), 'application/json')
    assert.match(answer.headers.get('cache-control') ?? '', /^public, max-age=\d+$/)
    const metadata = (await answer.json()) as Record<string, unknown>
    assert.equal(metadata.issuer, issuer)
    assert.deepEqual(metadata.scopes_supported, [
      ...Object.keys(scopes),
      'openid',
      'profile',
      'email',
      'offline_access',
    ])
    assert.deepEqual(metadata.response_types_supported, ['code'])
    assert.deepEqual(metadata.response_modes_supported, [
      'query',
      'fragment',
      'form_post',
      'jwt',
      'query.jwt',
      'fragment.jwt',
      'form_post.jwt',
    ])
    assert.deepEqual(metadata.grant_types_supported, [
      'authorization_code',
      'refresh_token',
      'client_credentials',
    ])
    assert.deepEqual(metadata.code_challenge_methods_supported, ['S256'])
    assert.deepEqual(metadata.protected_resources, ['https://jobs.example'])
    for (const [name, value] of Object.entries(metadata)) {
      if (!/_(endpoint|uri)$/.test(name)) continue
      const found = await server.request(String(value), { method: name === 'jwks_uri' ? 'GET' : 'POST' })
      assert.notEqual(found.status, 404, name)
      assert.notEqual(found.status, 405, name)
    }
  })

  test('RFC 8414 §3.1: documents are read with GET and HEAD, everything else is 405 with Allow', async () => {
    const server = await open()
    for (const path of ['/.well-known/oauth-authorization-server', '/.well-known/jwks.json']) {
      assert.equal((await server.request(path, { method: 'HEAD' })).status, 200)
      for (const method of ['POST', 'PUT', 'DELETE']) {
        const answer = await server.request(path, { method })
        assert.equal(answer.headers.get('allow'), 'GET, HEAD')
        await assertJson(answer, 405, 'invalid_request')
      }
    }
  })
})
