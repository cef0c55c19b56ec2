// Random requests against every endpoint: never a 500, never a hang, never a word about the inside.

import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { parseForm } from '../../src/http/forms.ts'
import { listen, nodeServer } from '../../src/http/node.ts'
import type { Facts } from '../../src/log.ts'
import { routes } from '../../src/oauth/routes.ts'
import { authorizeParameters, makePkce, obtainCode, obtainTokens, readConsent } from '../support/flow.ts'
import { alice, dialects, issuer, openTestServer, type TestServer } from '../support/gatehouse.ts'
import { chooseSeed, type Ingredients, type RandomRequest, requestsFrom, seeded } from './random.ts'

/** No honest request takes this long, in milliseconds. */
const deadline = 10_000
const inside =
  /\bat \S+ \(|\.ts:\d+|node:internal|TypeError|RangeError|SyntaxError|SQLITE|sqlite|postgres|pg_|relation "|syntax error at|\/src\/|stack/

/** A testServer whose log is watched: a fault or an outage ends the run, whatever the wire says. */
async function openWatched(dialect: (typeof dialects)[number]) {
  const faults: Facts[] = []
  const testServer = await openTestServer(dialect, {
    resources: { 'https://jobs.example': {} },
    limits: { failuresPerNetwork: 1_000_000, clientAuthenticationFailures: 1_000_000 },
    sessions: { quota: 1_000 },
    log: { info() {}, warn() {}, error: (message, facts) => faults.push({ message, ...facts }) },
  })
  return { testServer, faults }
}

async function gather(testServer: TestServer): Promise<Ingredients> {
  const confidential = await testServer.createClient()
  const publicClient = await testServer.createClient({ tokenEndpointAuthMethod: 'none' })
  const machine = await testServer.createClient({
    redirectUris: [],
    resourceServerFor: ['https://jobs.example'],
  })
  const lifted = await testServer.createClient({ requirePkce: false })
  const tokens: string[] = []
  const cookies: string[] = []
  const words: string[] = []
  for (const client of [confidential, publicClient]) {
    for (let n = 0; n < 4; n++) {
      const { access_token, refresh_token } = await obtainTokens(testServer, client)
      tokens.push(access_token, refresh_token!, await obtainCode(testServer, client, makePkce()))
    }
  }
  for (let n = 0; n < 4; n++) {
    const asked = authorizeParameters(lifted, makePkce(), { prompt: 'consent' })
    const shown = await readConsent(await testServer.request(`/oauth/authorize?${asked}`))
    tokens.push(shown.fields.request!)
    words.push(shown.fields.form_token!)
    cookies.push(shown.cookie)
  }
  return {
    paths: [
      ...routes.flatMap(({ path, methods }) => Array<string>(methods.includes('POST') ? 8 : 1).fill(path)),
      '/',
      '/webhooks/accounts',
      '/nowhere',
    ],
    clients: [confidential, publicClient, machine, lifted].map(({ client, secret }) => ({
      id: client.id,
      ...(secret ? { secret } : {}),
    })),
    tokens,
    cookies,
    words,
  }
}

function describe({ method, target, headers, body }: RandomRequest): string {
  return JSON.stringify({
    method,
    target: target.slice(0, 400),
    headers,
    body: body?.toString('latin1').slice(0, 400),
  })
}

function within<T>(work: Promise<T>, what: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer: ${what()}`)), deadline)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

function assertSound(
  status: number,
  header: (name: string) => string | null,
  text: string,
  told: () => string,
): void {
  assert.ok(status >= 200 && status < 500, `${status}: ${told()}: ${text.slice(0, 500)}`)
  assert.doesNotMatch(text.replace(/<style>[\s\S]*?<\/style>/g, ''), inside, told())
  assert.doesNotMatch(text, /<script>alert|\u202e|etc\/passwd/, told())
  assert.equal(header('set-cookie')?.includes('evil') ?? false, false, told())
  const location = header('location')
  if (location !== null)
    assert.match(
      location,
      /^(https:\/\/client\.example\/callback[?]|http:\/\/localhost:4400\/test-sign-in)/,
      told(),
    )
  const cache = header('cache-control') ?? ''
  assert.ok(/no-store|public/.test(cache), `${cache}: ${told()}`)
  if (header('content-type') === 'application/json' && status >= 400) {
    const body = JSON.parse(text) as { error: string; error_description: string }
    assert.match(body.error, /^[a-z_]+$/, told())
    assert.match(body.error_description, /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/, told())
  }
}

for (const dialect of dialects) {
  test(`RFC 6749 §5.2: no request, however broken, is a 500 or a hang (${dialect})`, async (t) => {
    const seed = chooseSeed()
    t.diagnostic(`FUZZ_SEED=${seed}`)
    const { testServer, faults } = await openWatched(dialect)
    try {
      const next = requestsFrom(seeded(seed), await gather(testServer))
      const statuses = new Map<number, number>()
      const one = async () => {
        const made = next()
        const told = () => `FUZZ_SEED=${seed} ${describe(made)}`
        const request = new Request(issuer + made.target, {
          method: made.method,
          headers: made.headers,
          ...(made.body ? { body: new Uint8Array(made.body) } : {}),
          redirect: 'manual',
        })
        const response = await within(testServer.g.fetch(request, { address: '203.0.113.7' }), told)
        const text = await within(response.text(), told)
        assertSound(response.status, (name) => response.headers.get(name), text, told)
        statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1)
        assert.deepEqual(faults, [], told())
      }
      // Some at once, so that they also meet in one batch of the database.
      for (let n = 0; n < 400; n++) {
        testServer.signedIn.account = n % 5 === 0 ? null : { ...alice, authTime: testServer.clock.now() }
        await Promise.all(Array.from({ length: 8 }, one))
      }
      t.diagnostic(JSON.stringify(Object.fromEntries([...statuses].sort())))
      for (const status of [200, 303, 400, 401, 405, 413])
        assert.ok(statuses.has(status), `${status} was seen`)
      testServer.signedIn.account = { ...alice, authTime: testServer.clock.now() }
      assert.ok(
        (await obtainTokens(testServer, await testServer.createClient())).access_token,
        'it still works',
      )
    } finally {
      await testServer.close()
    }
  })
}

test('RFC 9112 §2.2: no bytes on a socket are a 500, a hang or the end of the server', async (t) => {
  const seed = chooseSeed()
  t.diagnostic(`FUZZ_SEED=${seed}`)
  const { testServer, faults } = await openWatched('sqlite')
  const server = nodeServer((request) => testServer.app.answer(request), {
    origin: issuer,
    base: '',
    trustedProxies: undefined,
  })
  const listening = await listen(server, { port: 0, host: '127.0.0.1' })
  try {
    const random = seeded(seed)
    const next = requestsFrom(random, await gather(testServer))
    const below = (n: number) => Math.floor(random() * n)
    const statuses = new Map<string, number>()
    const one = async () => {
      const bytes = wire(next(), below)
      const told = () => `FUZZ_SEED=${seed} ${JSON.stringify(bytes.toString('latin1').slice(0, 600))}`
      const answer = (await within(exchange(listening.port, bytes), told)).toString('utf8')
      for (const [line, status] of answer.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)) {
        assert.ok(Number(status) < 500 || status === '501' || status === '505', `${line}: ${told()}`)
        statuses.set(status!, (statuses.get(status!) ?? 0) + 1)
      }
      assert.doesNotMatch(answer.replace(/<style>[\s\S]*?<\/style>/g, ''), inside, told())
      assert.doesNotMatch(answer, /^set-cookie: evil/im, told())
      assert.deepEqual(faults, [], told())
    }
    for (let n = 0; n < 400; n++) await Promise.all(Array.from({ length: 5 }, one))
    t.diagnostic(JSON.stringify(Object.fromEntries([...statuses].sort())))
    for (const status of ['200', '400', '405']) assert.ok(statuses.has(status), `${status} was seen`)
    const metadata = await fetch(`${listening.url}/.well-known/oauth-authorization-server`)
    assert.equal(metadata.status, 200, 'it still answers')
  } finally {
    await listening.close({ grace: 1_000 })
    await testServer.close()
  }
})

/** A request as bytes, often damaged: wrong lengths, odd lines, chunks, several at once, plain noise. */
function wire({ method, target, headers, body }: RandomRequest, below: (n: number) => number): Buffer {
  const kind = below(16)
  if (kind === 0) return Buffer.from(Array.from({ length: below(400) }, () => below(256)))
  const lines = [
    `${method} ${kind === 1 ? `http://evil.example${target}` : target} HTTP/1.${kind === 2 ? below(10) : 1}`,
  ]
  if (kind !== 3) lines.push('Host: localhost')
  for (const [name, value] of headers) lines.push(`${name}: ${value}`)
  const content = body ?? Buffer.alloc(0)
  let payload: Buffer = content
  if (kind === 4) lines.push(`Content-Length: ${content.length + below(100)}`)
  else if (kind === 5) lines.push(`Content-Length: ${Math.max(0, content.length - below(100))}`)
  else if (kind === 6) lines.push('Content-Length: -1')
  else if (kind === 7) {
    lines.push('Transfer-Encoding: chunked')
    payload = Buffer.concat([
      Buffer.from(`${content.length.toString(16)}\r\n`),
      content,
      Buffer.from('\r\n0\r\n\r\n'),
    ])
  } else if (kind === 8) lines.push('Transfer-Encoding: chunked', `Content-Length: ${content.length}`)
  else if (kind === 9) lines.push('Transfer-Encoding: chunked')
  else lines.push(`Content-Length: ${content.length}`)
  if (kind === 10) lines.push('Expect: 100-continue')
  if (kind === 11) lines.push('Connection: Upgrade', 'Upgrade: websocket')
  if (kind === 12) lines.push(': no name', 'no colon', 'x\0y: z')
  const whole = Buffer.concat([
    Buffer.from(`${lines.join(kind === 13 ? '\n' : '\r\n')}\r\n\r\n`, 'latin1'),
    payload,
  ])
  if (kind === 14) return whole.subarray(0, below(whole.length))
  if (kind === 15) return Buffer.concat([whole, whole])
  return whole
}

/** Sends bytes, says that there are no more, and reads until the server closes. */
function exchange(port: number, bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
    socket.on('close', () => resolve(Buffer.concat(chunks)))
    socket.end(bytes)
  })
}

test('the random requests are well made: many are understood, many are not', () => {
  const next = requestsFrom(seeded(1), {
    paths: ['/oauth/token'],
    clients: [{ id: 'a', secret: 'b' }],
    tokens: ['t'],
    cookies: ['c=d'],
    words: ['w'],
  })
  const forms = Array.from({ length: 400 }, () => next().body?.toString() ?? '').filter((text) => text !== '')
  const understood = forms.filter((text) => parseForm(text) !== undefined).length
  assert.ok(
    understood > forms.length / 3 && understood < forms.length * 0.95,
    `${understood} of ${forms.length}`,
  )
})
