// The root secret rotates while serving: nothing that was made under the former one is lost.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { UnknownSecret } from '../../src/crypto/secrets.ts'
import {
  answerConsent,
  authorizeParameters,
  makePkce,
  obtainTokens,
  readConsent,
  readRedirect,
  readTokens,
  redeem,
  refresh,
} from '../support/flow.ts'
import { formText, issuer, onBothDatabases, secret, testServerFor } from '../support/gatehouse.ts'

const newer = 'a newer test secret that is long enough, too'

onBothDatabases('a root secret that rotates while serving', (dialect) => {
  const open = testServerFor(dialect, { signingKeys: { rotateEveryDays: 30 } })
  const another = testServerFor(dialect)

  test('R85: a shown form, a lost refresh answer and signed tokens outlive it, and the old one can go', async () => {
    const server = await open()
    const created = await server.createClient()
    const shown = await readConsent(
      await server.request(`/oauth/authorize?${authorizeParameters(created, makePkce())}`),
    )
    const tokens = await obtainTokens(server, created)
    const successor = await readTokens(await refresh(server, created, tokens.refresh_token!))
    const kid = server.app.server.keys.current().kid
    const before = server.app.server.keys.list()

    await server.app.replaceSecrets([newer, secret], 0)

    assert.equal(server.app.server.keys.current().kid, kid)
    assert.deepEqual(
      before.map((key) => key.sealedWith === server.app.server.secrets.newestId),
      [false],
    )
    assert.deepEqual(
      server.app.server.keys.list().map((key) => key.sealedWith),
      [server.app.server.secrets.newestId],
    )
    const answered = await answerConsent(server, shown, { decision: 'allow' })
    assert.ok(readRedirect(answered).parameters.code)
    const again = await readTokens(await refresh(server, created, tokens.refresh_token!))
    assert.equal(again.refresh_token, successor.refresh_token)

    await server.app.replaceSecrets([newer], 0)
    assert.equal(server.app.server.secrets.ids.length, 1)
    await readTokens(await refresh(server, created, again.refresh_token!))
    const twin = await server.twin({ secret: newer })
    assert.equal(twin.app.server.keys.current().kid, kid)
    await assert.rejects(server.twin({ secret }), UnknownSecret)
  })

  test('R85: another process that knows both understands what either makes, before and after the change', async () => {
    const server = await another()
    const twin = await server.twin({ secret: [newer, secret] })
    const created = await server.createClient()
    const pkce = makePkce()
    const shown = await readConsent(
      await server.request(
        `/oauth/authorize?${authorizeParameters(created, pkce, { prompt: 'consent', scope: 'resume:read' })}`,
      ),
    )
    const response = await twin.g.fetch(
      new Request(new URL('/oauth/consent', issuer), {
        method: 'POST',
        redirect: 'manual',
        headers: { 'content-type': 'application/x-www-form-urlencoded', cookie: shown.cookie },
        body: formText({ ...shown.fields, decision: 'allow' }),
      }),
    )
    const { code } = readRedirect(response).parameters
    const tokens = await readTokens(await redeem(server, created, code!, pkce))
    const successor = await readTokens(await refresh(server, created, tokens.refresh_token!))
    await server.app.replaceSecrets([newer, secret], 0)
    const again = await readTokens(await refresh(server, created, tokens.refresh_token!))
    assert.equal(again.refresh_token, successor.refresh_token)
  })
})

describe('replacing root secrets', () => {
  const open = testServerFor('sqlite')

  test('refuses a short one and keeps serving under the former', async () => {
    const server = await open()
    const before = server.app.server.secrets.ids
    await assert.rejects(server.g.replaceSecrets(['short']), /^ConfigError: secret: allowed: .* at least 32/)
    assert.deepEqual(server.app.server.secrets.ids, before)
  })

  test('ends its wait when the server closes', async () => {
    const server = await open()
    const twin = await server.twin()
    const waiting = twin.app.replaceSecrets([newer, secret], 3_600_000)
    await Promise.all([assert.rejects(waiting, { name: 'AbortError' }), twin.app.close()])
  })
})
