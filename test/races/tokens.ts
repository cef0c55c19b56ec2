// Races for codes and refresh tokens: RFC 6749 §4.1.2 and §10.5, RFC 9700 §4.14.2 (N72, N73, N83–N85).

import assert from 'node:assert/strict'
import { sql } from '../../src/db/sql.ts'
import { makePkce } from '../support/flow.ts'
import { part, redeemShot, refreshShot, tokensOf } from './field.ts'
import type { Race } from './race.ts'

export const oneCode: Race = {
  name: 'RFC 6749 §4.1.2: one code, redeemed by all at once, gives tokens once and then nothing (N72, N73)',
  async prepare(field) {
    const client = await field.createClient()
    return async (count) => {
      const user = field.newUser()
      const pkce = makePkce()
      const code = await field.obtainCode(client, user, pkce)
      const { won, lost } = part(await field.volley(redeemShot(client, code, pkce)))
      count({ '200': won.length, invalid_grant: lost })
      assert.equal(won.length, 1)
      assert.equal(await field.isAlive(client, won[0]!.access_token), false, 'the losers were replays')
      assert.deepEqual(part([await field.ask(refreshShot(client, won[0]!.refresh_token!))]), {
        won: [],
        lost: 1,
      })
      const [rows] = await field.query(
        sql<{
          sessions: number
          refresh: number
        }>`select count(distinct s.id) as sessions, count(r.id) as refresh
          from sessions s left join refresh_tokens r on r.session_id = s.id where s.subject = ${user}`,
      )
      assert.deepEqual({ ...rows }, { sessions: 1, refresh: 1 }, 'one family at most')
      assert.equal(await field.countEvents('token_exchange', user), 1)
      assert.equal(await field.countEvents('code_replayed', user), 1)
    }
  },
}

export const oneRefreshToken: Race = {
  name: 'RFC 9700 §4.14.2: one refresh token, presented by all at once inside the window, has one successor (N85)',
  async prepare(field) {
    const client = await field.createClient({ reuseWindow: 60 })
    return async (count) => {
      const user = field.newUser()
      const first = (await field.obtainTokens(client, user)).refresh_token!
      const { won, lost } = part(await field.volley(refreshShot(client, first)))
      count({ '200': won.length, invalid_grant: lost })
      assert.equal(lost, 0)
      const successors = new Set(won.map((one) => one.refresh_token))
      assert.equal(successors.size, 1)
      assert.equal(new Set(won.map((one) => one.access_token)).size, won.length)
      const [rows] = await field.query(
        sql<{
          count: number
        }>`select count(*) as count from refresh_tokens r join sessions s on s.id = r.session_id
          where s.subject = ${user}`,
      )
      assert.equal(rows!.count, 2, 'never a second successor')
      assert.equal(await field.countEvents('reuse_detected', user), 0)

      const [successor] = successors
      const second = part(await field.volley(refreshShot(client, successor!)))
      assert.deepEqual([new Set(second.won.map((one) => one.refresh_token)).size, second.lost], [1, 0])
      const reuse = part(await field.volley(refreshShot(client, first)))
      assert.equal(reuse.won.length, 0, 'its successor was used: this is reuse (N83)')
      assert.equal(await field.isAlive(client, second.won[0]!.refresh_token!), false)
      assert.equal(await field.countEvents('reuse_detected', user), 1)
    }
  },
}

export const oneRefreshTokenWithoutWindow: Race = {
  name: 'RFC 9700 §4.14.2: one refresh token, presented by all at once with no window, is good once (N83, N85)',
  async prepare(field) {
    const client = await field.createClient({ reuseWindow: 0 })
    return async (count) => {
      const user = field.newUser()
      const { refresh_token: token } = await field.obtainTokens(client, user)
      const { won, lost } = part(await field.volley(refreshShot(client, token!)))
      count({ '200': won.length, invalid_grant: lost })
      assert.equal(won.length, 1)
      assert.equal(await field.isAlive(client, won[0]!.refresh_token!), false, 'the losers were reuse')
      assert.equal(await field.isAlive(client, won[0]!.access_token), false)
      assert.equal(await field.countEvents('reuse_detected', user), 1)
    }
  },
}

export const quota: Race = {
  name: 'C29: many sessions of one user begun at once leave exactly the quota alive',
  async prepare(field) {
    const client = await field.createClient()
    const living = field.app.settings.sessions.quota
    return async (count) => {
      const user = field.newUser()
      const pkce = makePkce()
      const codes: string[] = []
      for (let n = 0; n < living + 5; n++) codes.push(await field.obtainCode(client, user, pkce))
      const answers = await field.fire(codes.map((code) => redeemShot(client, code, pkce)))
      const tokens = answers.map(tokensOf)
      const alive = await Promise.all(tokens.map((one) => field.isAlive(client, one.refresh_token!)))
      count({ '200': tokens.length, alive: alive.filter(Boolean).length })
      assert.equal(alive.filter(Boolean).length, living)
    }
  },
}
