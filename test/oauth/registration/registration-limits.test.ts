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
import { type House, onBothDatabases, openHouse } from '../../support/gatehouse.ts'
import { asCreated, publicMetadata, register, registered } from '../../support/registration.ts'

const hour = 3_600_000
const day = 24 * hour

onBothDatabases('clients that arrived and are gone', (dialect) => {
  async function withHouse(work: (house: House) => Promise<void>, more: Partial<Config> = {}): Promise<void> {
    const house = await openHouse(dialect, { registration: { policy: 'open' }, ...more })
    try {
      await work(house)
    } finally {
      await house.close()
    }
  }

  /** Runs the job as the scheduler does; answers how many it removed. */
  async function reap(house: House): Promise<unknown> {
    await house.app.server.activity.flush()
    const job = jobsOf(house.app.server).find(({ name }) => name === 'reap_clients')!
    return (await job.run({ previous: null, pause: async () => {} })).removed
  }

  const ids = async (house: House) => (await house.g.clients.list()).map(({ id }) => id)

  test('RFC 7591 §5: of 60 registered in a loop the 12 with a grant stay, and every refresh token works (CL3)', async () => {
    await withHouse(
      async (house) => {
        const kept: { client: ReturnType<typeof asCreated>; token: string }[] = []
        for (let n = 0; n < 60; n++) {
          const client = asCreated(await registered(house))
          if (n % 5 === 0) {
            const { refresh_token } = await obtainTokens(house, client)
            kept.push({ client, token: refresh_token! })
          }
        }
        assert.equal(kept.length, 12)
        assert.equal(await reap(house), 0, 'nobody goes on the first day')
        for (let passed = 0; passed < 40; passed += 10) {
          house.clock.advance(10 * day)
          assert.equal(await reap(house), passed === 0 ? 48 : 0)
          assert.deepEqual((await ids(house)).sort(), kept.map(({ client }) => client.client.id).sort())
          for (const one of kept) {
            one.token = (await readTokens(await refresh(house, one.client, one.token))).refresh_token!
          }
        }
      },
      { selfRegisteredClients: { perNetworkPerHour: 100 } },
    )
  })

  test('RFC 6749 §5.2: a client that was removed is unknown, so that it registers again (N61)', async () => {
    await withHouse(async (house) => {
      const client = asCreated(await registered(house))
      house.clock.advance(25 * hour)
      assert.equal(await reap(house), 1)
      await assertError(await refresh(house, client, 'gh_rt_x'), 401, 'invalid_client')
      const answer = await house.request(`/oauth/authorize?${authorizeParameters(client, makePkce())}`)
      assert.deepEqual([answer.status, answer.headers.get('location')], [400, null])
      const events = await house.app.server.db.query(
        sql<{ type: string }>`select type from events where client_id = ${client.client.id} order by id`,
      )
      assert.deepEqual(
        events.map(({ type }) => type),
        ['client_registered', 'client_reaped'],
      )
    })
  })

  test('RFC 7591 §5: a client goes long after its last session ended, and never before', async () => {
    await withHouse(async (house) => {
      const client = asCreated(await registered(house))
      const { refresh_token } = await obtainTokens(house, client)
      house.clock.advance(20 * day)
      await house.post('/oauth/revoke', { client_id: client.client.id, token: refresh_token! })
      assert.equal(await reap(house), 0)
      house.clock.advance(9 * day)
      assert.equal(await reap(house), 0)
      house.clock.advance(2 * day)
      assert.equal(await reap(house), 1)
      const { db } = house.app.server
      for (const table of [sql`consents`, sql`sessions`]) {
        assert.deepEqual(await db.query(sql`select * from ${table}`), [])
      }
    })
  })

  test('RFC 7591 §5: a flow that is under way keeps its client, from its first request to its first token', async () => {
    await withHouse(async (house) => {
      const begun: ((client: ReturnType<typeof asCreated>) => Promise<() => Promise<void>>)[] = [
        async (client) => {
          const pkce = makePkce()
          const page = await readConsent(
            await house.request(`/oauth/authorize?${authorizeParameters(client, pkce)}`),
          )
          return async () => {
            const { parameters } = readRedirect(await answerConsent(house, page, { decision: 'allow' }))
            assert.equal((await redeem(house, client, parameters.code!, pkce)).status, 200)
          }
        },
        async (client) => {
          const pkce = makePkce()
          const code = await obtainCode(house, client, pkce)
          return async () => assert.equal((await redeem(house, client, code, pkce)).status, 200)
        },
        async (client) => {
          const form = Object.fromEntries(authorizeParameters(client, makePkce()))
          const pushed = await house.post('/oauth/par', form)
          const { request_uri } = (await pushed.json()) as { request_uri: string }
          return async () => {
            const parameters = new URLSearchParams({ client_id: client.client.id, request_uri })
            const shown = await house.request(`/oauth/authorize?${parameters}`)
            assert.ok(shown.status === 200 || shown.status === 303, String(shown.status))
          }
        },
      ]
      for (const begin of begun) {
        const client = asCreated(await registered(house))
        // A day has passed: in the next moment it would have gone.
        house.clock.advance(day + 1_000)
        const finish = await begin(client)
        assert.equal(await reap(house), 0)
        await finish()
        assert.equal(await reap(house), 0)
      }
    })
  })

  test('RFC 7591 §5: removal and a flow that begins, at once in two processes, leave no grant without its client', async () => {
    await withHouse(
      async (house) => {
        const twin = await house.twin()
        for (let round = 0; round < 5; round++) {
          const clients = await Promise.all(
            Array.from({ length: 8 }, async () => asCreated(await registered(house))),
          )
          house.clock.advance(day + 1_000)
          const [shown] = await Promise.all([
            Promise.all(
              clients.map((client) =>
                house.request(`/oauth/authorize?${authorizeParameters(client, makePkce())}`),
              ),
            ),
            reap({ ...house, app: twin.app }),
          ])
          const left = await ids(house)
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
    await withHouse(async (house) => {
      const { client } = await house.createClient()
      const [suspended, revoked] = [await registered(house), await registered(house)]
      await house.g.clients.suspend(suspended.client_id, 'phishing')
      await house.g.clients.revoke(revoked.client_id, 'phishing')
      house.clock.advance(400 * day)
      assert.equal(await reap(house), 0)
      assert.deepEqual((await ids(house)).sort(), [client.id, suspended.client_id, revoked.client_id].sort())
    })
  })

  test('CIMD §5: a document’s client that nobody uses is forgotten, and is there again when it comes', async () => {
    const documents = await openDocuments()
    try {
      await withHouse(
        async (house) => {
          const [unused, used] = [
            serveClient(documents, '/unused.json'),
            serveClient(documents, '/used.json'),
          ]
          await house.request(`/oauth/authorize?${authorizeParameters(unused, makePkce())}`)
          const { refresh_token } = await obtainTokens(house, used)
          house.clock.advance(25 * hour)
          assert.equal(await reap(house), 1)
          assert.deepEqual(await ids(house), [used.id])
          assert.equal((await refresh(house, used, refresh_token!)).status, 200)
          const { access_token } = await obtainTokens(house, unused)
          assert.ok(access_token)
        },
        { clientIdMetadata: {}, outbound: { ca: documents.ca } },
      )
    } finally {
      await documents.close()
    }
  })

  test('RFC 7591 §5: a storm of registrations leaves no more than the limits allow, and goes by itself', async () => {
    await withHouse(
      async (house) => {
        let most = 0
        for (let passed = 0; passed < 30; passed++) {
          const answers = await Promise.all(
            Array.from({ length: 60 }, (_, n) =>
              register(house, publicMetadata, { address: `198.18.${n}.1` }),
            ),
          )
          const made = answers.filter(({ status }) => status === 201).length
          assert.equal(made, 40)
          assert.ok(answers.every(({ status }) => status === 201 || status === 429))
          house.clock.advance(hour)
          await reap(house)
          most = Math.max(most, (await ids(house)).length)
        }
        // So many in each hour of the time an unused one is kept.
        assert.ok(most <= 40 * 4, String(most))
        house.clock.advance(5 * hour)
        await reap(house)
        assert.deepEqual(await ids(house), [])
      },
      { selfRegisteredClients: { perHour: 40, keepUnusedHours: 3 } },
    )
  })
})
