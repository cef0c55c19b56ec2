// Errors that go to the redirect URI of a client nobody here registered, before its user was asked anything.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answerConsent, authorizeParameters, makePkce, readConsent } from '../../support/flow.ts'
import {
  bob,
  onBothDatabases,
  openTestServer,
  type TestServer,
  testServerFor,
} from '../../support/gatehouse.ts'
import { asCreated, registered } from '../../support/registration.ts'
import { assertPage, assertRedirectError, readAnswer } from '../answers.ts'
import { pushed } from './pushing.ts'

type Created = ReturnType<typeof asCreated>

const ask = (server: TestServer, client: Created, more: Record<string, string | undefined> = {}) =>
  server.request(`/oauth/authorize?${authorizeParameters(client, makePkce(), more)}`)

async function allow(server: TestServer, client: Created, more: Record<string, string> = {}): Promise<void> {
  const shown = await readConsent(await ask(server, client, { prompt: 'consent', ...more }))
  assert.ok(
    readAnswer(await answerConsent(server, shown, { decision: 'allow' }), more.redirect_uri).get('code'),
  )
}

/** Every way a request is refused before its user is asked. */
const wrong: [Record<string, string | undefined>, string][] = [
  [{ prompt: 'none', scope: 'resume:read' }, 'consent_required'],
  [{ prompt: 'none', max_age: '1' }, 'login_required'],
  [{ scope: 'unknown' }, 'invalid_scope'],
  [{ response_type: 'token' }, 'unsupported_response_type'],
  [{ code_challenge: undefined }, 'invalid_request'],
  [{ request: 'x' }, 'request_not_supported'],
  [{ gatehouse_cancelled: '1' }, 'access_denied'],
]

onBothDatabases('errors of a self-registered client', (dialect) => {
  const open = testServerFor(dialect, {
    registration: { policy: 'open' },
    selfRegisteredClients: { redirects: ['https', 'loopback', 'private_use'] },
  })

  test('RFC 9700 §4.11.2: go to the redirect where the user allowed that host, and nowhere else', async () => {
    const server = await open()
    const uris = ['https://client.example/callback', 'https://other.example/callback']
    const client = asCreated(await registered(server, { redirect_uris: uris }))
    server.clock.advance(10_000)
    for (const [more] of wrong)
      await assertPage(await ask(server, client, more), 400, { shows: ['Continue to <bdi>client.example'] })
    await allow(server, client)
    for (const [more, error] of wrong) assertRedirectError(await ask(server, client, more), error)
    assert.ok(readAnswer(await ask(server, client, { prompt: 'none' })).get('code'))
    for (const [more] of wrong) {
      const elsewhere = await ask(server, client, { ...more, redirect_uri: uris[1]! })
      await assertPage(elsewhere, 400, { shows: ['Continue to <bdi>other.example'] })
    }
  })

  test('RFC 8252 §7.1: what follows a private-use scheme is not the web host of that name: no error, no code, no name of it', async () => {
    const server = await open()
    for (const [web, app] of [
      ['https://client.example/callback', 'com.example.other://client.example/callback'],
      ['http://localhost/callback', 'com.example.other://localhost/callback'],
    ] as const) {
      const client = asCreated(
        await registered(server, {
          redirect_uris: [web, app],
          token_endpoint_auth_method: 'client_secret_basic',
        }),
      )
      await allow(server, client, { redirect_uri: web })
      const place = app.slice(0, app.lastIndexOf('/'))
      for (const [more] of wrong) {
        const elsewhere = await ask(server, client, { ...more, redirect_uri: app })
        await assertPage(elsewhere, 400, { shows: [`Continue to <bdi>${place}<`] })
      }
      await assertPage(await ask(server, client, { prompt: 'none', redirect_uri: app }), 400)
      await assertPage(await ask(server, client, { redirect_uri: app }), 200, {
        shows: [`your own computer, <strong><bdi>${place}<`],
      })
    }
  })

  test('OpenID Connect Core §3.1.2.6: a consent of another user, or of one who is signed out, vouches for nothing', async () => {
    const server = await open()
    const client = asCreated(await registered(server))
    await allow(server, client)
    const own = server.signedIn.account
    for (const account of [{ ...bob, authTime: server.clock.now() }, null]) {
      server.signedIn.account = account
      await assertPage(await ask(server, client, { prompt: 'none' }), 400)
      await assertPage(await ask(server, client, { scope: 'unknown' }), 400)
    }
    server.signedIn.account = own
  })

  test('RFC 9700 §4.11.2: a withdrawn consent vouches no more', async () => {
    const server = await open()
    const client = asCreated(await registered(server))
    await allow(server, client)
    assertRedirectError(await ask(server, client, { scope: 'unknown' }), 'invalid_scope')
    const page = await readConsent(await server.request('/account/apps'))
    const token = page.html.split(client.client.id)[1]!.match(/name="form_token" value="([^"]+)"/)![1]!
    await server.post(
      '/account/apps',
      { client: client.client.id, form_token: token },
      { cookie: page.cookie },
    )
    await assertPage(await ask(server, client, { scope: 'unknown' }), 400)
  })

  test('RFC 9126 §4: a pushed request ends with such an error, too', async () => {
    const server = await open()
    const client = asCreated(await registered(server))
    await allow(server, client)
    const asked = await pushed(
      server,
      client,
      authorizeParameters(client, makePkce(), { prompt: 'none', scope: 'resume:read' }),
    )
    assertRedirectError(await server.request(`/oauth/authorize?${asked}`), 'consent_required')
    await assertPage(await server.request(`/oauth/authorize?${asked}`), 400)
  })
})

for (const [redirectErrors, what] of [
  ['always', 'go to the redirect'],
  ['never', 'are a page'],
] as const) {
  onBothDatabases(`selfRegisteredClients.redirectErrors: ${redirectErrors}`, (dialect) => {
    test(`RFC 9700 §4.11.2: all of them ${what}, whatever was allowed`, async () => {
      const server = await openTestServer(dialect, {
        registration: { policy: 'open' },
        selfRegisteredClients: { redirectErrors },
      })
      try {
        const client = asCreated(await registered(server))
        server.clock.advance(10_000)
        for (const allowed of [false, true]) {
          if (allowed) await allow(server, client)
          for (const [more, error] of wrong) {
            const answer = await ask(server, client, more)
            if (redirectErrors === 'always') assertRedirectError(answer, error)
            else await assertPage(answer, 400)
          }
        }
        server.signedIn.account = null
        const signedOut = await ask(server, client, { prompt: 'none' })
        if (redirectErrors === 'always') assertRedirectError(signedOut, 'login_required')
        else await assertPage(signedOut, 400)
      } finally {
        await server.close()
      }
    })
  })
}

onBothDatabases('errors of a client that was registered with an initial access token', (dialect) => {
  test('RFC 7591 §3: go to the redirect, also before anybody allowed anything, unless they never do', async () => {
    for (const redirectErrors of [undefined, 'never'] as const) {
      const server = await openTestServer(dialect, {
        registration: { policy: 'initial_access_token' },
        selfRegisteredClients: redirectErrors === undefined ? {} : { redirectErrors },
      })
      try {
        const { token } = await server.g.clients.createInitialAccessToken({ name: 'A partner', uses: 1 })
        const client = asCreated(await registered(server, {}, { token }))
        server.signedIn.account = null
        for (const [more, error] of [
          [{ prompt: 'none' }, 'login_required'],
          ...wrong.slice(2),
        ] as typeof wrong) {
          const answer = await ask(server, client, more)
          if (redirectErrors === undefined) assertRedirectError(answer, error)
          else await assertPage(answer, 400)
        }
      } finally {
        await server.close()
      }
    }
  })
})
