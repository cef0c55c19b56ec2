// The first command and the last: starting, what can go wrong at the start, restarting, rotating, ending.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { openBrowser } from '../../src/cli/demo/browser.ts'
import { openSqlite } from '../../src/db/sqlite.ts'
import { basic } from '../support/gatehouse.ts'
import { dropTestDatabase, testDatabaseUrl } from '../support/postgres.ts'
import { emptyFolder, freePort, run, serve, stay } from './command-line.ts'
import { type App, redirectUri, send, signUp } from './person.ts'

async function createClient(folder: string, args: string[] = [], env = {}): Promise<App> {
  const created = await run(folder, ['clients', 'create', '--name', 'Test', '--json', ...args], env)
  assert.equal(created.code, 0, created.stderr)
  return created.lines<App>()[0]!
}

describe('dev', () => {
  test('shows a complete flow against itself, stays up, and a restart keeps everything', async () => {
    const folder = emptyFolder()
    const env = { PORT: await freePort() }
    const first = stay(folder, ['dev'], env)
    await first.line('stdout', /^Ctrl\+C/)
    for (const step of [
      'Discover',
      'Ask for authorization',
      'Consent',
      'Redeem',
      'Learn',
      'Refresh',
      'Introspect',
      'Revoke',
    ]) {
      await first.line('stdout', new RegExp(`^ +\\d  ${step}.* \\d+\\.\\d ms   (RFC \\d|OpenID)`))
    }
    await first.line('stdout', /"typ":"at\+jwt"/)
    await first.line('stdout', new RegExp(`"iss": "http://localhost:${env.PORT}"`))
    assert.match(await first.line('stdout', /^Sign in/), /\/sign-in$/)
    assert.match(await first.line('stdout', /^Connected apps/), /\/account\/apps$/)
    assert.equal((await first.line('stdout', /active: false/)).trim(), 'active: false')
    const link = (await first.line('stdout', /oauth\/authorize\?/)).trim()

    const kept = JSON.parse(readFileSync(join(folder, '.gatehouse/demo.json'), 'utf8'))
    for (const name of ['secret', 'demo.json']) {
      assert.equal(statSync(join(folder, '.gatehouse', name)).mode & 0o777, 0o600, name)
    }
    const browser = openBrowser(fetch, 'http://nowhere.example')
    const signedIn = await browser.submit(await browser.open(link), {
      login: kept.login,
      password: kept.password,
    })
    // Although the demonstration has consented already: the page is what one wants to see.
    assert.match(signedIn.html, /name="decision"/)
    const allowed = await browser.submit(signedIn, { decision: 'allow' })
    assert.match(allowed.html, /The demo client has a token/)
    assert.match(allowed.html, /jobs:read/)
    const again = await browser.open(allowed.url)
    assert.equal(again.status, 400)
    assert.match((await browser.follow(again, '/oauth/authorize?')).html, /name="decision"/)
    // The printed link is good as often as one likes.
    const repeated = await browser.submit(await browser.open(link), { decision: 'allow' })
    assert.match(repeated.html, /The demo client has a token/)
    assert.equal(await first.end('SIGINT'), 0)

    const second = stay(folder, ['dev', '--json'], env)
    const steps = [
      await second.line('stdout', /"step":"Ask for authorization/),
      await second.line('stdout', /"step":"Consent/),
    ].map((line) => JSON.parse(line).result)
    assert.equal(steps[0], `${kept.login} signed in`)
    assert.match(steps[1], /^remembered/)
    await second.line('stdout', /"authorize":"http/)
    assert.deepEqual(JSON.parse(readFileSync(join(folder, '.gatehouse/demo.json'), 'utf8')), kept)
    assert.equal(await second.end(), 0)
  })

  test('on another port keeps the demo client, and without its file makes another secret', async () => {
    const folder = emptyFolder()
    const first = stay(folder, ['dev', '--json'], { PORT: await freePort() })
    await first.line('stdout', /"authorize":"http/)
    await first.end()
    const file = join(folder, '.gatehouse/demo.json')
    const kept = JSON.parse(readFileSync(file, 'utf8'))
    writeFileSync(file, '{')
    const second = stay(folder, ['dev', '--json'], { PORT: await freePort() })
    await second.line('stdout', /"step":"Introspect it again/)
    const made = JSON.parse(readFileSync(file, 'utf8'))
    assert.equal(made.clientId, kept.clientId)
    assert.notEqual(made.clientSecret, kept.clientSecret)
    await second.end()
  })

  test('on port 0 takes a free one, and is the issuer there', async () => {
    const server = stay(emptyFolder(), ['dev', '--json', '--port', '0'])
    const announced = JSON.parse(await server.line('stdout', /"ready":true/))
    assert.equal(announced.issuer, announced.url.replace('127.0.0.1', 'localhost'))
    assert.notEqual(new URL(announced.issuer).port, '0')
    const metadata = await fetch(`${announced.issuer}/.well-known/oauth-authorization-server`)
    assert.equal(((await metadata.json()) as { issuer: string }).issuer, announced.issuer)
    const link = JSON.parse(await server.line('stdout', /"authorize":"http/)).authorize
    assert.equal(new URL(link).origin, announced.issuer)
    assert.equal(await server.end(), 0)
  })

  test('stays on localhost although the configuration names a public issuer, and only starts with --no-demo', async () => {
    const folder = emptyFolder()
    const PORT = await freePort()
    writeFileSync(
      join(folder, 'gatehouse.config.mjs'),
      "export const config = { issuer: 'https://example.com/auth' }",
    )
    const server = await serve(folder, ['dev', '--no-demo'], { PORT })
    assert.equal(server.issuer, `http://localhost:${PORT}/auth`)
    const places = JSON.parse(await server.line('stdout', /"connected_apps"/))
    assert.equal(places.authorize, null)
    await server.end()
  })

  for (const demanded of ['pushedRequests', 'dpop']) {
    test(`says why there is no demonstration where ${demanded} is required of every client`, async () => {
      const folder = emptyFolder()
      writeFileSync(
        join(folder, 'gatehouse.config.mjs'),
        `export const config = { ${demanded}: { required: true } }`,
      )
      const server = stay(folder, ['dev', '--json'], { PORT: await freePort() })
      assert.match(
        await server.line('stderr', /demonstration/),
        /^There is no demonstration: its client does not /,
      )
      const places = JSON.parse(await server.line('stdout', /"connected_apps"/))
      assert.equal(places.authorize, null)
      assert.equal(await server.end(), 0)
    })
  }
})

describe('what can go wrong at the start is one clear line and exit code 1:', () => {
  /** Starts, and answers the one line it ended with. */
  async function refusal(folder: string, env: Record<string, string> = {}, command = 'dev'): Promise<string> {
    const result = await run(folder, command === 'dev' ? ['dev', '--no-demo'] : [command], {
      PORT: '0',
      ...env,
    })
    assert.equal(result.code, 1)
    assert.equal(result.stdout, '')
    assert.match(result.stderr, /^gatehouse: [^\n]+\n$/)
    return result.stderr
  }

  test('a busy port, and the database is not touched', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    const folder = emptyFolder()
    const line = await refusal(folder, { PORT: String(port) })
    assert.match(line, new RegExp(`port ${port} on 127\\.0\\.0\\.1 is in use .* PORT=${port + 1}`))
    assert.throws(() => statSync(join(folder, '.gatehouse/gatehouse.db')), { code: 'ENOENT' })
    other.close()
  })

  test('a folder that cannot be written', async () => {
    const folder = emptyFolder()
    writeFileSync(join(folder, '.gatehouse'), 'a file stands here')
    assert.match(
      await refusal(folder),
      /\.gatehouse.* cannot be made: a file stands where a folder is needed/,
    )
  })

  test('a database of a newer schema', async () => {
    const folder = emptyFolder()
    assert.equal((await run(folder, ['migrate', 'up'])).code, 0)
    const db = openSqlite(join(folder, '.gatehouse/gatehouse.db'))
    await db.connection((run) =>
      run(
        "insert into schema_migrations (version, name, checksum, applied_at) values (9999, 'later', 'x', 1)",
      ),
    )
    await db.close()
    assert.match(
      await refusal(folder),
      /schema version 9999 \(later\); this Gatehouse knows versions up to \d+/,
    )
  })

  test('a file that is no database', async () => {
    const folder = emptyFolder()
    mkdirSync(join(folder, '.gatehouse'))
    writeFileSync(join(folder, '.gatehouse/gatehouse.db'), 'this is no database'.repeat(1_000))
    assert.match(await refusal(folder), /damaged or no SQLite database/)
  })

  test('a damaged secret file, which is not shown', async () => {
    const folder = emptyFolder()
    mkdirSync(join(folder, '.gatehouse'))
    writeFileSync(join(folder, '.gatehouse/secret'), 'cut-off-sec\n')
    const line = await refusal(folder)
    assert.match(line, /the secret file .gatehouse\/secret is damaged: line 1 /)
    assert.doesNotMatch(line, /cut-off-sec/)
    writeFileSync(join(folder, '.gatehouse/secret'), '\n')
    assert.match(await refusal(folder), /holds no secret/)
  })

  test('a lost secret, and no other one takes its place', async () => {
    const folder = emptyFolder()
    const server = await serve(folder, ['dev', '--no-demo'], { PORT: '0' })
    await server.end()
    const file = join(folder, '.gatehouse/secret')
    const secret = readFileSync(file, 'utf8')
    const { unlinkSync } = await import('node:fs')
    unlinkSync(file)
    assert.match(await refusal(folder), /sealed with a secret that is not configured .* put that secret back/)
    assert.throws(() => statSync(file), { code: 'ENOENT' })
    writeFileSync(file, secret)
    await (await serve(folder, ['dev', '--no-demo'], { PORT: '0' })).end()
  })

  test('production without issuer and secret, both named at once', async () => {
    const line = await refusal(emptyFolder(), { NODE_ENV: 'production' }, 'serve')
    assert.match(line, /there is no issuer: .*; there is no secret: .*openssl rand/)
  })

  test('production without a secret, on loopback too', async () => {
    const env = { NODE_ENV: 'production', GATEHOUSE_ISSUER: 'http://localhost:4400' }
    const folder = emptyFolder()
    assert.match(await refusal(folder, env, 'serve'), /there is no secret: /)
    assert.throws(() => statSync(join(folder, '.gatehouse')), { code: 'ENOENT' })
  })

  test('a wrong environment', async () => {
    assert.match(await refusal(emptyFolder(), { PORT: 'http' }), /PORT: http was given; allowed: a port/)
    assert.match(
      await refusal(emptyFolder(), { GATEHOUSE_LOG: 'loud' }),
      /GATEHOUSE_LOG: loud was given; allowed: info/,
    )
    const many = await refusal(emptyFolder(), { GATEHOUSE_SECRET: 'short' })
    assert.match(many, /secret: allowed: .* at least 32 characters/)
    assert.doesNotMatch(many, /short\b/)
  })

  test('a configuration that cannot be loaded, or exports nothing', async () => {
    const folder = emptyFolder()
    writeFileSync(join(folder, 'gatehouse.config.mjs'), 'export default {')
    assert.match(await refusal(folder), /gatehouse\.config\.mjs cannot be loaded: /)
    writeFileSync(join(folder, 'gatehouse.config.mjs'), 'export const other = {}')
    assert.match(await refusal(folder), /must export an object, as default or as config/)
  })

  test('a configuration file whose export holds no options of its own: nothing of it would be read', async () => {
    const folder = emptyFolder()
    const issuer = `issuer: 'https://auth.example.com'`
    for (const value of [
      `Promise.resolve({ ${issuer} })`,
      `new Map([['issuer', 'https://auth.example.com']])`,
      `Object.create({ ${issuer} })`,
    ]) {
      writeFileSync(join(folder, 'gatehouse.config.mjs'), `export default ${value}`)
      assert.match(await refusal(folder), /must export an object/, value)
    }
    for (const thrown of ['null', `'no such tenant'`]) {
      writeFileSync(join(folder, 'gatehouse.config.mjs'), `throw ${thrown}`)
      assert.match(await refusal(folder), /cannot be loaded: (null|no such tenant)/)
    }
  })

  test('a PostgreSQL that does not answer, without its password', async () => {
    const env = { GATEHOUSE_DATABASE_URL: `postgres://me:hunter2@127.0.0.1:${await freePort()}/x` }
    const line = await refusal(emptyFolder(), env)
    assert.match(line, /PostgreSQL/)
    assert.doesNotMatch(line, /hunter2/)
  })
})

describe('serve', () => {
  const issuer = 'http://localhost:4400'

  test('prints where it serves and where its health is when it is ready, and logs elsewhere', async () => {
    const folder = emptyFolder()
    const server = stay(folder, ['serve', '--port', '0'], { GATEHOUSE_ISSUER: issuer })
    assert.match(
      await server.line('stdout', /./),
      /^Gatehouse serves http:\/\/localhost:4400 on http:\/\/127\.0\.0\.1:\d+$/,
    )
    assert.match(
      await server.line('stdout', /^Health/),
      /^Health: http:\/\/127\.0\.0\.1:\d+\/livez and http:\/\/127\.0\.0\.1:\d+\/readyz$/,
    )
    assert.equal(await server.end('SIGINT'), 0)
  })

  test('lets a request under way finish on SIGTERM, accepts no other, and ends with 0', async () => {
    const folder = emptyFolder()
    const server = await serve(folder, ['serve', '--port', '0'], { GATEHOUSE_ISSUER: issuer })
    const client = await createClient(folder, [], { GATEHOUSE_ISSUER: issuer })
    const port = Number(new URL(server.url).port)
    const body = 'grant_type=client_credentials'
    const slow = connect(port, '127.0.0.1')
    slow.write(
      `POST /oauth/token HTTP/1.1\r\nHost: x\r\nAuthorization: ${basic(client.client_id, client.client_secret)}\r\n` +
        `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`,
    )
    const [interim] = await once(slow, 'data')
    assert.match(String(interim), /^HTTP\/1\.1 100 /)
    const idle = connect(port, '127.0.0.1')
    const cut = once(idle.resume(), 'close')
    await once(idle, 'connect')

    server.child.kill('SIGTERM')
    await server.line('stderr', /"message":"stopping"/)
    await cut
    const late = connect(port, '127.0.0.1')
    const [refused] = await once(late, 'error')
    assert.equal((refused as NodeJS.ErrnoException).code, 'ECONNREFUSED')
    slow.write(body)
    let answer = ''
    for await (const chunk of slow) answer += chunk
    assert.match(answer, /^HTTP\/1\.1 200 /)
    assert.match(answer, /\r\nconnection: close\r\n/i)
    const { access_token } = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))
    assert.equal(await server.ended, 0)

    const again = await serve(folder, ['serve', '--port', '0'], { GATEHOUSE_ISSUER: issuer })
    const response = await send(again.url, '/oauth/introspect', client, { token: access_token })
    assert.equal(((await response.json()) as { active: boolean }).active, true)
    await again.end()
  })

  test('RFC 7239 §8.1: behind an https issuer says that no proxy is trusted, and takes them from the environment', async () => {
    const folder = emptyFolder()
    const env = {
      GATEHOUSE_ISSUER: 'https://auth.example.com',
      GATEHOUSE_SECRET: randomBytes(32).toString('base64'),
      PORT: await freePort(),
    }
    const warning = /"level":"warn".*GATEHOUSE_TRUSTED_PROXIES/
    const untold = await serve(folder, ['serve'], env)
    await untold.line('stderr', warning)
    await untold.end()
    const told = await serve(folder, ['serve'], { ...env, GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1 ::1' })
    await fetch(`${told.url}/`, { headers: { 'x-forwarded-for': '192.0.2.55' } })
    await told.line('stderr', /"address":"192\.0\.2\.55"/)
    await told.end()
    await assert.rejects(told.line('stderr', warning))
  })

  test('ends at once on a second signal', async () => {
    const server = await serve(emptyFolder(), ['serve', '--port', '0'], { GATEHOUSE_ISSUER: issuer })
    const slow = connect(Number(new URL(server.url).port), '127.0.0.1')
    slow.on('error', () => {})
    slow.write('POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n')
    await once(slow, 'data')
    server.child.kill('SIGTERM')
    await server.line('stderr', /"message":"stopping"/)
    assert.equal(await server.end('SIGINT'), 1)
  })

  test('R85: takes over a new secret while serving: refresh retries, forms and tokens go on, and the old one can go', async () => {
    const folder = emptyFolder()
    const env = { GATEHOUSE_ISSUER: issuer }
    writeFileSync(
      join(folder, 'gatehouse.config.mjs'),
      "export default { scopes: { 'jobs:read': 'Search open jobs' } }",
    )
    const server = await serve(folder, ['serve', '--port', '0'], env)
    const client = await createClient(folder, ['--redirect-uri', redirectUri], env)
    const { attempt, demo, login, password, tokens } = await signUp(server, client, 'somebody@example.com')
    const refresh = async (token = tokens.refresh_token) => {
      const form = { grant_type: 'refresh_token', refresh_token: token }
      const response = await send(server.url, '/oauth/token', client, form)
      assert.equal(response.status, 200)
      return (await response.json()) as { refresh_token: string }
    }
    const successor = await refresh()
    const stranger = openBrowser(demo.fetch, redirectUri)
    const form = await stranger.open(attempt.url)

    const rotated = await run(folder, ['keys', 'rotate-secret', '--json'], env)
    assert.equal(rotated.code, 0, rotated.stderr)
    const { newest, ids, mode } = rotated.lines<{ newest: string; ids: string[]; mode: string }>()[0]!
    assert.deepEqual([ids.length, mode], [2, '600'])
    server.child.kill('SIGHUP')
    await server.line('stderr', new RegExp(`"secrets taken over","newest":"${newest}","known":2`))

    assert.equal((await refresh()).refresh_token, successor.refresh_token)
    const signedIn = await stranger.submit(form, { login, password })
    assert.ok(signedIn.leaves, `the form was good: ${signedIn.status}`)
    const keys = await run(folder, ['keys', 'list', '--json'], env)
    assert.deepEqual([...new Set(keys.lines().map((key) => key.sealed_with))], [newest])

    const file = join(folder, '.gatehouse/secret')
    const [newer] = readFileSync(file, 'utf8').split('\n')
    writeFileSync(file, 'damaged')
    await server.line('stderr', /the secrets stay as they were.*is damaged/)
    assert.equal((await refresh()).refresh_token, successor.refresh_token)
    writeFileSync(file, `${newer}\n`)
    await server.line('stderr', new RegExp(`"secrets taken over","newest":"${newest}","known":1`))
    await refresh(successor.refresh_token)
    assert.equal(await server.end(), 0)
  })

  test('runs on PostgreSQL once it is migrated, with the commands beside it', async () => {
    const url = await testDatabaseUrl()
    const folder = emptyFolder()
    const env = {
      GATEHOUSE_ISSUER: issuer,
      GATEHOUSE_DATABASE_URL: url,
      GATEHOUSE_SECRET: `${'a-newer-secret-'.repeat(3)},${'an-older-secret-'.repeat(3)}`,
    }
    const early = await run(folder, ['serve', '--port', '0'], env)
    assert.equal(early.code, 1)
    assert.match(early.stderr, /lacks schema version 1 .* run npx gatehouse-auth migrate up\n$/)
    assert.equal((await run(folder, ['migrate', 'up'], env)).code, 0)
    const server = await serve(folder, ['serve', '--port', '0'], env)
    const client = await createClient(folder, [], env)
    const response = await send(server.url, '/oauth/token', client, { grant_type: 'client_credentials' })
    assert.equal(response.status, 200)
    const events = await run(folder, ['events', 'list', '--type', 'client_credentials', '--json'], env)
    assert.deepEqual(
      events.lines().map((event) => event.client_id),
      [client.client_id],
    )
    const rotate = await run(folder, ['keys', 'rotate-secret'], env)
    assert.equal(rotate.code, 1)
    assert.match(rotate.stderr, /the secret comes from GATEHOUSE_SECRET, which this command cannot change/)
    assert.equal(await server.end(), 0)
    await dropTestDatabase(url)
  })
})
