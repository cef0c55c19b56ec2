// Races of people: consent forms, first sign-ins and sign-ups (RFC 6749 §10.2, §10.12).

import assert from 'node:assert/strict'
import { sql } from '../../src/db/sql.ts'
import { makePkce, type ShownConsent } from '../support/flow.ts'
import { authorizeShot, codeOf, consentShot, readForm } from './field.ts'
import type { Race } from './race.ts'

export const oneConsentForm: Race = {
  name: 'RFC 6749 §10.2: one consent form, sent by all at once, gives one code, to each of them',
  async prepare(field) {
    const client = await field.createClient()
    return async (count) => {
      const user = field.newUser()
      const shown = await field.showConsent(client, user, makePkce())
      const answers = await field.volley(consentShot(shown, user))
      const codes = new Set(answers.map(codeOf))
      count({ code: codes.size })
      assert.equal(codes.size, 1, 'every answer is the same redirect')
      assert.ok([...codes][0])
      const rows = await field.query(sql`select id from codes where subject = ${user}`)
      assert.equal(rows.length, 1)
      assert.equal(await field.countEvents('authorize', user), 1)
    }
  },
}

export const allowAgainstDeny: Race = {
  name: 'RFC 6749 §4.1.2.1: one consent form, allowed and denied at once, is decided one way',
  async prepare(field) {
    const client = await field.createClient()
    return async (count) => {
      const user = field.newUser()
      const shown = await field.showConsent(client, user, makePkce())
      const shots = Array.from({ length: field.volleySize }, (_, n) =>
        consentShot(shown, user, n % 2 ? 'allow' : 'deny'),
      )
      const redirects = (await field.fire(shots)).filter((answer) => {
        assert.ok([302, 303, 400].includes(answer.status), answer.body)
        return answer.status !== 400
      })
      const allowed = codeOf(redirects[0]!) !== undefined
      assert.equal(new Set(redirects.map((answer) => answer.headers.get('location'))).size, 1)
      // The same decision got the same redirect, the other one a page.
      assert.equal(redirects.length, shots.filter((_, n) => (n % 2 === 1) === allowed).length)
      count({ allowed: Number(allowed), denied: Number(!allowed) })
      assert.equal(await field.countEvents('authorize', user), Number(allowed))
      assert.equal(await field.countEvents('authorize_denied', user), Number(!allowed))
    }
  },
}

export const twoConsentForms: Race = {
  name: 'R10: two consent forms of one user, allowed at once, are both remembered',
  async prepare(field) {
    const client = await field.createClient()
    return async (count) => {
      const user = field.newUser()
      const asked = ['jobs:read', 'applications:read', 'applications:write', 'resume:read']
      const shown: ShownConsent[] = []
      for (const scope of asked) shown.push(await field.showConsent(client, user, makePkce(), scope))
      const answers = await field.fire(shown.map((one) => consentShot(one, user)))
      const codes = answers.map(codeOf).filter((code) => code !== undefined)
      count({ code: codes.length })
      assert.equal(codes.length, asked.length)
      const again = await field.ask(authorizeShot(client, user, makePkce(), { scope: asked.join(' ') }))
      assert.ok(codeOf(again), 'everything was allowed already, so nothing is asked')
    }
  },
}

export const firstSignIn: Race = {
  name: 'R15: the first sign-in of one account, in all processes at once, makes one user',
  async prepare(field) {
    const client = await field.createClient()
    return async (count) => {
      const subject = field.newUser()
      const answers = await field.volley(authorizeShot(client, subject, makePkce()))
      for (const answer of answers) assert.equal(answer.status, 200, answer.body)
      const users = await field.query(
        sql<{ subject: string }>`select u.subject from users u join identities i on i.user_id = u.id
          where i.subject = ${subject}`,
      )
      count({ '200': answers.length, users: users.length })
      assert.deepEqual(
        users.map((user) => user.subject),
        [subject],
      )
    }
  },
}

export const firstSignInOfTwo: Race = {
  name: 'R15: the same name at two providers, first seen at once, makes two users',
  async prepare(field) {
    const client = await field.createClient()
    return async (count) => {
      const subject = field.newUser()
      const shots = Array.from({ length: field.volleySize }, (_, n) =>
        authorizeShot(client, subject, makePkce(), {}, n % 2 ? 'one' : 'other'),
      )
      for (const answer of await field.fire(shots)) assert.equal(answer.status, 200, answer.body)
      const users = await field.query(
        sql<{ subject: string; provider: string }>`select u.subject, i.provider from users u
          join identities i on i.user_id = u.id where i.subject = ${subject} order by i.provider`,
      )
      count({ '200': shots.length, users: users.length })
      assert.deepEqual(
        users.map((user) => user.provider),
        ['one', 'other'],
      )
      assert.equal(new Set(users.map((user) => user.subject)).size, 2)
      const orphans = await field.query(
        sql`select id from users u where not exists (select 1 from identities i where i.user_id = u.id)`,
      )
      assert.deepEqual(orphans, [])
    }
  },
}

export const signUp: Race = {
  name: 'one login, signed up in all processes at once, is one account',
  async prepare(field) {
    return async (count) => {
      const login = `${field.newUser()}@example.com`
      const shown = await readForm(await field.ask({ method: 'GET', path: '/sign-up' }))
      const answers = await field.volley({
        method: 'POST',
        path: '/sign-up',
        headers: { cookie: shown.cookie },
        form: { ...shown.fields, name: 'Alice', login, password: 'a password nobody else has' },
      })
      const made = answers.filter((answer) => answer.status === 303)
      const taken = answers.filter((answer) => answer.status === 422)
      const busy = answers.filter((answer) => answer.status === 503)
      count({ made: made.length, taken: taken.length, busy: busy.length })
      // With the password it was made with the account lets everyone in, as many as may be checked at once.
      assert.ok(made.length >= 1)
      assert.equal(made.length + taken.length + busy.length, answers.length)
      const rows = await field.query(
        sql<{ id: string }>`select u.id from users u join local_accounts a on a.user_id = u.id
          join identities i on i.user_id = u.id where a.login = ${login}`,
      )
      assert.equal(rows.length, 1)
      assert.equal(await field.countEvents('sign_up', rows[0]!.id), 1)
    }
  },
}
