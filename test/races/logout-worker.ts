// One process that ends sessions or tells clients of it. It loads its code, says so, opens when told to, acts once, and dies
// at once where it is to.

import { once } from 'node:events'
import { disableUser } from '../../src/accounts/user-operations.ts'
import { openApp } from '../../src/app.ts'
import { deliverLogouts } from '../../src/oauth/logout/back-channel-logout.ts'
import { processConfig } from './config.ts'
import type { LogoutOrder } from './logouts.ts'

process.on('disconnect', () => process.exit())
process.send!('loaded')
const [{ database, ca }] = (await once(process, 'message')) as [LogoutOrder]
const app = await openApp({ ...processConfig({ database, port: 0 }), outbound: { ca } })
process.send!('open')

process.on('message', async (act: 'deliver' | 'close' | { disable: string }) => {
  if (act === 'close') {
    await app.close()
    process.disconnect()
  } else if (act === 'deliver') {
    process.send!(await deliverLogouts(app.server, { pause: async () => {} }))
  } else {
    await disableUser(app.server, act.disable, 'a race')
    process.kill(process.pid, 'SIGKILL')
  }
})
