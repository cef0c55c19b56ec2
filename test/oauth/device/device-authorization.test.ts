import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from '../../../src/db/sql.ts'
import { hashUserCode, readUserCode } from '../../../src/protocol/user-code.ts'
import {
  askDevice,
  beginDevice,
  createDevice,
  decideDevice,
  deviceGrant,
  enterCode,
  obtainDeviceTokens,
  poll,
} from '../../support/device.ts'
import { credentials, introspect, readConsent, readTokens, refresh, type Tokens } from '../../support/flow.ts'
import {
  alice,
  issuer,
  onBothDatabases,
  openTestServer,
  type TestServer,
  testServerFor,
} from '../../support/gatehouse.ts'
import { assertJson, eventsOf, grantsNothing } from '../answers.ts'

const jobs = 'https://jobs.example'
const mail = 'https://mail.example'

const error = async (response: Response) => {
  const body = (await response.json()) as { error?: string; error_description?: string }
  assert.equal(response.status, 400, JSON.stringify(body))
  assert.equal(response.headers.get('cache-control'), 'no-store')
  return body.error
}

async function allow(server: TestServer, userCode: string): Promise<void> {
  const done = await decideDevice(server, await enterCode(server, userCode), 'allow')
  assert.equal(done.status, 200, await done.text())
}

onBothDatabases('device authorization', (dialect) => {
  const open = testServerFor(dialect, { device: {}, resources: { [jobs]: {}, [mail]: {} } })

  test('RFC 8628 §3.2: a device gets a code for itself, one for its user, and where to send them', async () => {
    const server = await open()
    const client = await createDevice(server)
    const answer = await askDevice(server, client)
    assert.equal(answer.headers.get('cache-control'), 'no-store')
    const { device_code, user_code, ...rest } = (await answer.json()) as Record<string, string>
    assert.match(device_code!, /^gh_dc_[0-9a-z]{26}[A-Za-z0-9_-]{43}$/)
    assert.match(user_code!, /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/)
    assert.deepEqual(rest, {
      verification_uri: `${issuer}/device`,
      verification_uri_complete: `${issuer}/device?user_code=${user_code}`,
      expires_in: 900,
      interval: 5,
    })
    const rows = await server.app.server.db.query(sql`select * from device_codes`)
    const stored = JSON.stringify(rows)
    const letters = readUserCode(user_code)!
    for (const secret of [device_code!, user_code!, letters]) assert.ok(!stored.includes(secret))
    assert.ok(stored.includes(hashUserCode(server.app.server.secrets, letters)))
  })

  test('RFC 8628 §3.1: what the device asks is checked before it gets a code', async () => {
    const server = await open()
    const client = await createDevice(server, { scope: ['jobs:read'], resources: [jobs] })
    const confidential = await createDevice(server, { tokenEndpointAuthMethod: 'client_secret_basic' })
    const other = await server.createClient()
    await grantsNothing(server, async () => {
      for (const [created, form, status, code] of [
        [client, { scope: 'jobs:read applications:read' }, 400, 'invalid_scope'],
        [client, { scope: 'nonsense' }, 400, 'invalid_scope'],
        [client, { resource: mail }, 400, 'invalid_target'],
        [client, { resource: 'https://nobody.example' }, 400, 'invalid_target'],
        [client, { scope: ['jobs:read', 'jobs:read'] }, 400, 'invalid_request'],
        [client, { client_id: 'nobody' }, 401, 'invalid_client'],
        [confidential, { client_secret: 'wrong' }, 400, 'invalid_request'],
        [other, {}, 400, 'unauthorized_client'],
      ] as const) {
        await assertJson(await askDevice(server, created, form as Record<string, string>), status, code)
      }
      const unproved = { client_id: confidential.client.id, scope: 'jobs:read' }
      await assertJson(await server.post('/oauth/device_authorization', unproved), 401, 'invalid_client')
      const get = await server.request(`/oauth/device_authorization?client_id=${client.client.id}`)
      assert.equal(get.headers.get('allow'), 'POST')
      await assertJson(get, 405, 'invalid_request')
    })
    const [rows] = await server.app.server.db.query(
      sql<{
        count: number
      }>`select count(*) as count from device_codes where client_id = ${client.client.id}`,
    )
    assert.equal(Number(rows!.count), 0)
    assert.equal((await askDevice(server, client, { resource: jobs })).status, 200)
    assert.equal((await askDevice(server, confidential)).status, 200)
  })

  test('RFC 8628 §3.5: the device waits, the user allows, the device gets tokens for what was shown', async () => {
    const server = await open()
    const client = await createDevice(server)
    const device = await beginDevice(server, client, { resource: [jobs, mail] })
    assert.equal(await error(await poll(server, client, device.device_code)), 'authorization_pending')
    await allow(server, device.user_code)
    const tokens = await readTokens(await poll(server, client, device.device_code, { resource: jobs }))
    assert.equal(tokens.token_type, 'Bearer')
    assert.equal(tokens.scope, 'jobs:read')
    assert.ok(tokens.refresh_token)
    const [session] = await server.app.server.db.query(
      sql<Record<string, unknown>>`select * from sessions where client_id = ${client.client.id}`,
    )
    assert.equal(session!.subject, 'alice')
    assert.equal(session!.auth_time, server.signedIn.account!.authTime)
    assert.equal(session!.resources, `${jobs} ${mail}`)
    const claims = JSON.parse(Buffer.from(tokens.access_token.split('.')[1]!, 'base64url').toString())
    assert.deepEqual([claims.sub, claims.aud, claims.client_id], ['alice', jobs, client.client.id])

    const next = await readTokens(await refresh(server, client, tokens.refresh_token!, { resource: mail }))
    assert.ok(next.refresh_token)
    const events = await eventsOf(server, client.client.id)
    assert.deepEqual(events.map((event) => event.type).sort(), [
      'client_created',
      'device_approved',
      'token_exchange',
      'token_refresh',
    ])
    const { data } = JSON.parse(events.find((event) => event.type === 'device_approved')!.body)
    assert.deepEqual(data, { scope: 'jobs:read', device_address: '203.0.113.7' })
  })

  test('RFC 8628 §3.5: who asks too soon is told to slow down, and must wait 5 s longer from then on (N94)', async () => {
    const server = await open()
    const twin = await server.twin()
    const at = (g: TestServer['g']): Pick<TestServer, 'post'> => ({
      post: (path, form, headers = {}) =>
        g.fetch(
          new Request(new URL(path, issuer), {
            method: 'POST',
            headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
            body: new URLSearchParams(form as Record<string, string>),
          }),
        ),
    })
    const servers = [at(server.g), at(twin.g)]
    const client = await createDevice(server)
    const device = await beginDevice(server, client)
    // Milliseconds after the poll before, in whatever process; what is then answered; the interval from then on.
    const polls: [number, string, number][] = [
      [0, 'authorization_pending', 5_000],
      [4_999, 'slow_down', 10_000],
      [5_000, 'slow_down', 15_000],
      [14_999, 'slow_down', 20_000],
      [20_000, 'authorization_pending', 20_000],
      [19_999, 'slow_down', 25_000],
      [25_000, 'authorization_pending', 25_000],
    ]
    for (const [n, [wait, expected, interval]] of polls.entries()) {
      server.clock.advance(wait)
      const answer = await grantsNothing(server, () => poll(servers[n % 2]!, client, device.device_code))
      assert.equal(await error(answer), expected, `poll ${n}`)
      const [row] = await server.app.server.db.query(
        sql<{
          poll_interval: number
        }>`select poll_interval from device_codes where client_id = ${client.client.id}`,
      )
      assert.equal(row!.poll_interval, interval, `poll ${n}`)
    }
    // A device that others share a code with is slowed, never locked out: once allowed, it gets its tokens at once.
    await allow(server, device.user_code)
    await readTokens(await poll(servers[1]!, client, device.device_code))
  })

  test('RFC 8628 §3.5: an expired code, a denied one, an unknown, foreign or spent one each end as they must (N95)', async () => {
    const server = await open()
    const client = await createDevice(server)
    const other = await createDevice(server)

    const expired = await beginDevice(server, client)
    server.clock.advance(899_999)
    assert.equal(await error(await poll(server, client, expired.device_code)), 'authorization_pending')
    server.clock.advance(1)
    assert.equal(await error(await poll(server, client, expired.device_code)), 'expired_token')
    const late = await beginDevice(server, client)
    await allow(server, late.user_code)
    server.clock.advance(900_000)
    await grantsNothing(server, async () => {
      assert.equal(await error(await poll(server, client, late.device_code)), 'expired_token')
    })

    const denied = await beginDevice(server, client)
    const shown = await enterCode(server, denied.user_code)
    assert.equal((await decideDevice(server, shown, 'deny')).status, 200)
    await grantsNothing(server, async () => {
      assert.equal(await error(await poll(server, client, denied.device_code)), 'access_denied')
    })
    assert.equal((await eventsOf(server, client.client.id, 'device_denied')).length, 1)

    const allowed = await beginDevice(server, client)
    await allow(server, allowed.user_code)
    const cut = allowed.device_code.slice(0, -1)
    await grantsNothing(server, async () => {
      for (const [created, code] of [
        [client, 'nonsense'],
        [client, `gh_dc_${'0'.repeat(26)}${'A'.repeat(43)}`],
        [client, cut],
        [client, `${allowed.device_code}A`],
        [client, `${cut}${allowed.device_code.endsWith('A') ? 'B' : 'A'}`],
        [client, allowed.user_code],
        [other, allowed.device_code],
      ] as const) {
        assert.equal(await error(await poll(server, created, code)), 'invalid_grant', code)
      }
    })
    const tokens = await readTokens(await poll(server, client, allowed.device_code))
    await grantsNothing(server, async () => {
      assert.equal(await error(await poll(server, client, allowed.device_code)), 'invalid_grant')
      assert.equal(await error(await poll(server, other, allowed.device_code)), 'invalid_grant')
    })
    // A second use is a lost answer or a second timer, not a theft: what was issued lives.
    await readTokens(await refresh(server, client, tokens.refresh_token!))
    assert.equal(
      await error(
        await server.post('/oauth/token', { grant_type: deviceGrant, client_id: client.client.id }),
      ),
      'invalid_request',
    )
  })

  test('RFC 8707 §2.2: a resource outside what was allowed is invalid_target and spends nothing', async () => {
    const server = await open()
    const client = await createDevice(server)
    const device = await beginDevice(server, client, { resource: jobs })
    await allow(server, device.user_code)
    const wrong = await grantsNothing(server, () =>
      poll(server, client, device.device_code, { resource: mail }),
    )
    await assertJson(wrong, 400, 'invalid_target')
    await readTokens(await poll(server, client, device.device_code, { resource: jobs }))
  })

  test('RFC 6749 §5.2: a disconnected app or a disabled user ends a device that was allowed', async () => {
    const server = await open()
    const { db } = server.app.server
    const client = await createDevice(server)
    const withdrawn = await beginDevice(server, client)
    await allow(server, withdrawn.user_code)
    await disconnect(server, client.client.id)
    assert.equal(await error(await poll(server, client, withdrawn.device_code)), 'invalid_grant')
    // A consent given anew does not bring the old device back.
    const again = await beginDevice(server, client)
    await allow(server, again.user_code)
    assert.equal(await error(await poll(server, client, withdrawn.device_code)), 'invalid_grant')
    await db.query(sql`update users set disabled_at = 1 where subject = 'alice'`)
    assert.equal(await error(await poll(server, client, again.device_code)), 'invalid_grant')
    await db.query(sql`update users set disabled_at = null where subject = 'alice'`)
    await readTokens(await poll(server, client, again.device_code))
  })

  test('RFC 7009 §2.2.1: a device code cannot be revoked, what came of it can (N114)', async () => {
    const server = await open()
    const client = await createDevice(server, { tokenEndpointAuthMethod: 'client_secret_basic' })
    const device = await beginDevice(server, client)
    const { headers } = credentials(client)
    const answer = await server.post('/oauth/revoke', { token: device.device_code }, headers)
    await assertJson(answer, 400, 'unsupported_token_type')
    assert.deepEqual(await introspect(server, client, device.device_code), { active: false })
    await allow(server, device.user_code)
    const tokens = await readTokens(await poll(server, client, device.device_code))
    assert.equal((await introspect(server, client, tokens.access_token)).active, true)
    assert.equal((await server.post('/oauth/revoke', { token: tokens.refresh_token! }, headers)).status, 200)
    assert.equal((await introspect(server, client, tokens.access_token)).active, false)
  })

  test('C29: over the quota the session idle for longest ends, never the sign-in of a device', async () => {
    const server = await openTestServer(dialect, { device: {}, sessions: { quota: 2 } })
    try {
      const client = await createDevice(server, { tokenEndpointAuthMethod: 'client_secret_basic' })
      const all: Tokens[] = []
      for (let n = 0; n < 3; n++) {
        server.clock.advance(1_000)
        all.push(await obtainDeviceTokens(server, client))
      }
      const alive = await Promise.all(
        all.map(async (tokens) => (await introspect(server, client, tokens.access_token)).active),
      )
      assert.deepEqual(alive, [false, true, true])
    } finally {
      await server.close()
    }
  })

  test('RFC 8628 §5.2: a network may start only so many devices, and the table does not grow past them', async () => {
    const server = await openTestServer(dialect, { device: { perNetwork: 3 } })
    try {
      const client = await createDevice(server)
      for (let n = 0; n < 3; n++) await beginDevice(server, client)
      const answer = await askDevice(server, client)
      assert.ok(Number(answer.headers.get('retry-after')) > 0)
      await assertJson(answer, 429, 'temporarily_unavailable')
      const elsewhere = await server.request('/oauth/device_authorization', {
        method: 'POST',
        address: '198.51.100.1',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ client_id: client.client.id, scope: 'jobs:read' }),
      })
      assert.equal(elsewhere.status, 200)
      server.clock.advance(15 * 60_000)
      await beginDevice(server, client)
    } finally {
      await server.close()
    }
  })

  test('RFC 8628 §4: it is advertised where it is on; where it is off, nothing of it is there', async () => {
    const server = await open()
    const metadata = async (at: TestServer) =>
      (await (await at.request('/.well-known/oauth-authorization-server')).json()) as Record<string, unknown>
    const on = await metadata(server)
    assert.equal(on.device_authorization_endpoint, `${issuer}/oauth/device_authorization`)
    assert.ok((on.grant_types_supported as string[]).includes(deviceGrant))
    const without = await openTestServer(dialect)
    try {
      const off = await metadata(without)
      assert.equal(off.device_authorization_endpoint, undefined)
      assert.ok(!(off.grant_types_supported as string[]).includes(deviceGrant))
      assert.equal((await without.request('/device')).status, 404)
      const post = { method: 'POST', body: '' }
      assert.equal((await without.request('/oauth/device_authorization', post)).status, 404)
      await assert.rejects(createDevice(without), /grantTypes/)
      const client = await without.createClient()
      const answer = await without.post(
        '/oauth/token',
        { grant_type: deviceGrant, device_code: 'x' },
        credentials(client).headers,
      )
      await assertJson(answer, 400, 'unsupported_grant_type')
    } finally {
      await without.close()
    }
  })

  test('OpenID Connect Core §3.1.3.3: a device that asked for openid gets an ID token', async () => {
    const server = await open()
    server.signedIn.account = { ...alice, authTime: server.clock.now() }
    const client = await createDevice(server)
    const tokens = (await obtainDeviceTokens(server, client, { scope: 'openid jobs:read' })) as Tokens & {
      id_token?: string
    }
    const claims = JSON.parse(Buffer.from(tokens.id_token!.split('.')[1]!, 'base64url').toString())
    assert.deepEqual([claims.iss, claims.sub, claims.aud], [issuer, 'alice', client.client.id])
  })
})

/** Presses the button of the connected apps page. */
async function disconnect(server: TestServer, client: string): Promise<void> {
  const page = await readConsent(await server.request('/account/apps'))
  const form = page.html.split('<form ').find((one) => one.includes(`value="${client}"`))!
  const form_token = /name="form_token" value="([^"]*)"/.exec(form)![1]!
  const done = await server.post('/account/apps', { client, form_token }, { cookie: page.cookie })
  assert.equal(done.status, 303)
}

test('RFC 8628 §6.1: a code is read however people type it, and nothing else is one', () => {
  for (const typed of ['WDJB-MJHT', 'wdjbmjht', ' wdjb mjht ', 'WDJB–MJHT', 'w.d.j.b.m.j.h.t']) {
    assert.equal(readUserCode(typed), 'WDJBMJHT', typed)
  }
  for (const typed of ['', 'WDJB-MJH', 'WDJB-MJHTT', 'WDJB-MJHA', 'WDJB-MJH0', 'ẀDJBMJHT', undefined]) {
    assert.equal(readUserCode(typed), undefined, String(typed))
  }
})
