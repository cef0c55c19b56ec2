// RFC 6750 §3.1; RFC 8705 §3; RFC 9068 §4; RFC 9449 §7.1, §11.1: whether a request to an API may do what it asks. The same steps beside the
// authorization server and apart from it; they differ in how a token is found and where spent proofs are remembered.

import type { Proof, ProofRules } from '../protocol/dpop.ts'
import { isRefusal, type Refusal } from '../protocol/refusals.ts'
import {
  type AccessGranted,
  type AccessNeeds,
  type AccessToken,
  type BearerRequest,
  checkDemands,
  type Demands,
  headerOf,
  readAccessToken,
} from './bearer.ts'
import {
  type CertificateSource,
  certificateThumbprint,
  checkConfirmation,
  provenUrl,
  readProof,
} from './confirmation.ts'

/** What all requests to an API are held against. */
export interface AccessRules extends ProofRules {
  /** Whether tokens that are not bound to a key are refused. */
  required: boolean
  /** Classes of authentication that are known here, the weakest first. */
  acrOrder: readonly string[]
  /** Null where no proxy hands certificates over. */
  certificates: CertificateSource | null
  /** Remembers a proof as used; a refusal when it was before. */
  spend(proof: Proof): Promise<Refusal | undefined>
}

/** Decides. Nothing is spent before everything else holds. */
export async function decideAccess(
  request: BearerRequest,
  needs: Pick<AccessNeeds, 'url' | 'certificate'>,
  demands: Demands,
  rules: AccessRules,
  find: (token: string) => AccessToken | Refusal | Promise<AccessToken | Refusal>,
): Promise<AccessGranted | Refusal> {
  const presented = await readAccessToken(request)
  if (isRefusal(presented)) return presented
  const isProven = presented.scheme === 'DPoP'
  const proof = isProven
    ? readProof(request, presented.token, provenUrl(request, demands.resource, needs.url), rules)
    : null
  if (isRefusal(proof)) return proof
  const token = await find(presented.token)
  if (isRefusal(token)) return token
  const certificate = () => certificateThumbprint(request, needs, rules.certificates)
  const refusal =
    checkConfirmation(token, proof, rules.required, certificate) ??
    checkDemands(token, demands, { now: rules.now(), acrOrder: rules.acrOrder }) ??
    (proof && (await spendOnce(request, proof, rules)))
  if (refusal) return refusal
  return {
    ok: true,
    ...token,
    ...(proof?.nextNonce === undefined ? {} : { dpopNonce: proof.nextNonce }),
  }
}

/** What came of the proof of each request, so that an API may ask about the same request more than once. */
const spentBy = new WeakMap<BearerRequest, { header: string; outcome: Promise<Refusal | undefined> }>()

function spendOnce(request: BearerRequest, proof: Proof, rules: AccessRules): Promise<Refusal | undefined> {
  const header = headerOf(request, 'dpop')!
  const known = spentBy.get(request)
  if (known?.header === header) return known.outcome
  const outcome = rules.spend(proof)
  spentBy.set(request, { header, outcome })
  // Where it cannot be remembered now, the request has not had its turn.
  const forget = () => spentBy.delete(request)
  outcome.then((refusal) => refusal?.refusal === 'unavailable' && forget(), forget)
  return outcome
}
