// A tiny authorization server, right in everything it does but for the holes a test asks for. It is there to show that the
// checks can fail, and that the right one does.

import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { openProofs, openPushed } from './toy-extras.ts'

export type Hole =
  | 'any redirect_uri'
  | 'redirect_uri by prefix'
  | 'a fixed port'
  | 'no challenge needed'
  | 'verifier ignored'
  | 'plain'
  | 'code good twice'
  | 'code good twice in a race'
  | 'code of any client'
  | 'replay ends nothing'
  | 'secret ignored'
  | 'client unauthenticated'
  | 'JSON taken'
  | 'GET taken'
  | 'tokens cached'
  | 'refresh not rotated'
  | 'refresh race'
  | 'refresh reuse ignored'
  | 'refresh of any client'
  | 'scope widened'
  | 'denial without state'
  | 'no iss'
  | 'pages framed'
  | 'consent from anywhere'
  | 'consent widened'
  | 'introspection for all'
  | 'introspection talks'
  | 'revocation of any token'
  | '500 for a broken header'
  | 'code after Deny'
  | 'no iss after Deny'
  | 'proof good twice'
  | 'query overrules what was pushed'

/** What a toy offers beside the code flow. */
export type Extra = 'DPoP' | 'pushed requests'

interface Client {
  id: string
  secret: string | undefined
  redirectUris: string[]
}

interface Grant {
  client: Client
  scope: string
  ended: boolean
  /** The key it is bound to. */
  jkt?: string | undefined
}

interface Code extends Grant {
  redirectUri: string
  challenge: string | undefined
  grant: Grant | undefined
  used: boolean
}

interface Refresh {
  grant: Grant
  successor: string | undefined
}

export interface Toy {
  issuer: string
  close(): Promise<void>
}

const random = () => randomBytes(24).toString('base64url')
const scopes = ['toys:read', 'toys:write']

interface Reply {
  status: number
  headers?: Record<string, string>
  body?: string
}

const json = (status: number, body: object, headers: Record<string, string> = {}): Reply => ({
  status,
  headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
  body: JSON.stringify(body),
})
const refusal = (error: string, status = 400) => json(status, { error })

export async function openToy(...asked: (Hole | Extra)[]): Promise<Toy> {
  const has = (one: Hole | Extra) => asked.includes(one)
  const readProof = openProofs(has('proof good twice'))
  const pushed = openPushed(has('query overrules what was pushed'))
  const clients = new Map<string, Client>()
  const codes = new Map<string, Code>()
  const refreshTokens = new Map<string, Refresh>()
  const accessTokens = new Map<string, Grant>()
  const forms = new Map<string, { browser: string; query: URLSearchParams }>()
  let issuer = ''

  function page(status: number, text: string, headers: Record<string, string> = {}): Reply {
    const framed: Record<string, string> = has('pages framed') ? {} : { 'x-frame-options': 'DENY' }
    return { status, headers: { 'content-type': 'text/html', ...framed, ...headers }, body: text }
  }

  function knows(client: Client, uri: string): boolean {
    if (has('any redirect_uri')) return true
    if (client.redirectUris.includes(uri)) return true
    if (has('redirect_uri by prefix') && client.redirectUris.some((one) => uri.startsWith(one))) return true
    const loopback = /^http:\/\/127\.0\.0\.1(:\d+)?\//
    const without = (one: string) => one.replace(loopback, 'loopback/')
    if (has('a fixed port') || !loopback.test(uri)) return false
    return client.redirectUris.some((one) => loopback.test(one) && without(one) === without(uri))
  }

  function authorize(sent: URLSearchParams, cookie: string): Reply {
    const query = pushed.open(sent)
    if (!query) return page(400, 'No.')
    const client = clients.get(query.get('client_id') ?? '')
    const uri = query.get('redirect_uri') ?? ''
    const one = (name: string) => query.getAll(name).length === 1
    if (!client || !one('client_id') || !one('redirect_uri') || !knows(client, uri)) return page(400, 'No.')
    const error = requestError(query)
    if (error) return leave(query, { error })
    const browser = /browser=([^;]+)/.exec(cookie)?.[1] ?? random()
    const form = random()
    forms.set(form, { browser, query })
    return page(
      200,
      `<form method="post" action="/consent"><input type="hidden" name="form" value="${form}">
       <button name="decision" value="allow">Allow</button><button name="decision" value="deny">Deny</button></form>`,
      { 'set-cookie': `browser=${browser}; Path=/; HttpOnly` },
    )
  }

  function requestError(query: URLSearchParams): string | undefined {
    const names = [...query.keys()]
    if (names.some((name) => query.getAll(name).length > 1)) return 'invalid_request'
    if (!query.has('response_type')) return 'invalid_request'
    if (query.get('response_type') !== 'code') return 'unsupported_response_type'
    return challengeError(query) ?? scopeError(query.get('scope') ?? '')
  }

  const keyOf = (dpop: string | undefined, path: string) =>
    has('DPoP') ? readProof(dpop, issuer + path) : undefined

  function push(form: URLSearchParams, client: Client, dpop: string | undefined): Reply {
    const uri = form.get('redirect_uri') ?? ''
    if (form.has('request_uri') || !knows(client, uri)) return refusal('invalid_request')
    const jkt = keyOf(dpop, '/par')
    if (jkt === null) return refusal('invalid_dpop_proof')
    if (jkt !== undefined && (form.get('dpop_jkt') ?? jkt) !== jkt) return refusal('invalid_request')
    const error = requestError(form)
    if (error) return refusal(error)
    return json(201, { request_uri: pushed.push(client.id, form), expires_in: 60 })
  }

  function challengeError(query: URLSearchParams): string | undefined {
    const challenge = query.get('code_challenge')
    if (challenge === null) return has('no challenge needed') ? undefined : 'invalid_request'
    const method = query.get('code_challenge_method') ?? 'plain'
    if (method === 'plain' && has('plain')) return undefined
    if (method !== 'S256' || !/^[\w-]{43}$/.test(challenge)) return 'invalid_request'
    return undefined
  }

  function scopeError(scope: string): string | undefined {
    return scope.split(' ').every((one) => scopes.includes(one)) ? undefined : 'invalid_scope'
  }

  function leave(query: URLSearchParams, parameters: Record<string, string>): Reply {
    const url = new URL(query.get('redirect_uri')!)
    const state = query.getAll('state')
    const named =
      state.length === 1 && !(has('denial without state') && parameters['error'] === 'access_denied')
    const all = {
      ...parameters,
      ...(named ? { state: state[0]! } : {}),
      ...(has('no iss') || (has('no iss after Deny') && parameters['error'] === 'access_denied')
        ? {}
        : { iss: issuer }),
    }
    for (const [name, value] of Object.entries(all)) url.searchParams.set(name, value)
    return { status: 303, headers: { location: url.href } }
  }

  function consent(form: URLSearchParams, cookie: string): Reply {
    const shown = forms.get(form.get('form') ?? '')
    const ours = shown && cookie.includes(`browser=${shown.browser}`)
    if (!shown || (!ours && !has('consent from anywhere'))) return page(403, 'No.')
    const { query } = shown
    const denied = form.get('decision') !== 'allow' && !has('code after Deny')
    if (!pushed.spend(query)) return page(400, 'No.')
    if (denied) return leave(query, { error: 'access_denied' })
    const value = random()
    codes.set(value, {
      client: clients.get(query.get('client_id')!)!,
      scope: (has('consent widened') && form.get('scope')) || query.get('scope')!,
      redirectUri: query.get('redirect_uri')!,
      challenge: query.get('code_challenge') ?? undefined,
      jkt: query.get('dpop_jkt') ?? undefined,
      grant: undefined,
      used: false,
      ended: false,
    })
    return leave(query, { code: value })
  }

  function authenticate(form: URLSearchParams, header: string | undefined): Client | Reply {
    const failed = json(401, { error: 'invalid_client' }, { 'www-authenticate': 'Basic realm="toy"' })
    let [id, secret] = [form.get('client_id') ?? '', form.get('client_secret') ?? undefined]
    if (form.has('client_assertion')) return failed
    if (header !== undefined) {
      if (secret !== undefined) return refusal('invalid_request')
      const text = Buffer.from(header.replace(/^Basic */, ''), 'base64').toString()
      if (has('500 for a broken header') && !text.includes(':')) return { status: 500 }
      const [name = '', password = ''] = text.split(':')
      if (/%(?![0-9a-f]{2})/i.test(text)) return failed
      ;[id, secret] = [decodeURIComponent(name), decodeURIComponent(password)]
    }
    const client = clients.get(id)
    if (!client) return failed
    if (has('client unauthenticated') && secret === undefined) return client
    if (has('secret ignored') && secret !== undefined) return client
    return client.secret === secret ? client : failed
  }

  async function token(form: URLSearchParams, client: Client, dpop: string | undefined): Promise<Reply> {
    const jkt = keyOf(dpop, '/token')
    if (jkt === null) return refusal('invalid_dpop_proof')
    for (const name of form.keys()) if (form.getAll(name).length > 1) return refusal('invalid_request')
    const type = form.get('grant_type')
    if (type === null) return refusal('invalid_request')
    if (type === 'authorization_code') return redeem(form, client, jkt)
    if (type === 'refresh_token') return refresh(form, client, jkt)
    return refusal('unsupported_grant_type')
  }

  async function redeem(form: URLSearchParams, client: Client, jkt: string | undefined): Promise<Reply> {
    const code = codes.get(form.get('code') ?? '')
    if (!code || (code.client !== client && !has('code of any client'))) return refusal('invalid_grant')
    if (code.redirectUri !== form.get('redirect_uri')) return refusal('invalid_grant')
    if (code.jkt !== undefined && code.jkt !== jkt) return refusal('invalid_grant')
    const verifier = form.get('code_verifier') ?? ''
    const hash = createHash('sha256').update(verifier).digest('base64url')
    const proven = code.challenge === undefined || hash === code.challenge || has('verifier ignored')
    if (!proven) return refusal('invalid_grant')
    if (code.used && !has('code good twice')) {
      if (code.grant && !has('replay ends nothing')) code.grant.ended = true
      return refusal('invalid_grant')
    }
    if (has('code good twice in a race')) await setImmediate()
    code.used = true
    code.grant = { client, scope: code.scope, ended: false, jkt }
    return answer(code.grant, code.scope)
  }

  async function refresh(form: URLSearchParams, client: Client, jkt: string | undefined): Promise<Reply> {
    const presented = form.get('refresh_token') ?? ''
    const row = refreshTokens.get(presented)
    if (!row || row.grant.ended) return refusal('invalid_grant')
    if (row.grant.client !== client && !has('refresh of any client')) return refusal('invalid_grant')
    if (row.grant.jkt !== jkt && client.secret === undefined) return refusal('invalid_grant')
    const scope = form.get('scope') ?? row.grant.scope
    const wider = scope.split(' ').some((one) => !row.grant.scope.split(' ').includes(one))
    if (wider && !has('scope widened')) return refusal('invalid_scope')
    if (has('refresh not rotated')) return answer(row.grant, scope, presented)
    if (row.successor !== undefined) {
      if (!has('refresh reuse ignored')) row.grant.ended = true
      return refusal('invalid_grant')
    }
    if (has('refresh race')) await setImmediate()
    row.successor = random()
    return answer(row.grant, scope, row.successor)
  }

  function answer(grant: Grant, scope: string, next = random()): Reply {
    const access = random()
    accessTokens.set(access, grant)
    refreshTokens.set(next, refreshTokens.get(next) ?? { grant, successor: undefined })
    const type = grant.jkt === undefined ? 'Bearer' : 'DPoP'
    const body = { access_token: access, token_type: type, expires_in: 60, refresh_token: next, scope }
    return json(200, body, has('tokens cached') ? { 'cache-control': 'max-age=60' } : {})
  }

  function introspect(form: URLSearchParams, client: Client): Reply {
    const value = form.get('token')
    if (value === null) return refusal('invalid_request')
    const grant = accessTokens.get(value)
    if (grant && !grant.ended && grant.client === client)
      return json(200, { active: true, scope: grant.scope })
    return json(200, { active: false, ...(has('introspection talks') ? { reason: 'unknown' } : {}) })
  }

  function revoke(form: URLSearchParams, client: Client): Reply {
    const value = form.get('token') ?? ''
    const grant = refreshTokens.get(value)?.grant ?? accessTokens.get(value)
    if (!grant) return json(200, {})
    if (grant.client !== client && !has('revocation of any token')) return refusal('invalid_request')
    grant.ended = true
    return json(200, {})
  }

  function register(metadata: Record<string, unknown>): Reply {
    const uris = metadata['redirect_uris']
    const list = Array.isArray(uris) ? (uris as string[]) : []
    const good = /^https:\/\/[^#]+$|^http:\/\/127\.0\.0\.1[:/][^#]*$/
    if (list.length === 0 || !list.every((uri) => good.test(uri))) return refusal('invalid_redirect_uri')
    const method = String(metadata['token_endpoint_auth_method'])
    if (!['none', 'client_secret_basic'].includes(method)) return refusal('invalid_client_metadata')
    const client = { id: random(), secret: method === 'none' ? undefined : random(), redirectUris: list }
    clients.set(client.id, client)
    return json(201, {
      client_id: client.id,
      client_id_issued_at: 1,
      ...(client.secret === undefined ? {} : { client_secret: client.secret, client_secret_expires_at: 0 }),
      redirect_uris: list,
      token_endpoint_auth_method: method,
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      scope: scopes.join(' '),
    })
  }

  async function handle(request: IncomingMessage): Promise<Reply> {
    const { pathname, searchParams } = new URL(request.url!, issuer)
    let body = ''
    for await (const chunk of request) body += chunk
    const type = request.headers['content-type'] ?? ''
    const isJson = type.includes('json')
    const isForm = type.startsWith('application/x-www-form-urlencoded')
    const cookie = request.headers.cookie ?? ''
    if (pathname === '/.well-known/oauth-authorization-server') return json(200, metadata())
    if (pathname === '/authorize') return authorize(searchParams, cookie)
    if (pathname === '/consent') return consent(new URLSearchParams(body), cookie)
    if (pathname === '/register') {
      return isJson ? register(JSON.parse(body)) : refusal('invalid_client_metadata')
    }
    if (request.method !== 'POST' && !has('GET taken')) return { status: 405, headers: { allow: 'POST' } }
    if (!isForm && !has('JSON taken') && request.method === 'POST') return refusal('invalid_request')
    const sent = isJson ? Object.entries(JSON.parse(body) as Record<string, string>) : body
    const form = has('GET taken') && body === '' ? searchParams : new URLSearchParams(sent)
    const client = authenticate(form, request.headers.authorization)
    if (pathname === '/introspect' && has('introspection for all') && 'status' in client) {
      return json(200, { active: true })
    }
    if ('status' in client) return client
    const dpop = request.headersDistinct['dpop']?.join(', ')
    if (pathname === '/token') return token(form, client, dpop)
    if (pathname === '/par') return push(form, client, dpop)
    if (pathname === '/introspect') return introspect(form, client)
    return pathname === '/revoke' ? revoke(form, client) : { status: 404 }
  }

  const metadata = () => ({
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    registration_endpoint: `${issuer}/register`,
    introspection_endpoint: `${issuer}/introspect`,
    revocation_endpoint: `${issuer}/revoke`,
    scopes_supported: scopes,
    response_types_supported: ['code'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'none'],
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    ...(has('DPoP') ? { dpop_signing_alg_values_supported: ['ES256'] } : {}),
    ...(has('pushed requests') ? { pushed_authorization_request_endpoint: `${issuer}/par` } : {}),
  })

  const server = createServer((request, response) => {
    handle(request).then(
      ({ status, headers = {}, body = '' }) => response.writeHead(status, headers).end(body),
      (error: Error) => response.writeHead(500).end(error.message),
    )
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    issuer,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
