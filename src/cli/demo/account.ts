import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import {
  changeClient,
  createClient,
  rotateSecret,
  showClient,
} from '../../oauth/clients/client-operations.ts'
import { storeClientSecret } from '../../oauth/clients/client-secret.ts'
import type { Server } from '../../oauth/server.ts'
import { Failure } from '../failures.ts'

/** The demonstration's client and its user. */
export interface DemoAccount {
  clientId: string
  clientSecret: string
  redirectUri: string
  login: string
  password: string
  /** The user was made at this start. */
  isNew: boolean
}

const clientId = 'demo'
export const callbackPath = '/demo/callback'

/**
 * The client and user of earlier starts, or new ones. They stay in `file`, readable by its owner only, so that a restart
 * changes nothing for an app that was tried out with the demo client; what the file has lost is made anew.
 */
export async function demoAccount(server: Server, file: string): Promise<DemoAccount> {
  const kept = read(file)
  const redirectUri = server.settings.issuer + callbackPath
  const account: DemoAccount = {
    clientId,
    clientSecret: await prepareClient(server, kept.clientSecret, redirectUri),
    redirectUri,
    login: kept.login ?? `demo-${randomBytes(3).toString('hex')}@example.com`,
    isNew: kept.login === undefined || kept.password === undefined,
    password: kept.password ?? randomBytes(18).toString('base64url'),
  }
  const { clientSecret, login, password } = account
  if (kept.clientSecret !== clientSecret || kept.login !== login || kept.password !== password) {
    writeFileSync(file, `${JSON.stringify({ clientId, clientSecret, login, password }, null, 2)}\n`, {
      mode: 0o600,
    })
  }
  return account
}

async function prepareClient(server: Server, kept: string | undefined, redirectUri: string): Promise<string> {
  const client = await showClient(server, clientId)
  if (!client) {
    const made = await createClient(
      server,
      {
        id: clientId,
        name: 'Demo client',
        description: 'Made by gatehouse-auth dev',
        redirectUris: [redirectUri],
        grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'],
      },
      'builtin',
    )
    return made.secret!
  }
  if (client.state !== 'active') {
    throw new Failure(
      `the client ${clientId} is ${client.state}: npx gatehouse-auth clients restore ${clientId}`,
    )
  }
  // The issuer may be on another port now, the scopes of the configuration may be others.
  const scope = Object.keys(server.settings.scopes).sort()
  if (!client.redirectUris.includes(redirectUri) || client.scope.join(' ') !== scope.join(' ')) {
    await changeClient(server, clientId, { redirectUris: [redirectUri], scope })
  }
  const { secretHash } = (await server.clients.find(clientId))!
  if (kept !== undefined && storeClientSecret(kept) === secretHash) return kept
  return (await rotateSecret(server, clientId, 0))!
}

function read(file: string): Partial<DemoAccount> {
  try {
    const kept = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
    return Object.fromEntries(
      Object.entries(kept).filter(([, value]) => typeof value === 'string' && value !== ''),
    )
  } catch {
    return {}
  }
}
