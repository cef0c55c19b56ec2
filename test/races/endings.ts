// Races between what a client gets and what ends it: RFC 7009 §2.1, RFC 6749 §5.2 (N86), R18.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { deleteUser, disableUser } from '../../src/accounts/user-operations.ts'
import { sql } from '../../src/db/sql.ts'
import type { CreatedClient } from '../../src/oauth/clients/client-operations.ts'
import { makePkce } from '../support/flow.ts'
import {
  type Aimless,
  authorizeShot,
  backChannelShot,
  codeOf,
  type Field,
  part,
  redeemShot,
  refreshShot,
} from './field.ts'
import type { Race } from './race.ts'

export const revocationAgainstRefresh: Race = {
  name: 'RFC 7009 §2.1: a revocation beside refreshes of the same token leaves nothing alive',
  async prepare(field) {
    const client = await field.createClient()
    return async (count) => {
      const tokens = await field.obtainTokens(client, field.newUser())
      const refresh = refreshShot(client, tokens.refresh_token!)
      const revoke = backChannelShot('/oauth/revoke', client, { token: tokens.refresh_token! })
      const shots = Array.from({ length: field.volleySize }, (_, n) => (n % 4 === 1 ? revoke : refresh))
      const answers = await field.fire(shots)
      const { won, lost } = part(answers.filter((_, n) => shots[n] === refresh))
      for (const answer of answers.filter((_, n) => shots[n] === revoke)) assert.equal(answer.status, 200)
      count({ '200': won.length, invalid_grant: lost })
      for (const each of [tokens, ...won]) {
        assert.equal(await field.isAlive(client, each.access_token), false)
        assert.equal(await field.isAlive(client, each.refresh_token!), false)
      }
      assert.equal(part([await field.ask(refreshShot(client, tokens.refresh_token!))]).won.length, 0)
    }
  },
}

export const disconnectAgainstEverything: Race = {
  name: 'R18: once a disconnect is answered, no token of the app is alive, whatever was under way',
  async prepare(field) {
    const client = await field.createClient()
    return async (count) => {
      const user = field.newUser()
      const pkce = makePkce()
      const tokens = await field.obtainTokens(client, user)
      const codes = [await field.obtainCode(client, user, pkce), await field.obtainCode(client, user, pkce)]
      const back = [
        ...codes.map((code) => redeemShot(client, code, pkce)),
        refreshShot(client, tokens.refresh_token!),
      ]
      const front = [authorizeShot(client, user, pkce), authorizeShot(client, user, pkce)]
      const disconnect = await field.disconnectShot(client, user)
      const [done, ...answers] = await field.fire([disconnect, ...back, ...front])
      assert.equal(done!.status, 303, done!.body)
      const { won, lost } = part(answers.slice(0, back.length))

      // A code that was issued beside the disconnect must not come to life after it.
      const late = answers.slice(back.length).map(codeOf)
      const shots = late.filter((code) => code !== undefined).map((code) => redeemShot(client, code, pkce))
      const lateParts = part(await field.fire(shots))
      count({ '200': won.length, invalid_grant: lost, codes: shots.length, late: lateParts.won.length })
      for (const each of [tokens, ...won, ...lateParts.won]) {
        assert.equal(await field.isAlive(client, each.access_token), false)
        assert.equal(await field.isAlive(client, each.refresh_token!), false)
      }
    }
  },
}

/** A user with a session and codes, and requests of theirs that are under way when `end` is called. */
async function endUnderWay(
  field: Field,
  client: CreatedClient,
  end: (id: string) => Promise<boolean>,
): Promise<Record<string, number>> {
  const user = field.newUser()
  const pkce = makePkce()
  const tokens = await field.obtainTokens(client, user)
  const shots: Aimless[] = [refreshShot(client, tokens.refresh_token!)]
  for (let n = 0; n < 4; n++) shots.push(redeemShot(client, await field.obtainCode(client, user, pkce), pkce))
  const [row] = await field.query(sql<{ id: string }>`select id from users where subject = ${user}`)
  const [answers, ended] = await Promise.all([
    field.fire(shots),
    // About as long as it takes to open the connections.
    sleep(Math.random() * 6).then(() => end(row!.id)),
  ])
  assert.equal(ended, true)
  const { won, lost } = part(answers)
  for (const each of [tokens, ...won]) {
    assert.equal(await field.isAlive(client, each.access_token), false)
    assert.equal(await field.isAlive(client, each.refresh_token!), false)
  }
  return { '200': won.length, invalid_grant: lost }
}

export const disableAgainstTokens: Race = {
  name: 'RFC 6749 §5.2: once a user is disabled, no token of theirs is alive, whatever was under way (N86)',
  async prepare(field) {
    const client = await field.createClient()
    return async (count) =>
      count(await endUnderWay(field, client, (id) => disableUser(field.app.server, id, 'raced')))
  },
}

export const deleteAgainstTokens: Race = {
  name: 'RFC 6749 §5.2: once a user is deleted, no token of theirs is alive, and no request under way is a fault',
  async prepare(field) {
    const client = await field.createClient()
    return async (count) => count(await endUnderWay(field, client, (id) => deleteUser(field.app.server, id)))
  },
}
