import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from '../../../src/db/sql.ts'
import {
  answerConsent,
  authorizeParameters,
  makePkce,
  type Pkce,
  readConsent,
  readTokens,
  redeem,
  type ShownConsent,
} from '../../support/flow.ts'
import {
  bob,
  formText,
  issuer,
  onBothDatabases,
  secret,
  type TestServer,
  testServerFor,
} from '../../support/gatehouse.ts'
import { holdEvents } from '../../support/hold.ts'
import { assertPage, assertRedirectError, eventsOf, grantsNothing, readAnswer } from '../answers.ts'
import { pushed } from './pushing.ts'

type Created = Awaited<ReturnType<TestServer['createClient']>>

interface Asked extends ShownConsent {
  pkce: Pkce
}

async function show(
  server: TestServer,
  client: Created,
  { cookie, push, ...overrides }: { cookie?: string; push?: boolean } & Record<string, unknown> = {},
): Promise<Asked> {
  const pkce = makePkce()
  const asked = authorizeParameters(client, pkce, {
    prompt: 'consent',
    ...(overrides as Record<string, string>),
  })
  const query = push ? await pushed(server, client, asked) : asked
  const answer = await server.request(`/oauth/authorize?${query}`, cookie === undefined ? {} : { cookie })
  assert.equal(answer.status, 200)
  const shown = await readConsent(answer)
  return { ...shown, pkce, ...(cookie === undefined ? {} : { cookie }) }
}

const allow = (server: TestServer, shown: ShownConsent) => answerConsent(server, shown, { decision: 'allow' })
const deny = (server: TestServer, shown: ShownConsent) => answerConsent(server, shown, { decision: 'deny' })
const locationOf = (answer: Response) => answer.headers.get('location')

/** The link of a page with these words. */
function linkOf(page: string, words: string): string {
  const link = [...page.matchAll(/<a [^>]*href="([^"]*)"[^>]*>(?:<span>)?([^<]*)/g)].find(
    (one) => one[2] === words,
  )
  assert.ok(link, `a link “${words}” on ${page}`)
  return link[1]!.replaceAll('&amp;', '&')
}

onBothDatabases('a decision that is sent again', (dialect) => {
  const open = testServerFor(dialect)

  for (const push of [false, true]) {
    const kind = push ? 'a pushed request' : 'a request'

    test(`RFC 6749 §4.1.2: Allow sent again for ${kind} gets the same redirect, whose code is good once`, async () => {
      const server = await open()
      const client = await server.createClient()
      const shown = await show(server, client, { push })
      const first = await allow(server, shown)
      const code = readAnswer(first).get('code')!
      const second = await grantsNothing(server, () => allow(server, shown))
      assert.equal(locationOf(second), locationOf(first))
      assert.equal((await eventsOf(server, client.client.id, 'authorize')).length, 1)
      await readTokens(await redeem(server, client, code, shown.pkce))
      // The client has it: the same code again would end what it was exchanged for.
      const third = await grantsNothing(server, () => allow(server, shown))
      await assertPage(third, 400, { shows: ['already'], echoes: [code] })
    })

    test(`RFC 6749 §4.1.2.1: Deny sent again for ${kind} gets the same redirect`, async () => {
      const server = await open()
      const client = await server.createClient()
      const shown = await show(server, client, { push })
      const first = await deny(server, shown)
      assertRedirectError(first, 'access_denied')
      const second = await grantsNothing(server, () => deny(server, shown))
      assert.equal(locationOf(second), locationOf(first))
      assert.equal((await eventsOf(server, client.client.id, 'authorize_denied')).length, 1)
    })

    test(`RFC 6749 §10.12: the first decision on ${kind} stands, and the page says which it was`, async () => {
      const server = await open()
      const client = await server.createClient({ clientUri: 'https://client.example/start' })
      for (const [first, other, says] of [
        [allow, deny, 'You already allowed this request'],
        [deny, allow, 'You already denied this request'],
      ] as const) {
        const shown = await show(server, client, { push })
        const answer = await first(server, shown)
        const page = await assertPage(await grantsNothing(server, () => other(server, shown)), 400, {
          shows: [says],
        })
        assert.equal(linkOf(page, 'Back to Job board'), 'https://client.example/start')
        assert.equal(locationOf(await first(server, shown)), locationOf(answer), 'and what it was stays so')
      }
    })
  }

  test('Form Post Response Mode §2: the answer in a form is the same, too', async () => {
    const server = await open()
    const client = await server.createClient()
    const shown = await show(server, client, { response_mode: 'form_post' })
    const codeIn = async (answer: Response) => /name="code" value="([^"]+)"/.exec(await answer.text())?.[1]
    const code = await codeIn(await allow(server, shown))
    assert.ok(code)
    assert.equal(await codeIn(await allow(server, shown)), code)
  })

  test('RFC 6749 §10.12: another browser, another user and nobody learn nothing of a decision', async () => {
    const server = await open()
    const client = await server.createClient()
    const shown = await show(server, client)
    const elsewhere = await show(server, client)
    const own = server.signedIn.account
    const first = await allow(server, shown)
    const code = readAnswer(first).get('code')!
    await assertPage(await allow(server, { ...shown, cookie: elsewhere.cookie }), 403, { echoes: [code] })
    for (const account of [{ ...bob, authTime: server.clock.now() }, null]) {
      server.signedIn.account = account
      await assertPage(await allow(server, shown), 403, { echoes: [code] })
    }
    server.signedIn.account = own
    assert.equal(locationOf(await allow(server, shown)), locationOf(first))
  })

  test('RFC 6749 §4.1.2: once its code has expired, Allow is not answered again, and nothing once the form has', async () => {
    const server = await open()
    const client = await server.createClient()
    const [allowed, denied] = [await show(server, client), await show(server, client)]
    await allow(server, allowed)
    await deny(server, denied)
    server.clock.advance(300_000)
    await assertPage(await grantsNothing(server, () => allow(server, allowed)), 400, {
      shows: ['You already allowed this request'],
    })
    assertRedirectError(await deny(server, denied), 'access_denied')
    server.clock.advance(25 * 60_000)
    for (const send of [allow, deny]) {
      for (const form of [allowed, denied])
        await assertPage(await grantsNothing(server, () => send(server, form)), 400)
    }
  })

  test('R10: when the root secret was rotated meanwhile, it is still the same code', async () => {
    const server = await open()
    const client = await server.createClient()
    const shown = await show(server, client)
    const first = await allow(server, shown)
    const next = 'another test secret that is long enough, too'
    await server.app.replaceSecrets([next, secret], 0)
    try {
      assert.equal(locationOf(await allow(server, shown)), locationOf(first))
    } finally {
      await server.app.replaceSecrets([secret, next], 0)
      await server.app.replaceSecrets([secret], 0)
    }
  })

  test('C4: nothing that is stored yields the code', async () => {
    const server = await open()
    const client = await server.createClient()
    const shown = await show(server, client)
    const code = readAnswer(await allow(server, shown)).get('code')!
    const { db } = server.app.server
    const rows = [
      await db.query(sql`select * from authorization_requests`),
      await db.query(sql`select * from codes`),
      await db.query(sql`select * from events`),
    ]
    assert.ok(!JSON.stringify(rows).includes(code.slice(-43)))
    assert.ok(!JSON.stringify(rows).includes(shown.fields.request!.slice(-43)))
  })

  test('RFC 6749 §10.12: two processes that get it at one moment answer with the same redirect', async () => {
    const server = await open()
    const client = await server.createClient()
    const { g: twin } = await server.twin()
    const send = (g: typeof twin, shown: ShownConsent, decision: string) =>
      g.fetch(
        new Request(`${issuer}/oauth/consent`, {
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded', cookie: shown.cookie },
          body: formText({ ...shown.fields, decision }),
          redirect: 'manual',
        }),
      )
    for (const push of [false, true]) {
      for (const [first, second] of [
        ['allow', 'allow'],
        ['deny', 'deny'],
        ['deny', 'allow'],
      ] as const) {
        const shown = await show(server, client, { push })
        // On PostgreSQL both have read the form before either decides; SQLite has one writer.
        const hold =
          dialect === 'postgres' ? await holdEvents(server.app.settings.database as string) : undefined
        await hold?.close()
        const one = send(server.g, shown, first)
        await hold?.waiting(1, one)
        const both = [one, send(twin, shown, second)]
        await hold?.waiting(2, ...both)
        await hold?.open()
        const [answer, other] = await Promise.all(both)
        await hold?.end()
        assert.equal(answer!.status, 303)
        if (first === second) assert.equal(locationOf(other!), locationOf(answer!))
        else assert.match(await assertPage(other!, 400), /You already denied this request/)
      }
    }
    assert.equal((await eventsOf(server, client.client.id, 'authorize')).length, 2)
    assert.equal((await eventsOf(server, client.client.id, 'authorize_denied')).length, 4)
  })
})

onBothDatabases('a form that counts no more', (dialect) => {
  const open = testServerFor(dialect)

  const startsAgain = async (server: TestServer, answer: Response, status: number, cookie: string) => {
    const page = await assertPage(answer, status)
    const again = linkOf(page, 'Start again')
    assert.ok(again.startsWith('/oauth/authorize?'), again)
    const shown = await readConsent(await server.request(again, { cookie }))
    assert.ok(readAnswer(await allow(server, { ...shown, cookie: shown.cookie || cookie })).get('code'))
  }

  test('RFC 6749 §10.5: who took too long starts again from the page that says so', async () => {
    const server = await open()
    const client = await server.createClient()
    const shown = await show(server, client)
    server.clock.advance(30 * 60_000)
    await startsAgain(server, await allow(server, shown), 400, shown.cookie)
  })

  test('RFC 6749 §10.12: who is signed in as somebody else by now, or in another browser session, starts again', async () => {
    const server = await open()
    const client = await server.createClient()
    const shown = await show(server, client)
    const own = server.signedIn.account
    server.signedIn.account = { ...bob, authTime: server.clock.now() }
    await startsAgain(server, await allow(server, shown), 403, shown.cookie)
    server.signedIn.account = own
    await startsAgain(server, await allow(server, { ...shown, cookie: '' }), 403, shown.cookie)
  })

  test('RFC 9700 §4.11: the way on is an authorization request of ours, whatever the form says', async () => {
    const server = await open()
    const client = await server.createClient()
    const shown = await show(server, client)
    for (const again of [
      'https://evil.example/',
      '//evil.example/',
      `${issuer}/sign-out`,
      'javascript:alert(1)',
    ]) {
      const fields = { ...shown.fields, again, form_token: 'x' }
      const page = await assertPage(await allow(server, { ...shown, fields }), 403)
      assert.doesNotMatch(page, /Start again|evil|javascript/)
    }
  })

  test('RFC 9126 §4: a pushed request that was used leads back to the application', async () => {
    const server = await open()
    const registered = { clientUri: 'https://client.example/start' }
    const client = await server.createClient(registered)
    const asked = await pushed(server, client, authorizeParameters(client, makePkce(), { prompt: 'consent' }))
    await allow(server, await readConsent(await server.request(`/oauth/authorize?${asked}`)))
    const page = await assertPage(await server.request(`/oauth/authorize?${asked}`), 400)
    assert.equal(linkOf(page, 'Back to Job board'), registered.clientUri)
    // Where a sign-in begins at the client is the better way, where it is known (OpenID Connect Core §4).
    await server.g.clients.change(client.client.id, { initiateLoginUri: 'https://client.example/login' })
    server.clock.advance(1_000)
    const later = await assertPage(await server.request(`/oauth/authorize?${asked}`), 400)
    assert.equal(
      linkOf(later, 'Back to Job board'),
      `https://client.example/login?iss=${encodeURIComponent(issuer)}`,
    )
  })

  test('a client that names no page of its own is found at the origin of its answers, if an administrator registered it', async () => {
    const server = await open()
    const client = await server.createClient()
    const asked = await pushed(server, client, authorizeParameters(client, makePkce(), { prompt: 'consent' }))
    await allow(server, await readConsent(await server.request(`/oauth/authorize?${asked}`)))
    const page = await assertPage(await server.request(`/oauth/authorize?${asked}`), 400)
    assert.equal(linkOf(page, 'Back to Job board'), 'https://client.example/')
  })
})
