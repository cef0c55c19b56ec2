// Races between what a client gets and what ends it: RFC 7009 §2.1, R11.

import assert from 'node:assert/strict'
import { makePkce } from '../support/flow.ts'
import { authorizeShot, backChannelShot, codeOf, part, redeemShot, refreshShot } from './field.ts'
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
  name: 'R11: once a disconnect is answered, no token of the app is alive, whatever was under way',
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
