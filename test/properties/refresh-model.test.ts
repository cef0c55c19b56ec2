// The life of one session as a state machine, held against the server: refreshes, retries, replays, other clients,
// other scopes, a moving clock and a second process, in any order (RFC 6749 §6, RFC 9700 §4.14.2).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { sql } from '../../src/db/sql.ts'
import type { Gatehouse } from '../../src/gatehouse.ts'
import { credentials, obtainTokens, type Tokens } from '../support/flow.ts'
import { alice, formText, issuer, openTestServer, type TestServer } from '../support/gatehouse.ts'

const second = 1_000
const day = 86_400 * second
const refreshLifetime = 30 * day
const sessionLifetime = 90 * day
const granted = ['jobs:read', 'resume:read']

type Created = Awaited<ReturnType<TestServer['createClient']>>

/** A refresh token as the model knows it. */
interface Known {
  expiresAt: number
  rotation?: { at: number; scope: string; successor: number }
}

/** All there is to know: tokens in the order they were issued, and whether the session still lives. */
interface Model {
  now: number
  window: number
  sessionEnds: number
  revoked: boolean
  tokens: Known[]
  events: { reuse: number; foreign: number; refreshes: number }
}

interface Real {
  testServer: TestServer
  processes: Gatehouse[]
  owner: Created
  other: Created
  /** The real tokens, at the same places as the model's. */
  tokens: string[]
  access: string[]
}

type Outcome = { status: 200; token: number } | { status: 400; error: string }

/** The rules, as the specification says them. Changes the model and says what must be answered. */
function expected(model: Model, index: number, byOwner: boolean, scope: string): Outcome {
  const refused: Outcome = { status: 400, error: 'invalid_grant' }
  const token = model.tokens[index]!
  const { rotation } = token
  const reuse = () => {
    if (!model.revoked) model.events.reuse++
    model.revoked = true
    return refused
  }
  if (!byOwner) {
    if (rotation) return reuse()
    model.events.foreign++
    return refused
  }
  if (model.revoked || model.now >= model.sessionEnds) return refused
  const asked = scope === '' ? granted : scope.split(' ')
  const within = asked.every((one) => granted.includes(one))
  if (!rotation) {
    if (model.now >= token.expiresAt) return refused
    if (!within) return { status: 400, error: 'invalid_scope' }
    const successor = model.tokens.length
    token.rotation = { at: model.now, scope: [...asked].sort().join(' '), successor }
    model.tokens.push({ expiresAt: Math.min(model.now + refreshLifetime, model.sessionEnds) })
    model.events.refreshes++
    return { status: 200, token: successor }
  }
  const same = within && [...asked].sort().join(' ') === rotation.scope
  const unused = !model.tokens[rotation.successor]!.rotation
  if (!same || !unused || model.now >= rotation.at + model.window) return reuse()
  model.events.refreshes++
  return { status: 200, token: rotation.successor }
}

class Refresh implements fc.AsyncCommand<Model, Real> {
  readonly which: number
  readonly byOwner: boolean
  readonly scope: string
  readonly process: number
  constructor(which: number, byOwner: boolean, scope: string, process: number) {
    this.which = which
    this.byOwner = byOwner
    this.scope = scope
    this.process = process
  }
  check(): boolean {
    return true
  }
  async run(model: Model, real: Real): Promise<void> {
    // Counted from the newest: that one is shown most often, as by real clients.
    const index = Math.max(0, model.tokens.length - 1 - this.which)
    const should = expected(model, index, this.byOwner, this.scope)
    const answer = await send(real, index, this)
    const body = (await answer.json()) as Tokens & { error?: string }
    assert.equal(answer.status, should.status, JSON.stringify(body))
    if (should.status === 400) assert.equal(body.error, should.error)
    else {
      const known = real.tokens[should.token]
      if (known === undefined) {
        assert.ok(!real.tokens.includes(body.refresh_token!), 'a successor is new')
        real.tokens.push(body.refresh_token!)
      } else assert.equal(body.refresh_token, known, 'a retry gets the very same successor')
      assert.ok(!real.access.includes(body.access_token), 'an access token is always fresh')
      real.access.push(body.access_token)
    }
    await holds(model, real)
  }
  toString(): string {
    const who = this.byOwner ? 'owner' : 'other client'
    return `refresh(newest-${this.which}, ${who}, scope "${this.scope}", process ${this.process})`
  }
}

class Wait implements fc.AsyncCommand<Model, Real> {
  readonly milliseconds: number
  constructor(milliseconds: number) {
    this.milliseconds = milliseconds
  }
  check(): boolean {
    return true
  }
  async run(model: Model, real: Real): Promise<void> {
    model.now += this.milliseconds
    real.testServer.clock.advance(this.milliseconds)
    await holds(model, real)
  }
  toString(): string {
    return `wait(${this.milliseconds})`
  }
}

class Revoke implements fc.AsyncCommand<Model, Real> {
  readonly which: number
  constructor(which: number) {
    this.which = which
  }
  check(): boolean {
    return true
  }
  async run(model: Model, real: Real): Promise<void> {
    const index = Math.max(0, model.tokens.length - 1 - this.which)
    model.revoked = true
    const { headers, form } = credentials(real.owner)
    const answer = await post(
      real.processes[0]!,
      '/oauth/revoke',
      { token: real.tokens[index]!, ...form },
      headers,
    )
    assert.equal(answer.status, 200)
    await holds(model, real)
  }
  toString(): string {
    return `revoke(newest-${this.which})`
  }
}

function send(real: Real, index: number, { byOwner, scope, process }: Refresh): Promise<Response> {
  const { headers, form } = credentials(byOwner ? real.owner : real.other)
  const body = { grant_type: 'refresh_token', refresh_token: real.tokens[index]!, scope, ...form }
  return post(real.processes[process]!, '/oauth/token', body, headers)
}

function post(g: Gatehouse, path: string, form: Record<string, string>, headers: Record<string, string>) {
  return g.fetch(
    new Request(`${issuer}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: formText(form),
    }),
  )
}

/** What must be true after every step, whatever led there. */
async function holds(model: Model, real: Real): Promise<void> {
  const { db } = real.testServer.app.server
  const id = real.owner.client.id
  const [session] = await db.query(
    sql<{
      revoked_at: number | null
      expires_at: number
    }>`select revoked_at, expires_at from sessions where client_id = ${id}`,
  )
  assert.equal(session!.revoked_at !== null, model.revoked)
  assert.equal(session!.expires_at, model.sessionEnds)
  const rows = await db.query(
    sql<{
      rotated_at: number | null
      salt: string | null
      expires_at: number
    }>`select t.rotated_at, t.salt, t.expires_at
      from refresh_tokens t join sessions s on s.id = t.session_id where s.client_id = ${id}`,
  )
  assert.equal(rows.length, model.tokens.length)
  const living = rows.filter((row) => row.rotated_at === null)
  assert.equal(living.length, 1, 'one token of a session is unused, never two')
  assert.equal(living[0]!.expires_at, model.tokens.at(-1)!.expiresAt)
  assert.ok(
    rows.every((row) => row.rotated_at === null || row.salt === null),
    'a used token keeps no salt',
  )
  const events = await db.query(
    sql<{
      type: string
      client_id: string
    }>`select type, client_id from events where client_id in (${id}, ${real.other.client.id})`,
  )
  const count = (type: string) => events.filter((event) => event.type === type).length
  assert.deepEqual(
    { reuse: count('reuse_detected'), foreign: count('foreign_token'), refreshes: count('token_refresh') },
    model.events,
  )
  const { headers, form } = credentials(real.owner)
  const seen = await post(
    real.processes[0]!,
    '/oauth/introspect',
    { token: real.tokens.at(-1)!, ...form },
    headers,
  )
  const { active } = (await seen.json()) as { active: boolean }
  const alive = !model.revoked && model.now < model.sessionEnds && model.now < model.tokens.at(-1)!.expiresAt
  assert.equal(active, alive)
}

const newestFirst = fc.oneof(
  { weight: 6, arbitrary: fc.constant(0) },
  { weight: 4, arbitrary: fc.constant(1) },
  fc.nat(4),
)
const mostlyOwner = fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, fc.constant(false))
const mostlyAll = fc.oneof(
  { weight: 6, arbitrary: fc.constant('') },
  fc.constantFrom('jobs:read', 'resume:read jobs:read', 'jobs:read applications:write'),
)
const refreshes = fc
  .tuple(newestFirst, mostlyOwner, mostlyAll, fc.nat(1))
  .map((all): fc.AsyncCommand<Model, Real> => new Refresh(...all))
const waits = fc
  .constantFrom(1, second, 30 * second, 59_999, 60 * second, 300 * second, 29 * day, 31 * day)
  .map((time): fc.AsyncCommand<Model, Real> => new Wait(time))
const revocations = fc.nat(1).map((which): fc.AsyncCommand<Model, Real> => new Revoke(which))

const commands = fc.commands(
  [
    fc.oneof(
      { weight: 30, arbitrary: refreshes },
      { weight: 9, arbitrary: waits },
      { weight: 1, arbitrary: revocations },
    ),
  ],
  { maxCommands: 20, size: 'max' },
)

test('RFC 9700 §4.14.2: in whatever order things happen, the server does what the model says', async () => {
  const testServer = await openTestServer('sqlite')
  try {
    const { g: twin } = await testServer.twin()
    const seen = { refreshes: 0, reuse: 0, foreign: 0, longest: 0 }
    await fc.assert(
      fc.asyncProperty(commands, fc.constantFrom(0, 60, 300), async (all, reuseWindow) => {
        const owner = await testServer.createClient({ reuseWindow })
        const other = await testServer.createClient()
        testServer.signedIn.account = { ...alice, authTime: testServer.clock.now() }
        const bystander = await obtainTokens(testServer, other)
        const first = await obtainTokens(testServer, owner, { scope: granted.join(' ') })
        const now = testServer.clock.now()
        const setup = () => ({
          model: {
            now,
            window: reuseWindow * second,
            sessionEnds: now + sessionLifetime,
            revoked: false,
            tokens: [{ expiresAt: now + refreshLifetime }],
            events: { reuse: 0, foreign: 0, refreshes: 0 },
          } as Model,
          real: {
            testServer,
            processes: [testServer.g, twin],
            owner,
            other,
            tokens: [first.refresh_token!],
            access: [first.access_token],
          },
        })
        let last: Model | undefined
        await fc.asyncModelRun(() => {
          const made = setup()
          last = made.model
          return made
        }, all)
        seen.refreshes += last!.events.refreshes
        seen.reuse += last!.events.reuse
        seen.foreign += last!.events.foreign
        seen.longest = Math.max(seen.longest, last!.tokens.length)
        const [untouched] = await testServer.app.server.db.query(
          sql<{
            revoked_at: number | null
          }>`select revoked_at from sessions where client_id = ${other.client.id}`,
        )
        assert.equal(untouched!.revoked_at, null, 'another session of the user is never touched')
        assert.ok(bystander.refresh_token)
      }),
      { numRuns: 300, endOnFailure: false },
    )
    // The runs went where it matters.
    assert.ok(
      seen.refreshes > 400 && seen.reuse > 50 && seen.foreign > 20 && seen.longest > 5,
      JSON.stringify(seen),
    )
  } finally {
    await testServer.close()
  }
})
