// RFC 7591 §2.3, §3.1.1, §3.2.2: software statements, by which somebody who is trusted says what a client is.

import { algorithms, parseJwt } from '../../crypto/jws.ts'
import { toldUrl } from '../../log.ts'
import { isRefusal, type Refusal, refuse } from '../../protocol/refusals.ts'
import { isSignedBy } from '../clients/client-signature.ts'
import type { Server } from '../server.ts'

/** Clocks may differ by so much, in milliseconds. */
const clockTolerance = 60_000
const longestStatement = 8_192
/** What a statement says about itself, not about the client (RFC 7519 §4.1). */
const ownClaims = ['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti']

/**
 * The metadata that counts: what the request says, and over it what its software statement says. Without trusted issuers in
 * the configuration statements are not supported, and one that comes is ignored (§3.1.1).
 */
export async function withStatement(
  server: Server,
  metadata: Readonly<Record<string, unknown>>,
  address: string,
): Promise<{ metadata: Record<string, unknown>; statement: string | undefined } | Refusal> {
  const { software_statement, ...said } = metadata
  const { softwareStatementIssuers: issuers, requireSoftwareStatement } = server.settings.registration!
  if (issuers.size === 0) return { metadata: said, statement: undefined }
  if (software_statement === undefined || software_statement === null) {
    return requireSoftwareStatement
      ? refuse('software_statement_missing')
      : { metadata: said, statement: undefined }
  }
  const claims = await verify(server, software_statement, address)
  if (isRefusal(claims)) return claims
  const about = Object.entries(claims).filter(([name]) => !ownClaims.includes(name))
  return { metadata: { ...said, ...Object.fromEntries(about) }, statement: software_statement as string }
}

async function verify(
  server: Server,
  statement: unknown,
  address: string,
): Promise<Record<string, unknown> | Refusal> {
  const invalid = (wrong: string) => refuse('software_statement_invalid', { wrong })
  if (typeof statement !== 'string' || statement.length > longestStatement) return invalid('form')
  const jwt = parseJwt(statement)
  if (!jwt) return invalid('form')
  const { iss, exp, nbf, iat } = jwt.claims
  if (typeof iss !== 'string') return invalid('iss')
  const issuer = server.settings.registration!.softwareStatementIssuers.get(iss)
  if (!issuer) return refuse('software_statement_unapproved', { issuer: toldUrl(iss) })
  const signed = await isSignedBy(server, { owner: issuer, address }, jwt, algorithms)
  if (isRefusal(signed)) return signed
  if (!signed) return invalid('signature')
  const now = server.now()
  if (exp !== undefined && !(typeof exp === 'number' && exp * 1_000 > now - clockTolerance))
    return invalid('exp')
  for (const [name, at] of Object.entries({ nbf, iat })) {
    if (at !== undefined && !(typeof at === 'number' && at * 1_000 < now + clockTolerance))
      return invalid(name)
  }
  return jwt.claims
}
