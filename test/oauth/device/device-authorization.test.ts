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
import { alice, type House, houseFor, issuer, onBothDatabases, openHouse } from '../../support/gatehouse.ts'
import { assertJson, eventsOf, grantsNothing } from '../answers.ts'

const jobs = 'https://jobs.example'
const mail = 'https://mail.example'

const error = async (response: Response) => {
  const body = (await response.json()) as { error?: string; error_description?: string }
  assert.equal(response.status, 400, JSON.stringify(body))
  assert.equal(response.headers.get('cache-control'), 'no-store')
  return body.error
}

async function allow(house: House, userCode: string): Promise<void> {
  const done = await decideDevice(house, await enterCode(house, userCode), 'allow')
  assert.equal(done.status, 200, await done.text())
}

onBothDatabases('device authorization', (dialect) => {
  const open = houseFor(dialect, { device: {}, resources: { [jobs]: {}, [mail]: {} } })

  test('RFC 8628 §3.2: a device gets a code for itself, one for its user, and where to send them', async () => {
    const house = await open()
    const client = await createDevice(house)
    const answer = await askDevice(house, client)
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
    const rows = await house.app.server.db.query(sql`select * from device_codes`)
    const stored = JSON.stringify(rows)
    const letters = readUserCode(user_code)!
    for (const secret of [device_code!, user_code!, letters]) assert.ok(!stored.includes(secret))
    assert.ok(stored.includes(hashUserCode(house.app.server.secrets, letters)))
  })

  test('RFC 8628 §3.1: what the device asks is checked before it gets a code', async () => {
    const house = await open()
    const client = await createDevice(house, { scope: ['jobs:read'], resources: [jobs] })
    const confidential = await createDevice(house, { tokenEndpointAuthMethod: 'client_secret_basic' })
    const other = await house.createClient()
    await grantsNothing(house, async () => {
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
        await assertJson(await askDevice(house, created, form as Record<string, string>), status, code)
      }
      const unproved = { client_id: confidential.client.id, scope: 'jobs:read' }
      await assertJson(await house.post('/oauth/device_authorization', unproved), 401, 'invalid_client')
      const get = await house.request(`/oauth/device_authorization?client_id=${client.client.id}`)
      assert.equal(get.headers.get('allow'), 'POST')
      await assertJson(get, 405, 'invalid_request')
    })
    const [rows] = await house.app.server.db.query(
      sql<{
        count: number
      }>`select count(*) as count from device_codes where client_id = ${client.client.id}`,
    )
    assert.equal(Number(rows!.count), 0)
    assert.equal((await askDevice(house, client, { resource: jobs })).status, 200)
    assert.equal((await askDevice(house, confidential)).status, 200)
  })

  test('RFC 8628 §3.5: the device waits, the user allows, the device gets tokens for what was shown', async () => {
    const house = await open()
    const client = await createDevice(house)
    const device = await beginDevice(house, client, { resource: [jobs, mail] })
    assert.equal(await error(await poll(house, client, device.device_code)), 'authorization_pending')
    await allow(house, device.user_code)
    const tokens = await readTokens(await poll(house, client, device.device_code, { resource: jobs }))
    assert.equal(tokens.token_type, 'Bearer')
    assert.equal(tokens.scope, 'jobs:read')
    assert.ok(tokens.refresh_token)
    const [session] = await house.app.server.db.query(
      sql<Record<string, unknown>>`select * from sessions where client_id = ${client.client.id}`,
    )
    assert.equal(session!.subject, 'alice')
    assert.equal(session!.auth_time, house.signedIn.account!.authTime)
    assert.equal(session!.resources, `${jobs} ${mail}`)
    const claims = JSON.parse(Buffer.from(tokens.access_token.split('.')[1]!, 'base64url').toString())
    assert.deepEqual([claims.sub, claims.aud, claims.client_id], ['alice', jobs, client.client.id])

    const next = await readTokens(await refresh(house, client, tokens.refresh_token!, { resource: mail }))
    assert.ok(next.refresh_token)
    const events = await eventsOf(house, client.client.id)
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
    const house = await open()
    const twin = await house.twin()
    const at = (g: House['g']): Pick<House, 'post'> => ({
      post: (path, form, headers = {}) =>
        g.fetch(
          new Request(new URL(path, issuer), {
            method: 'POST',
            headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
            body: new URLSearchParams(form as Record<string, string>),
          }),
        ),
    })
    const houses = [at(house.g), at(twin.g)]
    const client = await createDevice(house)
    const device = await beginDevice(house, client)
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
      house.clock.advance(wait)
      const answer = await grantsNothing(house, () => poll(houses[n % 2]!, client, device.device_code))
      assert.equal(await error(answer), expected, `poll ${n}`)
      const [row] = await house.app.server.db.query(
        sql<{
          poll_interval: number
        }>`select poll_interval from device_codes where client_id = ${client.client.id}`,
      )
      assert.equal(row!.poll_interval, interval, `poll ${n}`)
    }
    // A device that others share a code with is slowed, never locked out: once allowed, it gets its tokens at once.
    await allow(house, device.user_code)
    await readTokens(await poll(houses[1]!, client, device.device_code))
  })

  test('RFC 8628 §3.5: an expired code, a denied one, an unknown, foreign or spent one each end as they must (N95)', async () => {
    const house = await open()
    const client = await createDevice(house)
    const other = await createDevice(house)

    const expired = await beginDevice(house, client)
    house.clock.advance(899_999)
    assert.equal(await error(await poll(house, client, expired.device_code)), 'authorization_pending')
    house.clock.advance(1)
    assert.equal(await error(await poll(house, client, expired.device_code)), 'expired_token')
    const late = await beginDevice(house, client)
    await allow(house, late.user_code)
    house.clock.advance(900_000)
    await grantsNothing(house, async () => {
      assert.equal(await error(await poll(house, client, late.device_code)), 'expired_token')
    })

    const denied = await beginDevice(house, client)
    const shown = await enterCode(house, denied.user_code)
    assert.equal((await decideDevice(house, shown, 'deny')).status, 200)
    await grantsNothing(house, async () => {
      assert.equal(await error(await poll(house, client, denied.device_code)), 'access_denied')
    })
    assert.equal((await eventsOf(house, client.client.id, 'device_denied')).length, 1)

    const allowed = await beginDevice(house, client)
    await allow(house, allowed.user_code)
    const cut = allowed.device_code.slice(0, -1)
    await grantsNothing(house, async () => {
      for (const [created, code] of [
        [client, 'nonsense'],
        [client, `gh_dc_${'0'.repeat(26)}${'A'.repeat(43)}`],
        [client, cut],
        [client, `${allowed.device_code}A`],
        [client, `${cut}${allowed.device_code.endsWith('A') ? 'B' : 'A'}`],
        [client, allowed.user_code],
        [other, allowed.device_code],
      ] as const) {
        assert.equal(await error(await poll(house, created, code)), 'invalid_grant', code)
      }
    })
    const tokens = await readTokens(await poll(house, client, allowed.device_code))
    await grantsNothing(house, async () => {
      assert.equal(await error(await poll(house, client, allowed.device_code)), 'invalid_grant')
      assert.equal(await error(await poll(house, other, allowed.device_code)), 'invalid_grant')
    })
    // A second use is a lost answer or a second timer, not a theft: what was issued lives.
    await readTokens(await refresh(house, client, tokens.refresh_token!))
    assert.equal(
      await error(await house.post('/oauth/token', { grant_type: deviceGrant, client_id: client.client.id })),
      'invalid_request',
    )
  })

  test('RFC 8707 §2.2: a resource outside what was allowed is invalid_target and spends nothing', async () => {
    const house = await open()
    const client = await createDevice(house)
    const device = await beginDevice(house, client, { resource: jobs })
    await allow(house, device.user_code)
    const wrong = await grantsNothing(house, () =>
      poll(house, client, device.device_code, { resource: mail }),
    )
    await assertJson(wrong, 400, 'invalid_target')
    await readTokens(await poll(house, client, device.device_code, { resource: jobs }))
  })

  test('RFC 6749 §5.2: a disconnected app or a disabled user ends a device that was allowed', async () => {
    const house = await open()
    const { db } = house.app.server
    const client = await createDevice(house)
    const withdrawn = await beginDevice(house, client)
    await allow(house, withdrawn.user_code)
    await disconnect(house, client.client.id)
    assert.equal(await error(await poll(house, client, withdrawn.device_code)), 'invalid_grant')
    // A consent given anew does not bring the old device back.
    const again = await beginDevice(house, client)
    await allow(house, again.user_code)
    assert.equal(await error(await poll(house, client, withdrawn.device_code)), 'invalid_grant')
    await db.query(sql`update users set disabled_at = 1 where subject = 'alice'`)
    assert.equal(await error(await poll(house, client, again.device_code)), 'invalid_grant')
    await db.query(sql`update users set disabled_at = null where subject = 'alice'`)
    await readTokens(await poll(house, client, again.device_code))
  })

  test('RFC 7009 §2.2.1: a device code cannot be revoked, what came of it can (N114)', async () => {
    const house = await open()
    const client = await createDevice(house, { tokenEndpointAuthMethod: 'client_secret_basic' })
    const device = await beginDevice(house, client)
    const { headers } = credentials(client)
    const answer = await house.post('/oauth/revoke', { token: device.device_code }, headers)
    await assertJson(answer, 400, 'unsupported_token_type')
    assert.deepEqual(await introspect(house, client, device.device_code), { active: false })
    await allow(house, device.user_code)
    const tokens = await readTokens(await poll(house, client, device.device_code))
    assert.equal((await introspect(house, client, tokens.access_token)).active, true)
    assert.equal((await house.post('/oauth/revoke', { token: tokens.refresh_token! }, headers)).status, 200)
    assert.equal((await introspect(house, client, tokens.access_token)).active, false)
  })

  test('C29: over the quota the session idle for longest ends, never the sign-in of a device', async () => {
    const house = await openHouse(dialect, { device: {}, sessions: { quota: 2 } })
    try {
      const client = await createDevice(house, { tokenEndpointAuthMethod: 'client_secret_basic' })
      const all: Tokens[] = []
      for (let n = 0; n < 3; n++) {
        house.clock.advance(1_000)
        all.push(await obtainDeviceTokens(house, client))
      }
      const alive = await Promise.all(
        all.map(async (tokens) => (await introspect(house, client, tokens.access_token)).active),
      )
      assert.deepEqual(alive, [false, true, true])
    } finally {
      await house.close()
    }
  })

  test('RFC 8628 §5.2: a network may start only so many devices, and the table does not grow past them', async () => {
    const house = await openHouse(dialect, { device: { perNetwork: 3 } })
    try {
      const client = await createDevice(house)
      for (let n = 0; n < 3; n++) await beginDevice(house, client)
      const answer = await askDevice(house, client)
      assert.ok(Number(answer.headers.get('retry-after')) > 0)
      await assertJson(answer, 429, 'temporarily_unavailable')
      const elsewhere = await house.request('/oauth/device_authorization', {
        method: 'POST',
        address: '198.51.100.1',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ client_id: client.client.id, scope: 'jobs:read' }),
      })
      assert.equal(elsewhere.status, 200)
      house.clock.advance(15 * 60_000)
      await beginDevice(house, client)
    } finally {
      await house.close()
    }
  })

  test('RFC 8628 §4: it is advertised where it is on; where it is off, nothing of it is there', async () => {
    const house = await open()
    const metadata = async (at: House) =>
      (await (await at.request('/.well-known/oauth-authorization-server')).json()) as Record<string, unknown>
    const on = await metadata(house)
    assert.equal(on.device_authorization_endpoint, `${issuer}/oauth/device_authorization`)
    assert.ok((on.grant_types_supported as string[]).includes(deviceGrant))
    const without = await openHouse(dialect)
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
    const house = await open()
    house.signedIn.account = { ...alice, authTime: house.clock.now() }
    const client = await createDevice(house)
    const tokens = (await obtainDeviceTokens(house, client, { scope: 'openid jobs:read' })) as Tokens & {
      id_token?: string
    }
    const claims = JSON.parse(Buffer.from(tokens.id_token!.split('.')[1]!, 'base64url').toString())
    assert.deepEqual([claims.iss, claims.sub, claims.aud], [issuer, 'alice', client.client.id])
  })
})

/** Presses the button of the connected apps page. */
async function disconnect(house: House, client: string): Promise<void> {
  const page = await readConsent(await house.request('/account/apps'))
  const form = page.html.split('<form ').find((one) => one.includes(`value="${client}"`))!
  const form_token = /name="form_token" value="([^"]*)"/.exec(form)![1]!
  const done = await house.post('/account/apps', { client, form_token }, { cookie: page.cookie })
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
