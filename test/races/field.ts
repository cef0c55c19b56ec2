// What a race runs on: several processes over one database, a coordinator beside them with its own connection, and the
// requests of clients and browsers as shots that can be fired together.

import assert from 'node:assert/strict'
import { type App, openApp } from '../../src/app.ts'
import { type Sql, sql } from '../../src/db/sql.ts'
import { embed, type Gatehouse } from '../../src/gatehouse.ts'
import type { ClientInput } from '../../src/oauth/clients/client-input.ts'
import type { CreatedClient } from '../../src/oauth/clients/client-operations.ts'
import { paths } from '../../src/protocol/paths.ts'
import {
  authorizeParameters,
  credentials,
  makePkce,
  type Pkce,
  readConsent,
  type ShownConsent,
  type Tokens,
} from '../support/flow.ts'
import { type Dialect, freshDatabase } from '../support/gatehouse.ts'
import { processConfig, providerHeader, signedInHeader, type WorkerOrder } from './config.ts'
import { type Answer, fireTogether, type Shot } from './http.ts'
import { startTogether, type Worker } from './processes.ts'

/** A shot that is not aimed at a process yet. */
export type Aimless = Omit<Shot, 'port'>

export class Field {
  readonly dialect: Dialect
  readonly workers: readonly Worker[]
  readonly server: Gatehouse
  readonly app: App
  /** Every process gets two shots of a volley. */
  readonly volleySize: number
  #users = 0

  #removeDatabase: () => Promise<void>

  constructor(dialect: Dialect, workers: readonly Worker[], app: App, removeDatabase: () => Promise<void>) {
    this.#removeDatabase = removeDatabase
    this.dialect = dialect
    this.workers = workers
    this.volleySize = 2 * workers.length
    this.app = app
    this.server = embed(app)
  }

  /** A name nobody has used before. */
  newUser(): string {
    return `user-${process.pid}-${++this.#users}`
  }

  createClient(input: Partial<ClientInput> = {}): Promise<CreatedClient> {
    return this.server.clients.create({
      name: 'Job board',
      redirectUris: ['https://client.example/callback'],
      ...input,
    })
  }

  query<R>(query: Sql<R>): Promise<R[]> {
    return this.app.server.db.query(query)
  }

  /** The same shot at every process, at one moment. */
  volley(shot: Aimless): Promise<Answer[]> {
    return this.fire(Array.from({ length: this.volleySize }, () => shot))
  }

  /** All shots at one moment, spread over the processes by turns. */
  fire(shots: readonly Aimless[]): Promise<Answer[]> {
    const turn = Math.floor(Math.random() * this.workers.length)
    return fireTogether(
      shots.map((shot, n) => ({ ...shot, port: this.workers[(turn + n) % this.workers.length]!.port })),
    )
  }

  /** One shot at some process. */
  async ask(shot: Aimless): Promise<Answer> {
    return (await this.fire([shot]))[0]!
  }

  /** The consent page a user sees for a request of this client. */
  async showConsent(
    created: CreatedClient,
    user: string,
    pkce: Pkce,
    scope = 'jobs:read',
  ): Promise<ShownConsent> {
    const shown = await this.ask(authorizeShot(created, user, pkce, { scope, prompt: 'consent' }))
    assert.equal(shown.status, 200, shown.body)
    return readForm(shown)
  }

  async obtainCode(created: CreatedClient, user: string, pkce: Pkce): Promise<string> {
    const shown = await this.showConsent(created, user, pkce)
    return codeOf(await this.ask(consentShot(shown, user)))!
  }

  async obtainTokens(created: CreatedClient, user: string): Promise<Tokens> {
    const pkce = makePkce()
    const code = await this.obtainCode(created, user, pkce)
    return tokensOf(await this.ask(redeemShot(created, code, pkce)))
  }

  /** The button of the connected apps page, as the user's browser shows it. */
  async disconnectShot({ client }: CreatedClient, user: string): Promise<Aimless> {
    const headers = { [signedInHeader]: user }
    const page = await this.ask({ method: 'GET', path: paths.connectedApps, headers })
    const { cookie, fields } = await readForm(page)
    assert.equal(fields.client, client.id, page.body)
    return { method: 'POST', path: paths.connectedApps, headers: { ...headers, cookie }, form: fields }
  }

  /** Whether a token is alive, as some process sees it. */
  async isAlive(created: CreatedClient, token: string): Promise<boolean> {
    const answer = await this.ask(backChannelShot('/oauth/introspect', created, { token }))
    assert.equal(answer.status, 200, answer.body)
    return (JSON.parse(answer.body) as { active: boolean }).active
  }

  async countEvents(type: string, user: string): Promise<number> {
    const [row] = await this.query(
      sql<{ count: number }>`select count(*) as count from events e join users u on u.id = e.user_id
        where u.subject = ${user} and e.type = ${type}`,
    )
    return row!.count
  }

  /** No process met a fault so far. */
  assertNoFault(): void {
    for (const worker of this.workers) assert.equal(worker.said(), '', 'no process logs an error')
  }

  async close(): Promise<void> {
    await this.app.close()
    await Promise.all(this.workers.map((worker) => worker.close()))
    await this.#removeDatabase()
  }
}

export interface FieldOptions {
  processes: number
  order?: Omit<WorkerOrder, 'database' | 'port'>
}

/** Starts the processes of a field, all at once, on an empty database. */
export async function openField(dialect: Dialect, { processes, order }: FieldOptions): Promise<Field> {
  const database = await freshDatabase(dialect)
  try {
    const whole: WorkerOrder = { database: database.url, port: 0, ...order }
    const workers = await startTogether(processes, whole)
    const app = await openApp(processConfig(whole))
    return new Field(dialect, workers, app, database.remove)
  } catch (error) {
    await database.remove()
    throw error
  }
}

/** The form of a page, with the cookie the browser got beside it. */
export function readForm({ body, headers }: Answer): Promise<ShownConsent> {
  return readConsent(new Response(body, { headers }))
}

export function authorizeShot(
  created: CreatedClient,
  user: string,
  pkce: Pkce,
  more: Record<string, string> = {},
  provider = 'test',
): Aimless {
  return {
    method: 'GET',
    path: `/oauth/authorize?${authorizeParameters(created, pkce, more)}`,
    headers: { [signedInHeader]: user, [providerHeader]: provider },
  }
}

export function consentShot(shown: ShownConsent, user: string, decision = 'allow'): Aimless {
  return {
    method: 'POST',
    path: '/oauth/consent',
    headers: { [signedInHeader]: user, cookie: shown.cookie },
    form: { ...shown.fields, decision },
  }
}

export function redeemShot(created: CreatedClient, code: string, pkce: Pkce): Aimless {
  return backChannelShot('/oauth/token', created, {
    grant_type: 'authorization_code',
    code,
    redirect_uri: created.client.redirectUris[0]!,
    code_verifier: pkce.verifier,
  })
}

export function refreshShot(created: CreatedClient, token: string): Aimless {
  return backChannelShot('/oauth/token', created, { grant_type: 'refresh_token', refresh_token: token })
}

export function backChannelShot(path: string, created: CreatedClient, form: Record<string, string>): Aimless {
  const by = credentials(created)
  return { method: 'POST', path, headers: by.headers, form: { ...form, ...by.form } }
}

/** The code of an authorization response, undefined for any other answer. */
export function codeOf(answer: Answer): string | undefined {
  const location = answer.headers.get('location')
  return (location && new URL(location).searchParams.get('code')) || undefined
}

export function tokensOf(answer: Answer): Tokens {
  assert.equal(answer.status, 200, answer.body)
  return JSON.parse(answer.body) as Tokens
}

/** Parts a volley at a back-channel endpoint into successes and refusals; anything else than invalid_grant fails. */
export function part(answers: readonly Answer[]): { won: Tokens[]; lost: number } {
  const won: Tokens[] = []
  let lost = 0
  for (const answer of answers) {
    if (answer.status === 200) won.push(JSON.parse(answer.body) as Tokens)
    else {
      assert.equal(answer.status, 400, answer.body)
      assert.equal((JSON.parse(answer.body) as { error: string }).error, 'invalid_grant')
      lost++
    }
  }
  return { won, lost }
}
