// The floor: what one answer physically needs and nothing more. No routes, checks, limits, audit or reuse
// detection; but every answer waits for a commit that is durable. On SQLite, or on the PostgreSQL that
// BENCH_POSTGRES_URL names (BENCH_POSTGRES_BATCH: one statement for many requests).
import {
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
import { proofChecker } from './floor-proofs.ts'
import type { FloorStore, Granted, UsedProof } from './floor-store.ts'

const port = Number(process.env.PORT)
const directory = process.env.BENCH_DIR ?? '.'
const issuer = `http://localhost:${port}`
const secret = 'a-secret-of-the-benchmark'
const client = { id: 'bench', secret, redirectUri: 'https://app.example/callback' }
const month = 2_592_000_000
const sha256 = (text: string) => hash('sha256', text, 'base64url')
const opaque = () => randomBytes(32).toString('base64url')

function signingKey(): KeyObject {
  const file = join(directory, 'key.pem')
  if (!existsSync(file)) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    writeFileSync(file, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 })
  }
  return createPrivateKey(readFileSync(file))
}

const key = signingKey()
const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const head = `${encoded({ alg: 'ES256', typ: 'at+jwt', kid: 'floor' })}.`
const introspectionHead = `${encoded({ alg: 'ES256', typ: 'token-introspection+jwt', kid: 'floor' })}.`

/** r and s as a JWS wants them; asking node for that form (`dsaEncoding`) costs as much as the signature itself. */
function sideBySide(der: Buffer): string {
  const raw = Buffer.alloc(64)
  for (let at = 3, end = 32; end <= 64; end += 32) {
    const after = at + 1 + der[at]!
    const value = der.subarray(Math.max(at + 1, after - 32), after)
    value.copy(raw, end - value.length)
    at = after + 1
  }
  return raw.toString('base64url')
}

function accessToken(subject: string, scope: string, jti: string, jkt?: string): string {
  const iat = Math.floor(Date.now() / 1000)
  const audience = { iss: issuer, aud: 'https://api.example', sub: subject, client_id: client.id, scope }
  const bound = jkt === undefined ? {} : { cnf: { jkt } }
  return signed(head, { ...audience, jti, iat, exp: iat + 900, ...bound })
}

function signed(header: string, claims: object): string {
  const input = header + encoded(claims)
  return `${input}.${sideBySide(sign('sha256', Buffer.from(input), key))}`
}

async function openStore(): Promise<FloorStore> {
  const url = process.env.BENCH_POSTGRES_URL
  if (!url) return (await import('./floor-sqlite.ts')).openFloor(join(directory, 'floor.db'))
  const { openPostgresFloor } = await import('./floor-postgres.ts')
  return openPostgresFloor(url, process.env.BENCH_POSTGRES_BATCH === '1')
}

const store = await openStore()

async function prepare() {
  const cookies: string[] = []
  await store.addClient(client.id, { secret_hash: sha256(secret), redirect_uri: client.redirectUri })
  for (let chain = 0; chain < chains; chain += 1) {
    const cookie = opaque()
    await store.addPerson(sha256(cookie), client.id, { subject: `person-${chain}`, scope: 'jobs:read' })
    cookies.push(`session=${cookie}`)
  }
  const fixture: Fixture = {
    ports: [port],
    paths: { authorize: '/authorize', token: '/token', introspect: '/introspect' },
    ...(process.env.BENCH_POSTGRES_URL ? {} : { dpop: true }),
    signedIntrospection: true,
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
if (!existsSync(fixtureFile(directory))) await prepare()

function answer(response: ServerResponse, status: number, body: string, headers?: Record<string, string>) {
  response.writeHead(status, {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'content-length': Buffer.byteLength(body),
    ...headers,
  })
  response.end(body)
}

const refuse = (response: ServerResponse) => answer(response, 400, '{"error":"invalid_grant"}')

function authenticated(request: IncomingMessage, done: (right: boolean) => void) {
  const basic = Buffer.from(request.headers.authorization?.slice(6) ?? '', 'base64').toString()
  const colon = basic.indexOf(':')
  const presented = Buffer.from(sha256(basic.slice(colon + 1)))
  store.client(basic.slice(0, colon), (found) =>
    done(found !== undefined && timingSafeEqual(Buffer.from(found.secret_hash), presented)),
  )
}

/** The key a request proves to hold, and what is remembered of its proof. */
type Proven = { jkt: string; used: UsedProof } | undefined

const { nonce, check } = proofChecker(`${issuer}/token`)

function token(form: URLSearchParams, header: string | undefined, response: ServerResponse) {
  const proven = header === undefined ? undefined : check(header)
  if (proven === 'nonce') return answer(response, 400, '{"error":"use_dpop_nonce"}', { 'dpop-nonce': nonce })
  if (proven === 'wrong') return answer(response, 400, '{"error":"invalid_dpop_proof"}')
  switch (form.get('grant_type')) {
    case 'client_credentials':
      return clientCredentials(form, proven, response)
    case 'refresh_token':
      return refresh(form, proven, response)
    default:
      return redeem(form, response)
  }
}

const typeOf = (proven: Proven) => (proven ? 'DPoP' : 'Bearer')

function clientCredentials(form: URLSearchParams, proven: Proven, response: ServerResponse) {
  const jti = opaque()
  const scope = form.get('scope') ?? ''
  const row = { client: client.id, subject: client.id, scope, expires_at: Date.now() + 900_000 }
  store.insertAccessToken(sha256(jti), row, proven?.used, (isInserted) => {
    if (!isInserted) return refuse(response)
    const issued =
      form.get('token_format') === 'opaque' ? jti : accessToken(client.id, scope, jti, proven?.jkt)
    const body = { access_token: issued, token_type: typeOf(proven), expires_in: 900, scope }
    answer(response, 200, JSON.stringify(body))
  })
}

function issue(
  response: ServerResponse,
  granted: Granted | undefined,
  refreshToken: string,
  proven?: Proven,
) {
  if (!granted) return refuse(response)
  const { subject, scope } = granted
  const issued = accessToken(subject, scope, randomBytes(16).toString('base64url'), proven?.jkt)
  const rest = { token_type: typeOf(proven), expires_in: 900, refresh_token: refreshToken, scope }
  answer(response, 200, JSON.stringify({ access_token: issued, ...rest }))
}

function refresh(form: URLSearchParams, proven: Proven, response: ServerResponse) {
  const successor = opaque()
  const presented = sha256(form.get('refresh_token') ?? '')
  const rotation = {
    hash: presented,
    successorHash: sha256(successor),
    expiresAt: Date.now() + month,
    proof: proven?.used,
  }
  store.rotate(rotation, (granted) => issue(response, granted, successor, proven))
}

function redeem(form: URLSearchParams, response: ServerResponse) {
  const first = opaque()
  const redemption = {
    hash: sha256(form.get('code') ?? ''),
    client: client.id,
    redirectUri: form.get('redirect_uri') ?? '',
    challenge: sha256(form.get('code_verifier') ?? ''),
    refreshHash: sha256(first),
    expiresAt: Date.now() + month,
  }
  store.redeemCode(redemption, (granted) => issue(response, granted, first))
}

function authorize(request: IncomingMessage, response: ServerResponse) {
  const query = new URLSearchParams(request.url!.slice(request.url!.indexOf('?') + 1))
  const cookie = (request.headers.cookie ?? '').slice('session='.length)
  const clientId = query.get('client_id') ?? ''
  const redirectUri = query.get('redirect_uri') ?? ''
  const scope = query.get('scope') ?? ''
  const challenge = query.get('code_challenge') ?? ''
  store.client(clientId, (found) => {
    if (found?.redirect_uri !== redirectUri) return refuse(response)
    store.person(sha256(cookie), clientId, (person) => {
      if (person?.scope !== scope) return refuse(response)
      const { subject } = person
      const code = opaque()
      const expiresAt = Date.now() + 300_000
      const row = { hash: sha256(code), client: clientId, subject, redirectUri, challenge, scope, expiresAt }
      store.insertCode(row, () => {
        const location = `${redirectUri}?code=${code}&state=${query.get('state')}&iss=${encodeURIComponent(issuer)}`
        response.writeHead(302, { location, 'content-length': 0 })
        response.end()
      })
    })
  })
}

function introspect(form: URLSearchParams, accept: string | undefined, response: ServerResponse) {
  store.accessToken(sha256(form.get('token') ?? ''), (found) => {
    if (!found || found.expires_at < Date.now()) return answer(response, 200, '{"active":false}')
    const { subject: sub, scope, client: client_id } = found
    const exp = Math.floor(found.expires_at / 1000)
    const facts = { active: true, iss: issuer, client_id, sub, scope, exp, token_type: 'Bearer' }
    if (accept === 'application/json') return answer(response, 200, JSON.stringify(facts))
    const iat = Math.floor(Date.now() / 1000)
    const claims = { iss: issuer, aud: client.id, iat, token_introspection: facts }
    answer(response, 200, signed(introspectionHead, claims), { 'content-type': accept! })
  })
}

createServer((request, response) => {
  if (request.method === 'GET') return authorize(request, response)
  let body = ''
  request.setEncoding('latin1')
  request.on('data', (chunk: string) => {
    body += chunk
  })
  request.on('end', () => {
    authenticated(request, (right) => {
      if (!right) return answer(response, 401, '{"error":"invalid_client"}')
      const form = new URLSearchParams(body)
      if (request.url === '/introspect') return introspect(form, request.headers.accept, response)
      return token(form, request.headers['dpop'] as string | undefined, response)
    })
  })
}).listen(port, '127.0.0.1')
