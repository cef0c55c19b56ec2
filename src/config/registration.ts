import { mostKeysInSet, publicKeyFromJwk } from '../crypto/jws.ts'
import type { Settings } from '../settings.ts'
import type { Checks } from './checks.ts'

/** Clients register themselves (RFC 7591) and manage their registration (RFC 7592). */
export interface RegistrationConfig {
  /** Everyone may register, or only who holds an initial access token (`npx gatehouse-auth clients invite`). */
  policy: 'open' | 'initial_access_token'
  /** Whether a client must bring a software statement (RFC 7591 §2.3). Default false. */
  requireSoftwareStatement?: boolean
  /** Who is believed about software, by the `iss` of their statements. */
  softwareStatementIssuers?: Record<string, SoftwareStatementIssuerConfig>
}

/** The keys of an issuer of software statements; one of the two. */
export interface SoftwareStatementIssuerConfig {
  jwks?: { keys: object[] }
  jwksUri?: string
}

export function registrationSettings(
  config: RegistrationConfig | undefined,
  { problem }: Checks,
): Settings['registration'] {
  if (config === undefined) return null
  const { policy, requireSoftwareStatement = false, softwareStatementIssuers = {} } = config
  if (policy !== 'open' && policy !== 'initial_access_token')
    problem('registration.policy', 'open or initial_access_token', policy, 'initial_access_token')
  const issuers = Object.entries(softwareStatementIssuers)
  for (const [issuer, { jwks, jwksUri }] of issuers) {
    const path = `registration.softwareStatementIssuers.${issuer}`
    if ((jwks === undefined) === (jwksUri === undefined)) problem(path, 'either jwks or jwksUri')
    if (jwksUri !== undefined && !/^https:\/\/[^#]+$/.test(jwksUri))
      problem(`${path}.jwksUri`, 'an https URL', jwksUri, 'https://statements.example.com/jwks.json')
    const keys = jwks === undefined ? [] : Array.isArray(jwks.keys) ? jwks.keys : [undefined]
    if (keys.length > mostKeysInSet) problem(`${path}.jwks`, `at most ${mostKeysInSet} keys`)
    if (jwks !== undefined && (keys.length === 0 || keys.some((key) => 'problem' in publicKeyFromJwk(key))))
      problem(`${path}.jwks`, 'a JWK set of public keys for signatures (RFC 7517 §5)')
  }
  if (requireSoftwareStatement && issuers.length === 0)
    problem(
      'registration.softwareStatementIssuers',
      'at least one, since a software statement is required',
      '{}',
    )
  return {
    policy,
    requireSoftwareStatement,
    softwareStatementIssuers: new Map(
      issuers.map(([id, { jwks, jwksUri }]) => [id, { id, jwks: jwks ?? null, jwksUri: jwksUri ?? null }]),
    ),
  }
}
