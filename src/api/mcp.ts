// RFC 6750 §3, §3.1; RFC 9470 §3; RFC 9728 §5.1; Model Context Protocol 2026-07-28, Authorization: what each tool of an MCP
// server demands of its caller, told in `tools/list`, held at every call, and refused in the form the client understands.

import { ConfigError, type ConfigProblem } from '../config-error.ts'
import { isScopeName } from '../protocol/scope.ts'
import type { Access, AccessNeeds, AccessRefused, AccessToken, BearerRequest } from './bearer.ts'

/** How a tool may be called, as `tools/list` says it. Beside `oauth2`, `noauth` makes signing in a choice. */
export type ToolSecurityScheme = { type: 'noauth' } | { type: 'oauth2'; scopes?: readonly string[] }

/** How a request arrived, where the request itself does not tell. */
type Arrival = Pick<AccessNeeds, 'url' | 'certificate'>

/** What one tool demands; beside its schemes whatever `authenticate` can demand (`maxAge`, `acrValues`, `check`). */
export interface ProtectedTool extends Omit<AccessNeeds, 'scope' | 'resource' | keyof Arrival> {
  securitySchemes: readonly ToolSecurityScheme[]
}

export interface ProtectedToolsOptions {
  /** Every tool of the server by its name. One that is missing here needs a token, but no scope of its own. */
  tools: Readonly<Record<string, ProtectedTool>>
  /** Scopes every request needs that needs a token at all. Default: none. */
  scope?: readonly string[]
  /** The MCP server itself, as the `aud` of tokens names it (RFC 8707). Default: the one `authenticate` takes. */
  resource?: string
  /**
   * How a refused tool call is answered: by `status` (401, 403) and header, as MCP says, or as a tool `result` that carries
   * the challenge in `_meta["mcp/www_authenticate"]`, which is what ChatGPT acts on. Default: by the `user-agent`.
   * Whatever is chosen, the tool does not run.
   */
  refuseBy?: 'status' | 'result' | ((request: BearerRequest) => 'status' | 'result')
}

/** A request to an MCP server (Streamable HTTP): web-standard, or Node's after a body parser. */
export type McpRequest = BearerRequest & { readonly method?: string }

export type McpAccess =
  | {
      ok: true
      /** Who calls; absent for an anonymous call that no scope forbids. */
      access?: AccessToken
      /** The JSON-RPC message, parsed; absent where there is none. */
      message?: unknown
      response?: never
    }
  | { ok: false /** The complete answer. */; response: Response; access?: never; message?: never }

export interface ProtectedTools {
  /** Whether a request may do what it asks. */
  authenticate(request: McpRequest, arrival?: Arrival): Promise<McpAccess>
  /** What belongs into a tool's entry in `tools/list`; in `_meta` once more, since libraries drop members they do not know. */
  describe(tool: string): {
    securitySchemes: readonly ToolSecurityScheme[]
    _meta: { securitySchemes: readonly ToolSecurityScheme[] }
  }
}

/** Anything that decides about access tokens: a `Gatehouse`, or a `ResourceServer` in another process. */
export interface AuthenticatesRequests {
  authenticate(request: BearerRequest, needs?: AccessNeeds): Promise<Access>
}

/**
 * Protects an MCP server tool by tool:
 *
 * ```ts
 * const tools = protectTools(auth, { tools: { search: { securitySchemes: [{ type: 'oauth2', scopes: ['jobs:read'] }] } } })
 * const call = await tools.authenticate(request)
 * if (!call.ok) return call.response
 * ```
 *
 * When no tool is open to everyone, every request needs a token. Otherwise a client may connect and look around without
 * one, and is asked to sign in at the first call that needs it. A token that is sent must hold in any case. Throws
 * `ConfigError` when a tool is described wrongly.
 */
export function protectTools(auth: AuthenticatesRequests, options: ProtectedToolsOptions): ProtectedTools {
  const { tools, resource, scope = [], refuseBy = byUserAgent } = options
  const problems = Object.entries(tools).flatMap(problemsOf)
  if (problems.length > 0) throw new ConfigError(problems)
  const someAreOpen = Object.values(tools).some(isOpen)
  const own = resource === undefined ? {} : { resource }

  /** `undefined` where no sign-in is needed. */
  function needsOf(message: Message | undefined, method: string | undefined): AccessNeeds | undefined {
    if (message?.method !== 'tools/call') {
      const looksAround = message === undefined ? method === 'GET' || method === 'DELETE' : isOpening(message)
      return someAreOpen && looksAround ? undefined : { scope }
    }
    const name = message.params?.name
    const tool = typeof name === 'string' && Object.hasOwn(tools, name) ? tools[name] : undefined
    if (!tool) return { scope }
    if (isOpen(tool)) return undefined
    const { securitySchemes, ...more } = tool
    return { ...more, scope: [...new Set([...scope, ...scopesOf(securitySchemes)])] }
  }

  return {
    async authenticate(request, arrival) {
      const body = await bodyOf(request)
      if (Array.isArray(body)) return { ok: false, response: refusedBatch() }
      const message = messageOf(body)
      const needs = needsOf(message, request.method)
      const access = await auth.authenticate(request, { ...arrival, ...needs, ...own })
      const known = body === undefined ? {} : { message: body }
      // A downstream parser may accept it and run a tool whose scopes were never checked.
      if (access.ok && body === tooLong)
        return { ok: false, response: refusedMessage(413, -32600, 'The message is too long') }
      if (access.ok && body === undefined && !bodiless.includes(request.method ?? ''))
        return { ok: false, response: refusedMessage(400, -32700, 'The message is no JSON') }
      if (access.ok) return { ok: true, access, ...known }
      if (needs === undefined && access.reason === 'token_missing') return { ok: true, ...known }
      const by = typeof refuseBy === 'function' ? refuseBy(request) : refuseBy
      const isCall = message?.method === 'tools/call' && message.id !== undefined
      if (by === 'status' || !isCall) return { ok: false, response: access.response }
      return { ok: false, response: refusedResult(access, message.id) }
    },
    describe(tool) {
      const securitySchemes = tools[tool]?.securitySchemes
      if (!securitySchemes) throw new TypeError(`${JSON.stringify(tool)} is no tool that is protected here`)
      return { securitySchemes, _meta: { securitySchemes } }
    },
  }
}

interface Message {
  method?: unknown
  id?: unknown
  params?: { name?: unknown }
}

const openings = new Set([
  'initialize',
  'server/discover',
  'ping',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
])

/** What a client does before anybody has signed in. An answer to the server (no method) does nothing by itself. */
function isOpening({ method }: Message): boolean {
  return (
    method === undefined ||
    (typeof method === 'string' && (openings.has(method) || method.startsWith('notifications/')))
  )
}

function isOpen({ securitySchemes }: ProtectedTool): boolean {
  return securitySchemes.some((scheme) => scheme.type === 'noauth')
}

function scopesOf(schemes: readonly ToolSecurityScheme[]): readonly string[] {
  return schemes.flatMap((scheme) => (scheme.type === 'oauth2' ? (scheme.scopes ?? []) : []))
}

function problemsOf([name, { securitySchemes }]: [string, ProtectedTool]): ConfigProblem[] {
  const path = `tools.${name}.securitySchemes`
  const types = Array.isArray(securitySchemes) ? securitySchemes.map((scheme) => scheme.type) : []
  const known = types.every((type) => type === 'noauth' || type === 'oauth2')
  if (types.length === 0 || !known || new Set(types).size < types.length) {
    return [{ path, given: securitySchemes, allowed: 'noauth, oauth2, or one of each' }]
  }
  const wrong = scopesOf(securitySchemes).find((scope) => !isScopeName(scope))
  return wrong === undefined
    ? []
    : [{ path, given: wrong, allowed: 'scope names (RFC 6749 §3.3)', example: 'jobs:read' }]
}

/** Methods whose requests have no message. */
const bodiless: readonly string[] = ['GET', 'DELETE', 'HEAD', 'OPTIONS']

/** Bytes of a message that is looked at; a longer one is refused. */
const longestMessage = 4 * 1024 * 1024
const tooLong = Symbol('too long')

/** The body as JSON, left readable for the server behind; undefined where there is none or it is none. */
async function bodyOf(request: McpRequest): Promise<unknown> {
  if (typeof (request as Request).clone !== 'function') {
    const { body } = request
    return typeof body === 'string' || body instanceof Uint8Array ? jsonOf(Buffer.from(body)) : body
  }
  const reader = (request as Request).clone().body?.getReader()
  const chunks: Uint8Array[] = []
  for (let size = 0; reader; ) {
    const { done, value } = await reader.read()
    if (done) break
    chunks.push(value)
    size += value.byteLength
    if (size > longestMessage) {
      // Not awaited: it settles only once the server behind has read its own copy.
      reader.cancel().catch(() => {})
      return tooLong
    }
  }
  return jsonOf(Buffer.concat(chunks))
}

/** Read as `Request.json()` reads it, which passes over a byte order mark. */
function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return undefined
  }
}

function messageOf(body: unknown): Message | undefined {
  return typeof body === 'object' && body !== null ? body : undefined
}

/** ChatGPT opens its sign-in on a tool result only, Claude and the SDKs on a status only. */
function byUserAgent({ headers }: BearerRequest): 'status' | 'result' {
  const agent =
    typeof headers.get === 'function'
      ? (headers as Headers).get('user-agent')
      : (headers as Record<string, string | string[] | undefined>)['user-agent']
  return typeof agent === 'string' && /^openai-mcp\//i.test(agent) ? 'result' : 'status'
}

/** What signing in cannot mend (400, 503) stays a status. */
function refusedResult({ response, reason }: AccessRefused, id: unknown): Response {
  const challenge = response.headers.get('www-authenticate')
  if (challenge === null || (response.status !== 401 && response.status !== 403)) return response
  const text =
    reason === 'token_missing'
      ? 'Sign in to use this tool'
      : response.status === 401
        ? 'Sign in again to use this tool'
        : 'This tool needs a permission that was not given'
  // An error is what starts ChatGPT's sign-in; RFC 6750 §3.1 leaves it out only where no token was sent.
  const told = / error="/.test(challenge)
    ? challenge
    : challenge.replace(/^\S+ /, (scheme) => `${scheme}error="invalid_token", error_description="${text}", `)
  return answer(200, {
    jsonrpc: '2.0',
    id,
    result: {
      resultType: 'complete',
      isError: true,
      content: [{ type: 'text', text }],
      _meta: { 'mcp/www_authenticate': [told] },
    },
  })
}

/** Batches left MCP with revision 2025-06-18: one request, one decision. */
function refusedBatch(): Response {
  return refusedMessage(400, -32600, 'Send one message a request: batches are not part of the protocol')
}

function refusedMessage(status: number, code: number, message: string): Response {
  return answer(status, { jsonrpc: '2.0', id: null, error: { code, message } })
}

function answer(status: number, body: unknown): Response {
  return Response.json(body, { status, headers: { 'cache-control': 'no-store' } })
}
