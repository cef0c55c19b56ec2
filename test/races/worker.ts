// One process of a proof: a Gatehouse on a loopback port over the database all of them share. It loads its code, says
// so, opens when told to, and ends with the coordinator.

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { openApp } from '../../src/app.ts'
import { nodeServer } from '../../src/http/node.ts'
import { processConfig, type WorkerOrder } from './config.ts'

process.on('disconnect', () => process.exit())
process.send!('loaded')
const [order] = (await once(process, 'message')) as [WorkerOrder]

const app = await openApp(processConfig(order))
const { origin, base, trustedProxies } = app.settings
const server = nodeServer(app.answer, { origin, base, trustedProxies })
server.listen(order.port, '127.0.0.1')
await once(server, 'listening')
process.send!((server.address() as AddressInfo).port)

process.on('message', async (message) => {
  if (message !== 'close') return
  server.closeAllConnections()
  server.close()
  await app.close()
  process.disconnect()
})
