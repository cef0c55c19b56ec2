// A form whose user's statement has ended meanwhile: it is good while the browser still carries that statement, and not else.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Account, Accounts } from '../../../src/accounts/account.ts'
import { sql } from '../../../src/db/sql.ts'
import { beginDevice, createDevice } from '../../support/device.ts'
import { answerConsent, authorizeParameters, makePkce, readConsent } from '../../support/flow.ts'
import {
  alice,
  bob,
  issuer,
  onBothDatabases,
  openTestServer,
  type TestServer,
} from '../../support/gatehouse.ts'

onBothDatabases('statements that end', (dialect) => {
  /** An adapter of a provider whose statements live for a minute, or one that says so without being able to show them again. */
  async function open(renewsElsewhere: boolean) {
    const state: { carried: Account | null } = { carried: null }
    let server: TestServer | undefined
    const living = () => state.carried && state.carried.expiresAt! > server!.clock.now()
    const accounts: Accounts = {
      authenticate: () => (living() ? state.carried : null),
      ...(renewsElsewhere
        ? {
            endedStatement: (_request, after) =>
              state.carried && !living() && state.carried.expiresAt! > after ? state.carried : null,
          }
        : {}),
    }
    server = await openTestServer(dialect, { accounts, device: {} })
    const signIn = (account: Account, sessionId: string) => {
      const now = server!.clock.now()
      state.carried = { ...account, authTime: now, sessionId, expiresAt: now + 60_000 }
    }
    return { server, state, signIn }
  }
  async function form(server: TestServer) {
    const client = await server.createClient()
    return readConsent(await server.request(`/oauth/authorize?${authorizeParameters(client, makePkce())}`))
  }

  test('RFC 6749 §10.12: a form is answered by the user whose statement has ended meanwhile, as long as the browser carries it', async () => {
    const { server, state, signIn } = await open(true)
    try {
      signIn(alice, 'one')
      const shown = await form(server)
      server.clock.advance(61_000)
      const carried = state.carried
      for (const [what, account] of Object.entries({
        'signed out': null,
        'another user': { ...carried!, ...bob },
        'another sign-in of the same user': { ...carried!, sessionId: 'two' },
      })) {
        state.carried = account
        const refused = await answerConsent(server, shown, { decision: 'allow' })
        assert.equal(refused.status, 403, what)
      }
      state.carried = carried
      const allowed = await answerConsent(server, shown, { decision: 'allow' })
      assert.match(allowed.headers.get('location') ?? '', /code=/)
    } finally {
      await server.close()
    }
  })

  test('RFC 6749 §10.12: where the adapter cannot show an ended statement a form ends with it', async () => {
    const { server, signIn } = await open(false)
    try {
      signIn(alice, 'one')
      const shown = await form(server)
      server.clock.advance(61_000)
      assert.equal((await answerConsent(server, shown, { decision: 'allow' })).status, 403)
    } finally {
      await server.close()
    }
  })

  test('RFC 8628 §5.4: who knows the secret cannot decide for a user who is not in the browser', async () => {
    const { server, state, signIn } = await open(false)
    try {
      signIn(alice, 'one')
      await form(server)
      state.carried = null
      const { db, secrets } = server.app.server
      const [user] = await db.query(sql<{ id: string }>`select id from users where subject = 'alice'`)
      const client = await createDevice(server)
      await beginDevice(server, client)
      const [row] = await db.query(sql<{ id: string }>`select id from device_codes`)
      const browser = 'A'.repeat(22)
      const forged = secrets.seal(
        JSON.stringify({
          device: row!.id,
          userId: user!.id,
          subject: 'alice',
          authTime: null,
          acr: null,
          amr: null,
          sid: null,
          statementEnds: 1,
        }),
        `device decision ${browser}`,
      )
      const answer = await server.post(
        '/device',
        { form_token: forged, decision: 'allow' },
        { cookie: `gh_browser=${browser}`, origin: issuer },
      )
      assert.equal(answer.status, 403)
      const [after] = await db.query(sql<{ decision: string | null }>`select decision from device_codes`)
      assert.equal(after!.decision, null)
    } finally {
      await server.close()
    }
  })
})
