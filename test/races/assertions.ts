// Races for JWTs that are good once: RFC 7523 §3 (N69, N93).

import assert from 'node:assert/strict'
import { sql } from '../../src/db/sql.ts'
import { assertion, clientKeys, registeredWith } from '../support/assertions.ts'
import { identityAssertion, jwtBearerGrant } from '../support/enterprise.ts'
import { enterpriseKey, racedAgent } from './config.ts'
import { backChannelShot, part, tokensOf } from './field.ts'
import type { Race } from './race.ts'

export const oneAssertion: Race = {
  name: 'RFC 7523 §3: one client assertion, sent by all at once, authenticates once and then never again (N69)',
  prepare: async (field) => async (count) => {
    // A client of its own: so many wrong assertions of one client are more than it may send.
    const created = await field.createClient({
      ...registeredWith(clientKeys.ES256),
      redirectUris: [],
      grantTypes: ['client_credentials'],
    })
    const shot = () => ({
      method: 'POST' as const,
      path: '/oauth/token',
      form: { grant_type: 'client_credentials', ...assertion(created, clientKeys.ES256, Date) },
    })
    const issued = async () => {
      const [row] = await field.query(
        sql<{
          count: number
        }>`select count(*) as count from access_tokens where client_id = ${created.client.id}`,
      )
      return Number(row!.count)
    }
    const raced = shot()
    const answers = [...(await field.volley(raced)), await field.ask(raced)]
    const won = answers.filter((answer) => answer.status === 200)
    const lost = answers.filter((answer) => answer.status === 401)
    count({ '200': won.length, invalid_client: lost.length })
    assert.deepEqual([won.length, lost.length], [1, answers.length - 1])
    for (const { body } of lost) assert.equal(JSON.parse(body).error, 'invalid_client')
    assert.equal(await issued(), 1)
    tokensOf(await field.ask(shot()))
    assert.equal(await issued(), 2)
  },
}

export const oneIdentityAssertion: Race = {
  name: 'RFC 7523 §3.1: one identity assertion, brought by all at once, is good for one token (N93)',
  async prepare(field) {
    const agent = await field.createClient({
      id: racedAgent,
      redirectUris: [],
      grantTypes: [jwtBearerGrant],
    })
    return async (count) => {
      const sub = field.newUser()
      const shot = () =>
        backChannelShot('/oauth/token', agent, {
          grant_type: jwtBearerGrant,
          assertion: identityAssertion(enterpriseKey, racedAgent, Date.now(), { sub }),
        })
      const raced = shot()
      const { won, lost } = part([...(await field.volley(raced)), await field.ask(raced)])
      count({ '200': won.length, invalid_grant: lost })
      assert.equal(won.length, 1)
      assert.equal(await field.isAlive(agent, won[0]!.access_token), true)
      const [rows] = await field.query(
        sql<{
          users: number
          sessions: number
        }>`select count(distinct i.user_id) as users, count(s.id) as sessions
          from identities i left join sessions s on s.user_id = i.user_id where i.subject = ${sub}`,
      )
      assert.deepEqual(
        { users: Number(rows!.users), sessions: Number(rows!.sessions) },
        { users: 1, sessions: 1 },
      )
      tokensOf(await field.ask(shot()))
    }
  },
}
