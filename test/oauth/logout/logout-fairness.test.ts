// One user's receivers that never answer cost that user's turns and nobody else's.

import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, before, test } from 'node:test'
import { disableUser } from '../../../src/accounts/user-operations.ts'
import { sql } from '../../../src/db/sql.ts'
import { deliverLogouts } from '../../../src/oauth/logout/back-channel-logout.ts'
import { type Documents, openDocuments } from '../../support/documents.ts'
import { obtainTokens } from '../../support/flow.ts'
import { alice, bob, onBothDatabases, openTestServer, type TestServer } from '../../support/gatehouse.ts'

const hanging = 50

onBothDatabases('logouts that wait for others', (dialect) => {
  let party: Documents
  let testServer: TestServer
  before(async () => {
    const names = ['localhost', ...Array.from({ length: hanging }, (_, n) => `r${n}.example`)]
    party = await openDocuments('127.0.0.1', { names: [...names, 'honest.example', 'shared.example'] })
    // Every name leads to the one server.
    testServer = await openTestServer(dialect, { outbound: { ca: party.ca } }, undefined, async () => [
      '127.0.0.1',
    ])
  })
  after(async () => {
    await testServer.close()
    await party.close()
  })

  const at = (host: string, path: string) => `https://${host}:${party.port}${path}`
  const deliver = (from = testServer) => deliverLogouts(from.app.server, { pause: async () => {} })
  const as = (account: typeof alice) => {
    testServer.clock.advance(1)
    testServer.signedIn.account = {
      ...account,
      authTime: testServer.clock.now(),
      sessionId: `of ${account.subject}`,
    }
  }
  async function connect(uri: string, source: 'dcr' | 'admin') {
    const made = await testServer.createClient({ backchannelLogoutUri: uri, name: uri })
    if (source === 'dcr')
      await testServer.app.server.db.query(
        sql`update clients set source = 'dcr' where id = ${made.client.id}`,
      )
    testServer.clock.advance(1_100)
    await obtainTokens(testServer, made, { scope: 'openid' })
    return made
  }
  async function end(account: typeof alice) {
    const [user] = await testServer.app.server.db.query(
      sql<{ id: string }>`select id from users where subject = ${account.subject}`,
    )
    await disableUser(testServer.app.server, user!.id, 'a test')
    await testServer.app.server.db.query(sql`update users set disabled_at = null`)
  }
  /** What happened in its order: a receiver was told, or was given up. */
  function watch(release: (order: string[]) => boolean) {
    const order: string[] = []
    const held: ServerResponse[] = []
    const look = () => {
      if (release(order)) for (const response of held.splice(0)) response.writeHead(200).end()
    }
    return {
      order,
      hang: (response: ServerResponse) => {
        order.push('hangs')
        held.push(response)
        response.on('close', () => {
          order.push(response.writableFinished ? 'answered' : 'given up')
          look()
        })
        look()
      },
      answer: (name: string) => (response: ServerResponse) => {
        order.push(name)
        response.writeHead(200).end()
        look()
      },
    }
  }

  for (const source of ['admin', 'dcr'] as const) {
    test(`OpenID Connect Back-Channel Logout §2.5: fifty receivers of one user that hang keep no other user's client (${source}) waiting`, async () => {
      const seen = watch((order) => order.includes('honest'))
      as(bob)
      for (let n = 0; n < hanging; n++) {
        party.serve(`/${source}-${n}`, seen.hang)
        await connect(at(`r${n}.example`, `/${source}-${n}`), 'dcr')
      }
      await end(bob)
      testServer.clock.advance(1_000)
      as(alice)
      party.serve(`/${source}-honest`, seen.answer('honest'))
      await connect(at('honest.example', `/${source}-honest`), source)
      await end(alice)
      const done = await deliver()
      const told = seen.order.indexOf('honest')
      assert.ok(told >= 0, 'told at all')
      assert.deepEqual(
        seen.order.slice(0, told).filter((what) => what !== 'hangs'),
        [],
        'told while every receiver that was tried before still hangs',
      )
      assert.ok(seen.order.slice(0, told).length < 32, 'one user does not take every place')
      assert.equal(done.delivered, hanging + 1, 'and then everyone is told')
    })
  }

  test('OpenID Connect Back-Channel Logout §2.5: a client with two hundred logouts waits behind itself', async () => {
    const seen = watch((order) => order.includes('honest'))
    as(bob)
    party.serve('/many', seen.hang)
    const many = await connect(at('r0.example', '/many'), 'dcr')
    await end(bob)
    const { db } = testServer.app.server
    const numbers =
      db.dialect === 'sqlite'
        ? sql`with recursive n(n) as (select 1 union all select n + 1 from n where n < 200) select n from n`
        : sql`select n from generate_series(1, 200) n`
    await db.query(sql`insert into logout_deliveries (id, client_id, subject, session_id, next_attempt_at, created_at, expires_at)
      select 'lo_' || n.n, ${many.client.id}, 'bob', 'gone', 0, 0, ${testServer.clock.now() + 1_000_000} from (${numbers}) n`)
    as(alice)
    party.serve('/honest', seen.answer('honest'))
    await connect(at('honest.example', '/honest'), 'dcr')
    await end(alice)
    const done = deliver()
    party.serve('/many', (response: ServerResponse) => response.writeHead(200).end())
    await done
    assert.equal(seen.order.filter((what) => what === 'honest').length, 1)
    assert.deepEqual(
      seen.order.slice(0, seen.order.indexOf('honest')).filter((one) => one !== 'hangs'),
      [],
    )
    assert.deepEqual(await db.query(sql`select id from logout_deliveries`), [], 'everyone was told')
  })

  test('OpenID Connect Back-Channel Logout §2.5: a host that hangs is asked once at a time, whatever the number of its clients, and a later logout is told meanwhile', async () => {
    const seen = watch((order) => order.includes('honest'))
    as(bob)
    for (let n = 0; n < 5; n++) {
      party.serve(`/shared-${n}`, seen.hang)
      await connect(at('shared.example', `/shared-${n}`), 'dcr')
    }
    await end(bob)
    as(alice)
    party.serve('/later', seen.answer('honest'))
    await connect(at('honest.example', '/later'), 'admin')
    const done = deliver()
    // The logout happens after the run began.
    await end(alice)
    const { delivered } = await done
    assert.equal(delivered, 6)
    const told = seen.order.indexOf('honest')
    assert.deepEqual(
      seen.order.slice(0, told).filter((what) => what !== 'hangs'),
      [],
    )
    assert.ok(seen.order.slice(0, told).length <= 1, 'one request to the host')
  })
})
