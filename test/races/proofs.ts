// Races for DPoP proofs: RFC 9449 §11.1 (N99), §5, RFC 9700 §4.14.2 (N84).

import assert from 'node:assert/strict'
import { sql } from '../../src/db/sql.ts'
import { makeProof, makeProofKey } from '../support/dpop.ts'
import { makePkce } from '../support/flow.ts'
import type { Aimless, Field } from './field.ts'
import { backChannelShot, redeemShot, refreshShot, tokensOf } from './field.ts'
import type { Answer } from './http.ts'
import type { Race } from './race.ts'

const key = await makeProofKey()

/** The shot with a new proof; every process knows the nonce. */
async function proven(field: Field, shot: Aimless): Promise<Aimless> {
  const dpop = await makeProof(key, { nonce: field.app.server.nonces.current(Date.now()) })
  return { ...shot, headers: { ...shot.headers, dpop } }
}

/** Successes, and how many were refused for their proof; anything else fails. */
function partProofs(answers: readonly Answer[]) {
  const won = answers.filter((answer) => answer.status === 200).map(tokensOf)
  for (const { status, body } of answers) {
    if (status === 200) continue
    assert.equal(status, 400, body)
    assert.equal((JSON.parse(body) as { error: string }).error, 'invalid_dpop_proof')
  }
  return { won, lost: answers.length - won.length }
}

export const oneProof: Race = {
  name: 'RFC 9449 §11.1: one proof, sent by all at once, gives one token and then never again (N99)',
  async prepare(field) {
    return async (count) => {
      const client = await field.createClient({ redirectUris: [], grantTypes: ['client_credentials'] })
      const shot = backChannelShot('/oauth/token', client, { grant_type: 'client_credentials' })
      const raced = await proven(field, shot)
      const { won, lost } = partProofs([...(await field.volley(raced)), await field.ask(raced)])
      count({ '200': won.length, invalid_dpop_proof: lost })
      assert.equal(won.length, 1)
      const [row] = await field.query(
        sql<{
          count: number
        }>`select count(*) as count from access_tokens where client_id = ${client.client.id}`,
      )
      assert.equal(Number(row!.count), 1)
      tokensOf(await field.ask(await proven(field, shot)))
    }
  },
}

export const oneProofForRefresh: Race = {
  name: 'RFC 9449 §11.1: one refresh with one proof, sent by all at once, is answered once and ends no session (N84, N99)',
  async prepare(field) {
    const client = await field.createClient({ tokenEndpointAuthMethod: 'none' })
    return async (count) => {
      const user = field.newUser()
      const pkce = makePkce()
      const code = await field.obtainCode(client, user, pkce)
      const first = tokensOf(await field.ask(await proven(field, redeemShot(client, code, pkce))))
        .refresh_token!
      const refresh = refreshShot(client, first)
      const { won, lost } = partProofs(await field.volley(await proven(field, refresh)))
      count({ '200': won.length, invalid_dpop_proof: lost })
      assert.equal(won.length, 1)

      // Retries of the same request, each with a proof of its own, get the answer that was lost.
      const shots = await Promise.all(Array.from({ length: field.volleySize }, () => proven(field, refresh)))
      const retried = partProofs(await field.fire(shots))
      assert.equal(retried.lost, 0)
      assert.deepEqual(
        [...new Set(retried.won.map((tokens) => tokens.refresh_token))],
        [won[0]!.refresh_token],
      )
      assert.equal(await field.countEvents('reuse_detected', user), 0)
    }
  },
}
