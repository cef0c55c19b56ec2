import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Accounts, UnverifiedWebhook } from '../../src/accounts/account.ts'
import { localAccounts } from '../../src/accounts/local.ts'
import { findUser } from '../../src/accounts/user-list.ts'
import { deleteUser, disableUser, enableUser } from '../../src/accounts/user-operations.ts'
import { raw, sql } from '../../src/db/sql.ts'
import {
  assertError,
  authorize,
  authorizeParameters,
  introspect,
  makePkce,
  obtainCode,
  obtainTokens,
  redeem,
  refresh,
} from '../support/flow.ts'
import { alice, bob, onBothDatabases, type TestServer, testServerFor } from '../support/gatehouse.ts'
import { ann, visit } from './visitor.ts'

const countOf = async (testServer: TestServer, table: string, userId: string): Promise<number> => {
  const [row] = await testServer.app.server.db.query(
    sql<{ count: number }>`select count(*) as count from ${raw(table)} where user_id = ${userId}`,
  )
  return Number(row!.count)
}
const eventsOf = async (testServer: TestServer, userId: string) =>
  testServer.app.server.db.query(
    sql<{ type: string; body: string; ip_address: string | null }>`select type, body, ip_address from events
      where user_id = ${userId} order by created_at, id`,
  )

onBothDatabases('users', (dialect) => {
  const open = testServerFor(dialect)

  test('N86: disabling a user ends tokens, codes and the right to new ones at once; enabling opens the door again', async () => {
    const testServer = await open()
    testServer.signedIn.account = { ...alice, authTime: testServer.clock.now() }
    const client = await testServer.createClient()
    const tokens = await obtainTokens(testServer, client)
    const pkce = makePkce()
    const code = await obtainCode(testServer, client, pkce)
    const { server } = testServer.app
    const user = (await findUser(server, 'alice'))!
    assert.equal(await disableUser(server, user.id, 'asked by support'), true)
    assert.equal(await disableUser(server, user.id, 'again'), false)
    assert.deepEqual(await introspect(testServer, client, tokens.access_token), { active: false })
    await assertError(await refresh(testServer, client, tokens.refresh_token!), 400, 'invalid_grant')
    await assertError(await redeem(testServer, client, code, pkce), 400, 'invalid_grant')
    const refused = await authorize(testServer, authorizeParameters(client, makePkce()))
    assert.equal(new URL(refused.headers.get('location')!).searchParams.get('error'), 'access_denied')

    assert.equal(await enableUser(server, user.id), true)
    assert.equal(await enableUser(server, user.id), false)
    await assertError(await refresh(testServer, client, tokens.refresh_token!), 400, 'invalid_grant')
    assert.ok((await obtainTokens(testServer, client)).access_token)
    const types = (await eventsOf(testServer, user.id)).map((one) => one.type)
    assert.equal(types.filter((one) => one === 'user_disabled').length, 1)
    assert.equal(types.filter((one) => one === 'user_enabled').length, 1)
  })

  test('deleting a user removes the person; the audit log keeps the id', async () => {
    const testServer = await open()
    testServer.signedIn.account = { ...bob, authTime: testServer.clock.now(), email: 'bob@example.com' }
    const client = await testServer.createClient()
    const tokens = await obtainTokens(testServer, client)
    const { server } = testServer.app
    const user = (await findUser(server, 'bob'))!
    testServer.clock.advance(1)
    assert.equal(await deleteUser(server, user.id, { address: '198.51.100.77' }), true)
    assert.equal(await deleteUser(server, user.id), false)
    assert.deepEqual(await introspect(testServer, client, tokens.access_token), { active: false })
    await assertError(await refresh(testServer, client, tokens.refresh_token!), 400, 'invalid_grant')
    for (const table of ['identities', 'sign_ins', 'consents', 'sessions', 'codes']) {
      assert.equal(await countOf(testServer, table, user.id), 0, table)
    }
    const event = (await eventsOf(testServer, user.id)).find((one) => one.type === 'user_deleted')!
    assert.deepEqual(JSON.parse(event.body).data, {})
    assert.equal(event.ip_address, null)
    assert.equal(await findUser(server, 'bob'), undefined)
  })
})

onBothDatabases('users with local accounts', (dialect) => {
  const open = testServerFor(dialect, { accounts: localAccounts() })

  test('a disabled user is signed out everywhere and hears so only with the right password', async () => {
    const testServer = await open()
    const visitor = visit(testServer)
    await visitor.signUp()
    const { server } = testServer.app
    const user = (await findUser(server, ann.login))!
    await disableUser(server, user.id, 'asked by support')
    assert.equal((await visitor.get('/account')).status, 303)
    const wrong = await visitor.signIn({ login: ann.login, password: 'wrong wrong wrong wrong' })
    assert.doesNotMatch(wrong.html, /disabled/)
    const right = await visitor.signIn()
    assert.equal(right.status, 403)
    assert.match(right.html, /This account is disabled/)
    assert.equal(visitor.cookies.has('gh_sign_in') && (await visitor.get('/account')).status === 200, false)
    await enableUser(server, user.id)
    assert.equal((await visitor.signIn()).status, 303)
    await deleteUser(server, user.id)
    assert.equal((await visitor.get('/account')).status, 303)
    assert.equal((await visitor.signUp()).status, 303, 'the login is free again')
  })
})

onBothDatabases('user.deleted of an accounts provider', (dialect) => {
  const carol = {
    provider: 'test',
    issuer: 'https://accounts.example',
    subject: 'carol',
    name: 'Carol',
    email: 'c@example.com',
  }
  const accounts: Accounts = {
    authenticate: () => carol,
    async onWebhook(request) {
      if (request.headers.get('x-signature') !== 'right') throw new UnverifiedWebhook('signature')
      const told = (await request.json()) as { type: string; id: string }
      if (told.type !== 'user.deleted') return null
      return { deleted: { provider: 'test', issuer: 'https://accounts.example', subject: told.id } }
    },
  }
  const open = testServerFor(dialect, { accounts })
  const tell = (testServer: TestServer, body: object, signature = 'right') =>
    testServer.request('/webhooks/accounts', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-signature': signature },
      body: JSON.stringify(body),
    })

  test('ends everything of that subject at once, and a statement made before brings nothing back', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const tokens = await obtainTokens(testServer, client)
    const pkce = makePkce()
    const code = await obtainCode(testServer, client, pkce)
    const { server } = testServer.app
    const user = (await findUser(server, 'carol'))!

    assert.equal((await tell(testServer, { type: 'user.deleted', id: 'carol' }, 'wrong')).status, 401)
    assert.equal((await testServer.request('/webhooks/accounts')).status, 405)
    for (const other of [
      { type: 'user.updated', id: 'carol' },
      { type: 'user.deleted', id: 'nobody' },
    ]) {
      const answer = await tell(testServer, other)
      assert.equal(answer.status, 200)
      assert.deepEqual(await answer.json(), { deleted: false })
    }
    assert.equal((await introspect(testServer, client, tokens.access_token)).active, true)

    const answer = await tell(testServer, { type: 'user.deleted', id: 'carol' })
    assert.deepEqual([answer.status, await answer.json()], [200, { deleted: true }])
    assert.deepEqual(await introspect(testServer, client, tokens.access_token), { active: false })
    await assertError(await refresh(testServer, client, tokens.refresh_token!), 400, 'invalid_grant')
    await assertError(await redeem(testServer, client, code, pkce), 400, 'invalid_grant')
    assert.equal(await countOf(testServer, 'consents', user.id), 0)

    // The seam still vouches, as a provider's one-minute token would.
    const refused = await authorize(testServer, authorizeParameters(client, makePkce()))
    assert.equal(new URL(refused.headers.get('location')!).searchParams.get('error'), 'access_denied')
    assert.equal((await testServer.request('/account/apps')).status, 400)
    const closed = (await findUser(server, 'carol'))!
    assert.deepEqual([closed.name, closed.email, closed.disabled_reason], [null, null, 'deleted_at_provider'])
    // Told twice, it is still done.
    assert.equal((await tell(testServer, { type: 'user.deleted', id: 'carol' })).status, 200)
  })
})

onBothDatabases('accounts without a webhook', (dialect) => {
  const open = testServerFor(dialect)
  test('have no endpoint for one', async () => {
    const testServer = await open()
    assert.equal((await testServer.request('/webhooks/accounts', { method: 'POST' })).status, 404)
  })
})
