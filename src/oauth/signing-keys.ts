// RFC 7517 §5, RFC 7518 §3.4: the ES256 keys that sign access tokens, their rotation and the published set.

import type { KeyObject } from 'node:crypto'
import { createPrivateKey } from 'node:crypto'
import { bounds } from '../config.ts'
import type { Core } from '../core.ts'
import {
  generateSigningKey,
  type PublicJwk,
  publicKeyFrom,
  type SigningKey,
  signingKeyFromBase64,
} from '../crypto/jws.ts'
import { eventInput } from '../events/append.ts'
import {
  insertSigningKey,
  resealSigningKey,
  retireSigningKey,
  type SigningKeyRow,
  signingKeys,
} from './records/signing-keys.ts'

/** A new key is published so long before it signs that every cache of the set has seen it. */
export const publishAhead = 24 * 3_600_000
/** Caches may keep the published set for so long, in seconds. */
export const jwksMaxAge = 3_600
/** Other processes' rotations are noticed within this time, in milliseconds. */
const reloadEvery = 60_000

/** The signing keys as they stand now, the same in every process within a minute. */
export interface SigningKeys {
  /** Signs now. */
  current(): SigningKey
  /** Verifies what a published key signed; undefined for an unknown `kid`. */
  verifier(kid: string): KeyObject | undefined
  /** The JSON text of the JWK set (RFC 7517 §5). */
  jwks(): string
  /**
   * Creates a successor when the newest key is due, retires the old one once the successor signs. `early` creates it
   * though none is due, published ahead as always; `force` lets it sign at once.
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
  let generation = 0
  let loadedAt = 0
  let loading: Promise<void> | undefined
  let jwks = ''
  const signers = new Map<string, SigningKey>()
  const verifiers = new Map<string, KeyObject>()

  async function load(): Promise<void> {
    const found = await core.db.query(signingKeys())
    const now = core.now()
    rows = found.filter((row) => row.expires_at === null || row.expires_at > now)
    generation = Math.max(0, ...found.map((row) => row.generation))
    loadedAt = now
    verifiers.clear()
    const published = rows.map((row) => JSON.parse(row.public_jwk) as PublicJwk)
    for (const jwk of published) verifiers.set(jwk.kid, publicKeyFrom(jwk))
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
      key = { kid: row.kid, privateKey: createPrivateKey(pem), publicJwk: JSON.parse(row.public_jwk) }
      signers.set(row.kid, key)
    }
    return key
  }

  function currentRow(now: number): SigningKeyRow | undefined {
    const usable = rows.filter((row) => row.retired_at === null && row.not_before <= now)
    return usable[0] ?? rows.find((row) => row.retired_at === null)
  }

  /** Adds a key after those that are loaded; false when another process did so first. */
  async function add(key: SigningKey, source: 'generated' | 'config', notBefore: number): Promise<boolean> {
    const now = core.now()
    const pem = key.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
    const added = await core.db.write(insertSigningKey, {
      kid: key.kid,
      generation: generation + 1,
      public_jwk: JSON.stringify(key.publicJwk),
      sealed_private: core.secrets.seal(pem, sealingContext(key.kid)),
      source,
      not_before: notBefore,
      now,
      ...eventInput(now, 'signing_key_created', {}, { kid: key.kid, source }),
    })
    return added.length > 0
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

  const ring: SigningKeys = {
    current() {
      refreshInBackground()
      return signerOf(currentRow(core.now())!)
    },
    verifier(kid) {
      refreshInBackground()
      return verifiers.get(kid)
    },
    jwks() {
      refreshInBackground()
      return jwks
    },
    async rotate(options = {}) {
      await reload()
      const now = core.now()
      const newest = rows[0]
      const created: string[] = []
      const retired: string[] = []
      const due =
        newest === undefined ||
        newest.not_before + core.settings.signingKeys.rotateEvery - publishAhead <= now
      if (due || options.force || options.early) {
        const key = generateSigningKey()
        const notBefore = newest === undefined || options.force ? now : now + publishAhead
        if (await add(key, 'generated', notBefore)) created.push(key.kid)
        await reload()
      }
      const current = currentRow(now)
      for (const row of rows) {
        if (row.retired_at !== null || row.kid === current?.kid || row.not_before > now) continue
        await core.db.write(retireSigningKey, {
          kid: row.kid,
          now,
          expires_at: now + bounds.accessTokenLifetime[1] + jwksMaxAge * 1_000,
          ...eventInput(now, 'signing_key_retired', {}, { kid: row.kid }),
        })
        retired.push(row.kid)
      }
      if (retired.length > 0) await reload()
      return { created, retired }
    },
    reseal,
    list() {
      const current = currentRow(core.now())
      return rows.map((row) => ({
        kid: row.kid,
        state: row.retired_at !== null ? 'retired' : row === current ? 'signs' : 'published ahead',
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
      await add(key, 'config', core.now())
      await load()
    }
  }
  if (rows.every((row) => row.retired_at !== null)) await ring.rotate()
  if (rows.some((row) => sealedWith(row) !== core.secrets.newestId)) await reseal()
  // Opened while it surely can be: another process may seal it anew under a secret this one learns of later.
  ring.current()
  return ring
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
