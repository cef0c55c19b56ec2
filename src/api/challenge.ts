// RFC 6750 §3, §3.1; RFC 9449 §7.1, §9; RFC 9470 §3; RFC 9728 §5.1: how an API refuses a request, in words that tell the client
// what to do about it.

import { wireError } from '../http/refusal.ts'
import { proofAlgorithms } from '../protocol/dpop.ts'
import { type Refusal, refusals } from '../protocol/refusals.ts'
import { type AccessRefused, type BearerRequest, type Demands, type Scheme, schemeOf } from './bearer.ts'

/** What is wrong with a proof is 400 at the authorization server and 401 at an API (RFC 9449 §5, §7.1). */
const proofErrors: readonly string[] = ['invalid_dpop_proof', 'use_dpop_nonce']
const authenticationReasons: readonly string[] = ['authentication_insufficient', 'authentication_too_weak']

/** What is known where a request is refused. */
interface Refused {
  request: BearerRequest
  metadataUrl: string | undefined
  /** Whether no other tokens than those bound to a key are taken. */
  required: boolean
}

/** The complete answer to a refused request, in the words of the scheme it came with or should have come with. */
export function refusedAccess(
  refusal: Refusal,
  demands: Demands,
  { request, metadataUrl, required }: Refused,
): AccessRefused {
  const isBound = required || refusal.refusal === 'access_token_bound'
  const scheme: Scheme = isBound ? 'DPoP' : schemeOf(request)
  const { error } = refusals[refusal.refusal]
  const status = proofErrors.includes(error) ? 401 : refusals[refusal.refusal].status
  const headers = new Headers({ 'cache-control': 'no-store', ...refusal.headers })
  const wire = error === '' ? undefined : wireError(refusal)
  if (status === 503) {
    headers.set('retry-after', String(refusal.retryAfter ?? 1))
  } else {
    // `offline_access` is the client's business with the authorization server; no API needs it.
    const scope = demands.scope.filter((name) => name !== 'offline_access').join(' ')
    const wantsScope = scope !== '' && (status === 403 || status === 401)
    // Whatever was lacking, the next authentication must be good enough in every way.
    const { maxAge, acrValues } = authenticationReasons.includes(refusal.refusal) ? demands : {}
    const parameters = {
      ...(metadataUrl === undefined ? { realm: demands.resource } : {}),
      ...wire,
      ...(wantsScope ? { scope } : {}),
      ...(acrValues === undefined ? {} : { acr_values: acrValues.join(' ') }),
      ...(maxAge === undefined ? {} : { max_age: String(maxAge) }),
      ...(scheme === 'DPoP' ? { algs: proofAlgorithms.join(' ') } : {}),
      ...(metadataUrl === undefined ? {} : { resource_metadata: metadataUrl }),
    }
    headers.set('www-authenticate', `${scheme} ${Object.entries(parameters).map(quoted).join(', ')}`)
    headers.set('access-control-expose-headers', 'www-authenticate, dpop-nonce')
  }
  if (wire) headers.set('content-type', 'application/json')
  const response = new Response(wire ? JSON.stringify(wire) : null, { status, headers })
  return { ok: false, response, reason: refusal.refusal }
}

/** A quoted string (RFC 9110 §5.6.4). Whatever reaches it is ASCII: names from our table, checked words, URLs. */
function quoted([name, value]: [string, string]): string {
  return `${name}="${value.replaceAll(/["\\]/g, '\\$&')}"`
}
