// What strangers and users can have stored: every endpoint is flooded, and every table counted in rows and bytes.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Config } from '../../../src/config.ts'
import { raw, sql } from '../../../src/db/sql.ts'
import type { Log } from '../../../src/log.ts'
import type { CreatedClient } from '../../../src/oauth/clients/client-operations.ts'
import { routes } from '../../../src/oauth/routes.ts'
import { paths } from '../../../src/protocol/paths.ts'
import { makeProofKey, proofFor } from '../../support/dpop.ts'
import {
  answerConsent,
  authorizeParameters,
  makePkce,
  obtainTokens,
  readConsent,
  type Tokens,
} from '../../support/flow.ts'
import { alice, issuer, onBothDatabases, openTestServer, type TestServer } from '../../support/gatehouse.ts'
import { push } from '../authorization/pushing.ts'

const most = { perUser: 30, perNetwork: 20, inAll: 1_000 }
const tries = 60
const text = (length: number) => 'x'.repeat(length)
/** As much as each value may have, and what nobody knows. */
const large = {
  state: text(4_096),
  nonce: text(1_024),
  login_hint: text(1_024),
  ui_locales: text(512),
  claims: JSON.stringify({ userinfo: { email: null }, padding: { of: text(4_000) } }),
}

type Sizes = Record<string, { rows: number; bytes: number }>

onBothDatabases('storage that strangers can fill', (dialect) => {
  const logged: string[] = []
  const note = (message: string) => void logged.push(message)
  const log: Log = { info() {}, warn: note, error: note }
  const config = {
    storage: { perUser: most.perUser, inAll: most.inAll },
    pushedRequests: { perNetwork: most.perNetwork },
    device: { perNetwork: most.perNetwork },
    registration: { policy: 'open' },
    selfRegisteredClients: {
      perNetworkPerHour: most.perNetwork,
      perHour: most.perNetwork,
      grantTypes: [
        'authorization_code',
        'refresh_token',
        'client_credentials',
        'urn:ietf:params:oauth:grant-type:device_code',
      ],
    },
    log,
  } satisfies Partial<Config>
  let server: TestServer
  let client: CreatedClient
  let other: CreatedClient
  let tokens: Tokens
  before(async () => {
    server = await openTestServer(dialect, config)
  })
  after(() => server.close())

  async function sizes(): Promise<Sizes> {
    const { db } = server.app.server
    const columns = await db.query(
      dialect === 'sqlite'
        ? sql<{
            table: string
            column: string
          }>`select m.name as "table", c.name as "column" from sqlite_master m, pragma_table_info(m.name) c where m.type = 'table'`
        : sql<{
            table: string
            column: string
          }>`select c.table_name as "table", c.column_name as "column" from information_schema.columns c
            join information_schema.tables t on t.table_name = c.table_name and t.table_schema = c.table_schema
            where c.table_schema = 'public' and t.table_type = 'BASE TABLE'`,
    )
    const found: Sizes = {}
    for (const [table, names] of Map.groupBy(columns, (one) => one.table)) {
      const bytes = names
        .map(({ column }) =>
          dialect === 'sqlite'
            ? `coalesce(length(cast("${column}" as blob)), 0)`
            : `coalesce(octet_length("${column}"::text), 0)`,
        )
        .join(' + ')
      const [row] = await db.query(
        sql<{
          rows: number
          bytes: number
        }>`select count(*) as rows, coalesce(sum(${raw(bytes)}), 0) as bytes from ${raw(table)}`,
      )
      found[table] = { rows: Number(row!.rows), bytes: Number(row!.bytes) }
    }
    return found
  }

  /** What a flood added, by table. */
  function grown(from: Sizes, to: Sizes): Sizes {
    return Object.fromEntries(
      Object.entries(to)
        .map(
          ([table, { rows, bytes }]) =>
            [table, { rows: rows - from[table]!.rows, bytes: bytes - from[table]!.bytes }] as const,
        )
        .filter(([, { rows, bytes }]) => rows > 0 || bytes > 4_096),
    )
  }

  const selfRegistered = async (made: CreatedClient) => {
    await server.app.server.db.query(sql`update clients set source = 'dcr' where id = ${made.client.id}`)
    server.app.server.clients.forget(made.client.id)
    return made
  }
  const publicClient = async () =>
    selfRegistered(
      await server.createClient({
        tokenEndpointAuthMethod: 'none',
        grantTypes: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
        scope: Object.keys(server.app.settings.scopes),
      }),
    )
  const consentPage = (of: CreatedClient, more: Record<string, string> = {}) =>
    server.request(
      `${paths.authorization}?${authorizeParameters(of, makePkce(), { prompt: 'consent', ...more })}`,
    )
  const post = (path: string, form: Record<string, string>, headers?: Record<string, string>) =>
    server.post(path, form, headers)

  /**
   * One flood for what each endpoint can be made to store: what it does n times, and the most rows of each table. A row has at
   * most `pieces` of 4 KiB.
   */
  const floods: {
    path: string
    what: string
    run(n: number): Promise<Response>
    rows: Record<string, number>
    refused?: RegExp
  }[] = [
    {
      path: paths.authorization,
      what: 'consent pages of one client',
      run: () => consentPage(client, large),
      // So long a request is kept, too, for the way back to it.
      rows: { authorization_requests: 10, pushed_authorization_requests: 10 },
      refused: /temporarily_unavailable/,
    },
    {
      path: paths.authorization,
      what: 'consent pages of many clients',
      run: async (n) => consentPage(n % 2 ? await publicClient() : other, large),
      // The clients are made here by an administrator, with an event each.
      rows: { authorization_requests: 30, pushed_authorization_requests: 30, clients: tries, events: tries },
      refused: /temporarily_unavailable/,
    },
    {
      path: paths.authorization,
      what: 'codes under a remembered consent',
      run: () =>
        server.request(
          `${paths.authorization}?${authorizeParameters(client, makePkce(), { state: large.state })}`,
        ),
      rows: { codes: 30, events: 30 },
      refused: /temporarily_unavailable/,
    },
    {
      path: paths.consent,
      what: 'decisions of one form',
      run: async () => {
        const shown = await readConsent(await consentPage(client))
        return shown.fields.request === undefined
          ? new Response(null, { status: 429 })
          : answerConsent(server, shown, { decision: 'deny' })
      },
      rows: { events: 30, authorization_requests: 30 },
    },
    {
      path: paths.pushedAuthorization,
      what: 'requests in the name of a public client',
      run: () =>
        push(server, client, authorizeParameters(client, makePkce(), { ...large, unknown: text(30_000) })),
      rows: { pushed_authorization_requests: most.perNetwork },
      refused: /temporarily_unavailable/,
    },
    {
      path: paths.token,
      what: 'refreshes',
      run: async () => {
        const answer = await post(paths.token, {
          grant_type: 'refresh_token',
          client_id: client.client.id,
          refresh_token: tokens.refresh_token!,
        })
        if (answer.ok) tokens = (await answer.clone().json()) as Tokens
        return answer
      },
      rows: { refresh_tokens: 30, access_tokens: 30, events: 30 },
      refused: /temporarily_unavailable/,
    },
    {
      path: paths.token,
      what: "another client's refresh token",
      run: () =>
        post(paths.token, {
          grant_type: 'refresh_token',
          client_id: other.client.id,
          refresh_token: tokens.refresh_token!,
        }),
      rows: { events: 10 },
    },
    {
      path: paths.token,
      what: 'codes and devices that do not exist',
      run: (n) =>
        post(paths.token, {
          grant_type: n % 2 ? 'authorization_code' : 'urn:ietf:params:oauth:grant-type:device_code',
          code: 'gh_ac_none',
          device_code: 'gh_dc_none',
          client_id: client.client.id,
        }),
      rows: {},
    },
    {
      path: paths.registration,
      what: 'clients',
      run: (n) =>
        server.request(paths.registration, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({
            client_name: `client ${n}`,
            redirect_uris: ['https://client.example/callback'],
            unknown: text(8_000),
          }),
        }),
      rows: { clients: most.perNetwork, events: most.perNetwork },
      refused: /temporarily_unavailable/,
    },
    {
      path: paths.clientConfiguration,
      what: 'without a token',
      run: () => server.request(`${paths.clientConfiguration}?client_id=${client.client.id}`),
      rows: {},
    },
    {
      path: paths.deviceAuthorization,
      what: 'devices',
      run: () =>
        post(
          paths.deviceAuthorization,
          { client_id: client.client.id, scope: 'jobs:read', unknown: text(8_000) },
          { 'user-agent': text(4_000) },
        ),
      rows: { device_codes: most.perNetwork },
      refused: /temporarily_unavailable/,
    },
    {
      path: paths.device,
      what: 'wrong codes',
      run: async () => {
        const shown = await readConsent(await server.request(paths.device))
        return server.post(
          paths.device,
          { ...shown.fields, user_code: 'BCDF-GHJK' },
          { cookie: shown.cookie },
        )
      },
      rows: {},
    },
    {
      path: paths.connectedApps,
      what: 'disconnecting again and again',
      run: async () => {
        const shown = await readConsent(await server.request(paths.connectedApps))
        return server.post(paths.connectedApps, { ...disconnect, ...shown.fields }, { cookie })
      },
      rows: { events: 30 },
    },
    ...[paths.introspection, paths.revocation].map((path) => ({
      path,
      what: 'unknown tokens',
      run: () => post(path, { client_id: client.client.id, token: text(4_000) }),
      rows: {},
    })),
    {
      path: paths.userinfo,
      what: 'without a token',
      run: () => server.request(paths.userinfo),
      rows: {},
    },
    {
      path: paths.logout,
      what: 'nobody signs out',
      run: () => server.request(`${paths.logout}?state=${large.nonce}`),
      rows: {},
    },
    ...[paths.openidConfiguration, paths.serverMetadata, paths.jwks].map((path) => ({
      path,
      what: 'documents',
      run: () => server.request(path),
      rows: {},
    })),
  ]
  let disconnect: Record<string, string> = {}
  let cookie = ''

  test('RFC 6819 §4.4.1.11: every endpoint has its flood here', () => {
    const flooded = new Set(floods.map(({ path }) => path))
    assert.deepEqual(
      routes.map(({ path }) => path).filter((path) => !flooded.has(path)),
      [],
    )
  })

  for (const { path, what, run, rows, refused } of floods) {
    test(`RFC 6819 §4.4.1.11: ${path}, ${what}: rows and bytes have a bound`, async () => {
      // Windows of earlier floods have ended.
      server.clock.advance(2 * 3_600_000)
      server.signedIn.account = { ...alice, authTime: server.clock.now() }
      client = await publicClient()
      other = await publicClient()
      tokens = await obtainTokens(server, client)
      const shown = await readConsent(await server.request(paths.connectedApps))
      disconnect = shown.fields
      cookie = shown.cookie
      server.clock.advance(3_600_000)
      server.signedIn.account = { ...alice, authTime: server.clock.now() }
      // Makes the keys that are due, once.
      await server.request(paths.jwks)
      const before = await sizes()
      let last: Response | undefined
      for (let n = 0; n < tries; n++) {
        last = await run(n)
        server.clock.advance(1)
      }
      const added = grown(before, await sizes())
      for (const [table, { rows: count, bytes }] of Object.entries(added)) {
        if (table === 'rate_limits') {
          // One for each key of a limit; written here only where it is urgent.
          assert.ok(count <= 2 * tries, `${count} counters`)
          continue
        }
        const bound = rows[table] ?? 0
        assert.ok(count <= bound, `${table}: ${count} rows, at most ${bound}`)
        // 4 KiB for each row, and what ids, times and hashes take.
        assert.ok(bytes <= bound * (4_096 + 2_048), `${table}: ${bytes} bytes in ${bound} rows`)
      }
      if (refused) {
        const answer = `${last!.headers.get('location')} ${await last!.text()}`
        assert.match(answer, refused, 'and says so')
      }
    })
  }

  test('RFC 9126 §2.1: nothing of a pushed request is stored that nobody reads, and no value is too long', async () => {
    server.clock.advance(3_600_000)
    client = await publicClient()
    await push(server, client, authorizeParameters(client, makePkce(), { unknown: 'find me', claims: '{}' }))
    const [row] = await server.app.server.db.query(
      sql<{ request: string }>`select request from pushed_authorization_requests order by id desc limit 1`,
    )
    assert.doesNotMatch(row!.request, /find me|unknown/)
    for (const [name, length] of Object.entries({
      state: 4_097,
      nonce: 1_025,
      login_hint: 1_025,
      claims: 4_097,
    })) {
      const answer = await push(
        server,
        client,
        authorizeParameters(client, makePkce(), { [name]: text(length) }),
      )
      assert.equal(answer.status, 400)
      const body = (await answer.json()) as { error: string; error_description: string }
      assert.equal(body.error, 'invalid_request')
      assert.match(body.error_description, new RegExp(name))
    }
    const many = Array.from({ length: 21 }, () => issuer)
    const answer = await push(server, client, authorizeParameters(client, makePkce(), { resource: many }))
    assert.equal(answer.status, 400)
  })

  test('RFC 6819 §4.4.1.11: when little room is left the network that fills it is refused first, and another that uses the same client is not', async () => {
    const tight = await openTestServer(dialect, {
      ...config,
      storage: { inAll: 100 },
      pushedRequests: { perNetwork: 1_000 },
    })
    try {
      const shared = await tight.createClient({ tokenEndpointAuthMethod: 'none' })
      const from = async (address: string) => {
        const body = authorizeParameters(shared, makePkce()).toString()
        const headers = { 'content-type': 'application/x-www-form-urlencoded' }
        return tight.request(paths.pushedAuthorization, { method: 'POST', headers, body, address })
      }
      logged.length = 0
      let passed = 0
      for (let n = 0; n < 200; n++) {
        const answer = await from('198.51.100.1')
        if (answer.status === 201) passed++
        else {
          assert.equal(answer.status, 503)
          assert.ok(Number(answer.headers.get('retry-after')) > 0)
        }
      }
      assert.ok(passed >= 50 && passed <= 60, `${passed} passed: half of all, and a share of the rest`)
      assert.equal(logged.length, 1, 'said once')
      for (let n = 0; n < 8; n++) assert.equal((await from(`198.51.100.${10 + n}`)).status, 201)
      tight.clock.advance(60_000)
      assert.equal((await from('198.51.100.1')).status, 503)
      assert.equal(logged.length, 2, 'and once more after a minute')
      // What is left in all ends somewhere, too.
      let others = 0
      for (let n = 0; n < 100; n++) if ((await from(`192.0.2.${n}`)).status === 201) others++
      assert.ok(others < 100)
      const [row] = await tight.app.server.db.query(
        sql<{ count: number }>`select count(*) as count from pushed_authorization_requests`,
      )
      assert.equal(Number(row!.count), 100, 'the ceiling')
      tight.clock.advance(900_000)
      assert.equal((await from('198.51.100.1')).status, 201, 'and it passes')
    } finally {
      await tight.close()
    }
  })

  test('RFC 6819 §4.4.1.11: the limits of a user count over all processes', async () => {
    server.clock.advance(3_600_000)
    server.signedIn.account = { ...alice, authTime: server.clock.now() }
    const own = [await publicClient(), await publicClient(), await publicClient()]
    const twin = await server.twin()
    const { counters } = server.app.server
    for (let n = 0; n < most.perUser; n++) await consentPage(own[n % 3]!)
    await counters.flush()
    const third = await publicClient()
    const ask = () =>
      twin.g.fetch(
        new Request(`${issuer}${paths.authorization}?${authorizeParameters(third, makePkce())}`, {
          redirect: 'manual',
        }),
        { address: '203.0.113.7' },
      )
    await ask()
    await twin.app.server.counters.flush()
    const refused = await ask()
    assert.equal(refused.status, 429)
  })

  test('RFC 6819 §4.4.1.11: a user has so many living sessions over all clients; those idle for longest end', async () => {
    const few = await openTestServer(dialect, { ...config, storage: { sessionsPerUser: 3 } })
    try {
      const living: Tokens[] = []
      for (let n = 0; n < 5; n++) {
        living.push(await obtainTokens(few, await few.createClient()))
        few.clock.advance(1_000)
      }
      const states = await Promise.all(
        living.map(async ({ access_token }) =>
          few.g.authenticate(
            new Request('https://api.example/', { headers: { authorization: `Bearer ${access_token}` } }),
          ),
        ),
      )
      assert.deepEqual(
        states.map((state) => state.ok),
        [false, false, true, true, true],
      )
    } finally {
      await few.close()
    }
  })

  test('RFC 9449 §11.1: proofs of keys that strangers send leave a bounded number of rows', async () => {
    const tight = await openTestServer(dialect, { ...config, storage: { inAll: 1 } })
    try {
      const shared = await tight.createClient({ tokenEndpointAuthMethod: 'none' })
      const key = await makeProofKey()
      const statuses = new Set<number>()
      for (let n = 0; n < 60; n++) {
        const answer = await tight.post(
          paths.token,
          { grant_type: 'authorization_code', code: 'none', client_id: shared.client.id },
          { dpop: await proofFor(tight, key) },
        )
        statuses.add(answer.status)
      }
      assert.deepEqual([...statuses], [400, 503])
      const [row] = await tight.app.server.db.query(
        sql<{ count: number }>`select count(*) as count from used_jtis`,
      )
      assert.ok(Number(row!.count) <= 40)
    } finally {
      await tight.close()
    }
  })
})
