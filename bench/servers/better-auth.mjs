// better-auth with its OAuth-provider plugin over SQLite in WAL at synchronous=NORMAL, its usual set-up;
// rate limits off, access tokens signed with ES256 when a resource is asked for, opaque otherwise.
import { existsSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { oauthProvider } from '@better-auth/oauth-provider'
import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import { toNodeHandler } from 'better-auth/node'
import { jwt } from 'better-auth/plugins'

const port = Number(process.env.PORT)
const directory = process.env.BENCH_DIR
const origin = `http://localhost:${port}`
const chains = 32
const scope = 'jobs:read'
const resource = 'https://api.example'
const redirectUri = 'https://app.example/callback'

const database = new DatabaseSync(join(directory, 'better-auth.db'))
database.exec('pragma journal_mode = wal; pragma synchronous = normal')
const options = {
  baseURL: origin,
  secret: 'a-secret-of-the-benchmark-0123456789',
  database,
  logger: { level: 'error' },
  telemetry: { enabled: false },
  rateLimit: { enabled: false },
  emailAndPassword: { enabled: true },
  plugins: [
    jwt({ jwks: { keyPairConfig: { alg: 'ES256' } } }),
    oauthProvider({
      loginPage: '/sign-in',
      consentPage: '/consent',
      scopes: [scope, 'offline_access'],
      resources: [{ identifier: resource, accessTokenTtl: 900, signingAlgorithm: 'ES256' }],
      enforcePerClientResources: false,
      clientPrivileges: () => true,
      accessTokenExpiresIn: 900,
      m2mAccessTokenExpiresIn: 900,
      silenceWarnings: { oauthAuthServerConfig: true, openidConfig: true },
      rateLimit: {
        token: false,
        authorize: false,
        introspect: false,
        revoke: false,
        register: false,
        userinfo: false,
      },
    }),
  ],
}
const fixtureFile = join(directory, 'fixture.json')
if (!existsSync(fixtureFile)) await (await getMigrations(options)).runMigrations()
const auth = betterAuth(options)
const serve = toNodeHandler(auth)
await new Promise((listening) => createServer(serve).listen(port, '127.0.0.1', listening))
if (!existsSync(fixtureFile)) await prepare()

async function post(path, body, headers = {}) {
  const response = await auth.handler(
    new Request(`${origin}/api/auth${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin, ...headers },
      body: JSON.stringify(body),
    }),
  )
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
  return response
}

async function signUp(chain) {
  const person = {
    name: `Person ${chain}`,
    email: `person-${chain}@example.com`,
    password: 'a long enough password',
  }
  const response = await post('/sign-up/email', person)
  return response.headers
    .getSetCookie()
    .map((line) => line.slice(0, line.indexOf(';')))
    .join('; ')
}

async function consent(client, cookie) {
  const query = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: `${scope} offline_access`,
    resource,
    state: 'setup',
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    code_challenge_method: 'S256',
  })
  const response = await auth.handler(
    new Request(`${origin}/api/auth/oauth2/authorize?${query}`, { headers: { cookie } }),
  )
  const location = new URL(response.headers.get('location'), origin)
  if (location.pathname !== '/consent') throw new Error(`no consent page but ${location}`)
  await post('/oauth2/consent', { accept: true, oauth_query: location.search.slice(1) }, { cookie })
}

async function prepare() {
  const cookies = []
  for (let chain = 0; chain < chains; chain += 1) cookies.push(await signUp(chain))
  const client = await auth.api.adminCreateOAuthClient({
    headers: new Headers({ cookie: cookies[0] }),
    body: {
      client_name: 'bench',
      redirect_uris: [redirectUri],
      scope: `${scope} offline_access`,
      grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
      client_credentials_scopes: [scope],
      token_endpoint_auth_method: 'client_secret_basic',
    },
  })
  for (const cookie of cookies) await consent(client, cookie)
  const fixture = {
    ports: [port],
    paths: {
      authorize: '/api/auth/oauth2/authorize',
      token: '/api/auth/oauth2/token',
      introspect: '/api/auth/oauth2/introspect',
    },
    client: { id: client.client_id, secret: client.client_secret, redirectUri },
    params: {
      machine: { scope, resource },
      opaque: { scope },
      authorize: { scope: `${scope} offline_access`, resource },
      code: { resource },
      refresh: { resource },
    },
    cookies,
  }
  writeFileSync(fixtureFile, JSON.stringify(fixture))
}
