// One Gatehouse for all route handlers. In development Next.js reloads modules after each change; the global keeps the object.

import { type Gatehouse, gatehouse } from 'gatehouse-auth'
import { addDemoClient } from '../../demo-client.ts'
import { type ExistingSite, existingSite } from '../../existing-site.ts'
import { ownSecret } from '../../own-secret.ts'

const origin = process.env['ORIGIN'] ?? `http://localhost:${process.env['PORT'] ?? 3000}`

interface Kept {
  site: ExistingSite
  auth: Gatehouse
}
const kept = globalThis as { gatehouseExample?: Promise<Kept> }

export const { site, auth } = await (kept.gatehouseExample ??= open())

async function open(): Promise<Kept> {
  const site = existingSite(origin)
  const auth = await gatehouse({
    issuer: `${origin}/api/auth`,
    secret: ownSecret(),
    database: process.env['DATABASE'] ?? '.gatehouse/example-nextjs.db',
    accounts: site.accounts,
    scopes: { 'jobs:read': 'Search open jobs' },
    resources: { [`${origin}/api`]: { name: 'Job board' } },
    log: 'warn',
  })
  await addDemoClient(auth)
  return { site, auth }
}

/**
 * What `route.ts` exports for every path of Gatehouse. Route handlers cannot see the peer's address: your proxy must set
 * `x-real-ip` and overwrite one that the client sent. Without such a proxy pass nothing; all clients then count as one.
 */
export function passToGatehouse(request: Request): Promise<Response> {
  return auth.fetch(request, { address: request.headers.get('x-real-ip') ?? '' })
}
