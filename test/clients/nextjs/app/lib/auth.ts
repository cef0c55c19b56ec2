import { type Gatehouse, gatehouse } from 'gatehouse-auth'

const kept = globalThis as { gatehouse?: Promise<Gatehouse> }

export function openGatehouse(): Promise<Gatehouse> {
  kept.gatehouse ??= open()
  return kept.gatehouse
}

async function open(): Promise<Gatehouse> {
  const auth = await gatehouse({
    issuer: `http://localhost:${process.env['PORT']}/api/auth`,
    secret: process.env['GATEHOUSE_SECRET']!,
    database: process.env['DATABASE']!,
    scopes: { 'jobs:read': 'Search open jobs' },
    log: 'warn',
  })
  const { client, secret } = await auth.clients.create({ name: 'Next', grantTypes: ['client_credentials'] })
  console.log(`client ${JSON.stringify({ id: client.id, secret })}`)
  return auth
}

export async function passToGatehouse(request: Request): Promise<Response> {
  return (await openGatehouse()).fetch(request, { address: '127.0.0.1' })
}
