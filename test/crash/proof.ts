// One crash after another: load, SIGKILL, restart, and then everything that was answered is looked at.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { openApp } from '../../src/app.ts'
import { embed } from '../../src/gatehouse.ts'
import { processConfig, type WorkerOrder } from '../races/config.ts'
import { backChannelShot, refreshShot } from '../races/field.ts'
import { type Answer, fireTogether, type Shot } from '../races/http.ts'
import { startTogether, startWorker, type Worker } from '../races/processes.ts'
import type { Tokens } from '../support/flow.ts'
import type { Dialect } from '../support/gatehouse.ts'
import { invariants } from './invariants.ts'
import { checkAnswers, Journal } from './journal.ts'
import { isInvalidGrant, Load } from './load.ts'
import { type Cast, checkSingleUse, leaveOneOfEach, roles } from './single-use.ts'
import { openStorage, type Storage } from './storage.ts'

/** What is killed: the only server, one of two, both of two, or the database below them. */
export type Victim = 'server' | 'one of two' | 'both of two' | 'database'

export interface ProofOptions {
  dialect: Dialect
  victim: Victim
  rounds: number
  /** Milliseconds of load before a kill, at most. */
  load?: number
}

export async function proveCrashes(options: ProofOptions): Promise<Record<string, number>> {
  const storage = await openStorage(options.dialect)
  const proof = new Proof(options, storage)
  try {
    return await proof.run()
  } finally {
    await proof.close()
    await storage.close()
  }
}

class Proof {
  readonly #options: ProofOptions
  readonly #storage: Storage
  readonly #order: WorkerOrder
  readonly #journal = new Journal()
  #servers: Worker[] = []
  #alive: number[] = []
  #cast!: Cast

  constructor(options: ProofOptions, storage: Storage) {
    this.#options = options
    this.#storage = storage
    this.#order = {
      database: storage.url,
      port: 0,
      config: {
        tokens: { accessTokenLifetime: 86_400, codeLifetime: 600, reuseWindow: 300 },
        sessions: { quota: 1_000_000 },
        pushedRequests: { lifetime: 590 },
        registration: { policy: 'open' },
        selfRegisteredClients: { perHour: 1_000_000, perNetworkPerHour: 1_000_000 },
        device: { perNetwork: 1_000_000 },
        dpop: { nonces: 'optional' },
        limits: { failuresPerNetwork: 1_000_000, clientAuthenticationFailures: 1_000_000 },
        log: 'silent',
      },
    }
  }

  async run(): Promise<Record<string, number>> {
    const { rounds, victim } = this.#options
    await this.#createClients()
    this.#servers = await startTogether(victim.endsWith('two') ? 2 : 1, this.#order)
    this.#listServers()
    const load = new Load({
      ports: () => this.#alive,
      cast: this.#cast,
      journal: this.#journal,
      people: 12,
    })
    load.start()
    for (let round = 0; round < rounds; round++) {
      await sleep(20 + Math.random() * (this.#options.load ?? 400))
      await leaveOneOfEach(this.#cast, this.#journal, load.send, `person-of-round-${round}`)
      load.throwFailure()
      const since = {
        chain: Math.max(0, this.#journal.chains.length - 200),
        clientToken: Math.max(0, this.#journal.clientTokens.length - 100),
      }
      await this.#crash(load)
      this.#journal.count('crashes')
      await this.#check(since)
      await this.#retryLostAnswers()
      await checkSingleUse(this.#cast, this.#journal, (shot) => this.#ask(shot))
      load.resume()
    }
    await load.stop()
    await this.#check({ chain: 0, clientToken: 0 })
    await this.#replayCodes()
    await this.#checkTables()
    return this.#journal.figures()
  }

  async close(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.kill()))
  }

  async #createClients(): Promise<void> {
    const app = await openApp(processConfig(this.#order))
    const { clients } = embed(app)
    const redirectUris = ['https://client.example/callback']
    const create = (role: keyof Cast) => clients.create({ name: role, redirectUris, ...roles[role] })
    this.#cast = {
      app: await create('app'),
      pushing: await create('pushing'),
      television: await create('television'),
      signer: await create('signer'),
    }
    await app.close()
  }

  /** Leaves the load paused and everything running again. */
  async #crash(load: Load): Promise<void> {
    switch (this.#options.victim) {
      case 'database':
        await this.#storage.kill!()
        await sleep(Math.random() * 300)
        await this.#storage.restart!()
        await this.#recovered(load)
        await load.pause()
        break
      case 'one of two': {
        const [victim] = this.#servers.splice(Math.floor(Math.random() * 2), 1)
        await victim!.kill()
        // The other one serves on, and the dead one's clients turn to it.
        this.#listServers()
        await sleep(Math.random() * 200)
        await load.pause()
        this.#servers.push(await startWorker(this.#order))
        break
      }
      default: {
        const { length } = this.#servers
        const dead = Promise.all(this.#servers.map((server) => server.kill()))
        await load.pause()
        await dead
        this.#servers = await startTogether(length, this.#order)
      }
    }
    this.#listServers()
  }

  /** The server was not restarted: it finds its database again by itself. */
  async #recovered(load: Load): Promise<void> {
    const before = this.#journal.clientTokens.length
    const end = performance.now() + 20_000
    while (this.#journal.clientTokens.length === before) {
      load.throwFailure()
      assert.ok(performance.now() < end, 'the server finds its database again within 20 seconds')
      await sleep(10)
    }
  }

  #listServers(): void {
    this.#alive = this.#servers.map((server) => server.port)
  }

  async #check(since: { chain: number; clientToken: number }): Promise<void> {
    await this.#checkTables()
    const looked = await checkAnswers(this.#journal, (token, client) => this.#isAlive(token, client), since)
    this.#journal.count('answered tokens looked at', looked)
  }

  async #checkTables(): Promise<void> {
    assert.deepEqual(await this.#storage.check(invariants), [])
    this.#journal.count('table checks', Object.keys(invariants).length)
  }

  /** As if the answers to the newest refreshes had been lost in the crash: the retry gives the identical successor. */
  async #retryLostAnswers(): Promise<void> {
    for (const chain of this.#journal.chains.slice(-30)) {
      if (chain.state !== 'alive' || chain.rotating || chain.presented === undefined) continue
      const answer = await this.#ask(refreshShot(chain.client, chain.presented))
      assert.equal(answer.status, 200, answer.body)
      const tokens = JSON.parse(answer.body) as Tokens
      assert.equal(tokens.refresh_token, chain.refresh, 'the identical successor')
      chain.access.push(tokens.access_token)
      this.#journal.count('identical successors after a crash')
    }
  }

  /** A code that was answered with tokens is spent, whatever crashed since. */
  async #replayCodes(): Promise<void> {
    const alive = this.#journal.chains.filter((chain) => chain.state === 'alive').slice(-50)
    for (const chain of alive) {
      const answer = await this.#ask(chain.again)
      assert.ok(isInvalidGrant(answer), answer.body)
      // Whoever replays a device's code is that device, as only it ever had it.
      assert.equal(await this.#isAlive(chain.refresh, chain.client), chain.from === 'device')
      this.#journal.count('spent codes refused')
    }
  }

  async #isAlive(token: string, client = this.#cast.app): Promise<boolean> {
    const answer = await this.#ask(backChannelShot('/oauth/introspect', client, { token }))
    assert.equal(answer.status, 200, answer.body)
    return (JSON.parse(answer.body) as { active: boolean }).active
  }

  async #ask(shot: Omit<Shot, 'port'>): Promise<Answer> {
    return (await fireTogether([{ ...shot, port: this.#alive[0]! }]))[0]!
  }
}
