// What several processes do when they start at the same moment on an empty database.

import assert from 'node:assert/strict'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { sql } from '../../src/db/sql.ts'
import { issuer } from '../support/gatehouse.ts'
import { backChannelShot, type Field, tokensOf } from './field.ts'

/**
 * The processes of a field have just started together. Every step of the schema was applied once, and whatever one
 * process signs is verified by the key set that any other one publishes (RFC 7517 §5, RFC 9068 §4).
 */
export async function checkStart(field: Field): Promise<Record<string, number>> {
  const steps = await field.query(
    sql<{ version: number }>`select version from schema_migrations order by version`,
  )
  assert.deepEqual(
    steps.map((step) => step.version),
    steps.map((_, n) => n + 1),
  )
  const keys = await field.query(
    sql<{ kid: string; retired_at: number | null }>`select kid, retired_at from signing_keys`,
  )
  assert.deepEqual(
    keys.map((key) => key.retired_at),
    [null],
    'one key, which signs',
  )
  const [created] = await field.query(
    sql<{ count: number }>`select count(*) as count from events where type = 'signing_key_created'`,
  )
  assert.equal(created!.count, 1)

  const client = await field.createClient({ redirectUris: [], grantTypes: ['client_credentials'] })
  const ask = backChannelShot('/oauth/token', client, { grant_type: 'client_credentials' })
  const tokens = (await field.fire(field.workers.map(() => ask))).map(
    (answer) => tokensOf(answer).access_token,
  )
  const sets = await field.fire(
    field.workers.map(() => ({ method: 'GET', path: '/.well-known/jwks.json' }) as const),
  )
  for (const set of sets) {
    const verifies = createLocalJWKSet(JSON.parse(set.body))
    for (const token of tokens) await jwtVerify(token, verifies, { issuer, typ: 'at+jwt' })
  }
  return { keys: keys.length, steps: steps.length }
}
