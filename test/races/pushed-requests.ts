// Races for pushed authorization requests: RFC 9126 §4 and §7.3 (N14). One request_uri, one end of its flow.

import assert from 'node:assert/strict'
import { sql } from '../../src/db/sql.ts'
import type { CreatedClient } from '../../src/oauth/clients/client-operations.ts'
import { authorizeParameters, makePkce } from '../support/flow.ts'
import { signedInHeader } from './config.ts'
import {
  type Aimless,
  authorizeShot,
  backChannelShot,
  codeOf,
  consentShot,
  type Field,
  readForm,
} from './field.ts'
import type { Answer } from './http.ts'
import type { Race } from './race.ts'

/** Pushes a request and answers what its user's browser is sent to, any number of times. */
async function pushedShot(
  field: Field,
  created: CreatedClient,
  user: string,
  more: Record<string, string> = {},
): Promise<Aimless> {
  const parameters = Object.fromEntries(authorizeParameters(created, makePkce(), more))
  const { status, body } = await field.ask(backChannelShot('/oauth/par', created, parameters))
  assert.equal(status, 201, body)
  const { request_uri } = JSON.parse(body) as { request_uri: string }
  const query = new URLSearchParams({ client_id: created.client.id, request_uri })
  return { method: 'GET', path: `/oauth/authorize?${query}`, headers: { [signedInHeader]: user } }
}

/** Whoever was not the first is told so, on a page, and goes nowhere. */
function assertEnded(answers: readonly Answer[]): void {
  for (const answer of answers) {
    assert.equal(answer.status, 400, answer.body)
    assert.match(answer.headers.get('content-type')!, /^text\/html/)
    assert.equal(answer.headers.get('location'), null)
  }
}

async function countCodes(field: Field, user: string): Promise<number> {
  return (await field.query(sql`select id from codes where subject = ${user}`)).length
}

export const onePushedRequest: Race = {
  name: 'RFC 9126 §7.3: one request_uri, opened by all at once where consent is remembered, gives one code (N14)',
  async prepare(field) {
    const client = await field.createClient()
    return async (count) => {
      const user = field.newUser()
      const shown = await field.showConsent(client, user, makePkce())
      assert.ok(codeOf(await field.ask(consentShot(shown, user))))
      const shot = await pushedShot(field, client, user)
      const answers = await field.volley(shot)
      const won = answers.filter((answer) => codeOf(answer) !== undefined)
      count({ code: won.length, page: answers.length - won.length })
      assert.equal(won.length, 1)
      assertEnded(answers.filter((answer) => codeOf(answer) === undefined))
      for (const answer of answers.filter((one) => one.status === 400))
        assert.match(answer.body, /invalid_request_uri/)
      assert.equal(await countCodes(field, user), 2, 'one of them from before')
      assert.equal(await field.countEvents('authorize', user), 2)
      assertEnded([await field.ask(shot)])
      assert.ok(codeOf(await field.ask(authorizeShot(client, user, makePkce()))))
    }
  },
}

export const pushedRequestInTabs: Race = {
  name: 'RFC 9126 §7.3: one request_uri in many tabs, allowed in all of them at once, gives one code (N14)',
  async prepare(field) {
    const client = await field.createClient()
    return async (count) => {
      const user = field.newUser()
      const shot = await pushedShot(field, client, user)
      const forms = await Promise.all((await field.volley(shot)).map(readForm))
      const answers = await field.fire(forms.map((form) => consentShot(form, user)))
      const won = answers.filter((answer) => codeOf(answer) !== undefined)
      count({ code: won.length, page: answers.length - won.length })
      assert.equal(won.length, 1)
      assertEnded(answers.filter((answer) => codeOf(answer) === undefined))
      assert.equal(await countCodes(field, user), 1)
      assert.equal(await field.countEvents('authorize', user), 1)
    }
  },
}

export const pushedRequestEndsOneWay: Race = {
  name: 'RFC 9126 §7.3: one request_uri, allowed, denied and cancelled at once, ends one way (N14)',
  async prepare(field) {
    const client = await field.createClient()
    return async (count) => {
      const user = field.newUser()
      const shot = await pushedShot(field, client, user, { prompt: 'consent' })
      const forms = await Promise.all((await field.volley(shot)).map(readForm))
      const cancelled = { ...shot, path: `${shot.path}&gatehouse_cancelled=1` }
      const shots = forms.map((form, n) =>
        n % 3 === 2 ? cancelled : consentShot(form, user, n % 3 === 1 ? 'deny' : 'allow'),
      )
      const answers = await field.fire(shots)
      const ends = answers.filter((answer) => answer.status === 303)
      assert.equal(ends.length, 1)
      assertEnded(answers.filter((answer) => answer.status !== 303))
      const allowed = codeOf(ends[0]!) !== undefined
      count({ allowed: Number(allowed), refused: Number(!allowed) })
      assert.equal(await countCodes(field, user), Number(allowed))
      assert.equal(await field.countEvents('authorize', user), Number(allowed))
      assert.ok((await field.countEvents('authorize_denied', user)) <= Number(!allowed))
    }
  },
}
