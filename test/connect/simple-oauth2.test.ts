import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onBothDatabases } from '../support/gatehouse.ts'
import { connected } from './connected.ts'

onBothDatabases('docs/connect/simple-oauth2.md', (dialect) => {
  const at = connected(dialect, { page: 'simple-oauth2', workspace: 'simple-oauth2', path: '' })

  test('an API is called for a person, again after a refresh, and no more after revokeAll', async () => {
    const { app, clients, gatehouse, newPerson } = at.current
    const person = newPerson()
    const jobs = await person.visit(`${app}/login`)
    assert.equal(jobs.url, `${app}/jobs`)
    const { for: subject } = JSON.parse(jobs.text)
    assert.match(subject, /^usr_/)
    assert.deepEqual(JSON.parse((await person.visit(`${app}/jobs?refresh=1`)).text), { for: subject })
    const out = await person.visit(`${app}/logout`)
    assert.deepEqual(JSON.parse(out.text), { signedIn: false }, out.text)
    const revoked = (await gatehouse('events', 'list')).filter(({ type }) => type === 'token_revoke')
    assert.ok(revoked.length > 0)
    for (const event of revoked) assert.equal(event['client_id'], clients[0]!.client_id)
  })

  test('a program gets a token of its own', async () => {
    const { clients, run } = at.current
    assert.equal(await run('job.js', clients[1]!), 'Bearer jobs:read\n')
  })
})
