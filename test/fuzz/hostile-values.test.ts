// The same hostile values at every endpoint, in every place where a value from outside is walked, written again or handed on:
// no 5xx.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Facts } from '../../src/log.ts'
import { routes } from '../../src/oauth/routes.ts'
import { assertionType } from '../support/assertions.ts'
import { serveClient } from '../support/described-clients.ts'
import { openDocuments } from '../support/documents.ts'
import { authorizeParameters, makePkce } from '../support/flow.ts'
import { basic, dialects, openTestServer } from '../support/gatehouse.ts'
import { publicMetadata } from '../support/registration.ts'

/** JSON texts: deeper than JSON can be written again, which is less deep than it can be read; and what else no reader expects. */
const depth = 7_000
const texts: Record<string, string> = {
  'lists in lists': `${'['.repeat(depth)}${']'.repeat(depth)}`,
  'objects in objects': `${'{"a":'.repeat(2_000)}1${'}'.repeat(2_000)}`,
  'a little too deep': `${'['.repeat(200)}${']'.repeat(200)}`,
  'a lone surrogate': '"\\ud800"',
  'a lone surrogate in a list': '["\\udfff","a"]',
  'a NUL': '"a\\u0000b"',
  'a NUL in a list': '["a\\u0000b"]',
  'a NUL as a name': '{"\\u0000":1}',
  'a huge number': '1e999',
  'a small number': '-1e-999',
  'a long number': '9'.repeat(400),
  'no number': '-0',
  'a prototype':
    '{"__proto__":{"keys":[1]},"constructor":{"prototype":{}},"toString":1,"toJSON":1,"length":-1}',
  null: 'null',
  true: 'true',
  'a list of nulls': '[null,null]',
  'an empty list': '[]',
  'an empty object': '{}',
  'keys that are none':
    '{"keys":[null,1,"x",[],{},{"kty":1},{"kty":"RSA","n":1,"e":1},{"kty":"EC","crv":"P-256","x":"","y":""}]}',
  'keys of odd parts':
    '{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"},{"kty":"RSA","n":"","e":""},{"kty":"RSA","n":"AAAA","e":"AAAA"},{"kty":{"a":[]}}]}',
  'keys with a nested part': `{"keys":[{"kty":"EC","crv":"P-256","x":${'['.repeat(depth)}${']'.repeat(depth)}}]}`,
  'a direction of text': '"\\u202e\\u2066\\ufeff"',
  'no base64': '"AAA=.!!!"',
}
const members = [
  ...['client_name', 'redirect_uris', 'grant_types', 'response_types', 'token_endpoint_auth_method', 'scope'],
  ...[
    'jwks',
    'jwks_uri',
    'logo_uri',
    'client_uri',
    'policy_uri',
    'application_type',
    'subject_type',
    'contacts',
  ],
  ...['sector_identifier_uri', 'software_statement', 'post_logout_redirect_uris', 'backchannel_logout_uri'],
  ...['id_token_signed_response_alg', 'default_acr_values', 'authorization_details_types', 'default_max_age'],
  ...['require_signed_request_object', 'tls_client_auth_san_ip', 'software_id', 'unknown'],
]
const parameters = [
  'claims',
  'authorization_details',
  'request',
  'id_token_hint',
  'assertion',
  'subject_token',
  'scope',
]
const claims = [
  'iss',
  'sub',
  'aud',
  'exp',
  'iat',
  'nbf',
  'jti',
  'cnf',
  'act',
  'amr',
  'acr',
  'scope',
  'authorization_details',
]

const part = (text: string) => Buffer.from(text).toString('base64url')

for (const dialect of dialects) {
  test(`RFC 8259 §9: no value, however nested or odd, is a 5xx anywhere (${dialect})`, async () => {
    const documents = await openDocuments()
    const faults: Facts[] = []
    const server = await openTestServer(dialect, {
      clientIdMetadata: {},
      registration: { policy: 'open' },
      device: {},
      outbound: { ca: documents.ca },
      authorizationDetails: {
        payment: {
          schema: { type: 'object', properties: { a: { type: 'string' } } },
          describe: () => ['a payment'],
        },
      },
      limits: { failuresPerNetwork: 1_000_000, clientAuthenticationFailures: 1_000_000 },
      selfRegisteredClients: { perNetworkPerHour: 1_000_000, perHour: 1_000_000 },
      log: { info() {}, warn() {}, error: (message, facts) => faults.push({ message, ...facts }) },
    })
    try {
      const created = await server.createClient({
        jwks: { keys: [server.app.server.keys.current().publicJwk] },
      })
      const authorization = basic(created.client.id, created.secret!)
      const usual = Object.fromEntries(
        authorizeParameters(created, makePkce(), { scope: 'openid jobs:read' }),
      )
      const sound = async (what: string, asked: Promise<Response>) => {
        const answer = await asked
        const text = await answer.text()
        assert.deepEqual(faults, [], what)
        assert.ok(answer.status < 500 || answer.status === 503, `${answer.status} ${what}: ${text}`)
      }
      const form = (
        parameters: Record<string, string>,
        headers: Record<string, string> = {},
      ): RequestInit => ({
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        body: new URLSearchParams(parameters).toString(),
      })
      const register = (body: string) =>
        server.request('/oauth/register', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body,
        })
      let count = 0
      for (const [what, text] of Object.entries(texts)) {
        await sound(`registration of ${what}`, register(text))
        for (const member of members) {
          const metadata = JSON.stringify({ ...publicMetadata, [member]: 0 }).replace(
            `"${member}":0`,
            `"${member}":${text}`,
          )
          if (metadata.length < 16_000)
            await sound(`registration with ${member} as ${what}`, register(metadata))
          if (metadata.length > 5_000 && member !== 'jwks') continue
          const client = serveClient(documents, `/hostile-${count++}.json`)
          const document = JSON.stringify({
            client_id: client.id,
            redirect_uris: ['https://client.example/callback'],
            [member]: 0,
          })
          documents.serve(new URL(client.id).pathname, (response: import('node:http').ServerResponse) =>
            response
              .writeHead(200, { 'content-type': 'application/json' })
              .end(document.replace(`"${member}":0`, `"${member}":${text}`)),
          )
          await sound(
            `a document with ${member} as ${what}`,
            server.request(`/oauth/authorize?${authorizeParameters(client, makePkce())}`),
          )
        }
        for (const name of parameters) {
          const short = text.length < 4_000 ? text : text.slice(0, 2_000) + text.slice(-2_000)
          await sound(
            `${name} as ${what}`,
            server.request(`/oauth/authorize?${new URLSearchParams({ ...usual, [name]: short })}`),
          )
          for (const path of [
            '/oauth/par',
            '/oauth/token',
            '/oauth/introspect',
            '/oauth/device_authorization',
          ])
            await sound(
              `${path} ${name} as ${what}`,
              server.request(
                path,
                form({ ...usual, token: text, grant_type: 'refresh_token', [name]: text }, { authorization }),
              ),
            )
        }
        const seconds = Math.floor(server.clock.now() / 1_000)
        for (const name of claims) {
          const good = {
            iss: created.client.id,
            sub: created.client.id,
            aud: 'http://localhost:4400',
            exp: seconds + 60,
            iat: seconds,
            jti: 'x',
          }
          const body = JSON.stringify({ ...good, [name]: 0 }).replace(`"${name}":0`, `"${name}":${text}`)
          const key = JSON.stringify(server.app.server.keys.current().publicJwk)
          for (const header of [
            `{"alg":"ES256","kid":"x"}`,
            `{"alg":"ES256","kid":${text}}`,
            `{"alg":${text}}`,
            `{"typ":"dpop+jwt","alg":"ES256","jwk":${key}}`,
            `{"typ":"dpop+jwt","alg":"ES256","jwk":${text}}`,
          ]) {
            const jwt = `${part(header)}.${part(body)}.${'A'.repeat(86)}`
            if (name !== 'iss' && name !== 'jti' && header.includes(text)) continue
            await sound(
              `an assertion with ${name} as ${what}`,
              server.request(
                '/oauth/token',
                form({ client_assertion: jwt, client_assertion_type: assertionType }),
              ),
            )
            await sound(
              `a request object with ${name} as ${what}`,
              server.request('/oauth/par', form({ ...usual, request: jwt }, { authorization })),
            )
            await sound(
              `a proof with ${name} as ${what}`,
              server.request(
                '/oauth/token',
                form({ grant_type: 'refresh_token' }, { authorization, dpop: jwt }),
              ),
            )
            await sound(
              `a token with ${name} as ${what}`,
              server.request('/oauth/userinfo', { headers: { authorization: `Bearer ${jwt}` } }),
            )
          }
        }
        for (const { path } of routes) {
          const odd = encodeURIComponent(text.slice(0, 500))
          await sound(
            `${path} with ${what} in query and cookie`,
            server.request(`${path}?a=${odd}`, {
              headers: { cookie: `gatehouse=${odd}; gatehouse_arrival=${odd}` },
            }),
          )
        }
      }
    } finally {
      await server.close()
      await documents.close()
    }
  })
}
