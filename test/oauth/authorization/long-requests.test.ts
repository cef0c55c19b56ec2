// Authorization requests that are long: what we send the browser to stays short, whatever the client put into its request.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { localAccounts } from '../../../src/accounts/local.ts'
import { raw, sql } from '../../../src/db/sql.ts'
import { listen, nodeServer } from '../../../src/http/node.ts'
import { visit } from '../../accounts/visitor.ts'
import { clientKeys } from '../../support/assertions.ts'
import { answerConsent, authorizeParameters, makePkce, readConsent } from '../../support/flow.ts'
import {
  alice,
  issuer,
  onBothDatabases,
  openTestServer,
  type TestServer,
  testServerFor,
} from '../../support/gatehouse.ts'
import { hasNginx, startNginx } from '../../support/nginx.ts'
import { requestObject, withObject } from '../../support/request-objects.ts'
import { assertPage, assertRedirectError, readAnswer } from '../answers.ts'

/** As clients make them: JSON, of which every other character is escaped in a URL. */
const stateOf = (length: number) => {
  const parts = Array.from({ length: Math.ceil(length / 15) }, (_, n) => ({ k: n % 10, r: '/x' }))
  return JSON.stringify(parts).slice(0, length)
}
/** Well below what a proxy lets through by default: 4 KiB of headers in an answer, 8 KiB in the line of a request. */
const short = 2_000

const claims = JSON.stringify({
  userinfo: Object.fromEntries(Array.from({ length: 90 }, (_, n) => [`claim_${n}`, null])),
})
const long: [string, Record<string, string>][] = [
  ['a state of 1,000 characters', { state: stateOf(1_000) }],
  ['a state of 4,000 characters', { state: stateOf(4_000) }],
  ['claims', { claims, scope: 'openid jobs:read' }],
  ['a parameter nobody knows', { padding: 'x'.repeat(6_000) }],
]

const countKept = async (server: TestServer) => {
  const [row] = await server.app.server.db.query(
    sql<{ count: number }>`select count(*) as count from ${raw('pushed_authorization_requests')}`,
  )
  return Number(row!.count)
}

onBothDatabases('a long authorization request', (dialect) => {
  const open = testServerFor(dialect, { openid: {} })

  /** Signed out, sends the request; answers the address that the sign-in page is to return to. */
  async function sentToSignIn(server: TestServer, query: URLSearchParams, cookie = ''): Promise<string> {
    server.signedIn.account = null
    const answer = await server.request(`/oauth/authorize?${query}`, { cookie })
    server.signedIn.account = { ...alice, authTime: server.clock.now() }
    assert.equal(answer.status, 303)
    const location = answer.headers.get('location')!
    assert.ok(location.length < short, `${location.length} characters`)
    const returnTo = new URL(location).searchParams.get('to')!
    assert.ok(returnTo.startsWith(`${issuer}/oauth/authorize?`))
    return returnTo.slice(issuer.length)
  }

  for (const [what, more] of long) {
    test(`RFC 6749 §4.1.1: with ${what} keeps every address of ours short, and arrives whole`, async () => {
      const server = await open()
      const client = await server.createClient()
      const asked = authorizeParameters(client, makePkce(), { prompt: 'consent', ...more })
      const back = await sentToSignIn(server, asked)
      const shown = await readConsent(await server.request(back))
      assert.ok(shown.fields.again!.length < short)
      const answer = readAnswer(await answerConsent(server, shown, { decision: 'allow' }))
      assert.ok(answer.get('code'))
      assert.equal(answer.get('state'), more.state ?? 'a state')
      // The way to begin again is short, too, and is the same request.
      const again = await readConsent(await server.request(shown.fields.again!.slice(issuer.length)))
      const denied = await answerConsent(server, again, { decision: 'deny' })
      assertRedirectError(denied, 'access_denied', { state: more.state ?? 'a state' })
      // Whoever is signed in already comes to the consent page at once.
      const direct = await readConsent(await server.request(`/oauth/authorize?${asked}`))
      assert.ok(direct.fields.again!.length < short)
    })
  }

  test('RFC 6749 §4.1.1: an ordinary one is kept nowhere', async () => {
    const server = await open()
    const client = await server.createClient()
    const before = await countKept(server)
    const back = await sentToSignIn(
      server,
      authorizeParameters(client, makePkce(), { state: 'x'.repeat(300) }),
    )
    assert.match(back, /state=xxx/)
    assert.equal(await countKept(server), before)
  })

  test('RFC 9101 §5: a request object is kept as it was signed, and does not expire while its user signs in', async () => {
    const server = await open()
    const client = await server.createClient({ jwks: { keys: [clientKeys.ES256.publicJwk] } })
    const parameters = authorizeParameters(client, makePkce(), { prompt: 'consent', state: stateOf(3_000) })
    const object = requestObject(client, clientKeys.ES256, server.clock, parameters)
    const cookie = `gh_browser=${'B'.repeat(22)}`
    const back = await sentToSignIn(server, withObject(client, object), cookie)
    server.clock.advance(400_000)
    server.signedIn.account = { ...alice, authTime: server.clock.now() }
    // Another browser is told that the object has expired.
    await assertPage(await server.request(back, { cookie: `gh_browser=${'A'.repeat(22)}` }))
    const again = await server.request(back, { cookie })
    const answer = await answerConsent(
      server,
      { ...(await readConsent(again)), cookie },
      { decision: 'allow' },
    )
    assert.equal(readAnswer(answer).get('state'), stateOf(3_000))
  })

  test('OpenID Connect Core §3.1.2.1: prompt=login is demanded once, also of a request that is kept', async () => {
    const server = await open()
    const client = await server.createClient()
    const asked = authorizeParameters(client, makePkce(), { prompt: 'login consent', state: stateOf(2_000) })
    const back = await sentToSignIn(server, asked)
    assert.equal((await server.request(back)).status, 200, 'the new sign-in will do')
    const cancelled = await server.request(`${back}&gatehouse_cancelled=1`)
    assertRedirectError(cancelled, 'access_denied', { state: stateOf(2_000) })
  })

  test('RFC 6819 §4.4.1.11: what is unknown, altered or an hour old gets a page', async () => {
    const server = await open()
    const client = await server.createClient()
    const back = await sentToSignIn(
      server,
      authorizeParameters(client, makePkce(), { state: stateOf(2_000) }),
    )
    const token = new URL(back, issuer).searchParams.get('gatehouse_request')!
    assert.ok(token)
    await assertPage(
      await server.request(back.replace(token, `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`)),
    )
    await assertPage(await server.request(back.replace(token, 'nonsense')))
    const named = new URLSearchParams({
      client_id: client.client.id,
      request_uri: `urn:ietf:params:oauth:request_uri:${token}`,
    })
    await assertPage(await server.request(`/oauth/authorize?${named}`), 400)
    // Nothing beside it counts.
    const beside = await readConsent(await server.request(`${back}&state=another&scope=nonsense`))
    const answer = readAnswer(await answerConsent(server, beside, { decision: 'allow' }))
    assert.equal(answer.get('state'), stateOf(2_000))
    server.clock.advance(3_600_000)
    await assertPage(await server.request(back))
  })

  test('RFC 6819 §4.4.1.11: where there is no more room, the address is as long as the request', async () => {
    const server = await openTestServer(dialect, { storage: { perUser: 30, inAll: 1_000 } })
    try {
      const client = await server.createClient()
      server.signedIn.account = null
      const lengths: number[] = []
      for (let n = 0; n < 1_010; n++) {
        const asked = authorizeParameters(client, makePkce(), { state: stateOf(4_000) })
        const answer = await server.request(`/oauth/authorize?${asked}`)
        assert.equal(answer.status, 303)
        lengths.push(answer.headers.get('location')!.length)
      }
      assert.ok(lengths[0]! < short)
      assert.ok(lengths.at(-1)! > 2 * short)
      const kept = await countKept(server)
      assert.ok(kept <= 1_000 && kept > 100, `${kept} rows`)
    } finally {
      await server.close()
    }
  })

  test('the sign-in page knows whose request is kept, on the way there and back', async () => {
    const server = await openTestServer(dialect, { accounts: localAccounts() })
    try {
      const client = await server.createClient()
      const visitor = visit(server)
      const asked = authorizeParameters(client, makePkce(), { state: stateOf(3_500) })
      const sent = await visitor.get(`/oauth/authorize?${asked}`)
      assert.ok(sent.location!.length < short)
      const page = await visitor.get(sent.location!.slice(issuer.length))
      assert.match(page.html, /to continue to <bdi>Job board/)
      const link = /href="([^"]*gatehouse_cancelled=1)"/.exec(page.html)![1]!.replaceAll('&amp;', '&')
      assert.ok(link.length < short)
      const cancelled = await visitor.get(link.slice(issuer.length))
      assert.equal(new URL(cancelled.location!).searchParams.get('state'), stateOf(3_500))
    } finally {
      await server.close()
    }
  })
})

onBothDatabases('an authorization request that is posted', (dialect) => {
  const open = testServerFor(dialect)

  test('OpenID Connect Core §3.1.2.1: from another site, without cookies, is asked again as a GET, once', async () => {
    const server = await open()
    const client = await server.createClient()
    const account = server.signedIn.account
    for (const more of [{}, { prompt: 'none' }, { state: stateOf(3_000) }, { prompt: 'login' }]) {
      const fields = Object.fromEntries(authorizeParameters(client, makePkce(), more))
      server.signedIn.account = null
      const answer = await server.post('/oauth/authorize', fields)
      assert.equal(answer.status, 303)
      const location = answer.headers.get('location')!
      assert.ok(location.startsWith(`${issuer}/oauth/authorize?`), location)
      assert.ok(location.length < short)
      assert.deepEqual(answer.headers.getSetCookie(), [], 'nothing of the browser is replaced')
      const signedOut = await server.request(location.slice(issuer.length))
      assert.doesNotMatch(
        signedOut.headers.get('location')!,
        /^[^?]*\/oauth\/authorize/,
        'a GET is never sent on to itself',
      )
      server.signedIn.account = account
      const got = await server.request(location.slice(issuer.length))
      if (fields.prompt === 'none') assertRedirectError(got, 'consent_required')
      else if (fields.prompt === undefined) assert.equal(got.status, 200)
    }
  })
})

test('behind nginx with its defaults a long state gets through every page of ours', {
  skip: !hasNginx,
}, async () => {
  const server = await openTestServer('sqlite', { accounts: localAccounts() })
  const listening = await listen(
    nodeServer((request) => server.app.answer(request), {
      origin: issuer,
      base: '',
      trustedProxies: undefined,
    }),
    { port: 0, host: '127.0.0.1' },
  )
  const run = async (front: Awaited<ReturnType<typeof startNginx>>, state: string, name: string) => {
    const cookies = new Map<string, string>()
    const client = await server.createClient()
    const send = async (path: string, form?: Record<string, string>) => {
      const answer = await fetch(`http://127.0.0.1:${front.port}${path.replace(issuer, '')}`, {
        redirect: 'manual',
        headers: { cookie: [...cookies].map((pair) => pair.join('=')).join('; ') },
        ...(form && { method: 'POST', body: new URLSearchParams(form) }),
      })
      for (const one of answer.headers.getSetCookie()) {
        const [cookie, value] = one.split(';')[0]!.split(/=(.*)/s) as [string, string]
        cookies.set(cookie, value)
      }
      assert.ok([200, 303].includes(answer.status), `${answer.status} at ${path.slice(0, 60)}`)
      return answer
    }
    const asked = authorizeParameters(client, makePkce(), { state })
    const sent = await send(`/oauth/authorize?${asked}`)
    const signIn = await readConsent(await send(sent.headers.get('location')!))
    const signUp = `/sign-up?${new URLSearchParams({ return_to: signIn.fields.return_to! })}`
    const form = await readConsent(await send(signUp))
    const made = await send('/sign-up', {
      ...form.fields,
      name: 'Ann Example',
      login: `${name}@example.com`,
      password: 'correct horse battery staple',
    })
    const consent = await readConsent(await send(made.headers.get('location')!))
    return async () => {
      const answer = await send('/oauth/consent', { ...consent.fields, decision: 'allow' })
      assert.equal(new URL(answer.headers.get('location')!).searchParams.get('state'), state)
    }
  }
  const port = new URL(listening.url).port
  const [plain, sample] = [await startNginx([port], { defaults: true }), await startNginx([port])]
  try {
    const decide = await run(plain, stateOf(1_000), 'plain')
    await decide()
    await run(plain, stateOf(3_000), 'longer')
    // The answer itself is as long as the client made it: for that the sample of docs/operating.md has larger buffers.
    const decideLate = await run(sample, stateOf(3_000), 'sample')
    await decideLate()
  } finally {
    await plain.stop()
    await sample.stop()
    await listening.close({ grace: 0 })
    await server.close()
  }
})
