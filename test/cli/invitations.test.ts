// gatehouse-auth clients invite, invitations and uninvite, beside a running server, on both databases.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onBothDatabases } from '../support/gatehouse.ts'
import { besideServer } from './beside.ts'

onBothDatabases('gatehouse clients invite', (dialect) => {
  const { gatehouse, json, server } = besideServer(
    dialect,
    "registration: { policy: 'initial_access_token' }",
  )

  const register = async (token: string) => {
    const answer = await fetch(`${server().url}/oauth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({
        redirect_uris: ['https://client.example/callback'],
        token_endpoint_auth_method: 'none',
      }),
    })
    return answer.status
  }

  test('RFC 7591 §3: a token is printed once and registers as many clients as it says', async () => {
    const made = await gatehouse('clients', 'invite', '--name', 'Partner', '--uses', '2', '--lifetime', '600')
    assert.equal(made.code, 0, made.stderr)
    const [, token] = /^initial_access_token +(gh_ia_\S+)$/m.exec(made.stdout) ?? []
    const [, id] = /^invitation +(\S+)$/m.exec(made.stdout) ?? []
    assert.ok(token && id)
    assert.doesNotMatch(made.stderr, /gh_ia_/)
    assert.deepEqual([await register(token), await register(token), await register(token)], [201, 201, 401])
    const [shown] = await json('clients', 'invitations')
    assert.deepEqual(
      [shown?.invitation, shown?.name, shown?.state, shown?.uses_left],
      [id, 'Partner', 'active', 0],
    )
    for (const args of [
      ['clients', 'invitations'],
      ['events', 'list'],
    ]) {
      const { stdout } = await gatehouse(...args)
      assert.match(stdout, /Partner/)
      assert.ok(!stdout.includes(token))
    }
  })

  test('RFC 7591 §3: a token that was ended registers nobody', async () => {
    const [made] = await json<{ invitation: string; initial_access_token: string }>(
      'clients',
      'invite',
      '--name',
      'Gone',
    )
    assert.equal((await gatehouse('clients', 'uninvite', made!.invitation)).code, 0)
    assert.equal(await register(made!.initial_access_token), 401)
    const again = await gatehouse('clients', 'uninvite', made!.invitation)
    assert.equal(again.code, 1)
    assert.match(again.stderr, /clients invitations/)
    assert.match((await gatehouse('clients', 'invitations')).stdout, /Gone +ended/)
  })

  test('what an invitation needs is said', async () => {
    assert.equal((await gatehouse('clients', 'invite')).code, 2)
    assert.equal((await gatehouse('clients', 'invite', '--name', 'A', '--uses', '0')).code, 2)
    assert.equal((await gatehouse('clients', 'uninvite')).code, 2)
  })
})
