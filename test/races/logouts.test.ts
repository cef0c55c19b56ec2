// Logouts are told once by however many processes, and by another one when a process dies.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { decodeJwt } from 'jose'
import { disableUser } from '../../src/accounts/user-operations.ts'
import { sql } from '../../src/db/sql.ts'
import type { CreatedClient } from '../../src/oauth/clients/client-operations.ts'
import { type Documents, openDocuments } from '../support/documents.ts'
import { makePkce } from '../support/flow.ts'
import { onBothDatabases } from '../support/gatehouse.ts'
import { codeOf, consentShot, type Field, openField, redeemShot, tokensOf } from './field.ts'
import { startTeller, type Teller } from './logouts.ts'

const processes = 3
const users = 24

onBothDatabases('logouts told by several processes', (dialect) => {
  let party: Documents
  let field: Field
  let client: CreatedClient
  const tellers: Teller[] = []
  before(async () => {
    party = await openDocuments()
    field = await openField(dialect, { processes: 1 })
    client = await field.createClient({ backchannelLogoutUri: `${party.origin}/logout` })
  })
  after(async () => {
    await Promise.all(tellers.map((one) => one.close()))
    await field?.close()
    await party?.close()
  })

  /** A session of a new user; answers the user's id and subject. */
  async function connect(): Promise<{ id: string; subject: string }> {
    const subject = field.newUser()
    const pkce = makePkce()
    const shown = await field.showConsent(client, subject, pkce, 'openid')
    const code = codeOf(await field.ask(consentShot(shown, subject)))!
    tokensOf(await field.ask(redeemShot(client, code, pkce)))
    const [row] = await field.query(sql<{ id: string }>`select id from users where subject = ${subject}`)
    return { id: row!.id, subject }
  }
  const start = async () => {
    const { database } = field.app.settings
    const teller = await startTeller({ database, ca: party.ca })
    tellers.push(teller)
    return teller
  }
  const told = () =>
    party.requests.map((one) => decodeJwt(new URLSearchParams(one.body).get('logout_token')!).sub)
  const notices = () => field.query(sql<{ attempts: number }>`select attempts from logout_deliveries`)

  test('OpenID Connect Back-Channel Logout §2.5: of processes that deliver at one moment one tells each client', async () => {
    party.serve('/logout', {})
    const subjects: string[] = []
    for (let n = 0; n < users; n++) {
      const { id, subject } = await connect()
      subjects.push(subject)
      await disableUser(field.app.server, id, 'a race')
    }
    const started = await Promise.all(Array.from({ length: processes }, start))
    const done = await Promise.all(started.map((one) => one.deliver()))
    assert.equal(
      done.reduce((sum, one) => sum + one.delivered, 0),
      users,
    )
    assert.deepEqual(told().sort(), subjects.sort())
    assert.deepEqual(await notices(), [])
  })

  test('OpenID Connect Back-Channel Logout §2.5: neither who ends a session nor who tells of it may die in the way of it', async () => {
    party.requests.length = 0
    const { id, subject } = await connect()
    const ender = await start()
    await ender.disableAndDie(id)
    assert.deepEqual(
      (await notices()).map((row) => row.attempts),
      [0],
      'written with the end of the session',
    )

    const heard = Promise.withResolvers<void>()
    // The client has heard, and never gets to say so.
    party.serve('/logout', () => heard.resolve())
    const dying = await start()
    dying.deliver().catch(() => {})
    await heard.promise
    await dying.kill()
    assert.deepEqual(
      (await notices()).map((row) => row.attempts),
      [1],
    )

    party.serve('/logout', {})
    const heir = await start()
    assert.deepEqual(await heir.deliver(), { delivered: 0, failed: 0 }, 'not at once: the other may be alive')
    await field.query(sql`update logout_deliveries set next_attempt_at = 0`)
    assert.deepEqual(await heir.deliver(), { delivered: 1, failed: 0 })
    assert.deepEqual(told(), [subject, subject])
    assert.deepEqual(await notices(), [])
  })
})
