// RFC 9449 §9, §11.1; RFC 8705 §3: how an API that stands apart treats proofs of keys and certificates: without a database of its
// own, but the same in all its processes where it says how.

import type { ConfigProblem } from '../../config-error.ts'
import { rootSecrets, shortestSecret } from '../../crypto/secrets.ts'
import { sha256 } from '../../crypto/tokens.ts'
import { trustedProxies } from '../../http/address.ts'
import type { Log } from '../../log.ts'
import type { Proof } from '../../protocol/dpop.ts'
import { nonceByTime } from '../../protocol/dpop-nonce.ts'
import { type Refusal, refuse } from '../../protocol/refusals.ts'
import type { AccessRules } from '../access-decision.ts'

/** How an API treats proofs of a key (RFC 9449). Tokens that are bound to one are taken in any case. */
export interface ApiDpopOptions {
  /**
   * Gives proofs a nonce, which bounds their age whatever the client's clock says: at least 32 characters, the same in every
   * process of this API; several, newest first, while one replaces another. Default: no nonces.
   */
  secret?: string | readonly string[]
  /** Whether a proof must hold one. Default `required` with a `secret`. */
  nonces?: 'required' | 'optional'
  /** Take no token that is not bound to a key, and say so in the metadata. Default false. */
  required?: boolean
  /**
   * Remembers until `expiresAt` (epoch milliseconds) that a proof was used, in a store that all processes share: true for
   * exactly one caller of the same `id`. A rejection is answered with 503. Default: the memory of this process, so that
   * another one of several would take the proof once more.
   */
  spendJti?(id: string, expiresAt: number): Promise<boolean>
}

/** Where this API learns of certificates (RFC 8705): TLS ends at a proxy that asks for them. */
export interface ApiMutualTlsOptions {
  /** The header, which the proxy must set or remove in every request it passes on, e.g. `x-client-cert`. */
  certificateHeader: string
  /** Addresses or subnets of the proxies whose header is believed. */
  trustedProxies: readonly string[]
}

export function apiRules(
  options: ApiDpopOptions,
  mutualTls: ApiMutualTlsOptions | undefined,
  { now, log }: { now(): number; log: Log },
): Omit<AccessRules, 'acrOrder'> {
  const { secret, nonces = 'required', required = false } = options
  const spendJti = options.spendJti ?? rememberProofs(now, log)
  return {
    now,
    required,
    certificates: mutualTls
      ? { header: mutualTls.certificateHeader, trustedProxies: trustedProxies(mutualTls.trustedProxies) }
      : null,
    nonces:
      secret === undefined
        ? null
        : nonceByTime(rootSecrets([secret].flat()), { required: nonces === 'required' }),
    async spend({ id, expiresAt, jkt }: Proof): Promise<Refusal | undefined> {
      let isFirst: boolean
      try {
        isFirst = await spendJti(sha256(JSON.stringify(id)), expiresAt)
      } catch (error) {
        log.error('proof cannot be remembered', { error: String(error) })
        return refuse('unavailable')
      }
      return isFirst ? undefined : refuse('dpop_proof_replayed', { jkt })
    },
  }
}

/** Far more than a process answers while a proof is young. */
const mostRemembered = 200_000
/** At least as long as any proof is taken, in milliseconds. */
const rememberedFor = 360_000

/** Remembers in this process alone. What is forgotten for want of room could be used again. */
export function rememberProofs(
  now: () => number,
  log: Pick<Log, 'warn'>,
  most = mostRemembered,
): (id: string) => Promise<boolean> {
  const spent = new Map<string, number>()
  let warnedAt = Number.NEGATIVE_INFINITY
  return async (id) => {
    const time = now()
    for (const [old, until] of spent) {
      if (until > time) break
      spent.delete(old)
    }
    if (spent.has(id)) return false
    if (spent.size >= most) {
      spent.delete(spent.keys().next().value!)
      if (time - warnedAt > rememberedFor)
        log.warn('too many proofs to remember: give dpop.spendJti a shared store', { most })
      warnedAt = time
    }
    spent.set(id, time + rememberedFor)
    return true
  }
}

export function apiDpopProblems({ secret, nonces, required, spendJti }: ApiDpopOptions): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  const secrets: readonly unknown[] = secret === undefined ? [] : [secret].flat()
  if (secret !== undefined && secrets.length === 0)
    problems.push({ path: 'dpop.secret', allowed: 'at least one text' })
  if (!secrets.every((one) => typeof one === 'string' && one.length >= shortestSecret))
    problems.push({ path: 'dpop.secret', allowed: `texts of at least ${shortestSecret} characters` })
  if (nonces !== undefined && nonces !== 'required' && nonces !== 'optional')
    problems.push({ path: 'dpop.nonces', given: nonces, allowed: 'required or optional' })
  if (nonces !== undefined && secret === undefined)
    problems.push({ path: 'dpop.secret', allowed: 'given, since nonces are made from it' })
  if (required !== undefined && typeof required !== 'boolean')
    problems.push({ path: 'dpop.required', given: required, allowed: 'true or false' })
  if (spendJti !== undefined && typeof spendJti !== 'function')
    problems.push({ path: 'dpop.spendJti', given: spendJti, allowed: 'a function' })
  return problems
}

export function apiMutualTlsProblems(options: ApiMutualTlsOptions | undefined): ConfigProblem[] {
  if (options === undefined) return []
  const { certificateHeader, trustedProxies: proxies } = options
  const problems: ConfigProblem[] = []
  if (typeof certificateHeader !== 'string' || !/^[a-z0-9-]+$/.test(certificateHeader)) {
    problems.push({
      path: 'mutualTls.certificateHeader',
      given: certificateHeader,
      allowed: 'the name of a header in lower case',
      example: 'x-client-cert',
    })
  }
  try {
    if (trustedProxies(proxies) === undefined || proxies.length === 0) throw new Error('none is given')
  } catch (error) {
    const given = (error as Error).message
    problems.push({
      path: 'mutualTls.trustedProxies',
      given,
      allowed: 'addresses or subnets',
      example: '10.0.0.0/8',
    })
  }
  return problems
}
