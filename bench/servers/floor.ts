// The floor: what one answer physically needs and nothing more. No routes, checks, limits, audit or reuse
// detection; but every answer waits for a commit that is durable (SQLite, WAL, synchronous=FULL).
import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  hash,
  type KeyObject,
  randomBytes,
  sign,
  timingSafeEqual,
} from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { chains, type Fixture, fixtureFile } from '../fixture.ts'
import { type Floor, openFloor } from './floor-sqlite.ts'

const port = Number(process.env.PORT)
const directory = process.env.BENCH_DIR ?? '.'
const issuer = `http://localhost:${port}`
const client = {
  id: 'bench',
  secret: 'a-secret-of-the-benchmark',
  redirectUri: 'https://app.example/callback',
}
const sha256 = (text: string) => hash('sha256', text, 'buffer')

function signingKey(): KeyObject {
  const file = join(directory, 'key.pem')
  if (!existsSync(file)) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    writeFileSync(file, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 })
  }
  return createPrivateKey(readFileSync(file))
}

const key = { key: signingKey(), dsaEncoding: 'ieee-p1363' as const }
const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const head = `${encoded({ alg: 'ES256', typ: 'at+jwt', kid: 'floor' })}.`

function accessToken(subject: string, scope: string, jti: string): string {
  const iat = Math.floor(Date.now() / 1000)
  const input =
    head +
    encoded({
      iss: issuer,
      aud: 'https://api.example',
      sub: subject,
      client_id: client.id,
      scope,
      jti,
      iat,
      exp: iat + 900,
    })
  return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`
}

const floor: Floor = openFloor(join(directory, 'floor.db'))

function prepare() {
  const cookies: string[] = []
  floor.addClient(client.id, sha256(client.secret), client.redirectUri)
  for (let chain = 0; chain < chains; chain += 1) {
    const cookie = randomBytes(32).toString('base64url')
    floor.addPerson(sha256(cookie), `person-${chain}`, client.id, 'jobs:read')
    cookies.push(`session=${cookie}`)
  }
  const fixture: Fixture = {
    id: 'floor',
    port,
    paths: { authorize: '/authorize', token: '/token', introspect: '/introspect' },
    client,
    params: {
      machine: { scope: 'jobs:read' },
      opaque: { scope: 'jobs:read', token_format: 'opaque' },
      authorize: { scope: 'jobs:read' },
      code: {},
      refresh: {},
    },
    cookies,
  }
  writeFileSync(fixtureFile(directory), JSON.stringify(fixture))
}
if (!existsSync(fixtureFile(directory))) prepare()

function answer(response: ServerResponse, status: number, body: string) {
  response.writeHead(status, {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'content-length': Buffer.byteLength(body),
  })
  response.end(body)
}

const refuse = (response: ServerResponse) => answer(response, 400, '{"error":"invalid_grant"}')

function authenticated(request: IncomingMessage): boolean {
  const basic = Buffer.from(request.headers.authorization?.slice(6) ?? '', 'base64').toString()
  const colon = basic.indexOf(':')
  const found = floor.client(basic.slice(0, colon))
  return found !== undefined && timingSafeEqual(found.secret_hash, sha256(basic.slice(colon + 1)))
}

function token(form: URLSearchParams, response: ServerResponse) {
  switch (form.get('grant_type')) {
    case 'client_credentials':
      return clientCredentials(form, response)
    case 'refresh_token':
      return refresh(form, response)
    default:
      return redeem(form, response)
  }
}

function clientCredentials(form: URLSearchParams, response: ServerResponse) {
  const jti = randomBytes(32).toString('base64url')
  const scope = form.get('scope') ?? ''
  floor.write(
    () => floor.insertAccessToken(sha256(jti), client.id, client.id, scope, Date.now() + 900_000),
    () => {
      const issued = form.get('token_format') === 'opaque' ? jti : accessToken(client.id, scope, jti)
      answer(
        response,
        200,
        JSON.stringify({ access_token: issued, token_type: 'Bearer', expires_in: 900, scope }),
      )
    },
  )
}

function issue(response: ServerResponse, subject: string, scope: string, refreshToken: string) {
  const issued = accessToken(subject, scope, randomBytes(16).toString('base64url'))
  const body = {
    access_token: issued,
    token_type: 'Bearer',
    expires_in: 900,
    refresh_token: refreshToken,
    scope,
  }
  answer(response, 200, JSON.stringify(body))
}

function refresh(form: URLSearchParams, response: ServerResponse) {
  const presented = sha256(form.get('refresh_token') ?? '')
  const successor = randomBytes(32).toString('base64url')
  floor.write(
    () => {
      const found = floor.refreshToken(presented)
      if (!found || floor.spendRefreshToken(presented) !== 1) return undefined
      floor.insertRefreshToken(sha256(successor), found.session, Date.now() + 2_592_000_000)
      return found
    },
    (found) => (found ? issue(response, found.subject, found.scope, successor) : refuse(response)),
  )
}

function redeem(form: URLSearchParams, response: ServerResponse) {
  const code = sha256(form.get('code') ?? '')
  const challenge = createHash('sha256')
    .update(form.get('code_verifier') ?? '')
    .digest('base64url')
  const first = randomBytes(32).toString('base64url')
  floor.write(
    () => {
      const spent = floor.spendCode(code, client.id)
      if (!spent || spent.challenge !== challenge || spent.redirect_uri !== form.get('redirect_uri'))
        return undefined
      const session = floor.insertSession(spent.subject, client.id, spent.scope)
      floor.insertRefreshToken(sha256(first), session, Date.now() + 2_592_000_000)
      return spent
    },
    (spent) => (spent ? issue(response, spent.subject, spent.scope, first) : refuse(response)),
  )
}

function authorize(request: IncomingMessage, response: ServerResponse) {
  const query = new URLSearchParams(request.url!.slice(request.url!.indexOf('?') + 1))
  const person = floor.person(sha256((request.headers.cookie ?? '').slice('session='.length)))
  const found = floor.client(query.get('client_id') ?? '')
  const scope = query.get('scope') ?? ''
  const redirectUri = query.get('redirect_uri') ?? ''
  if (!person || found?.redirect_uri !== redirectUri) return refuse(response)
  if (floor.consent(person.subject, client.id)?.scope !== scope) return refuse(response)
  const code = randomBytes(32).toString('base64url')
  const challenge = query.get('code_challenge') ?? ''
  floor.write(
    () =>
      floor.insertCode(
        sha256(code),
        client.id,
        person.subject,
        redirectUri,
        challenge,
        scope,
        Date.now() + 300_000,
      ),
    () => {
      const location = `${redirectUri}?code=${code}&state=${query.get('state')}&iss=${encodeURIComponent(issuer)}`
      response.writeHead(302, { location, 'content-length': 0 })
      response.end()
    },
  )
}

function introspect(form: URLSearchParams, response: ServerResponse) {
  const found = floor.accessToken(sha256(form.get('token') ?? ''))
  if (!found || found.expires_at < Date.now()) return answer(response, 200, '{"active":false}')
  const { subject, scope, expires_at } = found
  const exp = Math.floor(expires_at / 1000)
  const facts = {
    active: true,
    iss: issuer,
    client_id: found.client,
    sub: subject,
    scope,
    exp,
    token_type: 'Bearer',
  }
  answer(response, 200, JSON.stringify(facts))
}

createServer((request, response) => {
  if (request.method === 'GET') return authorize(request, response)
  let body = ''
  request.setEncoding('latin1')
  request.on('data', (chunk: string) => {
    body += chunk
  })
  request.on('end', () => {
    if (!authenticated(request)) return answer(response, 401, '{"error":"invalid_client"}')
    const form = new URLSearchParams(body)
    return request.url === '/introspect' ? introspect(form, response) : token(form, response)
  })
}).listen(port, '127.0.0.1')
