// Races between what begins a grant and what ends it, in processes that share nothing but the database.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { disableUser } from '../../src/accounts/user-operations.ts'
import { sql } from '../../src/db/sql.ts'
import { identityAssertion, jwtBearerGrant } from '../support/enterprise.ts'
import { makePkce } from '../support/flow.ts'
import { enterpriseKey, otherAgent } from './config.ts'
import {
  type Aimless,
  authorizeShot,
  backChannelShot,
  codeOf,
  type Field,
  part,
  readForm,
  redeemShot,
  refreshShot,
} from './field.ts'
import type { Answer } from './http.ts'
import type { Race } from './race.ts'

const password = 'a password nobody else has'

/** The cookies of an answer over those a browser has. */
function cookiesAfter(cookie: string, { headers }: Answer): string {
  const all = new Map<string, string>()
  for (const one of [...cookie.split('; '), ...headers.getSetCookie().map((set) => set.split(';')[0]!)]) {
    const [name, value] = one.split(/=(.*)/s) as [string, string?]
    if (name !== '') all.set(name, value ?? '')
  }
  return [...all].map(([name, value]) => `${name}=${value}`).join('; ')
}

/** How many sessions of a user or a client are alive. */
async function livingSessions(field: Field, where: ReturnType<typeof sql>): Promise<number> {
  const [row] = await field.query(
    sql<{ count: number }>`select count(*) as count from sessions s where s.revoked_at is null and ${where}`,
  )
  return Number(row!.count)
}

export const passwordAgainstCodes: Race = {
  name: 'OpenID Connect Core §3.1.3: once a password is changed, no session of a former sign-in is alive, whatever code was under way',
  async prepare(field) {
    const client = await field.createClient()
    const login = `${field.newUser()}@example.com`
    const form = await readForm(await field.ask({ method: 'GET', path: '/sign-up' }))
    const signUp = { method: 'POST', path: '/sign-up', headers: { cookie: form.cookie } } as const
    const signedUp = await field.ask({ ...signUp, form: { ...form.fields, name: 'Alice', login, password } })
    assert.equal(signedUp.status, 303, signedUp.body)
    let cookie = cookiesAfter(form.cookie, signedUp)
    let [now, next] = [password, 'another password nobody else has']
    return async (count) => {
      const pkce = makePkce()
      const shots: Aimless[] = []
      for (let n = 0; n < field.volleySize; n++) {
        const ask = authorizeShot(client, '', pkce, { scope: 'openid jobs:read' })
        const shown = await field.ask({ ...ask, headers: { cookie } })
        const page = codeOf(shown) === undefined ? await readForm(shown) : undefined
        const answer = page
          ? await field.ask({
              method: 'POST',
              path: '/oauth/consent',
              headers: { cookie },
              form: { ...page.fields, decision: 'allow' },
            })
          : shown
        shots.push(redeemShot(client, codeOf(answer)!, pkce))
      }
      const account = await readForm(
        await field.ask({ method: 'GET', path: '/account', headers: { cookie } }),
      )
      const change: Aimless = {
        method: 'POST',
        path: '/account/password',
        headers: { cookie },
        form: { ...account.fields, current_password: now, new_password: next },
      }
      const [changed, answers] = await Promise.all([
        field.ask(change),
        // About as long as the two hashes take.
        sleep(40 + Math.random() * 120).then(() => field.fire(shots)),
      ])
      assert.equal(changed.status, 303, changed.body)
      cookie = cookiesAfter(cookie, changed)
      ;[now, next] = [next, now]
      const { won, lost } = part(answers)
      count({ '200': won.length, invalid_grant: lost })
      for (const each of won) assert.equal(await field.isAlive(client, each.access_token), false)
      assert.equal(await livingSessions(field, sql`s.client_id = ${client.client.id}`), 0)
    }
  },
}

export const disableAgainstAssertions: Race = {
  name: 'RFC 7523 §3: once a user is disabled, no token by the word of an issuer is alive, whatever was under way',
  async prepare(field) {
    const client = await field.createClient({
      id: otherAgent,
      redirectUris: [],
      grantTypes: [jwtBearerGrant],
    })
    const bringShot = (sub: string) =>
      backChannelShot('/oauth/token', client, {
        grant_type: jwtBearerGrant,
        assertion: identityAssertion(enterpriseKey, otherAgent, Date.now(), { sub }),
      })
    return async (count) => {
      const sub = field.newUser()
      assert.equal((await field.ask(bringShot(sub))).status, 200)
      const [row] = await field.query(
        sql<{ user_id: string }>`select user_id from identities where subject = ${sub}`,
      )
      const shots = Array.from({ length: field.volleySize }, () => bringShot(sub))
      const [answers] = await Promise.all([
        field.fire(shots),
        sleep(Math.random() * 8).then(() => disableUser(field.app.server, row!.user_id, 'raced')),
      ])
      const { won, lost } = part(answers)
      count({ '200': won.length, invalid_grant: lost })
      for (const each of won) assert.equal(await field.isAlive(client, each.access_token), false)
      assert.equal(await livingSessions(field, sql`s.user_id = ${row!.user_id}`), 0)
    }
  },
}

export const revokeClientAgainstEverything: Race = {
  name: 'RFC 6749 §2: once a client is revoked, no session of it is alive, whatever was under way',
  async prepare(field) {
    return async (count) => {
      const client = await field.createClient()
      const user = field.newUser()
      const pkce = makePkce()
      const tokens = await field.obtainTokens(client, user)
      const shots: Aimless[] = [refreshShot(client, tokens.refresh_token!)]
      for (let n = 0; n < field.volleySize - 1; n++)
        shots.push(redeemShot(client, await field.obtainCode(client, user, pkce), pkce))
      const [answers, ended] = await Promise.all([
        field.fire(shots),
        sleep(Math.random() * 8).then(() => field.server.clients.revoke(client.client.id, 'raced')),
      ])
      assert.equal(ended, true)
      const won = answers.filter((answer) => answer.status === 200).length
      for (const answer of answers) assert.ok([200, 400, 401].includes(answer.status), answer.body)
      count({ '200': won, refused: answers.length - won })
      assert.equal(await livingSessions(field, sql`s.client_id = ${client.client.id}`), 0)
    }
  },
}
