// The job board: its API, its OpenAPI document, its privacy page, and Gatehouse for everything else.

import type { Accounts, Config, Connection, FetchHandler, Gatehouse } from 'gatehouse-auth'
import type { ExistingSite } from '../existing-site.ts'
import { Applications, type Operation, operations } from './operations.ts'
import { privacyPage } from './privacy.ts'

/** ChatGPT accepts responses below 100,000 characters, and sends no more. */
const longestText = 99_999

/** Scopes and API of the board; the rest of the configuration belongs to the deployment. */
export function jobBoardConfig(
  origin: string,
  accounts: Accounts,
): Pick<Config, 'accounts' | 'scopes' | 'resources' | 'pages'> {
  return {
    accounts,
    scopes: {
      'jobs:read': 'Search open jobs',
      'applications:read': 'See the applications you sent',
      'applications:write': 'Send applications in your name',
      'resume:read': 'Read your résumé and compare it with jobs',
    },
    resources: { [`${origin}/api`]: { name: 'Job board' } },
    pages: { name: 'Job board' },
  }
}

export interface JobBoard extends FetchHandler {
  openapi: ReturnType<Gatehouse['openapi']>
}

export function jobBoard(
  auth: Gatehouse,
  { origin, site, log }: { origin: string; site: ExistingSite; log: (entry: object) => void },
): JobBoard {
  const applications = new Applications()
  const openapi = auth.openapi({
    title: 'Job board',
    description: 'Search jobs, apply for them, and see how a résumé fits.',
    url: `${origin}/api`,
    operations,
  })

  async function call(operation: Operation, request: Request, connection?: Connection): Promise<Response> {
    const url = new URL(request.url)
    // ChatGPT's headers about the conversation are for the log only; they prove nothing.
    const conversation = request.headers.get('openai-conversation-id')?.slice(0, 100)
    log({
      operation: operation.id,
      conversation,
      user: request.headers.get('openai-ephemeral-user-id')?.slice(0, 100),
      gpt: request.headers.get('openai-gpt-id')?.slice(0, 100),
    })
    const access = operation.scope ? await auth.authenticate(request, { scope: operation.scope }) : undefined
    if (access && !access.ok) return access.response
    const body = operation.body ? await readBody(request) : {}
    if (body === undefined)
      return answer(400, {
        error: 'invalid_request',
        message: 'The body must be a JSON object of less than 100,000 characters.',
      })

    const parameters = Object.fromEntries(url.searchParams)
    const { status = 200, json, event } = operation.run({ access, parameters, body, applications })
    if (event) {
      await auth.events.append(
        event.type,
        {
          userId: access?.userId,
          clientId: access?.clientId,
          sessionId: access?.sessionId,
          address: connection?.address,
          userAgent: request.headers.get('user-agent'),
        },
        { ...event.facts, ...(conversation === undefined ? {} : { conversation }) },
      )
    }
    return answer(status, json)
  }

  return {
    issuer: origin,
    openapi,
    async fetch(request, connection) {
      const { pathname } = new URL(request.url)
      if (pathname === '/sign-in') return site.signIn(request)
      if (pathname === '/openapi.json') return Response.json(openapi)
      if (pathname === '/privacy') return privacyPage()
      if (!pathname.startsWith('/api/')) return auth.fetch(request, connection)
      const here = operations.filter((one) => `/api${one.path}` === pathname)
      const operation = here.find((one) => one.method === request.method.toLowerCase())
      if (operation) return call(operation, request, connection)
      return answer(here.length > 0 ? 405 : 404, {
        error: 'not_found',
        message: 'There is no such operation. See /openapi.json.',
      })
    },
  }
}

function answer(status: number, json: unknown): Response {
  const text = JSON.stringify(json)
  return new Response(
    text.length <= longestText
      ? text
      : JSON.stringify({ error: 'too_much', message: 'Ask for less at once.' }),
    {
      status: text.length <= longestText ? status : 413,
      headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    },
  )
}

async function readBody(request: Request): Promise<Record<string, unknown> | undefined> {
  if (Number(request.headers.get('content-length') ?? Number.POSITIVE_INFINITY) > 4 * longestText)
    return undefined
  try {
    const text = await request.text()
    const value: unknown = text.length <= longestText ? JSON.parse(text) : undefined
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
