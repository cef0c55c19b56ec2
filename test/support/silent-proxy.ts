// A TCP proxy whose established connections can fall silent: nothing is forwarded and nothing is closed, while
// connections made afterwards work. It is what a fail-over without a reset looks like from inside.

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export type SilentProxy = {
  /** The target's URL, by way of the proxy. */
  readonly url: string
  /** Connections that were accepted so far. */
  readonly accepted: number
  /** Lets every established connection fall silent, for ever; with `also`, those to come as well. */
  silence(also?: 'new'): void
  /** New connections work again. */
  admit(): void
  close(): Promise<void>
}

export async function startSilentProxy(target: string): Promise<SilentProxy> {
  const there = new URL(target)
  const sockets = new Set<Socket>()
  let silent = new Set<Socket>()
  let accepted = 0
  let admits = true

  const server = createServer((near) => {
    accepted++
    sockets.add(near)
    near.on('error', () => {})
    near.on('close', () => sockets.delete(near))
    if (!admits) return
    const far = connect(Number(there.port || 5432), there.hostname)
    sockets.add(far)
    far.on('error', () => near.destroy())
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (bytes) => {
        if (!silent.has(from)) to.write(bytes)
      })
      from.on('close', () => {
        sockets.delete(from)
        if (!silent.has(from)) to.destroy()
      })
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const url = new URL(target)
  url.hostname = '127.0.0.1'
  url.port = String(address.port)

  return {
    url: url.href,
    get accepted() {
      return accepted
    },
    silence(also) {
      silent = new Set([...silent, ...sockets])
      if (also === 'new') admits = false
    },
    admit() {
      admits = true
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
