// Gatehouse on a port of its own with everything switched on, and clients for the grants nobody may register for.

import { generateKeyPairSync } from 'node:crypto'
import { developmentAccounts } from '../../src/accounts/development.ts'
import { gatehouse } from '../../src/gatehouse.ts'
import type { GivenClient } from '../../src/verify/clients.ts'
import { freePort } from '../cli/command-line.ts'
import { type Dialect, freshDatabase, scopes, secret } from '../support/gatehouse.ts'

const codeGrants = ['authorization_code', 'refresh_token']
const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code'
const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange'
const bearerGrant = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const resources = ['https://api.example.com', 'https://other.example.com']

export interface FullHouse {
  issuer: string
  /** Where it listens. */
  url: string
  clients: GivenClient[]
  /** Where only invited clients register. */
  initialAccessToken?: string
  close(): Promise<void>
}

/** With local accounts on SQLite and those for development on PostgreSQL. `issuerAt` says another name than its address. */
export async function openFullServer(
  dialect: Dialect,
  issuerAt = (port: string) => `http://localhost:${port}`,
  registration: 'open' | 'invited' = 'open',
): Promise<FullHouse> {
  const port = await freePort()
  const issuer = issuerAt(port)
  const database = await freshDatabase(dialect)
  const publicJwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })
  const people = [
    { subject: 'ann', name: 'Ann' },
    { subject: 'ben', name: 'Ben' },
  ]
  const g = await gatehouse({
    issuer,
    secret,
    database: database.url,
    migrate: true,
    log: 'silent',
    scopes,
    resources: Object.fromEntries(resources.map((uri) => [uri, {}])),
    registration: {
      policy: registration === 'open' ? 'open' : 'initial_access_token',
      softwareStatementIssuers: { 'https://software.example.com': { jwks: { keys: [publicJwk] } } },
    },
    clientIdMetadata: {},
    // Nobody signs up at accounts for development, so what a run asks for it asks for two people.
    ...(dialect === 'postgres' ? { storage: { perUser: 1_000 } } : {}),
    selfRegisteredClients: { perNetworkPerHour: 1_000, grantTypes: [...codeGrants, 'client_credentials'] },
    device: { interval: 1 },
    tokenExchange: { rules: [{ client: 'exchanger', resources }] },
    assertionIssuers: {
      'https://idp.example.com': {
        jwks: { keys: [publicJwk] },
        clients: ['exchanger'],
        accepts: ['jwt', 'id-jag'],
      },
    },
    authorizationDetails: {
      payment: {
        schema: { type: 'object', properties: { amount: { type: 'integer' } }, required: ['amount'] },
        describe: ({ amount }) => [`Pay ${amount}`],
      },
    },
    ...(dialect === 'postgres' ? { accounts: developmentAccounts({ accounts: people }) } : {}),
  })
  const redirectUris = ['https://client.example/callback', 'https://client.example/second']
  const created = await Promise.all(
    [
      {
        id: 'exchanger',
        redirectUris,
        grantTypes: [...codeGrants, exchangeGrant, bearerGrant],
        requirePkce: false,
      },
      { id: 'tv', redirectUris, grantTypes: [...codeGrants, deviceGrant] },
      { id: 'radio', redirectUris, grantTypes: [...codeGrants, deviceGrant] },
    ].map((input) => g.clients.create({ name: input.id, ...input })),
  )
  const invitation =
    registration === 'invited'
      ? await g.clients.createInitialAccessToken({ name: 'verify', uses: 100 })
      : undefined
  const listening = await g.listen({ port: Number(port) })
  return {
    issuer,
    url: listening.url,
    ...(invitation && { initialAccessToken: invitation.token }),
    clients: created.map(({ client, secret: own }) => ({
      client_id: client.id,
      client_secret: own!,
      redirect_uris: client.redirectUris,
      grant_types: client.grantTypes,
      scope: client.scope.join(' '),
    })),
    async close() {
      await g.close()
      await database.remove()
    },
  }
}
