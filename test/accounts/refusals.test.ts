// What the pages of accounts refuse: the page a person reads, and the reason in the log.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Accounts, UnverifiedWebhook } from '../../src/accounts/account.ts'
import { developmentAccounts } from '../../src/accounts/development.ts'
import { localAccounts } from '../../src/accounts/local.ts'
import { openidAccounts } from '../../src/accounts/openid.ts'
import { disableUser } from '../../src/accounts/user-operations.ts'
import type { Config } from '../../src/config.ts'
import { sql } from '../../src/db/sql.ts'
import { onBothDatabases, openTestServer, type TestServer } from '../support/gatehouse.ts'
import { openidIssuer } from './openid-issuer.ts'
import { type Shown, visit } from './visitor.ts'

type Line = Record<string, unknown>

onBothDatabases('what accounts refuse', (dialect) => {
  async function opened(
    accounts: Config['accounts'],
    work: (testServer: TestServer, told: () => Line | undefined) => Promise<void>,
  ): Promise<void> {
    const lines: Line[] = []
    const note = (message: string, facts: object = {}) => void lines.push({ message, ...facts })
    const testServer = await openTestServer(dialect, {
      accounts,
      limits: { failuresPerNetwork: 5 },
      log: { info: note, warn: note, error: note },
    })
    try {
      await work(testServer, () => lines.findLast(({ message }) => message === 'request'))
    } finally {
      await testServer.close()
    }
  }

  const cannotBeUsed = (shown: Shown, status: number, message: RegExp) => {
    assert.equal(shown.status, status)
    assert.match(shown.html, /This page cannot be used/)
    assert.match(shown.html, message)
    assert.doesNotMatch(shown.html, /invalid_request/)
  }

  test('a form of another browser, a method no page has, a body that is no form', () =>
    opened(localAccounts(), async (testServer, told) => {
      const visitor = visit(testServer)
      await visitor.signUp()
      const shown = await visitor.post('/sign-out', {})
      cannotBeUsed(shown, 403, /This form has expired/)
      assert.match(shown.html, /href="\/account"/)
      assert.equal(told()?.reason, 'form_expired')
      for (const [method, path, allow] of [
        ['PUT', '/sign-in', 'GET, HEAD, POST'],
        ['OPTIONS', '/sign-up', 'GET, HEAD, POST'],
        ['POST', '/account', 'GET, HEAD'],
      ] as const) {
        const answer = await testServer.request(path, { method })
        assert.deepEqual([answer.status, answer.headers.get('allow')], [405, allow])
        assert.match(await answer.text(), /This page cannot be opened this way/)
        assert.equal(told()?.reason, 'method_not_allowed')
      }
      const bodies = [
        ['a=%', 400, 'malformed_form', /could not be read/],
        ['a=1&a=2', 400, 'repeated_parameter', /could not be read/],
        ['a'.repeat(70_000), 413, 'body_too_large', /The form is too large/],
      ] as const
      for (const [body, status, reason, message] of bodies) {
        const answer = await testServer.request('/sign-in', { method: 'POST', body })
        assert.equal(answer.status, status)
        assert.match(await answer.text(), message)
        assert.equal(told()?.reason, reason)
      }
    }))

  test('links to set a password that never were', () =>
    opened(localAccounts(), async (testServer, told) => {
      const guess = (n: number) =>
        visit(testServer, '198.51.100.90').get(
          `/set-password?token=gh_pl_${String(n).padStart(26, '0')}${'A'.repeat(43)}`,
        )
      assert.equal((await visit(testServer).get('/set-password')).status, 410)
      assert.equal(told()?.reason, 'password_link_unknown')
      for (let n = 0; n < 5; n++) assert.equal((await guess(n)).status, 410)
      const stopped = await guess(5)
      cannotBeUsed(stopped, 429, /Too many attempts/)
      assert.ok(Number(stopped.headers.get('retry-after')) > 0)
      assert.equal(told()?.reason, 'too_many_password_links')
    }))

  test('choosing an account from elsewhere, or one that is disabled', () =>
    opened(
      developmentAccounts({ accounts: [{ subject: 'dev-ann', name: 'Ann' }] }),
      async (testServer, told) => {
        const visitor = visit(testServer)
        const page = await visitor.get('/sign-in')
        assert.equal((await visitor.submit(page, '/sign-in', { subject: 'dev-ann' })).status, 303)
        const forwarded = await testServer.request('/sign-in', { headers: { forwarded: 'for=192.0.2.1' } })
        assert.equal(forwarded.status, 403)
        assert.match(await forwarded.text(), /only works on this computer/)
        assert.equal(told()?.reason, 'sign_in_elsewhere')
        await disableAll(testServer)
        cannotBeUsed(
          await visitor.submit(page, '/sign-in', { subject: 'dev-ann' }),
          403,
          /This account is disabled/,
        )
        assert.equal(told()?.reason, 'account_disabled')
      },
    ))

  test('what a provider answers, and one who is disabled here', async () => {
    const upstream = await openidIssuer()
    const accounts = openidAccounts({
      issuer: upstream.issuer,
      clientId: 'gatehouse',
      clientSecret: 'a secret',
    })
    await opened(accounts, async (testServer, told) => {
      const visitor = visit(testServer)
      const through = async () => {
        const sent = await visitor.get('/sign-in')
        return visitor.get(await upstream.signIn(sent.location!))
      }
      cannotBeUsed(await visitor.get('/sign-in/callback?state=x'), 400, /sign-in/i)
      assert.equal(told()?.reason, 'provider_answer_unexpected')
      for (const [error, status, reason] of [
        ['access_denied', 403, 'provider_denied'],
        ['invalid_scope', 400, 'provider_failed'],
      ] as const) {
        upstream.refuses = error
        const shown = await through()
        cannotBeUsed(shown, status, /Sign-in failed/)
        assert.match(shown.html, /href="\/sign-in\?return_to=[^"]*again=1"/)
        assert.match(String(shown.headers.get('set-cookie')), /max-age=0/i)
        assert.equal(told()?.reason, reason)
      }
      upstream.refuses = undefined
      assert.equal((await through()).status, 303)
      await disableAll(testServer)
      cannotBeUsed(await through(), 403, /This account is disabled/)
      assert.equal(told()?.reason, 'account_disabled')
    })
  })

  test('a webhook that is not signed is 401 with the reason in the log', () => {
    const accounts: Accounts = {
      authenticate: () => null,
      onWebhook() {
        throw new UnverifiedWebhook('the signature is missing')
      },
    }
    return opened(accounts, async (testServer, told) => {
      const answer = await testServer.request('/webhooks/accounts', { method: 'POST', body: '{}' })
      assert.equal(answer.status, 401)
      assert.equal(((await answer.json()) as { error: string }).error, 'unverified_webhook')
      assert.equal(told()?.reason, 'webhook_unverified')
      assert.equal(told()?.problem, 'the signature is missing')
      const read = await testServer.request('/webhooks/accounts')
      assert.deepEqual([read.status, read.headers.get('allow')], [405, 'POST'])
    })
  })

  test('without a clock that can be trusted a page is 503 in the words of every other', () =>
    opened(localAccounts(), async (testServer, told) => {
      Object.assign(testServer.app.server.clock, { ok: false })
      const answer = await testServer.request('/sign-in')
      assert.equal(answer.status, 503)
      assert.equal(answer.headers.get('retry-after'), '1')
      assert.match(await answer.text(), /temporarily_unavailable/)
      assert.equal(told()?.reason, 'unavailable')
      assert.equal((await testServer.request('/livez')).status, 200)
    }))
})

async function disableAll(testServer: TestServer): Promise<void> {
  const { server } = testServer.app
  for (const { id } of await server.db.query<{ id: string }>(sql`select id from users`))
    await disableUser(server, id, 'a test')
}
