// The one configuration of all processes of a proof: the same issuer and secret, who is signed in said by a header.

import type { Account, Accounts } from '../../src/accounts/account.ts'
import { localAccounts } from '../../src/accounts/local.ts'
import type { Config } from '../../src/config.ts'
import { issuer, scopes } from '../support/house.ts'

/** What the coordinator tells a worker. */
export interface WorkerOrder {
  database: string
  /** 0 for any free one. */
  port: number
  /** Sign-in and sign-up pages of our own, instead of a header that says who is signed in. */
  localAccounts?: boolean
  config?: Partial<Omit<Config, 'accounts' | 'database' | 'issuer' | 'secret'>>
}

/** Names the user of a request, as a host's session cookie would. */
export const signedInHeader = 'x-signed-in'
/** Names the account provider, `test` unless told. */
export const providerHeader = 'x-provider'

const saidByHeader: Accounts = {
  authenticate(request): Account | null {
    const subject = request.headers.get(signedInHeader)
    if (subject === null) return null
    const provider = request.headers.get(providerHeader) ?? 'test'
    return { provider, issuer: '', subject, name: subject, authTime: Date.now() }
  },
}

export function processConfig(order: WorkerOrder): Config {
  return {
    issuer,
    secret: 'the one secret that all processes of a proof share',
    database: order.database,
    databaseConnections: 5,
    scopes,
    registration: { policy: 'initial_access_token' },
    accounts: order.localAccounts ? localAccounts() : saidByHeader,
    limits: { failuresPerNetwork: 1_000_000 },
    migrate: true,
    jobs: false,
    log: 'error',
    ...order.config,
  }
}
