// Text that UTF-8 or a database would fold into other text is refused before it can stand for somebody else.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseJwt } from '../../src/crypto/jws.ts'
import { sql } from '../../src/db/sql.ts'
import { authorizeParameters, makePkce } from '../support/flow.ts'
import { alice, onBothDatabases, testServerFor } from '../support/gatehouse.ts'
import { publicMetadata, register } from '../support/registration.ts'

const form = { 'content-type': 'application/x-www-form-urlencoded' }

test('RFC 7519 §7.2: a JWT whose text is not UTF-8, or holds half a character or NUL, is none', () => {
  const part = (text: string | Uint8Array) => Buffer.from(text).toString('base64url')
  const jwt = (claims: string | Uint8Array, header: string = '{"alg":"ES256"}') =>
    parseJwt(`${part(header)}.${part(claims)}.c2lnbmF0dXJl`)
  for (const claims of ['{"sub":"a"}', '{"sub":"\\ud83d\\ude00"}', '{"sub":"\\\\ud800"}', '{"sub":"\ufffd"}'])
    assert.ok(jwt(claims), claims)
  for (const claims of [
    '{"sub":"a\\ud800"}',
    '{"sub":"a\\udfff"}',
    '{"aud":["x",{"y":"\\uD801"}]}',
    '{"\\ud800":1}',
    '{"sub":"a\\u0000"}',
    Buffer.from('{"sub":"a\xff"}', 'latin1'),
  ])
    assert.equal(jwt(claims), undefined, String(claims))
  assert.equal(jwt('{}', '{"alg":"ES256","kid":"\\ud800"}'), undefined)
})

onBothDatabases('text that is kept as it is', (dialect) => {
  const open = testServerFor(dialect, { registration: { policy: 'open' } })

  test('OpenID Connect Core §2: subjects that differ in half a character are no one user', async () => {
    const server = await open()
    const client = await server.createClient()
    for (const key of ['subject', 'issuer', 'provider'] as const) {
      for (const half of ['\ud800', '\ud801', '\udfff', '\0']) {
        server.signedIn.account = { ...alice, authTime: server.clock.now(), [key]: `a${half}` }
        const answer = await server.request(`/oauth/authorize?${authorizeParameters(client, makePkce())}`)
        const { searchParams } = new URL(answer.headers.get('location')!)
        assert.equal(searchParams.get('error'), 'temporarily_unavailable', JSON.stringify([key, half]))
      }
    }
    assert.deepEqual(await server.app.server.db.query(sql`select * from users`), [])
    server.signedIn.account = { ...alice, authTime: server.clock.now(), name: 'A\ud800l\0ice' }
    const answer = await server.request(`/oauth/authorize?${authorizeParameters(client, makePkce())}`)
    assert.equal(answer.status, 200, 'a name is for pages only')
  })

  test('RFC 6749 §3.2: a form that is not UTF-8 is refused', async () => {
    const server = await open()
    for (const path of ['/oauth/token', '/oauth/revoke', '/oauth/authorize']) {
      const body = Buffer.from('client_id=a\xff&token=x', 'latin1')
      const answer = await server.request(path, { method: 'POST', headers: form, body })
      assert.equal(answer.status, 400, path)
      if (path !== '/oauth/authorize')
        assert.equal(((await answer.json()) as { error: string }).error, 'invalid_request')
    }
  })

  test('RFC 6749 §2.3.1: credentials that are not UTF-8 are malformed', async () => {
    const server = await open()
    const authorization = `Basic ${Buffer.from('a\xff:secret', 'latin1').toString('base64')}`
    const answer = await server.request('/oauth/token', {
      method: 'POST',
      headers: { ...form, authorization },
      body: 'grant_type=client_credentials',
    })
    assert.equal(answer.status, 401)
    assert.match(JSON.stringify(await answer.json()), /invalid_client/)
    const [row] = await server.app.server.db.query(
      sql<{ count: number }>`select count(*) as count from rate_limits`,
    )
    assert.equal(Number(row!.count), 0, 'refused before any client is looked for')
  })

  test('RFC 7591 §3.1: a description that holds half a character or NUL is refused', async () => {
    const server = await open()
    for (const client_name of ['Desk \ud800', 'Desk \0']) {
      const answer = await register(server, { ...publicMetadata, client_name })
      assert.equal(answer.status, 400, JSON.stringify(client_name))
    }
    assert.equal((await register(server, { ...publicMetadata, client_name: 'Desk 😀' })).status, 201)
  })
})
