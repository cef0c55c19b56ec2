// The one configuration of all processes of a proof: the same issuer and secret, who is signed in said by a header.

import { createECDH, createHash, createPrivateKey } from 'node:crypto'
import type { Account, Accounts } from '../../src/accounts/account.ts'
import { localAccounts } from '../../src/accounts/local.ts'
import type { Config } from '../../src/config.ts'
import { type SigningKey, signingKeyFromBase64 } from '../../src/crypto/jws.ts'
import { enterprise } from '../support/enterprise.ts'
import { issuer, scopes } from '../support/gatehouse.ts'

/** What the coordinator tells a worker. */
export interface WorkerOrder {
  database: string
  /** 0 for any free one. */
  port: number
  /** Sign-in and sign-up pages of our own, instead of a header that says who is signed in. */
  localAccounts?: boolean
  config?: Partial<Omit<Config, 'accounts' | 'database' | 'issuer' | 'secret'>>
}

/** The client that brings what the enterprise says. */
export const racedAgent = 'raced-agent'
/** Another one. */
export const otherAgent = 'other-agent'
/** The enterprise's key, the same in every process. */
export const enterpriseKey = keyFrom('the one key of the enterprise in these proofs')

function keyFrom(seed: string): SigningKey {
  const pair = createECDH('prime256v1')
  pair.setPrivateKey(createHash('sha256').update(seed).digest())
  const [x, y] = [1, 33].map((at) =>
    pair
      .getPublicKey()
      .subarray(at, at + 32)
      .toString('base64url'),
  )
  const jwk = { kty: 'EC', crv: 'P-256', x: x!, y: y!, d: pair.getPrivateKey().toString('base64url') }
  const der = createPrivateKey({ key: jwk, format: 'jwk' }).export({ type: 'pkcs8', format: 'der' })
  return signingKeyFromBase64(der.toString('base64'))
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
    selfRegisteredClients: { perHour: 1_000_000, perNetworkPerHour: 1_000_000 },
    device: { perNetwork: 1_000_000 },
    assertionIssuers: {
      [enterprise]: {
        jwks: { keys: [enterpriseKey.publicJwk] },
        clients: [racedAgent, otherAgent],
        unknownUsers: 'create',
      },
    },
    accounts: order.localAccounts ? localAccounts() : saidByHeader,
    limits: { failuresPerNetwork: 1_000_000 },
    migrate: true,
    jobs: false,
    log: 'error',
    ...order.config,
  }
}
