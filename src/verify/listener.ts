import { once } from 'node:events'
import { createServer } from 'node:net'

/** An address on this machine that answers nothing and counts who connects. */
export interface Listener {
  /** `127.0.0.1:port`. */
  host: string
  readonly connections: number
  close(): Promise<void>
}

/** Opens one on a port of its own. */
export async function openListener(): Promise<Listener> {
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    socket.destroy()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  return {
    host: `127.0.0.1:${port}`,
    get connections() {
      return connections
    },
    async close() {
      server.close()
      await once(server, 'close')
    },
  }
}

/** Whether the server runs on this machine, so that it could connect to a listener here. */
export function isLoopback(issuer: string): boolean {
  return /^(localhost|127\.0\.0\.1|\[::1\])$/.test(new URL(issuer).hostname)
}
