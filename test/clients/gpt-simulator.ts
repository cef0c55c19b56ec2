// A Custom GPT as its documentation describes it. It knows what the editor knows: the imported OpenAPI document, and the
// client ID, secret, scope and token exchange method that somebody typed in.

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import type { OpenApiDocument } from '../../src/api/openapi.ts'

export interface GptSettings {
  document: OpenApiDocument
  clientId: string
  clientSecret: string
  scope: string
  gptId: string
  /** Which of its two names ChatGPT goes by today. */
  host: 'chatgpt.com' | 'chat.openai.com'
  /** "Default (POST body)" or "Basic authorization header". */
  tokenExchange: 'post' | 'basic'
  pkce: boolean
}

export interface GptTokens {
  access_token: string
  token_type: string
  refresh_token: string
  expires_in: number
}

interface Flow {
  authorizationUrl: string
  tokenUrl: string
  scopes: Record<string, string>
}

export class Gpt {
  readonly settings: GptSettings
  tokens: GptTokens | undefined
  #verifier: string | undefined
  #state = ''

  constructor(settings: GptSettings) {
    this.settings = settings
  }

  get redirectUri(): string {
    return `https://${this.settings.host}/aip/${this.settings.gptId}/oauth/callback`
  }

  get #flow(): Flow {
    const { oauth2 } = this.settings.document.components.securitySchemes as {
      oauth2: { flows: { authorizationCode: Flow } }
    }
    return oauth2.flows.authorizationCode
  }

  /** G4: `response_type`, `client_id`, `redirect_uri`, `scope`, `state`, and nothing else. */
  authorizationUrl(scope = this.settings.scope): URL {
    const url = new URL(this.#flow.authorizationUrl)
    this.#state = randomBytes(16).toString('hex')
    this.#verifier = this.settings.pkce ? randomBytes(32).toString('base64url') : undefined
    url.search = new URLSearchParams({
      response_type: 'code',
      client_id: this.settings.clientId,
      redirect_uri: this.redirectUri,
      scope,
      state: this.#state,
      ...(this.#verifier === undefined
        ? {}
        : {
            code_challenge: createHash('sha256').update(this.#verifier).digest('base64url'),
            code_challenge_method: 'S256',
          }),
    }).toString()
    return url
  }

  /** The browser is back: G6, the code becomes tokens. */
  async callback(url: URL): Promise<GptTokens> {
    assert.equal(url.origin + url.pathname, this.redirectUri)
    assert.equal(url.searchParams.get('state'), this.#state, 'the state comes back unchanged')
    const code = url.searchParams.get('code')
    assert.ok(code, `a code, not ${url.search}`)
    const answer = await this.#ask({
      grant_type: 'authorization_code',
      code,
      redirect_uri: this.redirectUri,
      ...(this.#verifier === undefined ? {} : { code_verifier: this.#verifier }),
    })
    return (this.tokens = await read(answer))
  }

  /** One refresh request with the newest token, or the one given; what comes back is not kept. */
  askRefresh(refreshToken = this.tokens!.refresh_token): Promise<Response> {
    return this.#ask({ grant_type: 'refresh_token', refresh_token: refreshToken })
  }

  async refresh(): Promise<GptTokens> {
    return (this.tokens = await read(await this.askRefresh()))
  }

  /** Calls an operation by the name the model knows; a 401 makes it refresh once, as ChatGPT does. */
  async call(operationId: string, parameters: Record<string, unknown> = {}): Promise<Response> {
    const first = await this.callOnce(operationId, parameters)
    if (first.status !== 401 || !this.tokens) return first
    const refreshed = await this.askRefresh()
    if (refreshed.status !== 200) return first
    this.tokens = await read(refreshed)
    return this.callOnce(operationId, parameters)
  }

  async callOnce(operationId: string, parameters: Record<string, unknown> = {}): Promise<Response> {
    const { document } = this.settings
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        if (operation['operationId'] !== operationId) continue
        const url = new URL(document.servers[0]!.url + path)
        const secured = (operation['security'] as unknown[]).length > 0
        if (method === 'get')
          for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, String(value))
        return fetch(url, {
          method: method.toUpperCase(),
          headers: {
            accept: 'application/json',
            'user-agent': 'Mozilla/5.0 (compatible; ChatGPT-User/1.0)',
            'openai-conversation-id': 'conversation-1',
            'openai-ephemeral-user-id': 'ephemeral-1',
            'openai-gpt-id': this.settings.gptId,
            ...(secured && this.tokens ? { authorization: `Bearer ${this.tokens.access_token}` } : {}),
            ...(method === 'get' ? {} : { 'content-type': 'application/json' }),
          },
          ...(method === 'get' ? {} : { body: JSON.stringify(parameters) }),
        })
      }
    }
    throw new Error(`the document has no operation ${operationId}`)
  }

  #ask(form: Record<string, string>): Promise<Response> {
    const { clientId, clientSecret, tokenExchange } = this.settings
    const inBody = tokenExchange === 'post'
    const basic = Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`)
    return fetch(this.#flow.tokenUrl, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json',
        ...(inBody ? {} : { authorization: `Basic ${basic.toString('base64')}` }),
      },
      body: new URLSearchParams({
        ...form,
        ...(inBody ? { client_id: clientId, client_secret: clientSecret } : {}),
      }).toString(),
    })
  }
}

/** G6: `access_token`, `token_type`, `refresh_token`, `expires_in`. */
export async function read(answer: Response): Promise<GptTokens> {
  const tokens = (await answer.json()) as GptTokens
  assert.equal(answer.status, 200, JSON.stringify(tokens))
  assert.equal(tokens.token_type.toLowerCase(), 'bearer')
  for (const name of ['access_token', 'refresh_token'] as const) assert.equal(typeof tokens[name], 'string')
  assert.ok(Number.isInteger(tokens.expires_in) && tokens.expires_in > 0)
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  return tokens
}
