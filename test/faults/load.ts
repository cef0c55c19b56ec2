// Clients and people who use a deployment through its proxy while something is wrong with it. They send again what was not
// answered, write down every token they were given, and count what they were answered instead.

import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CreatedClient } from '../../src/oauth/clients/client-operations.ts'
import {
  type Aimless,
  authorizeShot,
  backChannelShot,
  codeOf,
  consentShot,
  readForm,
  redeemShot,
  refreshShot,
} from '../races/field.ts'
import type { Answer } from '../races/http.ts'
import { makePkce, type Tokens } from '../support/flow.ts'

interface Session {
  access: string[]
  refresh: string
  /** A refresh was sent and not answered yet: it may have been rotated. */
  rotating: boolean
  /** The server refused the newest token it had answered. */
  dead: boolean
}

/** What was answered, and when, since a fault began. */
export interface Tally {
  requests: number
  /** Everything but a success, by status; `no answer` for a broken connection or one without an answer in time. */
  errors: Map<string, number>
  /** `performance.now()` of the last of them. */
  lastError: number
  deadSessions: number
}

/** A client gives an answer up after so long, in milliseconds. */
const patience = 10_000

export class Load {
  readonly #port: number
  readonly #client: CreatedClient
  readonly #journal: string
  readonly #sessions: Session[] = []
  readonly #clientTokens: string[] = []
  #tally = newTally()
  #stopped = false
  #people: Promise<unknown> = Promise.resolve()
  #users = 0
  #gate: PromiseWithResolvers<void> | undefined
  #sending = 0
  readonly #waiting = new Set<number>()

  constructor(options: { port: number; client: CreatedClient; journal: string }) {
    this.#port = options.port
    this.#client = options.client
    this.#journal = options.journal
  }

  start(people: number): void {
    this.#people = Promise.all(Array.from({ length: people }, () => this.#person()))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#people
  }

  /** What was counted so far; begins anew. */
  takeTally(): Tally {
    const taken = this.#tally
    this.#tally = newTally()
    return taken
  }

  get lastError(): number {
    return this.#tally.lastError
  }

  get requests(): number {
    return this.#tally.requests
  }

  /** When the request was sent that has waited for its answer the longest. */
  get oldestWaiting(): number {
    return Math.min(...this.#waiting)
  }

  get answeredTokens(): number {
    return this.#clientTokens.length + this.#sessions.reduce((sum, one) => sum + one.access.length + 1, 0)
  }

  /** Asks for every token that was ever answered, while nothing else is sent. Resolves with those that are not alive. */
  async verify(): Promise<string[]> {
    this.#gate = Promise.withResolvers()
    while (this.#sending > 0) await sleep(5)
    try {
      return await this.#verify()
    } finally {
      this.#gate.resolve()
      this.#gate = undefined
    }
  }

  async #verify(): Promise<string[]> {
    const asked = [
      ...this.#clientTokens,
      // Whoever was refused a refresh has already been counted.
      ...this.#sessions.flatMap((one) =>
        one.dead ? [] : [...one.access, ...(one.rotating ? [] : [one.refresh])],
      ),
    ]
    const lost: string[] = []
    const next = asked.values()
    const worker = async () => {
      for (const token of next) {
        const answer = await this.#send(backChannelShot('/oauth/introspect', this.#client, { token }), true)
        if (answer?.status !== 200 || !(JSON.parse(answer.body) as { active: boolean }).active)
          lost.push(token)
      }
    }
    await Promise.all(Array.from({ length: 8 }, worker))
    return lost
  }

  async #person(): Promise<void> {
    while (!this.#stopped) {
      const session = await this.#begin(`user-${++this.#users}`)
      await this.#clientToken()
      for (let n = 0; session && n < 4 && !this.#stopped && !session.dead; n++) {
        await this.#refresh(session)
        await this.#send(
          backChannelShot('/oauth/introspect', this.#client, { token: session.access.at(-1)! }),
        )
        await sleep(20)
      }
    }
  }

  async #begin(user: string): Promise<Session | undefined> {
    const pkce = makePkce()
    const shown = await this.#send(authorizeShot(this.#client, user, pkce))
    if (shown?.status !== 200) return undefined
    const code = codeOf((await this.#send(consentShot(await readForm(shown), user))) ?? shown)
    if (code === undefined) return undefined
    const answer = await this.#send(redeemShot(this.#client, code, pkce))
    if (answer?.status !== 200) return undefined
    const tokens = this.#write(answer)
    const session: Session = {
      access: [tokens.access_token],
      refresh: tokens.refresh_token!,
      rotating: false,
      dead: false,
    }
    this.#sessions.push(session)
    return session
  }

  async #clientToken(): Promise<void> {
    const form = { grant_type: 'client_credentials' }
    const answer = await this.#send(backChannelShot('/oauth/token', this.#client, form))
    if (answer?.status === 200) this.#clientTokens.push(this.#write(answer).access_token)
  }

  async #refresh(session: Session): Promise<void> {
    session.rotating = true
    const answer = await this.#send(refreshShot(this.#client, session.refresh))
    if (!answer) return
    session.rotating = false
    if (answer.status === 200) {
      const tokens = this.#write(answer)
      session.access.push(tokens.access_token)
      session.refresh = tokens.refresh_token!
    } else if (answer.body.includes('invalid_grant')) {
      session.dead = true
      this.#tally.deadSessions++
    }
  }

  #write(answer: Answer): Tokens {
    const tokens = JSON.parse(answer.body) as Tokens
    appendFileSync(
      this.#journal,
      `${JSON.stringify({ at: Date.now(), access: tokens.access_token, refresh: tokens.refresh_token })}\n`,
    )
    return tokens
  }

  /** Sends until there is an answer that is one; undefined when the load was stopped meanwhile. */
  async #send(shot: Aimless, verifying = false): Promise<Answer | undefined> {
    for (let tries = 0; verifying ? tries < 20 : tries === 0 || !this.#stopped; tries++) {
      if (!verifying) {
        while (this.#gate) await this.#gate.promise
        this.#sending++
      }
      const answer = await this.#try(shot)
      if (!verifying) this.#sending--
      const kind = answer === undefined ? 'no answer' : kindOf(answer)
      this.#tally.requests++
      if (kind === undefined) return answer
      this.#tally.errors.set(kind, (this.#tally.errors.get(kind) ?? 0) + 1)
      this.#tally.lastError = performance.now()
      if (answer && !/^(5|no)/.test(kind)) return answer
      await sleep(50 + Math.random() * 100)
    }
    return undefined
  }

  async #try({ method, path, headers, form }: Aimless): Promise<Answer | undefined> {
    // A name of its own among those that were sent at the same moment.
    let sent = performance.now()
    while (this.#waiting.has(sent)) sent += 0.001
    this.#waiting.add(sent)
    try {
      const response = await fetch(`http://127.0.0.1:${this.#port}${path}`, {
        method,
        headers: headers ?? {},
        redirect: 'manual',
        signal: AbortSignal.timeout(patience),
        ...(form ? { body: new URLSearchParams(form) } : {}),
      })
      return { status: response.status, headers: response.headers, body: await response.text() }
    } catch {
      return undefined
    } finally {
      this.#waiting.delete(sent)
    }
  }
}

function newTally(): Tally {
  return { requests: 0, errors: new Map(), lastError: 0, deadSessions: 0 }
}

/** What went wrong, or undefined for an answer that is a success. */
function kindOf({ status, headers }: Answer): string | undefined {
  const location = headers.get('location') ?? ''
  // The authorization endpoint says 503 by redirect (RFC 6749 §4.1.2.1).
  if (location.includes('error=temporarily_unavailable')) return '503'
  if (location.includes('error=server_error')) return '500'
  if (location.includes('error=')) return `redirect ${new URL(location).searchParams.get('error')}`
  return status < 400 ? undefined : String(status)
}
