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
import { formText, houseFor, issuer, onBothDatabases, secret } from '../support/gatehouse.ts'

const newer = 'a newer test secret that is long enough, too'

onBothDatabases('a root secret that rotates while serving', (dialect) => {
  const open = houseFor(dialect, { signingKeys: { rotateEveryDays: 30 } })
  const another = houseFor(dialect)

  test('R85: a shown form, a lost refresh answer and signed tokens outlive it, and the old one can go', async () => {
    const house = await open()
    const created = await house.createClient()
    const shown = await readConsent(
      await house.request(`/oauth/authorize?${authorizeParameters(created, makePkce())}`),
    )
    const tokens = await obtainTokens(house, created)
    const successor = await readTokens(await refresh(house, created, tokens.refresh_token!))
    const kid = house.app.server.keys.current().kid
    const before = house.app.server.keys.list()

    await house.app.replaceSecrets([newer, secret], 0)

    assert.equal(house.app.server.keys.current().kid, kid)
    assert.deepEqual(
      before.map((key) => key.sealedWith === house.app.server.secrets.newestId),
      [false],
    )
    assert.deepEqual(
      house.app.server.keys.list().map((key) => key.sealedWith),
      [house.app.server.secrets.newestId],
    )
    const answered = await answerConsent(house, shown, { decision: 'allow' })
    assert.ok(readRedirect(answered).parameters.code)
    const again = await readTokens(await refresh(house, created, tokens.refresh_token!))
    assert.equal(again.refresh_token, successor.refresh_token)

    await house.app.replaceSecrets([newer], 0)
    assert.equal(house.app.server.secrets.ids.length, 1)
    await readTokens(await refresh(house, created, again.refresh_token!))
    const twin = await house.twin({ secret: newer })
    assert.equal(twin.app.server.keys.current().kid, kid)
    await assert.rejects(house.twin({ secret }), UnknownSecret)
  })

  test('R85: another process that knows both understands what either makes, before and after the change', async () => {
    const house = await another()
    const twin = await house.twin({ secret: [newer, secret] })
    const created = await house.createClient()
    const pkce = makePkce()
    const shown = await readConsent(
      await house.request(
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
    const tokens = await readTokens(await redeem(house, created, code!, pkce))
    const successor = await readTokens(await refresh(house, created, tokens.refresh_token!))
    await house.app.replaceSecrets([newer, secret], 0)
    const again = await readTokens(await refresh(house, created, tokens.refresh_token!))
    assert.equal(again.refresh_token, successor.refresh_token)
  })
})

describe('replacing root secrets', () => {
  const open = houseFor('sqlite')

  test('refuses a short one and keeps serving under the former', async () => {
    const house = await open()
    const before = house.app.server.secrets.ids
    await assert.rejects(house.g.replaceSecrets(['short']), /^ConfigError: secret: allowed: .* at least 32/)
    assert.deepEqual(house.app.server.secrets.ids, before)
  })

  test('ends its wait when the house closes', async () => {
    const house = await open()
    const twin = await house.twin()
    const waiting = twin.app.replaceSecrets([newer, secret], 3_600_000)
    await Promise.all([assert.rejects(waiting, { name: 'AbortError' }), twin.app.close()])
  })
})
