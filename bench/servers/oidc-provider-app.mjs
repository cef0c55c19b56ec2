// oidc-provider as its documentation would have a production server: signed cookies, rotating refresh tokens,
// ES256 JWT access tokens through resource indicators. Only the adapter differs between the two variants.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import Provider from 'oidc-provider'

const jwtResource = 'https://api.example'
const opaqueResource = 'https://opaque.example'
const scope = 'jobs:read'
const client = {
  id: 'bench',
  secret: randomBytes(32).toString('base64url'),
  redirectUri: 'https://app.example/callback',
}
const chains = 32

function storedSecrets(directory) {
  const file = join(directory, 'secrets.json')
  if (!existsSync(file)) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const jwk = { ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig' }
    writeFileSync(
      file,
      JSON.stringify({
        jwk,
        cookieKey: randomBytes(32).toString('hex'),
        nonceSecret: randomBytes(32).toString('base64'),
        secret: client.secret,
      }),
    )
  }
  return JSON.parse(readFileSync(file, 'utf8'))
}

const resourceServer = {
  [jwtResource]: {
    scope,
    audience: jwtResource,
    accessTokenTTL: 900,
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg: 'ES256' } },
  },
  [opaqueResource]: { scope, audience: opaqueResource, accessTokenTTL: 900, accessTokenFormat: 'opaque' },
}

function configuration(adapter, secrets) {
  return {
    adapter,
    clients: [
      {
        client_id: client.id,
        client_secret: secrets.secret,
        redirect_uris: [client.redirectUri],
        grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
        response_types: ['code'],
        token_endpoint_auth_method: 'client_secret_basic',
      },
    ],
    jwks: { keys: [secrets.jwk] },
    cookies: { keys: [secrets.cookieKey] },
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      dPoP: {
        enabled: true,
        nonceSecret: Buffer.from(secrets.nonceSecret, 'base64'),
        requireNonce: () => true,
      },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_ctx, indicator) => resourceServer[indicator],
        useGrantedResource: () => true,
      },
    },
    rotateRefreshToken: true,
    issueRefreshToken: () => true,
    pkce: { required: () => true },
    ttl: {
      AccessToken: 900,
      AuthorizationCode: 300,
      ClientCredentials: 900,
      Grant: 2_592_000,
      Interaction: 3600,
      RefreshToken: 2_592_000,
      Session: 2_592_000,
    },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    loadExistingGrant,
  }
}

/** Finds the session's grant, and consents for the person when there is none yet. */
async function loadExistingGrant(ctx) {
  const { oidc } = ctx
  const grantId = oidc.result?.consent?.grantId ?? oidc.session.grantIdFor(oidc.client.clientId)
  if (grantId) return oidc.provider.Grant.find(grantId)
  const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId })
  grant.addResourceScope(jwtResource, scope)
  await grant.save()
  return grant
}

/** Signs one new person in through the real interaction and keeps the session's cookies. */
async function signIn(origin, authorize) {
  const jar = new Map()
  let url = `${origin}/auth?${new URLSearchParams(authorize)}`
  for (;;) {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, { redirect: 'manual', headers: { cookie } })
    const body = await response.text()
    for (const line of response.headers.getSetCookie()) {
      const [name, value] = line.slice(0, line.indexOf(';')).split('=')
      if (value && !/expires=Thu, 01 Jan 1970/i.test(line)) jar.set(name, value)
      else jar.delete(name)
    }
    const location = response.headers.get('location')
    if (!location) throw new Error(`sign-in stopped at ${url} with ${response.status}: ${body.slice(0, 500)}`)
    if (location.startsWith(client.redirectUri)) break
    url = new URL(location, origin).href
  }
  return [...jar]
    .filter(([name]) => name.startsWith('_session'))
    .map(([name, value]) => `${name}=${value}`)
    .join('; ')
}

/** Starts oidc-provider over `adapter` on `PORT` and writes the fixture once it can be measured. */
export async function serve(adapter) {
  const port = Number(process.env.PORT)
  const directory = process.env.BENCH_DIR
  const secrets = storedSecrets(directory)
  const origin = `http://localhost:${port}`
  const provider = new Provider(origin, configuration(adapter, secrets))
  const callback = provider.callback()
  let people = 0
  await new Promise((listening) => {
    createServer((request, response) => {
      if (!request.url.startsWith('/interaction/')) return callback(request, response)
      people += 1
      return provider.interactionFinished(request, response, { login: { accountId: `person-${people}` } })
    }).listen(port, '127.0.0.1', listening)
  })
  if (process.env.BENCH_COLD || existsSync(join(directory, 'fixture.json'))) return

  const authorize = {
    client_id: client.id,
    redirect_uri: client.redirectUri,
    response_type: 'code',
    scope,
    resource: jwtResource,
    state: 'setup',
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    code_challenge_method: 'S256',
  }
  const cookies = []
  for (let chain = 0; chain < chains; chain += 1)
    cookies.push(await signIn(`http://127.0.0.1:${port}`, authorize))
  const fixture = {
    ports: [port],
    paths: { authorize: '/auth', token: '/token', introspect: '/token/introspection', push: '/request' },
    dpop: true,
    client: { ...client, secret: secrets.secret },
    params: {
      machine: { scope, resource: jwtResource },
      opaque: { scope, resource: opaqueResource },
      authorize: { scope, resource: jwtResource },
      code: {},
      refresh: {},
    },
    cookies,
  }
  writeFileSync(join(directory, 'fixture.json'), JSON.stringify(fixture))
}
