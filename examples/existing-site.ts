// Stands for the app you already have: people, a sign-in page, a session cookie. Only `accounts`, at the end, is written for
// Gatehouse: it says who is signed in, or sends the browser to the sign-in page. The examples share it.

import { randomUUID } from 'node:crypto'
import { type Accounts, authenticationIsRecent } from 'gatehouse-auth'

interface Visitor {
  name: string
  signedInAt: number
}

export interface ExistingSite {
  /** `GET` and `POST /sign-in`. */
  signIn(request: Request): Promise<Response>
  accounts: Accounts
}

export function existingSite(origin: string): ExistingSite {
  const visitors = new Map<string, Visitor>()
  const visitorOf = (request: Request) =>
    visitors.get(/(?:^|; )site_session=([^;]+)/.exec(request.headers.get('cookie') ?? '')?.[1] ?? '')

  return {
    async signIn(request) {
      const returnTo = new URL(request.url).searchParams.get('return_to') ?? `${origin}/`
      // Never send anybody to an address that came in a link, unless it is our own.
      if (!returnTo.startsWith(`${origin}/`)) return new Response('unknown return_to', { status: 400 })
      if (request.method !== 'POST') return page()
      const name = new URLSearchParams(await request.text()).get('name')?.trim()
      if (!name) return page()
      const id = randomUUID()
      visitors.set(id, { name, signedInAt: Date.now() })
      return new Response(null, {
        status: 303,
        headers: { location: returnTo, 'set-cookie': `site_session=${id}; Path=/; HttpOnly; SameSite=Lax` },
      })
    },

    accounts: {
      authenticate(request, ask) {
        const visitor = visitorOf(request)
        if (visitor && authenticationIsRecent(ask, visitor.signedInAt)) {
          return {
            provider: 'existing-site',
            issuer: '',
            subject: visitor.name.toLowerCase(),
            name: visitor.name,
            authTime: visitor.signedInAt,
          }
        }
        if (!ask.interactive) return null
        const signIn = new URL('/sign-in', origin)
        signIn.searchParams.set('return_to', ask.returnTo)
        return Response.redirect(signIn, 303)
      },
    },
  }
}

function page(): Response {
  return new Response(
    `<!doctype html><html lang="en"><title>Sign in</title><h1>Sign in</h1>
<form method="post"><label>Your name <input name="name" required autofocus></label> <button>Sign in</button></form>`,
    { headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' } },
  )
}
