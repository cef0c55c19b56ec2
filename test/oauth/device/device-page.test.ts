import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  askDevice,
  beginDevice,
  createDevice,
  decideDevice,
  deviceGrant,
  enterCode,
  poll,
  sendCode,
  showCodeForm,
} from '../../support/device.ts'
import { readConsent, readTokens } from '../../support/flow.ts'
import {
  alice,
  bob,
  issuer,
  onBothDatabases,
  openTestServer,
  type TestServer,
  testServerFor,
} from '../../support/gatehouse.ts'
import { assertPage, assertUnframed, eventsOf, grantsNothing } from '../answers.ts'

const pending = async (
  server: TestServer,
  client: Awaited<ReturnType<typeof createDevice>>,
  code: string,
) => {
  server.clock.advance(60_000)
  const body = (await (await poll(server, client, code)).json()) as { error: string }
  return body.error === 'authorization_pending'
}

onBothDatabases('device page', (dialect) => {
  const open = testServerFor(dialect, { device: { lifetime: 3_600 } })

  test('RFC 8628 §3.3: the person sees who asks, for what, from where, and the code again', async () => {
    const server = await open()
    const client = await createDevice(server, { name: 'Television', clientUri: 'https://tv.example' })
    const answer = await askDevice(server, client, {}, { 'user-agent': 'LivingRoomTV/7.1' })
    const device = (await answer.json()) as { user_code: string; device_code: string }
    const shown = await enterCode(server, device.user_code)
    for (const text of [
      'Television',
      device.user_code,
      '203.0.113.7',
      'LivingRoomTV/7.1',
      '2026-01-15T',
      'Search open jobs',
      'jobs:read',
      'Alice',
      'https://tv.example',
      'on a device in front of you',
    ]) {
      assert.ok(shown.html.includes(text), text)
    }
    assert.ok(
      !shown.address.includes(device.user_code.slice(0, 4)),
      'the code does not travel in the address',
    )
    const done = await decideDevice(server, shown, 'allow')
    assert.match(await done.text(), /Your device is connected/)
    assertUnframed(done)
    await readTokens(await poll(server, client, device.device_code))
  })

  test('RFC 8628 §3.3: a decision that is sent again gets the same page, and the first one stands', async () => {
    const server = await open()
    const client = await createDevice(server)
    for (const [first, other, says] of [
      ['allow', 'deny', 'You already allowed this request'],
      ['deny', 'allow', 'You already denied this request'],
    ] as const) {
      const device = await beginDevice(server, client)
      const shown = await enterCode(server, device.user_code)
      const page = await (await decideDevice(server, shown, first)).text()
      const again = await decideDevice(server, shown, first)
      assert.equal(again.status, 200)
      assert.equal(await again.text(), page)
      const late = await grantsNothing(server, () => decideDevice(server, shown, other))
      assert.match(await assertPage(late, 400, { shows: [says] }), /<a [^>]*href="\/device"/)
      const own = server.signedIn.account
      server.signedIn.account = { ...bob, authTime: server.clock.now() }
      await assertPage(await decideDevice(server, shown, first), 403)
      server.signedIn.account = own
      if (first === 'allow') {
        await readTokens(await poll(server, client, device.device_code))
        assert.equal((await decideDevice(server, shown, first)).status, 200)
      }
    }
    assert.equal((await eventsOf(server, client.client.id, 'device_approved')).length, 1)
    assert.equal((await eventsOf(server, client.client.id, 'device_denied')).length, 1)
    // What was tried counts no more for the tests that follow.
    server.clock.advance(15 * 60_000)
  })

  test('RFC 8628 §3.3.1: a link shows the code in the form and does nothing else', async () => {
    const server = await open()
    const client = await createDevice(server)
    const device = await beginDevice(server, client)
    const path = device.verification_uri_complete.slice(issuer.length)
    const form = await grantsNothing(server, () => showCodeForm(server, undefined, path))
    assert.ok(form.html.includes(`value="${device.user_code}"`))
    assert.match(form.html, /Check that this code matches/)
    assert.ok(await pending(server, client, device.device_code))
    const entered = await sendCode(server, form, device.user_code)
    assert.equal(entered.status, 303)
    assert.ok(await pending(server, client, device.device_code), 'entering the code allows nothing')

    // Where the code was entered is known to that browser alone: its address says nothing in another one.
    const address = entered.headers.get('location')!
    await assertPage(await server.request(address), 400, { shows: ['Enter the code again'] })
    await assertPage(await server.request(address, { cookie: 'gh_browser=AAAAAAAAAAAAAAAAAAAAAA' }), 400)
    await assertPage(await server.request(`${address}x`, { cookie: form.cookie }), 400)
    const asked = await server.request(address, { cookie: form.cookie })
    assert.equal(asked.status, 200)
    assertUnframed(asked)
  })

  test('RFC 8628 §3.3: who is not signed in signs in and then sees the question', async () => {
    const server = await open()
    const client = await createDevice(server)
    const device = await beginDevice(server, client)
    server.signedIn.account = null
    const form = await showCodeForm(server)
    const entered = await sendCode(server, form, device.user_code)
    const address = entered.headers.get('location')!
    const away = await server.request(address, { cookie: form.cookie })
    assert.equal(away.status, 303)
    const signIn = new URL(away.headers.get('location')!)
    assert.equal(signIn.searchParams.get('to'), address)
    server.signedIn.account = { ...alice, authTime: server.clock.now() }
    const shown = {
      ...(await readConsent(await server.request(address, { cookie: form.cookie }))),
      cookie: form.cookie,
    }
    assert.equal((await decideDevice(server, shown, 'allow')).status, 200)
    await readTokens(await poll(server, client, device.device_code))
  })

  test('RFC 6749 §10.12: a form without its token, or with that of another page or browser, is a 403 page (N43)', async () => {
    const server = await open()
    const client = await createDevice(server)
    const device = await beginDevice(server, client)
    const other = await beginDevice(server, client)
    const shown = await enterCode(server, device.user_code)
    const elsewhere = await enterCode(server, device.user_code)
    const form = await showCodeForm(server)
    const token = shown.fields.form_token!
    for (const [fields, cookie] of [
      [{}, shown.cookie],
      [{ form_token: '' }, shown.cookie],
      [{ form_token: 'x'.repeat(43) }, shown.cookie],
      [{ form_token: `${token.slice(0, -2)}AA` }, shown.cookie],
      [{ form_token: elsewhere.fields.form_token! }, shown.cookie],
      [{ form_token: form.fields.form_token! }, form.cookie],
      [{ form_token: new URL(shown.address).searchParams.get('shown')! }, shown.cookie],
      [{ form_token: token }, elsewhere.cookie],
      [{ form_token: token }, ''],
    ] as const) {
      const answer = await grantsNothing(server, () =>
        server.post('/device', { ...fields, decision: 'allow' }, cookie ? { cookie } : {}),
      )
      await assertPage(answer, 403)
    }
    for (const [fields, cookie] of [
      [{}, form.cookie],
      [{ form_token: form.fields.form_token! }, shown.cookie],
      [{ form_token: token }, shown.cookie],
    ] as const) {
      const answer = await server.post('/device', { ...fields, user_code: other.user_code }, { cookie })
      await assertPage(answer, 403)
    }
    assert.ok(await pending(server, client, device.device_code))
    assert.equal((await decideDevice(server, shown, 'allow')).status, 200)
    await readTokens(await poll(server, client, device.device_code))
  })

  test('RFC 6749 §10.12: a form of another user is a 403 page, and stays open for the one it was shown to (N44)', async () => {
    const server = await open()
    const client = await createDevice(server)
    const device = await beginDevice(server, client)
    server.signedIn.account = { ...alice, authTime: server.clock.now() }
    const shown = await enterCode(server, device.user_code)
    for (const account of [{ ...bob, authTime: server.clock.now() }, null]) {
      server.signedIn.account = account
      await assertPage(await grantsNothing(server, () => decideDevice(server, shown, 'allow')), 403)
    }
    server.signedIn.account = { ...alice, authTime: server.clock.now() }
    assert.equal((await decideDevice(server, shown, 'allow')).status, 200)
    await readTokens(await poll(server, client, device.device_code))
  })

  test('RFC 8628 §3.3: a device is decided once; a page that comes too late says so', async () => {
    const server = await open()
    const client = await createDevice(server)
    const device = await beginDevice(server, client)
    const shown = await enterCode(server, device.user_code)
    const same = await enterCode(server, device.user_code)
    assert.equal((await decideDevice(server, shown, 'deny')).status, 200)
    for (const page of [shown, same]) {
      await assertPage(await grantsNothing(server, () => decideDevice(server, page, 'allow')), 400)
    }
    await assertPage(await server.request(same.address, { cookie: same.cookie }), 400)
    const again = await sendCode(server, await showCodeForm(server), device.user_code)
    await assertPage(again, 422)
    assert.equal((await eventsOf(server, client.client.id, 'device_approved')).length, 0)

    const late = await beginDevice(server, client)
    const lateShown = await enterCode(server, late.user_code)
    await assertPage(await decideDevice(server, lateShown, 'perhaps'), 400)
    server.clock.advance(3_600_000)
    await assertPage(await grantsNothing(server, () => decideDevice(server, lateShown, 'allow')), 400)
  })

  test('RFC 6749 §10.13, §10.14; RFC 9700 §4.12: every page is unframed, every redirect a 303, every foreign text inert (N46, N47, N48)', async () => {
    const server = await open()
    const name = '<b>TV</b>\u202e'
    const client = await createDevice(server, { name })
    const answer = await askDevice(server, client, {}, { 'user-agent': '<i>TV</i>' })
    const device = (await answer.json()) as { user_code: string }
    const form = await showCodeForm(server)
    const echo = await server.request('/device?user_code=%22%3E%3Cscript%3Ealert(1)%3C/script%3E')
    assertUnframed(echo)
    assert.doesNotMatch(await echo.text(), /<script/)
    const wrong = await sendCode(server, form, '"><script>alert(1)</script>')
    assert.doesNotMatch(await assertPage(wrong, 422), /<script>alert/)
    const entered = await sendCode(server, form, device.user_code)
    assert.equal(entered.status, 303)
    assert.equal(entered.headers.get('referrer-policy'), 'no-referrer')
    assert.equal(entered.headers.get('cache-control'), 'no-store')
    const page = await server.request(entered.headers.get('location')!, { cookie: form.cookie })
    assertUnframed(page)
    const text = await page.text()
    assert.ok(text.includes('&lt;b&gt;TV&lt;/b&gt;') && !text.includes('\u202e') && !text.includes('<i>TV'))
    // The sign-in that follows may be on another host, which the policy of the form must let through.
    assert.match(form.html, /<form method="post" action="\/device">/)
    const policy = (await server.request('/device')).headers.get('content-security-policy')!
    assert.doesNotMatch(policy, /form-action/)
  })

  test('RFC 6749 §4.1.2.1: a suspended client, a disabled user, a damaged form are pages too', async () => {
    const server = await open()
    const client = await createDevice(server)
    const device = await beginDevice(server, client)
    const shown = await enterCode(server, device.user_code)
    await server.g.clients.suspend(client.client.id, 'a test')
    await assertPage(await decideDevice(server, shown, 'allow'), 400)
    await assertPage(await server.request(shown.address, { cookie: shown.cookie }), 400)
    await server.g.clients.restore(client.client.id)
    await server.app.server.db.query({
      strings: ["update users set disabled_at = 1 where subject = 'alice'"],
      values: [],
    })
    await assertPage(await server.request(shown.address, { cookie: shown.cookie }), 400)
    await assertPage(await grantsNothing(server, () => decideDevice(server, shown, 'allow')), 403)
    await server.app.server.db.query({
      strings: ["update users set disabled_at = null where subject = 'alice'"],
      values: [],
    })
    const raw = (body: string) =>
      server.request('/device', {
        method: 'POST',
        cookie: shown.cookie,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body,
      })
    await assertPage(await raw('decision=%zz'), 400)
    await assertPage(await raw('decision=allow&decision=deny'), 400)
    await assertPage(await raw('x'.repeat(70_000)), 413)
    await assertPage(await server.request('/device', { method: 'PUT' }), 405)
    assert.equal((await decideDevice(server, shown, 'allow')).status, 200)
  })
})

onBothDatabases('device page below a path', (dialect) => {
  test('RFC 8628 §3.2, §3.3: an issuer with a path has its pages below it', async () => {
    const below = `${issuer}/auth`
    const server = await openTestServer(dialect, { issuer: below, device: {} })
    try {
      const at = (path: string, init: { cookie?: string; form?: Record<string, string> } = {}) =>
        server.request(`/auth${path}`, {
          ...(init.cookie ? { cookie: init.cookie } : {}),
          ...(init.form
            ? {
                method: 'POST',
                headers: { 'content-type': 'application/x-www-form-urlencoded' },
                body: new URLSearchParams(init.form).toString(),
              }
            : {}),
        })
      const { client } = await createDevice(server)
      const asked = await at('/oauth/device_authorization', {
        form: { client_id: client.id, scope: 'jobs:read' },
      })
      const device = (await asked.json()) as {
        user_code: string
        verification_uri: string
        device_code: string
      }
      assert.equal(device.verification_uri, `${below}/device`)
      const { cookie, fields, html } = await readConsent(await at('/device'))
      assert.ok(html.includes('action="/auth/device"'))
      const entered = await at('/device', { cookie, form: { ...fields, user_code: device.user_code } })
      const address = entered.headers.get('location')!
      assert.ok(address.startsWith(`${below}/device?`))
      const shown = await readConsent(await at(address.slice(below.length), { cookie }))
      assert.ok(shown.html.includes('action="/auth/device"'))
      assert.equal(
        (await at('/device', { cookie, form: { ...shown.fields, decision: 'allow' } })).status,
        200,
      )
      const form = { grant_type: deviceGrant, client_id: client.id, device_code: device.device_code }
      await readTokens(await at('/oauth/token', { form }))
    } finally {
      await server.close()
    }
  })
})

onBothDatabases('device codes that are tried', (dialect) => {
  async function tried(run: (server: TestServer) => Promise<void>, networks = 1_000): Promise<void> {
    const server = await openTestServer(dialect, { device: {}, limits: { failuresPerNetwork: networks } })
    try {
      await run(server)
    } finally {
      await server.close()
    }
  }
  const wrong = 'BBBB-BBBB'
  const browser = (n: number) => `gh_browser=${String(n).padStart(22, 'A')}`

  test('RFC 8628 §5.1: after ten attempts in a browser session even the right code waits', () =>
    tried(async (server) => {
      server.signedIn.account = null
      const device = await beginDevice(server, await createDevice(server))
      const form = await showCodeForm(server)
      for (let n = 0; n < 10; n++) await assertPage(await sendCode(server, form, wrong), 422)
      const stopped = await sendCode(server, form, device.user_code)
      assert.ok(Number(stopped.headers.get('retry-after')) > 0)
      await assertPage(stopped, 429, { shows: ['Too many attempts'] })
      // In another network it is the same browser; another browser is not concerned.
      await assertPage(await sendCode(server, form, device.user_code, '198.51.100.9'), 429)
      assert.equal((await sendCode(server, await showCodeForm(server), device.user_code)).status, 303)
      server.clock.advance(15 * 60_000)
      const next = await beginDevice(server, await createDevice(server))
      assert.equal((await sendCode(server, form, next.user_code)).status, 303)
    }))

  test('RFC 8628 §5.1: attempts of one user count together, in whatever browser and process', () =>
    tried(async (server) => {
      const device = await beginDevice(server, await createDevice(server))
      const twin = await server.twin()
      for (let n = 0; n < 10; n++) {
        const form = await showCodeForm(server, browser(n))
        const at = n % 2 === 0 ? server : { ...server, request: requestAt(server, twin.g) }
        await assertPage(await sendCode(at, form, wrong), 422)
      }
      for (const at of [server, { ...server, request: requestAt(server, twin.g) }]) {
        await assertPage(await sendCode(at, await showCodeForm(server, browser(99)), device.user_code), 429)
      }
      server.signedIn.account = { ...bob, authTime: server.clock.now() }
      const form = await showCodeForm(server, browser(100))
      assert.equal((await sendCode(server, form, device.user_code)).status, 303)
    }))

  test('RFC 8628 §5.1: attempts of one network count together, and many at once gain nothing', () =>
    tried(async (server) => {
      server.signedIn.account = null
      const device = await beginDevice(server, await createDevice(server))
      const forms = await Promise.all(Array.from({ length: 40 }, (_, n) => showCodeForm(server, browser(n))))
      const answers = await Promise.all(forms.map((form) => sendCode(server, form, wrong)))
      const statuses = answers.map((answer) => answer.status)
      assert.equal(statuses.filter((status) => status === 422).length, 20)
      assert.equal(statuses.filter((status) => status === 429).length, 20)
      await assertPage(await sendCode(server, await showCodeForm(server), device.user_code), 429)
      const form = await showCodeForm(server)
      assert.equal((await sendCode(server, form, device.user_code, '198.51.100.9')).status, 303)
    }, 20))

  test('RFC 8628 §3.3: where sessions are refused at the quota the page says so', async () => {
    const server = await openTestServer(dialect, {
      device: {},
      sessions: { quota: 1, sharedQuota: 1, whenFull: 'refuse' },
    })
    try {
      const client = await createDevice(server, { grantTypes: [deviceGrant] })
      const first = await beginDevice(server, client)
      const second = await beginDevice(server, client)
      const shown = await enterCode(server, second.user_code)
      assert.equal(
        (await decideDevice(server, await enterCode(server, first.user_code), 'allow')).status,
        200,
      )
      await readTokens(await poll(server, client, first.device_code))
      await assertPage(await decideDevice(server, shown, 'allow'), 400, { shows: ['too many sessions'] })
      await assertPage(await server.request(shown.address, { cookie: shown.cookie }), 400)
      assert.equal((await decideDevice(server, shown, 'deny')).status, 200)
    } finally {
      await server.close()
    }
  })
})

function requestAt(server: TestServer, g: TestServer['g']): TestServer['request'] {
  return (path, init = {}) => {
    const { cookie, address = '203.0.113.7', ...rest } = init
    const headers = new Headers(rest.headers)
    if (cookie) headers.set('cookie', cookie)
    const url = new URL(path, `${server.g.issuer}/`)
    return g.fetch(new Request(url, { redirect: 'manual', ...rest, headers }), { address })
  }
}
