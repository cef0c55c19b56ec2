// Replaces `next start`, so that the example runs without Next.js: finds app/**/route.ts as Next.js does and calls the
// exported method. Delete this file in your app.

import { readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { toNodeHandler } from 'gatehouse-auth'
import { auth } from './lib/auth.ts'

type RouteModule = Record<string, (request: Request) => Promise<Response> | Response>

const root = join(import.meta.dirname, 'app')
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
const routes = files
  .filter((file) => basename(file) === 'route.ts')
  .map((file) => ({
    pattern: patternOf(file.split('/').slice(0, -1)),
    module: () => import(pathToFileURL(join(root, file)).href) as Promise<RouteModule>,
  }))

/** `[...name]` is one segment or more, `[[...name]]` any number. */
function patternOf(segments: string[]): RegExp {
  const parts = segments.map((segment) => {
    if (segment.startsWith('[[...')) return '(?:/[^/]+)*'
    if (segment.startsWith('[...')) return '(?:/[^/]+)+'
    return `/${segment.replaceAll('.', '\\.')}`
  })
  return new RegExp(`^${parts.join('')}$`)
}

const { origin } = new URL(auth.issuer)
const server = createServer(
  toNodeHandler({
    issuer: auth.issuer,
    async fetch(request, connection) {
      // As the proxy in front of your app does.
      request.headers.set('x-real-ip', connection?.address ?? '')
      const { pathname } = new URL(request.url)
      const route = routes.find(({ pattern }) => pattern.test(pathname))
      const method = (await route?.module())?.[request.method]
      return method?.(request) ?? new Response(null, { status: route ? 405 : 404 })
    },
  }),
)
server.listen(Number(new URL(origin).port), 'localhost', () => console.log(`Listening on ${origin}`))
process.once('SIGTERM', () => server.close(() => auth.close()))
