// Represents the app you already have: users, a sign-in page, a session cookie. Only `accounts`, at the end, is written for
// Gatehouse: it returns who is signed in, or sends the browser to the sign-in page. All examples use it.

import { randomUUID } from 'node:crypto'
import { type Accounts, authenticationIsRecent } from 'gatehouse-auth'

interface SiteSession {
  name: string
  signedInAt: number
}

export interface ExistingSite {
  /** `GET` and `POST /sign-in`. */
  signIn(request: Request): Promise<Response>
  accounts: Accounts
}

export function existingSite(origin: string): ExistingSite {
  const sessions = new Map<string, SiteSession>()
  const sessionOf = (request: Request) =>
    sessions.get(/(?:^|; )site_session=([^;]+)/.exec(request.headers.get('cookie') ?? '')?.[1] ?? '')

  return {
    async signIn(request) {
      const returnTo = new URL(request.url).searchParams.get('return_to') ?? `${origin}/`
      // Never redirect to a URL that came in a link, unless it is on this site.
      if (!returnTo.startsWith(`${origin}/`)) return new Response('unknown return_to', { status: 400 })
      if (request.method !== 'POST') return page()
      const name = new URLSearchParams(await request.text()).get('name')?.trim()
      if (!name) return page()
      const id = randomUUID()
      sessions.set(id, { name, signedInAt: Date.now() })
      return new Response(null, {
        status: 303,
        headers: { location: returnTo, 'set-cookie': `site_session=${id}; Path=/; HttpOnly; SameSite=Lax` },
      })
    },

    accounts: {
      authenticate(request, ask) {
        const session = sessionOf(request)
        if (session && authenticationIsRecent(ask, session.signedInAt)) {
          return {
            provider: 'existing-site',
            issuer: '',
            subject: session.name.toLowerCase(),
            name: session.name,
            authTime: session.signedInAt,
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
