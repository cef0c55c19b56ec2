// RFC 8725 §3.1 and §3.2 (algorithm allow-list, algorithms bound to their keys) and RFC 7518 §3.2, §3.3 (key sizes): which tokens of an issuer count, checked when the server starts.
import { createPublicKey, type KeyObject } from 'node:crypto'
import type { JSONWebKeySet } from 'jose'
import type { ConfigProblem } from '../../config-error.ts'
import { isSafeUrl } from '../sign-in-redirect.ts'

/** Where the keys come from: exactly one of these. */
export interface TokenKeys {
  /** Public keys, pinned. */
  jwks?: JSONWebKeySet
  /** Where the provider publishes its keys: https, or http on loopback. Read on first use, kept for ten minutes. */
  jwksUri?: string
  /** One public key, PEM (`BEGIN PUBLIC KEY`). No network is used. `\n` written out, as in environment variables, is understood. */
  publicKey?: string
  /** A shared secret of at least 32 bytes, for issuers that still sign with HS256. Never beside public keys. */
  secret?: string
}

export interface TokenRules extends TokenKeys {
  /** `iss`, compared byte for byte: `https://example.com` and `https://example.com/` are two issuers. */
  issuer: string
  /** `aud` must contain one of these. */
  audience?: string | readonly string[]
  /** `azp` must be one of these; a token without `azp` is refused. */
  authorizedParties?: readonly string[]
  /** Signature algorithms that count. Default RS256, PS256, ES256 and EdDSA, as far as they fit the key. */
  algorithms?: readonly string[]
  /** Seconds the two clocks may differ. Default 5, at most 300. */
  clockTolerance?: number
  /** Accept tokens in which somebody acts for the user (`act`). Default false; the actor then stands in `claims.act`. */
  allowImpersonation?: boolean
}

export const CLOCK_TOLERANCE = 5
const PUBLIC_KEY_ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519']
const MORE_PUBLIC_KEY_ALGORITHMS = ['RS384', 'RS512', 'PS384', 'PS512', 'ES384', 'ES512']
const SECRET_ALGORITHMS = ['HS256', 'HS384', 'HS512']
const SHORTEST_SECRET = 32

/** The algorithms a token may use under these rules; with a PEM key only those that fit it. */
export function allowedAlgorithms(rules: TokenRules): string[] {
  if (rules.secret !== undefined) return [...(rules.algorithms ?? ['HS256'])]
  if (rules.algorithms) return [...rules.algorithms]
  if (rules.publicKey === undefined) return PUBLIC_KEY_ALGORITHMS
  const fitting = algorithmsOf(readPublicKey(rules.publicKey)!)
  const usual = fitting.filter((algorithm) => PUBLIC_KEY_ALGORITHMS.includes(algorithm))
  return usual.length > 0 ? usual : fitting
}

function algorithmsOf(key: KeyObject): string[] {
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
    case 'ed25519':
      return ['EdDSA', 'Ed25519']
    case 'ec': {
      const byCurve: Record<string, string> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' }
      const algorithm = byCurve[key.asymmetricKeyDetails?.namedCurve ?? '']
      return algorithm ? [algorithm] : []
    }
    default:
      return []
  }
}

/** The body is decoded by hand because environment variables lose line breaks, and because Node would accept a private key here. */
export function readPublicKey(pem: string): KeyObject | undefined {
  const found = /-----BEGIN PUBLIC KEY-----([\s\S]+?)-----END PUBLIC KEY-----/.exec(
    pem.replaceAll('\\n', '\n'),
  )
  if (!found) return undefined
  try {
    return createPublicKey({ key: Buffer.from(found[1]!, 'base64'), format: 'der', type: 'spki' })
  } catch {
    return undefined
  }
}

/** Every problem of the rules at once. `path` is the adapter's name, as it begins each problem's path. */
export function checkTokenRules(rules: TokenRules, path: string): ConfigProblem[] {
  const problems = [...checkKeys(rules, path), ...checkAlgorithms(rules, path)]
  if (!isSafeUrl(rules.issuer)) {
    problems.push({
      path: `${path}.issuer`,
      given: rules.issuer,
      allowed: 'the https URL that stands in `iss`, with or without its trailing slash exactly as there',
      example: "'https://id.example.com/'",
    })
  }
  const audiences = rules.audience === undefined ? undefined : [rules.audience].flat()
  if (audiences && !isListOfNames(audiences)) {
    problems.push({
      path: `${path}.audience`,
      given: rules.audience,
      allowed: 'one non-empty text or a list of them',
      example: "'https://api.example.com'",
    })
  }
  if (rules.authorizedParties !== undefined && !isListOfNames(rules.authorizedParties)) {
    problems.push({
      path: `${path}.authorizedParties`,
      given: rules.authorizedParties,
      allowed: 'a list of at least one `azp` value',
      example: "['my-web-app']",
    })
  }
  const tolerance: unknown = rules.clockTolerance
  if (tolerance !== undefined && !(typeof tolerance === 'number' && tolerance >= 0 && tolerance <= 300)) {
    problems.push({
      path: `${path}.clockTolerance`,
      given: tolerance,
      allowed: 'seconds from 0 to 300',
      example: '5',
    })
  }
  return problems
}

function checkKeys(rules: TokenRules, path: string): ConfigProblem[] {
  const given = (['jwks', 'jwksUri', 'publicKey', 'secret'] as const).filter(
    (name) => rules[name] !== undefined,
  )
  if (given.length !== 1) {
    return [
      {
        path: `${path}.jwksUri`,
        given: given.length === 0 ? undefined : given,
        allowed: 'exactly one of jwksUri, jwks, publicKey, secret',
        example: "jwksUri: 'https://id.example.com/.well-known/jwks.json'",
      },
    ]
  }
  if (rules.jwksUri !== undefined && !isSafeUrl(rules.jwksUri)) {
    return [
      {
        path: `${path}.jwksUri`,
        given: rules.jwksUri,
        allowed: 'an https URL (http on loopback)',
        example: "'https://id.example.com/.well-known/jwks.json'",
      },
    ]
  }
  if (rules.jwks !== undefined && !isPublicKeySet(rules.jwks)) {
    return [
      {
        path: `${path}.jwks`,
        allowed:
          'a JSON Web Key Set of public keys only: { keys: […] } with kty RSA, EC or OKP and no private members',
      },
    ]
  }
  if (rules.publicKey !== undefined && algorithmsFitting(rules.publicKey).length === 0) {
    return [
      {
        path: `${path}.publicKey`,
        allowed:
          'a PEM block "BEGIN PUBLIC KEY" with an RSA key of at least 2048 bits, an EC key on P-256, P-384 or P-521, or an Ed25519 key',
      },
    ]
  }
  if (rules.secret !== undefined && !(Buffer.byteLength(String(rules.secret)) >= SHORTEST_SECRET)) {
    return [{ path: `${path}.secret`, allowed: `a text of at least ${SHORTEST_SECRET} bytes` }]
  }
  return []
}

function checkAlgorithms(rules: TokenRules, path: string): ConfigProblem[] {
  if (rules.algorithms === undefined) return []
  let allowed = [...PUBLIC_KEY_ALGORITHMS, ...MORE_PUBLIC_KEY_ALGORITHMS]
  if (rules.secret !== undefined) allowed = SECRET_ALGORITHMS
  if (typeof rules.publicKey === 'string') allowed = algorithmsFitting(rules.publicKey)
  const given = rules.algorithms
  if (isListOfNames(given) && given.every((algorithm) => allowed.includes(algorithm))) return []
  return [
    {
      path: `${path}.algorithms`,
      given,
      allowed: `a list from ${allowed.join(', ')}${rules.secret === undefined ? ' (HS256 only with `secret`, never beside public keys)' : ''}`,
      example: `['${allowed[0] ?? 'RS256'}']`,
    },
  ]
}

function algorithmsFitting(pem: unknown): string[] {
  const key = typeof pem === 'string' ? readPublicKey(pem) : undefined
  if (!key || (key.asymmetricKeyDetails?.modulusLength ?? 2048) < 2048) return []
  return algorithmsOf(key)
}

function isPublicKeySet(jwks: unknown): boolean {
  const keys = (jwks as { keys?: unknown } | null)?.keys
  if (!Array.isArray(keys) || keys.length === 0) return false
  return keys.every(
    (key) => ['RSA', 'EC', 'OKP'].includes(key?.kty) && key.d === undefined && key.k === undefined,
  )
}

function isListOfNames(list: unknown): list is string[] {
  return (
    Array.isArray(list) && list.length > 0 && list.every((name) => typeof name === 'string' && name !== '')
  )
}
