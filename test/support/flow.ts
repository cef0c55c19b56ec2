import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { sha256 } from '../../src/crypto/tokens.ts'
import type { CreatedClient } from '../../src/oauth/clients/client-operations.ts'
import { basic, type TestServer } from './gatehouse.ts'

export interface Pkce {
  verifier: string
  challenge: string
}

export function makePkce(): Pkce {
  const verifier = randomBytes(32).toString('base64url')
  return { verifier, challenge: sha256(verifier) }
}

export interface Tokens {
  access_token: string
  token_type: string
  expires_in: number
  refresh_token?: string
  scope: string
}

/** The parameters of a correct authorization request; an undefined override leaves one out. */
export function authorizeParameters(
  { client }: CreatedClient,
  pkce: Pkce | null,
  overrides: Record<string, string | string[] | undefined> = {},
): URLSearchParams {
  const parameters = new URLSearchParams()
  const all = {
    response_type: 'code',
    client_id: client.id,
    redirect_uri: client.redirectUris[0],
    scope: 'jobs:read',
    state: 'a state',
    ...(pkce ? { code_challenge: pkce.challenge, code_challenge_method: 'S256' } : {}),
    ...overrides,
  }
  for (const [name, value] of Object.entries(all)) {
    for (const one of value === undefined ? [] : [value].flat()) parameters.append(name, one)
  }
  return parameters
}

/** Sends an authorization request and, when asked, decides on the consent page. Answers the final response. */
export async function authorize(
  server: TestServer,
  parameters: URLSearchParams,
  decision: 'allow' | 'deny' = 'allow',
): Promise<Response> {
  const shown = await server.request(`/oauth/authorize?${parameters}`)
  if (shown.status !== 200) return shown
  return answerConsent(server, await readConsent(shown), { decision })
}

/** A consent page as a browser holds it. */
export interface ShownConsent {
  html: string
  cookie: string
  fields: Record<string, string>
}

const unescaped = (text: string) =>
  text.replace(
    /&(amp|lt|gt|quot|#39);/g,
    (_, name: string) => ({ amp: '&', lt: '<', gt: '>', quot: '"' })[name] ?? "'",
  )

export async function readConsent(shown: Response): Promise<ShownConsent> {
  const html = await shown.text()
  const fields = Object.fromEntries(
    [...html.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)].map((match) => [
      match[1]!,
      unescaped(match[2]!),
    ]),
  )
  const cookie = shown.headers
    .getSetCookie()
    .map((one) => one.split(';')[0]!)
    .join('; ')
  return { html, cookie, fields }
}

export function answerConsent(
  server: TestServer,
  shown: ShownConsent,
  more: Record<string, string>,
): Promise<Response> {
  return server.post('/oauth/consent', { ...shown.fields, ...more }, { cookie: shown.cookie })
}

/** Where an authorization response goes, with its parameters. */
export function readRedirect(response: Response): { to: URL; parameters: Record<string, string> } {
  const location = response.headers.get('location')
  assert.ok(location, `a redirect, not ${response.status}`)
  const to = new URL(location)
  return { to, parameters: Object.fromEntries(to.searchParams) }
}

export async function obtainCode(
  server: TestServer,
  created: CreatedClient,
  pkce: Pkce | null = makePkce(),
  overrides: Record<string, string | string[] | undefined> = {},
): Promise<string> {
  const { parameters } = readRedirect(await authorize(server, authorizeParameters(created, pkce, overrides)))
  assert.ok(parameters.code, `a code, not ${JSON.stringify(parameters)}`)
  return parameters.code
}

/** How a client authenticates in a request: by the header when it has a secret, by its id alone otherwise. */
export function credentials({ client, secret }: CreatedClient): {
  headers: Record<string, string>
  form: Record<string, string>
} {
  return secret === undefined
    ? { headers: {}, form: { client_id: client.id } }
    : { headers: { authorization: basic(client.id, secret) }, form: {} }
}

export function redeem(
  server: TestServer,
  created: CreatedClient,
  code: string,
  pkce: Pkce | null,
  more: Record<string, string | string[]> = {},
): Promise<Response> {
  const { headers, form } = credentials(created)
  return server.post(
    '/oauth/token',
    {
      grant_type: 'authorization_code',
      code,
      redirect_uri: created.client.redirectUris[0]!,
      ...(pkce ? { code_verifier: pkce.verifier } : {}),
      ...form,
      ...more,
    },
    headers,
  )
}

export function refresh(
  server: TestServer,
  created: CreatedClient,
  token: string,
  more: Record<string, string | string[]> = {},
): Promise<Response> {
  const { headers, form } = credentials(created)
  return server.post(
    '/oauth/token',
    { grant_type: 'refresh_token', refresh_token: token, ...form, ...more },
    headers,
  )
}

/** The whole flow, from the authorization request to tokens. */
export async function obtainTokens(
  server: TestServer,
  created: CreatedClient,
  overrides: Record<string, string | string[] | undefined> = {},
): Promise<Tokens> {
  const pkce = makePkce()
  const code = await obtainCode(server, created, pkce, overrides)
  return readTokens(await redeem(server, created, code, pkce))
}

export async function readTokens(response: Response): Promise<Tokens> {
  const body = await response.json()
  assert.equal(response.status, 200, JSON.stringify(body))
  return body as Tokens
}

/** Asserts the JSON form of a refusal (RFC 6749 §5.2). */
export async function assertError(response: Response, status: number, error: string): Promise<void> {
  const text = await response.text()
  assert.equal(response.status, status, text)
  const body = JSON.parse(text)
  assert.equal(body.error, error, text)
  assert.match(body.error_description, /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/)
  assert.match(response.headers.get('content-type') ?? '', /^application\/json/)
  assert.equal(response.headers.get('cache-control'), 'no-store')
}

export async function introspect(
  server: TestServer,
  created: CreatedClient,
  token: string,
): Promise<Record<string, unknown>> {
  const { headers, form } = credentials(created)
  const response = await server.post('/oauth/introspect', { token, ...form }, headers)
  assert.equal(response.status, 200)
  return (await response.json()) as Record<string, unknown>
}
