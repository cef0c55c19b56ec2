import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jobsOf } from '../../../src/app.ts'
import type { Config } from '../../../src/config.ts'
import { sql } from '../../../src/db/sql.ts'
import { serveClient } from '../../support/described-clients.ts'
import { openDocuments } from '../../support/documents.ts'
import {
  answerConsent,
  assertError,
  authorizeParameters,
  makePkce,
  obtainCode,
  obtainTokens,
  readConsent,
  readRedirect,
  readTokens,
  redeem,
  refresh,
} from '../../support/flow.ts'
import { onBothDatabases, openTestServer, type TestServer } from '../../support/gatehouse.ts'
import { asCreated, publicMetadata, register, registered } from '../../support/registration.ts'

const hour = 3_600_000
const day = 24 * hour

onBothDatabases('clients that arrived and are gone', (dialect) => {
  async function withTestServer(
    work: (server: TestServer) => Promise<void>,
    more: Partial<Config> = {},
  ): Promise<void> {
    const server = await openTestServer(dialect, { registration: { policy: 'open' }, ...more })
    try {
      await work(server)
    } finally {
      await server.close()
    }
  }

  /** Runs the job as the scheduler does; answers how many it removed. */
  async function reap(server: TestServer): Promise<unknown> {
    await server.app.server.activity.flush()
    const job = jobsOf(server.app.server).find(({ name }) => name === 'reap_clients')!
    return (await job.run({ previous: null, pause: async () => {} })).removed
  }

  const ids = async (server: TestServer) => (await server.g.clients.list()).map(({ id }) => id)

  test('RFC 7591 §5: of 60 registered in a loop the 12 with a grant stay, and every refresh token works (CL3)', async () => {
    await withTestServer(
      async (server) => {
        const kept: { client: ReturnType<typeof asCreated>; token: string }[] = []
        for (let n = 0; n < 60; n++) {
          const client = asCreated(await registered(server))
          if (n % 5 === 0) {
            const { refresh_token } = await obtainTokens(server, client)
            kept.push({ client, token: refresh_token! })
          }
        }
        assert.equal(kept.length, 12)
        assert.equal(await reap(server), 0, 'nobody goes on the first day')
        for (let passed = 0; passed < 40; passed += 10) {
          server.clock.advance(10 * day)
          assert.equal(await reap(server), passed === 0 ? 48 : 0)
          assert.deepEqual((await ids(server)).sort(), kept.map(({ client }) => client.client.id).sort())
          for (const one of kept) {
            one.token = (await readTokens(await refresh(server, one.client, one.token))).refresh_token!
          }
        }
      },
      { selfRegisteredClients: { perNetworkPerHour: 100 } },
    )
  })

  test('RFC 6749 §5.2: a client that was removed is unknown, so that it registers again (N61)', async () => {
    await withTestServer(async (server) => {
      const client = asCreated(await registered(server))
      server.clock.advance(25 * hour)
      assert.equal(await reap(server), 1)
      await assertError(await refresh(server, client, 'gh_rt_x'), 401, 'invalid_client')
      const answer = await server.request(`/oauth/authorize?${authorizeParameters(client, makePkce())}`)
      assert.deepEqual([answer.status, answer.headers.get('location')], [400, null])
      const events = await server.app.server.db.query(
        sql<{ type: string }>`select type from events where client_id = ${client.client.id} order by id`,
      )
      assert.deepEqual(
        events.map(({ type }) => type),
        ['client_registered', 'client_reaped'],
      )
    })
  })

  test('RFC 7591 §5: a client goes long after its last session ended, and never before', async () => {
    await withTestServer(async (server) => {
      const client = asCreated(await registered(server))
      const { refresh_token } = await obtainTokens(server, client)
      server.clock.advance(20 * day)
      await server.post('/oauth/revoke', { client_id: client.client.id, token: refresh_token! })
      assert.equal(await reap(server), 0)
      server.clock.advance(9 * day)
      assert.equal(await reap(server), 0)
      server.clock.advance(2 * day)
      assert.equal(await reap(server), 1)
      const { db } = server.app.server
      for (const table of [sql`consents`, sql`sessions`]) {
        assert.deepEqual(await db.query(sql`select * from ${table}`), [])
      }
    })
  })

  test('RFC 7591 §5: a flow that is under way keeps its client, from its first request to its first token', async () => {
    await withTestServer(async (server) => {
      const begun: ((client: ReturnType<typeof asCreated>) => Promise<() => Promise<void>>)[] = [
        async (client) => {
          const pkce = makePkce()
          const page = await readConsent(
            await server.request(`/oauth/authorize?${authorizeParameters(client, pkce)}`),
          )
          return async () => {
            const { parameters } = readRedirect(await answerConsent(server, page, { decision: 'allow' }))
            assert.equal((await redeem(server, client, parameters.code!, pkce)).status, 200)
          }
        },
        async (client) => {
          const pkce = makePkce()
          const code = await obtainCode(server, client, pkce)
          return async () => assert.equal((await redeem(server, client, code, pkce)).status, 200)
        },
        async (client) => {
          const form = Object.fromEntries(authorizeParameters(client, makePkce()))
          const pushed = await server.post('/oauth/par', form)
          const { request_uri } = (await pushed.json()) as { request_uri: string }
          return async () => {
            const parameters = new URLSearchParams({ client_id: client.client.id, request_uri })
            const shown = await server.request(`/oauth/authorize?${parameters}`)
            assert.ok(shown.status === 200 || shown.status === 303, String(shown.status))
          }
        },
      ]
      for (const begin of begun) {
        const client = asCreated(await registered(server))
        // A day has passed: in the next moment it would have gone.
        server.clock.advance(day + 1_000)
        const finish = await begin(client)
        assert.equal(await reap(server), 0)
        await finish()
        assert.equal(await reap(server), 0)
      }
    })
  })

  test('RFC 7591 §5: removal and a flow that begins, at once in two processes, leave no grant without its client', async () => {
    await withTestServer(
      async (server) => {
        const twin = await server.twin()
        for (let round = 0; round < 5; round++) {
          const clients = await Promise.all(
            Array.from({ length: 8 }, async () => asCreated(await registered(server))),
          )
          server.clock.advance(day + 1_000)
          const [shown] = await Promise.all([
            Promise.all(
              clients.map((client) =>
                server.request(`/oauth/authorize?${authorizeParameters(client, makePkce())}`),
              ),
            ),
            reap({ ...server, app: twin.app }),
          ])
          const left = await ids(server)
          for (const [n, answer] of shown.entries()) {
            const there = left.includes(clients[n]!.client.id)
            assert.ok(
              answer.status === 400 || answer.status === 503 || there,
              `${answer.status} for a client that is gone`,
            )
            await answer.body?.cancel()
          }
        }
      },
      { selfRegisteredClients: { perNetworkPerHour: 1_000 } },
    )
  })

  test('RFC 7591 §5: clients of an administrator, and those an administrator ended, stay', async () => {
    await withTestServer(async (server) => {
      const { client } = await server.createClient()
      const [suspended, revoked] = [await registered(server), await registered(server)]
      await server.g.clients.suspend(suspended.client_id, 'phishing')
      await server.g.clients.revoke(revoked.client_id, 'phishing')
      server.clock.advance(400 * day)
      assert.equal(await reap(server), 0)
      assert.deepEqual((await ids(server)).sort(), [client.id, suspended.client_id, revoked.client_id].sort())
    })
  })

  test('CIMD §5: a document’s client that nobody uses is forgotten, and is there again when it comes', async () => {
    const documents = await openDocuments()
    try {
      await withTestServer(
        async (server) => {
          const [unused, used] = [
            serveClient(documents, '/unused.json'),
            serveClient(documents, '/used.json'),
          ]
          await server.request(`/oauth/authorize?${authorizeParameters(unused, makePkce())}`)
          const { refresh_token } = await obtainTokens(server, used)
          server.clock.advance(25 * hour)
          assert.equal(await reap(server), 1)
          assert.deepEqual(await ids(server), [used.id])
          assert.equal((await refresh(server, used, refresh_token!)).status, 200)
          const { access_token } = await obtainTokens(server, unused)
          assert.ok(access_token)
        },
        { clientIdMetadata: {}, outbound: { ca: documents.ca } },
      )
    } finally {
      await documents.close()
    }
  })

  test('RFC 7591 §5: a storm of registrations leaves no more than the limits allow, and goes by itself', async () => {
    await withTestServer(
      async (server) => {
        let most = 0
        for (let passed = 0; passed < 30; passed++) {
          const answers = await Promise.all(
            Array.from({ length: 60 }, (_, n) =>
              register(server, publicMetadata, { address: `198.18.${n}.1` }),
            ),
          )
          const made = answers.filter(({ status }) => status === 201).length
          assert.equal(made, 40)
          assert.ok(answers.every(({ status }) => status === 201 || status === 429))
          server.clock.advance(hour)
          await reap(server)
          most = Math.max(most, (await ids(server)).length)
        }
        // So many in each hour of the time an unused one is kept.
        assert.ok(most <= 40 * 4, String(most))
        server.clock.advance(5 * hour)
        await reap(server)
        assert.deepEqual(await ids(server), [])
      },
      { selfRegisteredClients: { perHour: 40, keepUnusedHours: 3 } },
    )
  })
})
