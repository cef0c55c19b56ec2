// What a host's own code may look at and do as an administrator: users, sessions, consents, events, health.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { localAccounts } from '../src/accounts/local.ts'
import { ConfigError } from '../src/config-error.ts'
import { obtainTokens } from './support/flow.ts'
import { alice, bob, onBothDatabases, openTestServer, testServerFor } from './support/gatehouse.ts'

onBothDatabases('administration', (dialect) => {
  const open = testServerFor(dialect)

  test('R66: users are listed page by page, found by id and subject, and shown with their accounts', async () => {
    const server = await open()
    const client = await server.createClient()
    await obtainTokens(server, client)
    server.signedIn.account = { ...bob, authTime: server.clock.now() }
    await obtainTokens(server, client)
    const { users } = server.g
    const everyone = await users.list()
    assert.deepEqual(everyone.map(({ subject }) => subject).sort(), ['alice', 'bob'])
    const [first] = await users.list({ limit: 1 })
    const [second, ...rest] = await users.list({ limit: 1, after: first!.id })
    assert.deepEqual([first!.id, second!.id, rest], [everyone[0]!.id, everyone[1]!.id, []])
    const found = await users.get('alice')
    assert.deepEqual(await users.get(found!.id), found)
    assert.deepEqual(
      [found?.name, found?.email, found?.state, found?.accounts.map(({ provider }) => provider)],
      ['Alice', 'alice@example.com', 'active', [alice.provider]],
    )
    assert.equal(await users.get('nobody'), undefined)
    for (const limit of [0, 1.5, 1_001, Number.NaN]) await assert.rejects(users.list({ limit }), RangeError)
  })

  test('R66: a user is disabled, enabled and deleted by any of their names', async () => {
    const server = await openTestServer(dialect)
    try {
      const client = await server.createClient()
      const { access_token } = await obtainTokens(server, client)
      const alive = async () =>
        (
          await server.g.authenticate(
            new Request('https://api.example/', { headers: { authorization: `Bearer ${access_token}` } }),
          )
        ).ok
      assert.equal(await alive(), true)
      const { users } = server.g
      assert.equal(await users.disable('alice', 'left the company'), true)
      assert.equal(await users.disable('alice', 'again'), false)
      const shown = await users.get('alice')
      assert.deepEqual(
        [shown?.state, shown?.disabledReason, shown?.disabledAt],
        ['disabled', 'left the company', server.clock.now()],
      )
      assert.equal(await alive(), false)
      assert.equal(await users.enable(shown!.id), true)
      assert.equal(await users.enable(shown!.id), false)
      assert.equal(await alive(), false, 'what ended stays ended')
      assert.equal(await users.delete('alice'), true)
      assert.equal(await users.delete('alice'), false)
      assert.equal(await users.get('alice'), undefined)
      assert.deepEqual(
        (await server.g.events.list({ user: shown!.id, type: 'user_deleted' })).map(({ user }) => user),
        [shown!.id],
      )
    } finally {
      await server.close()
    }
  })

  test('R66: sessions are listed by user and client, and end one by one', async () => {
    const server = await openTestServer(dialect)
    try {
      const [one, other] = [await server.createClient(), await server.createClient({ name: 'Other' })]
      await obtainTokens(server, one)
      server.clock.advance(1_000)
      await obtainTokens(server, other)
      const { sessions } = server.g
      const all = await sessions.list({ user: 'alice' })
      assert.deepEqual(
        all.map(({ clientName, state }) => [clientName, state]),
        [
          ['Other', 'active'],
          ['Job board', 'active'],
        ],
      )
      assert.deepEqual(await sessions.list({ user: 'nobody' }), [])
      const [own] = await sessions.list({ client: one.client.id })
      assert.deepEqual([own?.scope, own?.subject, own?.uses], [['jobs:read'], 'alice', 0])
      assert.equal(await sessions.end(own!.id, 'suspicious'), true)
      assert.equal(await sessions.end(own!.id, 'suspicious'), false)
      assert.equal(await sessions.end('ses_unknown', 'x'), false)
      assert.deepEqual(await sessions.list({ client: one.client.id }), [])
      const [ended] = await sessions.list({ client: one.client.id, ended: true })
      assert.deepEqual([ended?.state, ended?.endedReason], ['ended', 'suspicious'])
    } finally {
      await server.close()
    }
  })

  test('R18: what a user allowed is shown and withdrawn, with every session of the two', async () => {
    const server = await openTestServer(dialect)
    try {
      const client = await server.createClient()
      await obtainTokens(server, client)
      const [allowed, ...others] = await server.g.consents.list('alice')
      assert.deepEqual(
        [allowed?.client, allowed?.scope, allowed?.sessions, others],
        [client.client.id, ['jobs:read'], 1, []],
      )
      assert.equal(await server.g.consents.withdraw('nobody', client.client.id), false)
      assert.equal(await server.g.consents.withdraw('alice', client.client.id), true)
      assert.deepEqual(await server.g.consents.list('alice'), [])
      assert.deepEqual(await server.g.sessions.list({ user: 'alice' }), [])
    } finally {
      await server.close()
    }
  })

  test('R66: everything kept about a user is one piece of data, without a secret', async () => {
    const server = await openTestServer(dialect)
    try {
      const client = await server.createClient()
      const tokens = await obtainTokens(server, client)
      const data = await server.g.users.export('alice')
      assert.deepEqual(
        [data?.user.subject, data?.accounts.length, data?.clients.length, data?.sessions.length],
        ['alice', 1, 1, 1],
      )
      assert.ok(data!.events.some(({ type }) => type === 'token_exchange'))
      const text = JSON.stringify(data)
      for (const secret of [tokens.access_token, tokens.refresh_token!, client.secret!])
        assert.ok(!text.includes(secret))
      assert.equal(await server.g.users.export('nobody'), undefined)
    } finally {
      await server.close()
    }
  })

  test('the audit log is listed by type and time, and followed across processes', async () => {
    const server = await openTestServer(dialect)
    try {
      const client = await server.createClient()
      const { g: twin } = await server.twin()
      const stop = new AbortController()
      const seen: string[] = []
      const following = (async () => {
        for await (const event of twin.events.follow({ client: client.client.id, since: 0 }, stop.signal)) {
          seen.push(event.type)
          if (event.type === 'client_suspended') stop.abort()
        }
      })()
      server.clock.advance(1_000)
      await obtainTokens(server, client)
      server.clock.advance(1_000)
      await server.g.clients.suspend(client.client.id, 'for a test')
      await following
      assert.deepEqual([seen[0], seen.at(-1)], ['client_created', 'client_suspended'])
      assert.equal(new Set(seen).size, seen.length, 'each once')
      const [newest] = await server.g.events.list({ client: client.client.id, limit: 1 })
      assert.deepEqual([newest?.type, newest?.data.reason], ['client_suspended', 'for a test'])
      const at = server.clock.now()
      assert.deepEqual(
        (await server.g.events.list({ since: at })).map(({ type }) => type),
        ['client_suspended'],
      )
      const before = await server.g.events.list({ client: client.client.id, until: at })
      assert.deepEqual(before.map(({ type }) => type).sort(), seen.slice(0, -1).sort())
    } finally {
      await server.close()
    }
  })

  test('health says what /readyz says', async () => {
    const server = await openTestServer(dialect)
    assert.deepEqual(await server.g.health(), { ready: true, failing: [] })
    server.app.stopping()
    assert.deepEqual(await server.g.health(), { ready: false, failing: ['stopping'] })
    await server.close()
  })

  test('a user is made with a link where passwords are kept here, and nowhere else', async () => {
    const server = await open()
    await assert.rejects(server.g.users.create({ login: 'carol@example.com' }), ConfigError)
    await assert.rejects(server.g.users.reset('alice'), ConfigError)
    const local = await openTestServer(dialect, { accounts: localAccounts() })
    try {
      const { link } = await local.g.users.create({ login: 'carol@example.com' })
      assert.ok(link.startsWith('http://localhost:4400/'))
      assert.equal((await local.g.users.get('carol@example.com'))?.state, 'active')
      assert.notEqual((await local.g.users.reset('carol@example.com'))?.link, link)
      assert.equal(await local.g.users.reset('nobody@example.com'), undefined)
    } finally {
      await local.close()
    }
  })
})
