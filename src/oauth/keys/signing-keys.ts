// RFC 7517 §5, RFC 7518 §3.1, §3.3 to §3.5, RFC 8037 §3.1, OpenID Connect Core §10.1, §10.1.1: the keys that sign, their
// rotation and the published set. There is a key for every algorithm of the metadata, published before it signs.

import type { KeyObject } from 'node:crypto'
import { createPrivateKey } from 'node:crypto'
import type { Core } from '../../core.ts'
import {
  type Algorithm,
  algorithms,
  generateRsaSigningKey,
  generateSigningKey,
  type PublicJwk,
  publicKeyFrom,
  type SigningKey,
  signingKeyFromBase64,
} from '../../crypto/jws.ts'
import { eventInput } from '../../events/append.ts'
import { bounds } from '../config/tokens.ts'
import {
  insertSigningKey,
  resealSigningKey,
  retireSigningKey,
  type SigningKeyRow,
  signingKeys,
} from '../records/signing-keys.ts'

/** A new key is published so long before it signs that every cache of the set has seen it. */
export const publishAhead = 24 * 3_600_000
/** Caches may keep the published set for so long, in seconds. */
export const jwksMaxAge = 3_600
/** Other processes' rotations are noticed within this time, in milliseconds. */
const reloadEvery = 60_000

/** The signing keys as they stand now, the same in every process within a minute. */
export interface SigningKeys {
  /** Signs now. There is always one of ES256; throws for another algorithm before `complete` or `ensure` made its key. */
  current(alg?: Algorithm): SigningKey
  /** The key that signs with an algorithm; made when it is the first. */
  ensure(alg: Algorithm): Promise<SigningKey>
  /** Makes the first key of every algorithm that has none. The key set is not published before this has resolved once. */
  complete(): Promise<void>
  /** Verifies what a published key signed with this algorithm (default ES256); undefined for an unknown `kid`. */
  verifier(kid: string, alg?: Algorithm): KeyObject | undefined
  /** The JSON text of the JWK set (RFC 7517 §5). */
  jwks(): string
  /**
   * For each algorithm there are keys of: creates a successor when the newest key is due, retires the old one once the
   * successor signs. `early` creates it though none is due, published ahead as always; `force` lets it sign at once.
   */
  rotate(options?: { force?: boolean; early?: boolean }): Promise<{ created: string[]; retired: string[] }>
  /** Seals the private keys anew under the newest root secret. Throws `UnknownSecret` for one that cannot be opened. */
  reseal(): Promise<void>
  /** Every published key, newest first. */
  list(): SigningKeyStatus[]
  reload(): Promise<void>
}

/** A key as an administrator sees it. Times in epoch milliseconds. */
export interface SigningKeyStatus {
  kid: string
  alg: Algorithm
  state: 'signs' | 'published ahead' | 'retired'
  source: SigningKeyRow['source']
  createdAt: number
  /** Signs from then on. */
  notBefore: number
  retiredAt: number | null
  /** Leaves the published set then. */
  expiresAt: number | null
  /** Which root secret seals it. */
  sealedWith: string
}

export async function openSigningKeys(core: Core): Promise<SigningKeys> {
  let rows: SigningKeyRow[] = []
  const generations = new Map<Algorithm, number>()
  let loadedAt = 0
  let loading: Promise<void> | undefined
  let jwks = ''
  const signers = new Map<string, SigningKey>()
  const verifiers = new Map<string, { alg: Algorithm; key: KeyObject }>()
  const firstKeys = new Map<Algorithm, Promise<SigningKey>>()

  async function load(): Promise<void> {
    const found = await core.db.query(signingKeys())
    const now = core.now()
    rows = found.filter((row) => row.expires_at === null || row.expires_at > now)
    for (const { alg, generation } of found) {
      generations.set(alg, Math.max(generation, generations.get(alg) ?? 0))
    }
    loadedAt = now
    verifiers.clear()
    const published = rows.map((row) => JSON.parse(row.public_jwk) as PublicJwk)
    for (const jwk of published) verifiers.set(jwk.kid, { alg: jwk.alg, key: publicKeyFrom(jwk) })
    jwks = JSON.stringify({ keys: published })
  }

  const reload = () => (loading ??= load().finally(() => (loading = undefined)))

  function refreshInBackground() {
    if (core.now() - loadedAt < reloadEvery) return
    loadedAt = core.now()
    reload().catch((error) => core.log.warn('signing keys could not be read again', { error: String(error) }))
  }

  function signerOf(row: SigningKeyRow): SigningKey {
    let key = signers.get(row.kid)
    if (!key) {
      const pem = core.secrets.open(row.sealed_private, sealingContext(row.kid))
      const publicJwk = JSON.parse(row.public_jwk) as PublicJwk
      key = { kid: row.kid, alg: row.alg, privateKey: createPrivateKey(pem), publicJwk }
      signers.set(row.kid, key)
    }
    return key
  }

  function currentRow(alg: Algorithm, now: number): SigningKeyRow | undefined {
    const living = rows.filter((row) => row.alg === alg && row.retired_at === null)
    return living.find((row) => row.not_before <= now) ?? living[0]
  }

  const nextGeneration = (alg: Algorithm) => (generations.get(alg) ?? 0) + 1

  /** Adds a key as the next generation of its algorithm; false when another process did so first. */
  async function add(
    key: SigningKey,
    source: 'generated' | 'config',
    notBefore: number,
    generation: number,
  ): Promise<boolean> {
    const now = core.now()
    const pem = key.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
    const added = await core.db.write(insertSigningKey, {
      kid: key.kid,
      alg: key.alg,
      generation,
      public_jwk: JSON.stringify(key.publicJwk),
      sealed_private: core.secrets.seal(pem, sealingContext(key.kid)),
      source,
      not_before: notBefore,
      now,
      ...eventInput(now, 'signing_key_created', {}, { kid: key.kid, alg: key.alg, source }),
    })
    return added.length > 0
  }

  async function makeFirst(alg: Algorithm): Promise<SigningKey> {
    await reload()
    if (!currentRow(alg, core.now())) {
      // Taken before the key is made: what another process adds meanwhile is the same generation.
      const generation = nextGeneration(alg)
      await add(await generate(alg), 'generated', core.now(), generation)
      await load()
    }
    return signerOf(currentRow(alg, core.now())!)
  }

  async function ensure(alg: Algorithm): Promise<SigningKey> {
    refreshInBackground()
    const row = currentRow(alg, core.now())
    if (row) return signerOf(row)
    let first = firstKeys.get(alg)
    if (!first) firstKeys.set(alg, (first = makeFirst(alg).finally(() => firstKeys.delete(alg))))
    return first
  }

  async function reseal(): Promise<void> {
    await reload()
    for (const row of rows) {
      if (sealedWith(row) === core.secrets.newestId) continue
      const pem = core.secrets.open(row.sealed_private, sealingContext(row.kid))
      await core.db.write(resealSigningKey, {
        kid: row.kid,
        seen: row.sealed_private,
        sealed_private: core.secrets.seal(pem, sealingContext(row.kid)),
      })
    }
    await reload()
  }

  async function succeed(alg: Algorithm, { force, early }: { force?: boolean; early?: boolean }) {
    const now = core.now()
    const newest = rows.find((row) => row.alg === alg)
    const due =
      newest === undefined || newest.not_before + core.settings.signingKeys.rotateEvery - publishAhead <= now
    if (!due && !force && !early) return []
    const generation = nextGeneration(alg)
    const key = await generate(alg)
    const notBefore = newest === undefined || force ? now : now + publishAhead
    const added = await add(key, 'generated', notBefore, generation)
    await reload()
    return added ? [key.kid] : []
  }

  async function retire(alg: Algorithm): Promise<string[]> {
    const now = core.now()
    const current = currentRow(alg, now)
    const replaced = rows.filter(
      (row) => row.alg === alg && row.retired_at === null && row !== current && row.not_before <= now,
    )
    for (const { kid } of replaced) {
      await core.db.write(retireSigningKey, {
        kid,
        now,
        expires_at: now + bounds.accessTokenLifetime[1] + jwksMaxAge * 1_000,
        ...eventInput(now, 'signing_key_retired', {}, { kid, alg }),
      })
    }
    if (replaced.length > 0) await reload()
    return replaced.map((row) => row.kid)
  }

  const ring: SigningKeys = {
    current(alg = 'ES256') {
      refreshInBackground()
      const row = currentRow(alg, core.now())
      if (!row) throw new Error(`there is no signing key of ${alg} yet`)
      return signerOf(row)
    },
    ensure,
    async complete() {
      const missing = algorithms.filter((alg) => !currentRow(alg, core.now()))
      if (missing.length > 0) await Promise.all(missing.map(ensure))
    },
    verifier(kid, alg = 'ES256') {
      refreshInBackground()
      const known = verifiers.get(kid)
      return known?.alg === alg ? known.key : undefined
    },
    jwks() {
      refreshInBackground()
      return jwks
    },
    async rotate(options = {}) {
      await reload()
      const created: string[] = []
      const retired: string[] = []
      for (const alg of algorithms) {
        created.push(...(await succeed(alg, options)))
        retired.push(...(await retire(alg)))
      }
      return { created, retired }
    },
    reseal,
    list() {
      const now = core.now()
      return rows.map((row) => ({
        kid: row.kid,
        alg: row.alg,
        state:
          row.retired_at !== null
            ? 'retired'
            : row === currentRow(row.alg, now)
              ? 'signs'
              : 'published ahead',
        source: row.source,
        createdAt: row.created_at,
        notBefore: row.not_before,
        retiredAt: row.retired_at,
        expiresAt: row.expires_at,
        sealedWith: sealedWith(row),
      }))
    },
    reload,
  }

  await load()
  const given = core.settings.signingKeys.ecPrivateKeyBase64
  if (given !== null) {
    const key = signingKeyFromBase64(given)
    for (let attempt = 0; attempt < 5 && !rows.some((row) => row.kid === key.kid); attempt++) {
      // Where another key signs already, caches of the key set learn of this one first.
      const replaces = currentRow('ES256', core.now()) !== undefined
      await add(key, 'config', core.now() + (replaces ? jwksMaxAge * 1_000 : 0), nextGeneration('ES256'))
      await load()
    }
  }
  if (!currentRow('ES256', core.now())) await ensure('ES256')
  const others = Object.values(core.settings.resources).map((one) => one.tokenSigningAlg ?? 'ES256')
  for (const alg of new Set(others)) await ensure(alg)
  if (rows.some((row) => sealedWith(row) !== core.secrets.newestId)) await reseal()
  // Opened while they surely can be: another process may seal them anew under a secret this one learns of later.
  for (const row of rows) if (row === currentRow(row.alg, core.now())) signerOf(row)
  return ring
}

function generate(alg: Algorithm): SigningKey | Promise<SigningKey> {
  return alg === 'RS256' || alg === 'PS256' ? generateRsaSigningKey(alg) : generateSigningKey(alg)
}

/** Which published keys the secrets at hand can open; changes nothing. */
export async function inspectSigningKeys(
  core: Pick<Core, 'db' | 'secrets' | 'now'>,
): Promise<{ kid: string; opens: boolean; sealedWith: string }[]> {
  const rows = await core.db.query(signingKeys())
  const published = rows.filter((row) => row.expires_at === null || row.expires_at > core.now())
  return published.map((row) => {
    let opens = true
    try {
      core.secrets.open(row.sealed_private, sealingContext(row.kid))
    } catch {
      opens = false
    }
    return { kid: row.kid, opens, sealedWith: sealedWith(row) }
  })
}

function sealedWith(row: SigningKeyRow): string {
  return row.sealed_private.split('.')[1] ?? 'unknown'
}

function sealingContext(kid: string): string {
  return `signing_keys ${kid} sealed_private`
}
