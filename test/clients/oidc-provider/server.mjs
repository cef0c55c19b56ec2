// oidc-provider in its default set-up, on a port of its own: only clients are added, because nobody may register by default.
// With `everything` its optional features are on as well.

import { once } from 'node:events'
import { createServer } from 'node:http'
import { Provider } from 'oidc-provider'

const [mode] = process.argv.slice(2)
const server = createServer().listen(0, '127.0.0.1')
await once(server, 'listening')
const issuer = `http://127.0.0.1:${server.address().port}`

const grants = ['authorization_code', 'refresh_token']
const secret = () => crypto.randomUUID() + crypto.randomUUID()
const clients = [
  {
    client_id: 'confidential',
    client_secret: secret(),
    redirect_uris: ['https://client.example/callback', 'https://client.example/second'],
    grant_types: grants,
  },
  {
    client_id: 'other',
    client_secret: secret(),
    redirect_uris: ['https://client.example/callback'],
    grant_types: grants,
  },
  {
    client_id: 'public',
    token_endpoint_auth_method: 'none',
    redirect_uris: ['https://client.example/callback'],
    grant_types: grants,
  },
  {
    client_id: 'native',
    token_endpoint_auth_method: 'none',
    application_type: 'native',
    redirect_uris: ['http://127.0.0.1/callback'],
    grant_types: grants,
  },
]
const on = { enabled: true }
const everything = {
  scopes: ['openid', 'offline_access', 'api:read', 'api:write'],
  features: {
    claimsParameter: on,
    clientCredentials: on,
    deviceFlow: on,
    introspection: on,
    registration: on,
    registrationManagement: on,
    requestObjects: on,
    revocation: on,
  },
}
const provider = new Provider(issuer, mode === 'everything' ? everything : { clients })
server.on('request', provider.callback())
console.log(JSON.stringify({ ready: true, issuer, clients }))
