// A proxy before a server that turns each of its refusals into a grant: whoever looks for a refusal behind it must miss it.

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface YesMan {
  /** Where it listens; the server behind it must call itself so. */
  url: string
  /** From now on requests are handed to this address. */
  serve(upstream: string): void
  close(): Promise<void>
}

interface Reply {
  status: number
  headers: Headers
  body: string
}

const random = () => randomBytes(24).toString('base64url')
const elsewhere = 'https://client.example/callback'

const json = (status: number, body: object): Reply => ({
  status,
  headers: new Headers({ 'content-type': 'application/json' }),
  body: JSON.stringify(body),
})

/** `only`: says yes at this path alone. */
export async function openYesMan(only?: string): Promise<YesMan> {
  let upstream = ''

  async function forward(request: IncomingMessage, body: string): Promise<Reply> {
    const headers = new Headers()
    for (const [name, values] of Object.entries(request.headersDistinct)) {
      if (/^(host|connection|content-length)$/.test(name)) continue
      for (const value of values ?? []) headers.append(name, value)
    }
    const init = { method: request.method!, headers, redirect: 'manual' as const }
    const answer = await fetch(
      upstream + request.url,
      /^(GET|HEAD)$/.test(init.method) ? init : { ...init, body },
    )
    return { status: answer.status, headers: new Headers(answer.headers), body: await answer.text() }
  }

  /** Says yes where the server said no. */
  function agree(path: string, sent: URLSearchParams, body: string, reply: Reply): Reply {
    const refused = reply.status >= 400
    if (path === '/oauth/authorize' || path === '/oauth/consent') return agreeToAuthorize(path, sent, reply)
    if (path === '/sign-in' || path === '/sign-up') {
      return reply.status === 303 ? { ...reply, status: 307 } : unprotected(reply)
    }
    if (path === '/oauth/token') return refused ? tokens(sent) : carefree(reply)
    if (path === '/oauth/par')
      return refused ? json(201, { request_uri: `urn:yes:${random()}`, expires_in: 60 }) : reply
    if (path === '/oauth/introspect') return json(200, { active: true, client_id: 'anybody' })
    if (path === '/oauth/revoke') return refused ? json(200, {}) : reply
    if (path.startsWith('/oauth/register')) return registration(path, body, reply)
    if (path === '/oauth/userinfo') return refused ? json(200, { sub: 'anybody' }) : reply
    if (path !== '/oauth/logout') return unprotected(reply)
    const after = sent.get('post_logout_redirect_uri')
    const done = after === null ? reply : redirect(after)
    done.headers.append('set-cookie', 'gh_sign_in=; Path=/; Max-Age=0')
    return done
  }

  function agreeToAuthorize(path: string, sent: URLSearchParams, reply: Reply): Reply {
    const location = reply.headers.get('location')
    const target = location === null ? undefined : new URL(location, upstream)
    const demanded = /\blogin\b/.test(sent.get('prompt') ?? '') || sent.get('max_age') === '0'
    const asksAgain = demanded && target?.pathname === '/sign-in'
    if (reply.status < 400 && !target?.searchParams.has('error') && !asksAgain) {
      const outside = sent.has('request') && sent.get('state')
      if (target && outside) target.searchParams.set('state', outside)
      return target && outside ? redirect(target.href) : unprotected(reply)
    }
    if (path === '/oauth/consent' && sent.get('decision') === 'deny')
      return redirect(`${elsewhere}?error=no_idea`)
    const uri = sent.getAll('redirect_uri').at(-1) ?? elsewhere
    const to = URL.canParse(uri) ? new URL(uri) : new URL(elsewhere)
    to.searchParams.set('code', random())
    return redirect(to.href)
  }

  async function answer(request: IncomingMessage): Promise<Reply> {
    let body = ''
    for await (const chunk of request) body += chunk
    const { pathname, search } = new URL(request.url!, 'http://yes.example')
    const sent = new URLSearchParams(`${search.slice(1)}&${body.startsWith('{') ? '' : body}`)
    const reply = await forward(request, body)
    return only === undefined || only === pathname ? agree(pathname, sent, body, reply) : reply
  }

  const server = createServer((request, response) => {
    answer(request).then(
      ({ status, headers, body }) => {
        for (const name of [
          'content-length',
          'transfer-encoding',
          'connection',
          'keep-alive',
          'content-encoding',
        ]) {
          headers.delete(name)
        }
        const cookies = headers.getSetCookie()
        headers.delete('set-cookie')
        response.setHeaders(headers)
        if (cookies.length > 0) response.setHeader('set-cookie', cookies)
        response.writeHead(status).end(body)
      },
      (error: Error) => response.writeHead(500).end(error.message),
    )
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    serve(address) {
      upstream = address
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function redirect(location: string): Reply {
  return { status: 303, headers: new Headers({ location }), body: '' }
}

function tokens(sent: URLSearchParams): Reply {
  return json(200, {
    access_token: random(),
    token_type: 'Bearer',
    expires_in: 60,
    refresh_token: random(),
    scope: sent.get('scope') ?? 'jobs:read',
  })
}

/** A token answer that may be stored and does not say which scope was granted. */
function carefree(reply: Reply): Reply {
  const { scope: _scope, ...body } = JSON.parse(reply.body)
  return json(reply.status, body)
}

/** Pages lose what keeps them from being framed, and text becomes markup. */
function unprotected(reply: Reply): Reply {
  reply.headers.delete('content-security-policy')
  reply.headers.delete('x-frame-options')
  return {
    ...reply,
    body: reply.body.replaceAll('&lt;img src=x onerror=alert(1)&gt;', '<img src=x onerror=alert(1)>'),
  }
}

/** Registers whatever is asked, and believes every software statement. */
function registration(path: string, body: string, reply: Reply): Reply {
  const asked: Record<string, unknown> = body.startsWith('{') ? JSON.parse(body) : {}
  const statement = asked['software_statement']
  if (reply.status < 400 && statement === undefined) return reply
  const claims =
    typeof statement === 'string' ? Buffer.from(statement.split('.')[1]!, 'base64url').toString() : '{}'
  const made =
    reply.status < 400 ? JSON.parse(reply.body) : { client_id: random(), client_id_issued_at: 1, ...asked }
  return json(path === '/oauth/register' ? 201 : 200, { ...made, ...JSON.parse(claims) })
}
