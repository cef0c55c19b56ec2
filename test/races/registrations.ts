// Races for registrations that must be invited: RFC 7591 §3 (N108).

import assert from 'node:assert/strict'
import { sql } from '../../src/db/sql.ts'
import type { Aimless, Field } from './field.ts'
import type { Race } from './race.ts'

const invitation = (uses: number, name: string): Race => ({
  name,
  async prepare(field) {
    return async (count) => {
      const most = Math.min(uses, field.volleySize - 1)
      const made = await field.server.clients.createInitialAccessToken({ name: field.newUser(), uses: most })
      const answers = await field.volley(registerShot(made.token))
      const won = answers.filter(({ status }) => status === 201)
      const lost = answers.filter(({ status }) => status === 401)
      count({ '201': won.length, invalid_token: lost.length })
      assert.deepEqual([won.length, lost.length], [most, answers.length - most])
      for (const { body, headers } of lost) {
        assert.equal((JSON.parse(body) as { error: string }).error, 'invalid_token')
        assert.match(headers.get('www-authenticate')!, /^Bearer .*error="invalid_token"/)
      }
      const ids = won.map(({ body }) => (JSON.parse(body) as { client_id: string }).client_id)
      assert.equal(new Set(ids).size, most)
      assert.equal(await clientsInvitedBy(field, made.id), most)
      const [row] = await field.query(
        sql<{ uses_left: number }>`select uses_left from initial_access_tokens where id = ${made.id}`,
      )
      assert.equal(row!.uses_left, 0)
    }
  },
})

export const oneInvitation = invitation(
  1,
  'RFC 7591 §3: one initial access token, used by all at once, registers one client (N108)',
)

export const severalInvitations = invitation(
  5,
  'RFC 7591 §3: an initial access token for several, used by all at once, registers exactly so many (N108)',
)

function registerShot(token: string): Aimless {
  return {
    method: 'POST',
    path: '/oauth/register',
    headers: { authorization: `Bearer ${token}` },
    json: { redirect_uris: ['https://client.example/callback'], token_endpoint_auth_method: 'none' },
  }
}

/** As the audit log has it, of clients that exist. */
async function clientsInvitedBy(field: Field, id: string): Promise<number> {
  const rows = await field.query(
    sql<{ body: string }>`select e.body from events e join clients c on c.id = e.client_id
      where e.type = 'client_registered'`,
  )
  return rows.filter(
    ({ body }) => (JSON.parse(body) as { data: { invitation?: string } }).data.invitation === id,
  ).length
}
