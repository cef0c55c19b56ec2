import assert from 'node:assert/strict'
import type { CreatedClient } from '../../src/oauth/clients/client-operations.ts'
import type { Aimless } from '../races/field.ts'
import type { Tokens } from '../support/flow.ts'
import type { Registration } from '../support/registration.ts'

/** What the load knows of one session, from answers alone. */
export interface Chain {
  /** Every access token that was answered. */
  access: string[]
  /** The newest refresh token that was answered. */
  refresh: string
  /** The token it was answered for; undefined while it is the first. */
  presented: string | undefined
  /** A refresh was sent and not answered yet: it may have been rotated. */
  rotating: boolean
  /** `ending`: a revocation was sent and not answered yet. */
  state: 'alive' | 'ending' | 'ended'
  client: CreatedClient
  /** Presents once more what it began with. */
  again: Aimless
  from: 'code' | 'device'
}

/** A session whose first tokens were answered. */
export function chainFrom(tokens: Tokens, begun: Pick<Chain, 'client' | 'again' | 'from'>): Chain {
  return {
    access: [tokens.access_token],
    refresh: tokens.refresh_token!,
    presented: undefined,
    rotating: false,
    state: 'alive',
    ...begun,
  }
}

/** Everything that was answered, in memory of a process that is never killed. */
export class Journal {
  readonly chains: Chain[] = []
  /** Access tokens of clients without a user. */
  readonly clientTokens: string[] = []
  /** Opens a pushed request that nobody has opened. */
  readonly pushed: Aimless[] = []
  readonly registrations: Registration[] = []
  /** Asks for the tokens of a device that was allowed and has not asked since. */
  readonly devices: Aimless[] = []
  /** Assertions and proofs that were accepted together. */
  readonly spent: { assertion: Record<string, string>; proof: string }[] = []
  readonly #counts = new Map<string, number>()

  count(what: string, by = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + by)
  }

  figures(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([one], [other]) => (one < other ? -1 : 1)))
  }
}

/** Asks whether a token is alive; a session's is asked of by its client. */
export type IsAlive = (token: string, client?: CreatedClient) => Promise<boolean>

/**
 * Holds the server to its answers: what was answered is alive, what was ended is not, and a session whose end was not
 * answered is alive whole or not at all. `since` is the first chain and client token to look at. Answers how many tokens
 * were looked at.
 */
export async function checkAnswers(
  journal: Journal,
  isAlive: IsAlive,
  since: { chain: number; clientToken: number },
): Promise<number> {
  let looked = 0
  const ask = (token: string, client?: CreatedClient) => {
    looked++
    return isAlive(token, client)
  }
  for (const token of journal.clientTokens.slice(since.clientToken)) {
    assert.equal(await ask(token), true, 'an answered client token is alive')
  }
  for (const chain of journal.chains.slice(since.chain)) {
    const alive = new Set<boolean>()
    for (const token of chain.access) alive.add(await ask(token, chain.client))
    if (!chain.rotating) alive.add(await ask(chain.refresh, chain.client))
    assert.equal(
      alive.size,
      1,
      `a session lives or ends whole: ${JSON.stringify([...alive])}, ${chain.state}`,
    )
    if (chain.state !== 'ending')
      assert.equal(alive.has(true), chain.state === 'alive', `the session is ${chain.state}`)
  }
  return looked
}
