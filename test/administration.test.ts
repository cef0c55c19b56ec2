// What a host's own code may look at and do as an administrator: users, sessions, consents, events, health.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { localAccounts } from '../src/accounts/local.ts'
import { ConfigError } from '../src/config-error.ts'
import { obtainTokens } from './support/flow.ts'
import { alice, bob, houseFor, onBothDatabases, openHouse } from './support/gatehouse.ts'

onBothDatabases('administration', (dialect) => {
  const open = houseFor(dialect)

  test('R66: users are listed page by page, found by id and subject, and shown with their accounts', async () => {
    const house = await open()
    const client = await house.createClient()
    await obtainTokens(house, client)
    house.signedIn.account = { ...bob, authTime: house.clock.now() }
    await obtainTokens(house, client)
    const { users } = house.g
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
    const house = await openHouse(dialect)
    try {
      const client = await house.createClient()
      const { access_token } = await obtainTokens(house, client)
      const alive = async () =>
        (
          await house.g.authenticate(
            new Request('https://api.example/', { headers: { authorization: `Bearer ${access_token}` } }),
          )
        ).ok
      assert.equal(await alive(), true)
      const { users } = house.g
      assert.equal(await users.disable('alice', 'left the company'), true)
      assert.equal(await users.disable('alice', 'again'), false)
      const shown = await users.get('alice')
      assert.deepEqual(
        [shown?.state, shown?.disabledReason, shown?.disabledAt],
        ['disabled', 'left the company', house.clock.now()],
      )
      assert.equal(await alive(), false)
      assert.equal(await users.enable(shown!.id), true)
      assert.equal(await users.enable(shown!.id), false)
      assert.equal(await alive(), false, 'what ended stays ended')
      assert.equal(await users.delete('alice'), true)
      assert.equal(await users.delete('alice'), false)
      assert.equal(await users.get('alice'), undefined)
      assert.deepEqual(
        (await house.g.events.list({ user: shown!.id, type: 'user_deleted' })).map(({ user }) => user),
        [shown!.id],
      )
    } finally {
      await house.close()
    }
  })

  test('R66: sessions are listed by user and client, and end one by one', async () => {
    const house = await openHouse(dialect)
    try {
      const [one, other] = [await house.createClient(), await house.createClient({ name: 'Other' })]
      await obtainTokens(house, one)
      house.clock.advance(1_000)
      await obtainTokens(house, other)
      const { sessions } = house.g
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
      await house.close()
    }
  })

  test('R18: what a user allowed is shown and withdrawn, with every session of the two', async () => {
    const house = await openHouse(dialect)
    try {
      const client = await house.createClient()
      await obtainTokens(house, client)
      const [allowed, ...others] = await house.g.consents.list('alice')
      assert.deepEqual(
        [allowed?.client, allowed?.scope, allowed?.sessions, others],
        [client.client.id, ['jobs:read'], 1, []],
      )
      assert.equal(await house.g.consents.withdraw('nobody', client.client.id), false)
      assert.equal(await house.g.consents.withdraw('alice', client.client.id), true)
      assert.deepEqual(await house.g.consents.list('alice'), [])
      assert.deepEqual(await house.g.sessions.list({ user: 'alice' }), [])
    } finally {
      await house.close()
    }
  })

  test('R66: everything kept about a user is one piece of data, without a secret', async () => {
    const house = await openHouse(dialect)
    try {
      const client = await house.createClient()
      const tokens = await obtainTokens(house, client)
      const data = await house.g.users.export('alice')
      assert.deepEqual(
        [data?.user.subject, data?.accounts.length, data?.clients.length, data?.sessions.length],
        ['alice', 1, 1, 1],
      )
      assert.ok(data!.events.some(({ type }) => type === 'token_exchange'))
      const text = JSON.stringify(data)
      for (const secret of [tokens.access_token, tokens.refresh_token!, client.secret!])
        assert.ok(!text.includes(secret))
      assert.equal(await house.g.users.export('nobody'), undefined)
    } finally {
      await house.close()
    }
  })

  test('the audit log is listed by type and time, and followed across processes', async () => {
    const house = await openHouse(dialect)
    try {
      const client = await house.createClient()
      const { g: twin } = await house.twin()
      const stop = new AbortController()
      const seen: string[] = []
      const following = (async () => {
        for await (const event of twin.events.follow({ client: client.client.id, since: 0 }, stop.signal)) {
          seen.push(event.type)
          if (event.type === 'client_suspended') stop.abort()
        }
      })()
      house.clock.advance(1_000)
      await obtainTokens(house, client)
      house.clock.advance(1_000)
      await house.g.clients.suspend(client.client.id, 'for a test')
      await following
      assert.deepEqual([seen[0], seen.at(-1)], ['client_created', 'client_suspended'])
      assert.equal(new Set(seen).size, seen.length, 'each once')
      const [newest] = await house.g.events.list({ client: client.client.id, limit: 1 })
      assert.deepEqual([newest?.type, newest?.data.reason], ['client_suspended', 'for a test'])
      const at = house.clock.now()
      assert.deepEqual(
        (await house.g.events.list({ since: at })).map(({ type }) => type),
        ['client_suspended'],
      )
      const before = await house.g.events.list({ client: client.client.id, until: at })
      assert.deepEqual(before.map(({ type }) => type).sort(), seen.slice(0, -1).sort())
    } finally {
      await house.close()
    }
  })

  test('health says what /readyz says', async () => {
    const house = await openHouse(dialect)
    assert.deepEqual(await house.g.health(), { ready: true, failing: [] })
    house.app.stopping()
    assert.deepEqual(await house.g.health(), { ready: false, failing: ['stopping'] })
    await house.close()
  })

  test('a user is made with a link where passwords are kept here, and nowhere else', async () => {
    const house = await open()
    await assert.rejects(house.g.users.create({ login: 'carol@example.com' }), ConfigError)
    await assert.rejects(house.g.users.reset('alice'), ConfigError)
    const local = await openHouse(dialect, { accounts: localAccounts() })
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
