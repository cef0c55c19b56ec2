import { type JwtAccountsOptions, jwtAccounts } from '../../src/accounts/jwt.ts'
import { cookies, seconds, testKey, whoIs } from './asking.ts'

export const ISSUER = 'https://id.example.com/'
export const key = testKey('ES256', 'k1')

/** The adapter of that issuer, and the reasons it gave for refusing. */
export function accounts(changes: Partial<JwtAccountsOptions> = {}) {
  const refusals: string[] = []
  const options = {
    issuer: ISSUER,
    audience: 'app',
    jwks: { keys: [key.jwk] } as JwtAccountsOptions['jwks'],
    token: { cookie: 'id' },
    signInUrl: 'https://app.example.com/sign-in?theme=dark',
    onRefused: (reason: string) => void refusals.push(reason),
    ...changes,
  }
  return { accounts: jwtAccounts(options), refusals }
}

/** Claims that are in order; one set to undefined is left out by `sign`. */
export function claims(changes: Record<string, unknown> = {}) {
  return { iss: ISSUER, aud: 'app', sub: 'user-1', iat: seconds(), exp: seconds(60), ...changes }
}

/** Why a token in the cookie does not count. */
export async function refusal(
  token: string,
  options: Partial<JwtAccountsOptions> = {},
): Promise<string | 'signed in'> {
  const made = accounts(options)
  const account = await whoIs(made.accounts, cookies({ id: token }))
  return account ? 'signed in' : (made.refusals.at(-1) ?? 'no reason given')
}
