import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { createRequire } from 'node:module'
import { SignJWT } from 'jose'
import type { Account, Accounts, Ask } from '../../src/accounts/account.ts'

export const RETURN_TO = 'https://auth.example.com/oauth/authorize?client_id=c&state=s%26t'

/** What the authorization endpoint asks; interactive unless said otherwise. */
export function ask(changes: Partial<Ask> = {}): Ask {
  return { prompt: [], returnTo: RETURN_TO, interactive: true, ...changes }
}

export function visit(headers: Record<string, string> = {}): Request {
  return new Request(RETURN_TO, { headers })
}

export function cookies(values: Record<string, string>): Request {
  const pairs = Object.entries(values).map(([name, value]) => `${name}=${value}`)
  return visit({ cookie: pairs.join('; ') })
}

/** The account behind a quiet question: no page may be shown. */
export async function whoIs(
  accounts: Accounts,
  request: Request,
  changes: Partial<Ask> = {},
): Promise<Account | null> {
  const answer = await accounts.authenticate(request, ask({ interactive: false, ...changes }))
  if (answer instanceof Response) throw new Error('a page was shown although none was allowed')
  return answer
}

/** Where an interactive question sends the browser; null when no page is offered. */
export async function sentTo(
  accounts: Accounts,
  request: Request,
  changes: Partial<Ask> = {},
): Promise<{ status: number; location: URL; cookie: string } | null> {
  const answer = await accounts.authenticate(request, ask(changes))
  if (answer === null) return null
  if (!(answer instanceof Response)) throw new Error(`signed in as ${answer.subject}`)
  return {
    status: answer.status,
    location: new URL(answer.headers.get('location') ?? ''),
    cookie: (answer.headers.get('set-cookie') ?? '').split(';')[0]!,
  }
}

export const seconds = (offset = 0): number => Math.floor(Date.now() / 1000) + offset

export interface TestKey {
  alg: string
  kid: string
  privateKey: KeyObject
  pem: string
  jwk: Record<string, unknown>
}

/** A fresh key pair with its PEM and its JWK. */
export function testKey(alg: 'RS256' | 'ES256' | 'EdDSA', kid: string): TestKey {
  const { privateKey, publicKey } = keyPair(alg)
  return {
    alg,
    kid,
    privateKey,
    pem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' },
  }
}

function keyPair(alg: 'RS256' | 'ES256' | 'EdDSA') {
  if (alg === 'RS256') return generateKeyPairSync('rsa', { modulusLength: 2048 })
  if (alg === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return generateKeyPairSync('ed25519')
}

/** Signs claims; a claim set to undefined is left out. */
export function sign(
  key: TestKey,
  claims: Record<string, unknown>,
  header: Record<string, unknown> = {},
): Promise<string> {
  const present = Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined))
  return new SignJWT(present)
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'JWT', ...header })
    .sign(key.privateKey)
}

/** The version of an installed package, as the test file that asks resolves it. */
export function versionOf(name: string, from: string): string {
  const require = createRequire(from)
  const paths = require.resolve.paths(name) ?? []
  for (const path of paths) {
    try {
      return (require(`${path}/${name}/package.json`) as { version: string }).version
    } catch {}
  }
  throw new Error(`${name} is not installed`)
}
