import type { Gatehouse } from 'gatehouse-auth'

/** A program on your own computer, such as a command-line tool: no secret, and any port of the loopback address. */
export async function addDemoClient(auth: Gatehouse): Promise<void> {
  const clients = await auth.clients.list()
  if (clients.some((client) => client.id === 'demo')) return
  await auth.clients.create({
    id: 'demo',
    name: 'Demo client',
    tokenEndpointAuthMethod: 'none',
    redirectUris: ['http://127.0.0.1/callback'],
  })
}
