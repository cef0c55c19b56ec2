// Clients and people who use a server that may die at any moment. They send again what was not answered, as real ones do,
// and write down every answer.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
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
import { makePkce, type Pkce, type Tokens } from '../support/flow.ts'
import { type Chain, chainFrom, type Journal } from './journal.ts'
import {
  allowDevice,
  type Cast,
  deviceChain,
  leaveDevice,
  leavePushedRequest,
  leaveRegistration,
  pushRequest,
  type Send,
  spendJwts,
} from './single-use.ts'

export interface LoadOptions {
  /** The ports that may answer now. */
  ports(): readonly number[]
  cast: Cast
  journal: Journal
  /** How many people use it at once. */
  people: number
}

export class Load {
  readonly #options: LoadOptions
  #gate: PromiseWithResolvers<void> | undefined
  #sending = 0
  #stopped = false
  #done: Promise<unknown> = Promise.resolve()
  #failure: unknown

  constructor(options: LoadOptions) {
    this.#options = options
  }

  start(): void {
    const people = Array.from({ length: this.#options.people }, (_, n) => this.#person(n))
    this.#done = Promise.all(people).catch((error) => {
      this.#failure = error
    })
  }

  /** Lets nobody send anything more, and resolves when nothing is under way. */
  async pause(): Promise<void> {
    this.#gate ??= Promise.withResolvers()
    while (this.#sending > 0) await sleep(2)
    this.throwFailure()
  }

  resume(): void {
    this.#gate?.resolve()
    this.#gate = undefined
  }

  /** Lets everybody finish what they are at. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.resume()
    await this.#done
    this.throwFailure()
  }

  throwFailure(): void {
    if (this.#failure) throw this.#failure
  }

  /** Sends until it is answered. What a server says while it cannot answer is no answer. */
  readonly send: Send = async (made) => {
    for (let lost = 0; ; lost++) {
      while (this.#gate) await this.#gate.promise
      if (this.#failure) throw this.#failure
      this.#sending++
      const shot = typeof made === 'function' ? await made() : made
      const answer = await this.#try(shot).finally(() => this.#sending--)
      if (answer) return { answer, lost }
      await sleep(5 + Math.random() * 20)
    }
  }

  async #try({ method, path, headers, form, json }: Aimless): Promise<Answer | undefined> {
    const { journal } = this.#options
    const ports = this.#options.ports()
    const port = ports[Math.floor(Math.random() * ports.length)]
    if (port === undefined) return undefined
    let answer: Answer
    try {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        headers: { ...headers, ...(json ? { 'content-type': 'application/json' } : {}) },
        redirect: 'manual',
        ...(form ? { body: new URLSearchParams(form) } : {}),
        ...(json ? { body: JSON.stringify(json) } : {}),
      })
      answer = { status: response.status, headers: response.headers, body: await response.text() }
    } catch {
      journal.count('no answer')
      return undefined
    }
    if (answer.status === 503) {
      assert.match(answer.headers.get('retry-after') ?? '', /^[1-9]\d*$/, '503 says when to try again')
      journal.count('503')
      return undefined
    }
    // The authorization endpoint says the same by redirect (RFC 6749 §4.1.2.1).
    if (answer.headers.get('location')?.includes('error=temporarily_unavailable')) {
      journal.count('temporarily_unavailable')
      return undefined
    }
    return answer
  }

  async #person(n: number): Promise<void> {
    for (let flow = 0; !this.#stopped; flow++) {
      const user = `person-${n}-${Math.floor(flow / 4)}`
      const chain = await this.#begin(user)
      await this.#clientToken()
      await this.#leave(user)
      const refreshes = 1 + Math.floor(Math.random() * 5)
      for (let count = 0; chain && count < refreshes && !this.#stopped; count++) await this.#refresh(chain)
      if (chain && Math.random() < 0.25) await this.#revoke(chain)
    }
  }

  /** By one of the ways to tokens; undefined when an answer was lost with a code or with tokens in it. */
  #begin(user: string): Promise<Chain | undefined> {
    const way = Math.random()
    return way < 0.3 ? this.#beginDevice(user) : this.#beginBrowser(user, way < 0.6)
  }

  /** One of the things that wait for later. */
  async #leave(user: string): Promise<void> {
    const { cast, journal } = this.#options
    const all = [leavePushedRequest, leaveRegistration, leaveDevice, spendJwts]
    await all[Math.floor(Math.random() * all.length)]!(cast, journal, this.send, user)
  }

  async #beginDevice(user: string): Promise<Chain | undefined> {
    const { cast, journal } = this.#options
    const poll = await allowDevice(cast, user, journal, this.send)
    if (!poll) return undefined
    const { answer, lost } = await this.send(poll)
    if (answer.status !== 200) {
      assert.ok(lost > 0 && isInvalidGrant(answer), `an allowed device gets tokens: ${answer.body}`)
      journal.count('codes whose tokens were lost')
      return undefined
    }
    const chain = deviceChain(cast, answer, poll)
    journal.chains.push(chain)
    journal.count('devices redeemed')
    return chain
  }

  async #beginBrowser(user: string, pushes: boolean): Promise<Chain | undefined> {
    const { cast, journal } = this.#options
    const client = pushes ? cast.pushing : cast.app
    const pkce = makePkce()
    const code = await this.#code(user, pkce, pushes)
    if (code === undefined) return undefined
    const { answer, lost } = await this.send(redeemShot(client, code, pkce))
    if (answer.status !== 200) {
      // Spent by a request whose answer was lost: to present it again is a replay (§4.1.2).
      assert.ok(lost > 0 && isInvalidGrant(answer), `a fresh code is good: ${answer.status} ${answer.body}`)
      journal.count('codes whose tokens were lost')
      return undefined
    }
    const tokens = JSON.parse(answer.body) as Tokens
    // With all that goes with it, as somebody would who had taken it from the client.
    const again = redeemShot(client, code, pkce)
    const chain = chainFrom(tokens, { client, again, from: 'code' })
    journal.chains.push(chain)
    journal.count('codes redeemed')
    return chain
  }

  async #code(user: string, pkce: Pkce, pushes: boolean): Promise<string | undefined> {
    const { cast, journal } = this.#options
    const asked = await this.send(
      pushes ? await pushRequest(cast, user, pkce, this.send) : authorizeShot(cast.app, user, pkce),
    )
    const remembered = codeOf(asked.answer)
    if (remembered !== undefined) return remembered
    const consent = `${pushes ? 'pushing' : 'app'} ${user}`
    if (pushes && asked.lost > 0 && asked.answer.status === 400) {
      // Spent by a request whose answer was lost with the code in it.
      assert.ok(this.#consented.has(consent), asked.answer.body)
      journal.count('codes lost on their way')
      return undefined
    }
    assert.equal(asked.answer.status, 200, asked.answer.body)
    assert.ok(!this.#consented.has(consent), 'a consent that was answered is remembered')
    const { answer, lost } = await this.send(consentShot(await readForm(asked.answer), user))
    const code = codeOf(answer)
    if (code === undefined) {
      assert.ok(lost > 0 && answer.status === 400, `a fresh form is good: ${answer.status} ${answer.body}`)
      journal.count('forms whose code was lost')
    }
    this.#consented.add(consent)
    return code
  }
  readonly #consented = new Set<string>()

  async #clientToken(): Promise<void> {
    const { cast, journal } = this.#options
    const { answer } = await this.send(
      backChannelShot('/oauth/token', cast.app, { grant_type: 'client_credentials' }),
    )
    assert.equal(answer.status, 200, answer.body)
    journal.clientTokens.push((JSON.parse(answer.body) as Tokens).access_token)
    journal.count('client tokens')
  }

  async #refresh(chain: Chain): Promise<void> {
    const { journal } = this.#options
    const presented = chain.refresh
    chain.rotating = true
    const { answer, lost } = await this.send(refreshShot(chain.client, presented))
    assert.equal(answer.status, 200, `a refresh, sent ${lost + 1} times, succeeds: ${answer.body}`)
    const tokens = JSON.parse(answer.body) as Tokens
    chain.access.push(tokens.access_token)
    chain.presented = presented
    chain.refresh = tokens.refresh_token!
    chain.rotating = false
    journal.count('refreshes')
    if (lost > 0) journal.count('refreshes sent again')
  }

  async #revoke(chain: Chain): Promise<void> {
    const { journal } = this.#options
    chain.state = 'ending'
    const shot = backChannelShot('/oauth/revoke', chain.client, { token: chain.refresh })
    const { answer } = await this.send(shot)
    assert.equal(answer.status, 200, answer.body)
    chain.state = 'ended'
    journal.count('revocations')
  }
}

export function isInvalidGrant(answer: Answer): boolean {
  return answer.status === 400 && (JSON.parse(answer.body) as { error: string }).error === 'invalid_grant'
}
