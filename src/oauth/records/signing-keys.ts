import type { Algorithm } from '../../crypto/jws.ts'
import { from, insert, returning, sql, write } from '../../db/sql.ts'
import { appendEvent, eventColumns } from '../../events/append.ts'

export interface SigningKeyRow {
  kid: string
  generation: number
  alg: Algorithm
  public_jwk: string
  sealed_private: string
  source: 'generated' | 'config'
  created_at: number
  not_before: number
  retired_at: number | null
  expires_at: number | null
}

export const signingKeys = () => sql<SigningKeyRow>`select * from signing_keys order by not_before desc, kid`

/** Adds the next generation of its algorithm; nothing happens when another process added it, or this very key, first. */
export const insertSigningKey = write(
  'insert_signing_key',
  {
    kid: 'text',
    alg: 'text',
    generation: 'int',
    public_jwk: 'text',
    sealed_private: 'text',
    source: 'text',
    not_before: 'int',
    now: 'int',
    ...eventColumns,
  },
  (i) => ({
    guard: sql<{ kid: string }>`${insert('signing_keys', {
      kid: i.kid,
      generation: i.generation,
      alg: i.alg,
      public_jwk: i.public_jwk,
      sealed_private: i.sealed_private,
      source: i.source,
      created_at: i.now,
      not_before: i.not_before,
    })} on conflict do nothing returning kid`,
    key: 'kid',
    effects: [appendEvent(i)],
  }),
)

/** The key signs no more; it stays published until `expires_at`. */
export const retireSigningKey = write(
  'retire_signing_key',
  { kid: 'text', now: 'int', expires_at: 'int', ...eventColumns },
  (i) => ({
    guard: sql<{
      kid: string
    }>`update signing_keys set retired_at = ${i.now}, expires_at = ${i.expires_at} ${from}
      where signing_keys.kid = ${i.kid} and signing_keys.retired_at is null ${returning} signing_keys.kid`,
    effects: [appendEvent(i)],
  }),
)

/** Seals a private key anew, under the newest root secret; only over the text that was read. */
export const resealSigningKey = write(
  'reseal_signing_key',
  { kid: 'text', seen: 'text', sealed_private: 'text' },
  (i) => ({
    guard: sql<{ kid: string }>`update signing_keys set sealed_private = ${i.sealed_private} ${from}
      where signing_keys.kid = ${i.kid} and signing_keys.sealed_private = ${i.seen} ${returning} signing_keys.kid`,
  }),
)
