import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { redirectUriMatches, redirectUriProblem } from '../../src/protocol/redirect-uri.ts'
import { assertPage, grantsNothing } from '../oauth/answers.ts'
import { authorize, authorizeParameters, makePkce, readRedirect } from '../support/flow.ts'
import { onBothDatabases, testServerFor } from '../support/gatehouse.ts'

const registered = 'https://ok.example/app/callback'

/** Redirect URIs that are not the registered one, whatever a URL parser may think; each marked so that an echo shows. */
const strangers = {
  'RFC 6749 §3.1.2.4: a redirect_uri that is not registered gets a page (N3)': [
    'https://echo-mark.example/callback',
    'https://other.example/app/callback?echo-mark',
    'javascript:alert("echo-mark")',
    'data:text/html,echo-mark',
    '//ok.example/app/callback',
    '/app/callback',
    'echo-mark',
  ],
  'RFC 9700 §2.1: a host that only shares a prefix or suffix gets a page (N5)': [
    'https://ok.example.evil/app/callback',
    'https://evilok.example/app/callback',
    'https://ok.example.evil.example/app/callback',
    'https://ok.exampl/app/callback',
    'https://ok.example-evil/app/callback',
    'https://ok.example./app/callback',
  ],
  'RFC 9700 §4.1.3: path tricks on the registered URI get a page (N6)': [
    'https://ok.example/app/callback/..',
    'https://ok.example/app/callback/../../evil',
    'https://ok.example/app/x/../callback',
    'https://ok.example/app/./callback',
    'https://ok.example/app/callback%2f..',
    'https://ok.example/app/callback%252f..',
    'https://ok.example/app/callback/..;/evil',
    'https://ok.example/app/%63allback',
    'https://ok.example//app/callback',
  ],
  'RFC 9700 §4.1.3: user information before the host gets a page (N7)': [
    'https://ok.example@evil.example/app/callback',
    'https://ok.example%40evil.example/app/callback',
    'https://ok.example:x@evil.example/app/callback',
    'https://evil.example@ok.example/app/callback',
    'https://@ok.example/app/callback',
  ],
  'RFC 6749 §3.1.2.3: other letter case than registered gets a page (N8)': [
    'HTTPS://ok.example/app/callback',
    'https://OK.example/app/callback',
    'https://ok.example/App/callback',
    'https://ok.example/app/CALLBACK',
  ],
  'RFC 9700 §4.1.3: an extra query, slash, backslash, control character or raw Unicode gets a page (N9)': [
    `${registered}?extra=1`,
    `${registered}?`,
    `${registered}/`,
    `${registered}\\`,
    'https:\\\\ok.example\\app\\callback',
    `${registered}\t`,
    `\t${registered}`,
    `${registered}\n`,
    `${registered}\0`,
    `${registered} `,
    ` ${registered}`,
    'https://ok。example/app/callback',
    'https://оk.example/app/callback',
    'https://ok.example:443/app/callback',
  ],
  'RFC 6749 §3.1.2: a fragment in the redirect_uri gets a page (N10)': [
    `${registered}#`,
    `${registered}#fragment`,
    `${registered}#/../evil`,
  ],
}

onBothDatabases('redirect URIs', (dialect) => {
  const open = testServerFor(dialect)

  for (const [name, uris] of Object.entries(strangers)) {
    test(name, async () => {
      const server = await open()
      const client = await server.createClient({ name: 'Known app', redirectUris: [registered] })
      for (const uri of uris) {
        const asked = authorizeParameters(client, makePkce(), { redirect_uri: uri })
        const answer = await grantsNothing(server, () => authorize(server, asked))
        // A NUL makes the whole form unreadable, so that no client is known.
        const shows = uri.includes('\0') ? [] : ['Known app', 'redirect_uri']
        await assertPage(answer, 400, { shows, echoes: ['a state'] })
      }
      const { to } = readRedirect(await authorize(server, authorizeParameters(client, makePkce())))
      assert.equal(to.origin + to.pathname, registered)
    })
  }

  test('RFC 6749 §3.1.2.4: the page names the redirect_uri that was sent, as harmless text (N3)', async () => {
    const server = await open()
    const client = await server.createClient({ name: 'Known app', redirectUris: [registered] })
    for (const [redirect_uri, shown] of [
      [`${registered}/`, `${registered}/`],
      ['https://ok.example/<script>alert(1)</script>', 'sent: https://ok.example/'],
      [`https://ok.example/"onload='x'`, 'sent: https://ok.example/'],
    ] as const) {
      const asked = authorizeParameters(client, makePkce(), { redirect_uri })
      await assertPage(await authorize(server, asked), 400, { shows: [shown], echoes: ['alert', 'onload'] })
    }
    const long = authorizeParameters(client, makePkce(), {
      redirect_uri: `${registered}/${'x'.repeat(3_000)}`,
    })
    await assertPage(await authorize(server, long), 400, { echoes: ['x'.repeat(130)] })
  })

  test('OpenID Connect Core §3.1.2.1: with openid the redirect_uri is never left out (N4)', async () => {
    const server = await open()
    const client = await server.createClient({ redirectUris: [registered] })
    for (const scope of ['openid', 'jobs:read openid']) {
      const asked = authorizeParameters(client, makePkce(), { scope, redirect_uri: undefined })
      await assertPage(await grantsNothing(server, () => authorize(server, asked)))
      asked.set('redirect_uri', registered)
      const { to } = readRedirect(await authorize(server, asked))
      assert.equal(to.origin + to.pathname, registered)
    }
  })

  test('RFC 6749 §3.1.2.3: a missing redirect_uri gets a page when the client has several (N4)', async () => {
    const server = await open()
    const several = await server.createClient({ redirectUris: [registered, 'https://ok.example/other'] })
    const one = await server.createClient({ redirectUris: [registered] })
    const asked = authorizeParameters(several, makePkce(), { redirect_uri: undefined })
    await assertPage(await grantsNothing(server, () => authorize(server, asked)), 400, {
      shows: ['Job board'],
      echoes: ['a state'],
    })
    for (const redirect_uri of [registered, 'https://ok.example/other']) {
      const { to } = readRedirect(
        await authorize(server, authorizeParameters(several, makePkce(), { redirect_uri })),
      )
      assert.equal(to.origin + to.pathname, redirect_uri)
    }
    const alone = authorizeParameters(one, makePkce(), { redirect_uri: undefined })
    assert.ok(readRedirect(await authorize(server, alone)).parameters.code)
    const empty = authorizeParameters(one, makePkce(), { redirect_uri: '' })
    assert.ok(readRedirect(await authorize(server, empty)).parameters.code, 'no value counts as absent')
  })

  test('RFC 8252 §7.3: only the port of a loopback URI floats, each host against itself (N11)', async () => {
    const server = await open()
    const hosts = ['127.0.0.1', '[::1]', 'localhost']
    for (const host of hosts) {
      const uri = `http://${host}:3000/callback`
      const client = await server.createClient({ redirectUris: [uri] })
      const others = hosts.filter((other) => other !== host)
      const wrong = [
        ...others.map((other) => `http://${other}:3000/callback`),
        `http://${host}:3000/other`,
        `http://${host}:3000/callback/`,
        `http://${host}:3000/callback?x=1`,
        `https://${host}:3000/callback`,
        `http://${host}.evil.example:3000/callback`,
        `http://user@${host}:3000/callback`,
        `http://${host}:3000@evil.example/callback`,
        `http://${host}:99999/callback`,
        `http://${host}:/callback`,
      ]
      for (const redirect_uri of wrong) {
        const asked = authorizeParameters(client, makePkce(), { redirect_uri })
        await assertPage(await grantsNothing(server, () => authorize(server, asked)), 400)
      }
      for (const port of [':1', ':8080', ':65535', '']) {
        const redirect_uri = `http://${host}${port}/callback`
        const asked = authorizeParameters(client, makePkce(), { redirect_uri })
        const answer = await authorize(server, asked)
        assert.ok(answer.headers.get('location')?.startsWith(`${redirect_uri}?code=`), redirect_uri)
      }
    }
    const client = await server.createClient({ redirectUris: ['https://ok.example:8443/callback'] })
    for (const redirect_uri of ['https://ok.example/callback', 'https://ok.example:8444/callback']) {
      await assertPage(await authorize(server, authorizeParameters(client, makePkce(), { redirect_uri })))
    }
    assert.ok(readRedirect(await authorize(server, authorizeParameters(client, makePkce()))).parameters.code)
  })

  test('RFC 6749 §3.1.2: the query of a registered URI stays byte for byte', async () => {
    const server = await open()
    for (const uri of [
      'https://ok.example/cb?a=%7e&b',
      'https://ok.example/cb?',
      'https://ok.example/cb?x=1&',
    ]) {
      const client = await server.createClient({ redirectUris: [uri] })
      const good = await authorize(server, authorizeParameters(client, makePkce()))
      const bad = await authorize(server, authorizeParameters(client, null))
      for (const answer of [good, bad]) {
        const location = answer.headers.get('location') ?? ''
        assert.ok(location.startsWith(uri), location)
        assert.match(location.slice(uri.length), /^&?(code|error)=/)
        assert.doesNotMatch(location, /&&|\?&/)
      }
    }
  })
})

describe('redirect URIs', () => {
  test('RFC 6749 §3.1.2: what may be registered', () => {
    for (const uri of [
      'https://ok.example',
      'https://ok.example/cb?x=1',
      'http://127.0.0.1/cb',
      'http://[::1]:3000/cb',
      'http://localhost:3000/cb',
      'com.example.app:/callback',
      'https://chatgpt.com/aip/g-123/oauth/callback',
    ]) {
      assert.equal(redirectUriProblem(uri), undefined, uri)
    }
    for (const uri of [
      '',
      'cb',
      '/cb',
      '//ok.example/cb',
      'http://ok.example/cb',
      'http://localhost.evil.example/cb',
      'https://ok.example/cb#',
      'https://ok.example/cb#x',
      'https://user@ok.example/cb',
      'https://user:pass@ok.example/cb',
      'https://ok.example\\cb',
      'https://ok.example/c b',
      'https://ok.example/cb\n',
      'https://ök.example/cb',
      'https://ok.example/ü',
      'javascript:alert(1)',
      'data:text/html,x',
      'file:///etc/passwd',
      'blob:https://ok.example/x',
      'myapp:/cb',
      'ftp://ok.example/cb',
    ]) {
      assert.equal(typeof redirectUriProblem(uri), 'string', uri)
    }
  })

  test('RFC 8252 §7.3: a loopback URI without port stands for every port, with or without path', () => {
    assert.ok(redirectUriMatches('http://127.0.0.1', 'http://127.0.0.1:5000'))
    assert.ok(redirectUriMatches('http://localhost?x=1', 'http://localhost:5000?x=1'))
    assert.ok(!redirectUriMatches('http://127.0.0.1', 'http://127.0.0.1:5000/'))
    assert.ok(!redirectUriMatches('http://127.0.0.1', 'http://127.0.0.1:5000#x'))
    assert.ok(!redirectUriMatches('http://127.0.0.1/cb', 'http://127.0.0.1:5000/cb\n'))
  })
})
