// What the walk along the metadata goes with: a server where everything is on, and requests that use one value of it each.

import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import type { Accounts } from '../../../src/accounts/account.ts'
import type { Config } from '../../../src/config.ts'
import type { Algorithm } from '../../../src/crypto/jws.ts'
import type { ClientInput } from '../../../src/oauth/clients/client-input.ts'
import type { CreatedClient } from '../../../src/oauth/clients/client-operations.ts'
import { assertion, clientKeys, keyNamed, registeredWith } from '../../support/assertions.ts'
import { type Authority, type Certificate, makeAuthority } from '../../support/certificates.ts'
import { deviceGrant } from '../../support/device.ts'
import { type Documents, openDocuments } from '../../support/documents.ts'
import { enterprise, jwtBearerGrant } from '../../support/enterprise.ts'
import {
  authorizeParameters,
  credentials,
  makePkce,
  obtainCode,
  readTokens,
  type Tokens,
} from '../../support/flow.ts'
import { alice, type Dialect, openTestServer, scopes, type TestServer } from '../../support/gatehouse.ts'

export const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const api = 'https://jobs.example'
export const acrValues = ['urn:example:password', 'urn:example:second-factor']
/** Where TLS ends. */
const proxy = '10.1.2.3'

/** A server where everything is on that can be on, with everything a client needs to use it. */
export interface Walk {
  server: TestServer
  metadata: Record<string, unknown>
  documents: Documents
  certificate: Certificate
  /** As the configuration and the client's key know each other. */
  agent: CreatedClient
  close(): Promise<void>
}

const accounts = (at: { server?: TestServer }): Accounts => ({
  authenticate(_request, ask) {
    const { signedIn } = at.server!
    const { account } = signedIn
    const enough = !ask.acrValues?.length || ask.acrValues.includes(account?.acr ?? '')
    if (account && enough && (account.authTime ?? 0) >= (ask.notBefore ?? 0)) return account
    if (!ask.interactive) return null
    return Response.redirect(`http://localhost:4400/test-sign-in?to=${encodeURIComponent(ask.returnTo)}`, 303)
  },
  claimNames: ['preferred_username', 'email_verified'],
  claims: () => ({ preferred_username: 'alice', email_verified: true }),
  signOut(_request, returnTo) {
    at.server!.signedIn.account = null
    return Response.redirect(returnTo, 303)
  },
})

export async function openWalk(dialect: Dialect): Promise<Walk> {
  const documents = await openDocuments()
  const authority: Authority = makeAuthority('Clients of Example', Date.UTC(2026, 0, 15, 12))
  const at: { server?: TestServer } = {}
  const config: Partial<Config> = {
    accounts: accounts(at),
    scopes,
    resources: { [api]: {}, 'https://mail.example': {} },
    authentication: { acrValues },
    authorizationDetails: {
      payment: {
        schema: { type: 'object', properties: { amount: { type: 'string' } }, required: ['amount'] },
        describe: ({ amount }) => [`Pay ${amount}`],
      },
    },
    registration: { policy: 'open' },
    clientIdMetadata: {},
    device: {},
    tokenExchange: {
      rules: [{ client: 'agent', resources: ['https://mail.example'], subjectClients: ['agent'] }],
    },
    assertionIssuers: {
      [enterprise]: {
        jwks: { keys: [clientKeys.RS256.publicJwk] },
        clients: ['agent'],
        unknownUsers: 'create',
      },
    },
    trustedProxies: ['10.0.0.0/8'],
    mutualTls: {
      certificateHeader: 'x-client-cert',
      authorities: authority.cert,
      origin: 'https://mtls.example',
    },
    outbound: { ca: documents.ca },
    // One client does most of the walk, in one moment: sessions of one moment have no order to be evicted in.
    sessions: { quota: 10_000 },
    limits: { failuresPerNetwork: 100_000, clientAuthenticationFailures: 100_000 },
  }
  const server = (at.server = await openTestServer(dialect, config))
  signIn(server)
  const agent = await server.createClient({
    id: 'agent',
    grantTypes: [
      'authorization_code',
      'refresh_token',
      'client_credentials',
      deviceGrant,
      exchangeGrant,
      jwtBearerGrant,
    ],
    postLogoutRedirectUris: ['https://client.example/goodbye'],
  })
  return {
    server,
    metadata: await metadataOf(server),
    documents,
    certificate: authority.issue(['client.example'], 'client'),
    agent,
    async close() {
      await server.close()
      await documents.close()
    },
  }
}

export async function metadataOf(server: TestServer): Promise<Record<string, unknown>> {
  const answer = await server.request('/.well-known/openid-configuration')
  assert.equal(answer.status, 200)
  return (await answer.json()) as Record<string, unknown>
}

/** Alice, as strongly as one can be, just now. */
export function signIn(server: TestServer, more: Partial<typeof alice> = {}): void {
  server.clock.advance(1_000)
  server.signedIn.account = {
    ...alice,
    authTime: server.clock.now(),
    acr: acrValues[1]!,
    amr: ['pwd', 'otp'],
    sessionId: 'the only sign-in',
    ...more,
  }
}

/** Where the browser is sent to sign in; undefined for any other answer. */
export function wayBack(answer: Response): string | undefined {
  const to = new URL(answer.headers.get('location') ?? 'about:blank')
  return to.pathname === '/test-sign-in' ? to.searchParams.get('to')! : undefined
}

/** Algorithms nobody should speak. */
export const unspoken = ['none', 'HS256', 'ES512', 'RS1']

/** A client of one way to authenticate, and what it sends to prove itself. */
export interface Prover {
  client: CreatedClient
  proof(): { form: Record<string, string>; headers: Record<string, string> }
}

/** Makes a client of this method; with an algorithm for `private_key_jwt`. */
export async function makeProver(
  { server, certificate }: Walk,
  method: string,
  alg: Algorithm = 'ES256',
  input: Partial<ClientInput> = {},
): Promise<Prover> {
  const certified = { 'x-client-cert': encodeURIComponent(certificate.cert) }
  const named = (client: CreatedClient) => ({ client_id: client.client.id })
  const jwk = new X509Certificate(certificate.cert).publicKey.export({ format: 'jwk' })
  const kinds: Record<
    string,
    [Partial<ClientInput>, (client: CreatedClient) => ReturnType<Prover['proof']>]
  > = {
    client_secret_basic: [{}, (client) => ({ headers: credentials(client).headers, form: {} })],
    client_secret_post: [
      {},
      (client) => ({ headers: {}, form: { ...named(client), client_secret: client.secret! } }),
    ],
    none: [{}, (client) => ({ headers: {}, form: named(client) })],
    private_key_jwt: [
      registeredWith(keyNamed(alg)),
      (client) => ({ headers: {}, form: assertion(client, keyNamed(alg), server.clock) }),
    ],
    tls_client_auth: [
      { tlsClientAuthSanDns: 'client.example' },
      (client) => ({ headers: certified, form: named(client) }),
    ],
    self_signed_tls_client_auth: [
      { jwks: { keys: [jwk] } },
      (client) => ({ headers: certified, form: named(client) }),
    ],
  }
  const kind = kinds[method]
  assert.ok(kind, `somebody who authenticates by ${method}`)
  const [metadata, proof] = kind
  const client = await server.createClient({
    tokenEndpointAuthMethod: method as never,
    ...metadata,
    ...input,
  })
  return { client, proof: () => proof(client) }
}

/** A form to an endpoint, over the proxy that ends TLS. */
export function send(
  { server }: Walk,
  path: string,
  form: Record<string, string>,
  { form: more, headers }: ReturnType<Prover['proof']>,
): Promise<Response> {
  return server.request(path, {
    method: 'POST',
    address: proxy,
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'x-forwarded-for': '203.0.113.9',
      ...headers,
    },
    body: new URLSearchParams({ ...form, ...more }).toString(),
  })
}

/** The code flow of a client, however it authenticates. */
export async function tokensFor(
  walk: Walk,
  prover: Prover,
  asked: Record<string, string> = {},
  headers: Record<string, string> = {},
): Promise<Tokens & { id_token?: string }> {
  const pkce = makePkce()
  const code = await obtainCode(walk.server, prover.client, pkce, asked)
  const proof = prover.proof()
  const form = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: prover.client.client.redirectUris[0]!,
    code_verifier: pkce.verifier,
  }
  const answer = await send(walk, '/oauth/token', form, {
    ...proof,
    headers: { ...proof.headers, ...headers },
  })
  return readTokens(answer)
}

/** The query of a correct authorization request of a new client. */
export async function askedBy(
  { server }: Walk,
  more: Record<string, string> = {},
  input: Partial<ClientInput> = {},
) {
  const client = await server.createClient(input)
  return { client, query: authorizeParameters(client, makePkce(), more) }
}
