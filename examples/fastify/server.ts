// Fastify, with Gatehouse below /auth.

import fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import { gatehouse, toNodeHandler } from 'gatehouse-auth'
import { addDemoClient } from '../demo-client.ts'
import { existingSite } from '../existing-site.ts'
import { ownSecret } from '../own-secret.ts'

const port = Number(process.env['PORT'] ?? 4400)
const origin = `http://localhost:${port}`
const site = existingSite(origin)
const auth = await gatehouse({
  issuer: `${origin}/auth`,
  secret: ownSecret(),
  database: process.env['DATABASE'] ?? '.gatehouse/example-fastify.db',
  accounts: site.accounts,
  scopes: { 'jobs:read': 'Search open jobs' },
  resources: { [`${origin}/api`]: { name: 'Job board' } },
  log: 'warn',
})
await addDemoClient(auth)

const app = fastify()

// A context of its own, so that bodies stay unread here and are parsed everywhere else.
app.register(async (context) => {
  context.removeAllContentTypeParsers()
  context.addContentTypeParser('*', (_request, _payload, done) => done(null))
  const pass =
    (handler: ReturnType<typeof toNodeHandler>) => (request: FastifyRequest, reply: FastifyReply) => {
      reply.hijack()
      return handler(request.raw, reply.raw)
    }
  const toAuth = pass(toNodeHandler(auth))
  context.all('/auth/*', toAuth)
  // Clients look for the two documents at the root of the host, with the path after the well-known name.
  context.get('/.well-known/oauth-authorization-server/auth', toAuth)
  context.get('/.well-known/oauth-protected-resource/*', toAuth)
  context.all('/sign-in', pass(toNodeHandler({ issuer: origin, fetch: site.signIn })))
})

app.get('/api/jobs', async (request, reply) => {
  const access = await auth.authenticate(request.raw, { scope: 'jobs:read' })
  if (!access.ok) return reply.send(access.response)
  return { for: access.subject, jobs: ['Baker', 'Carpenter'] }
})

app.addHook('onClose', () => auth.close())
await app.listen({ port, host: 'localhost' })
console.log(`Listening on ${origin}`)
process.once('SIGTERM', () => app.close())
