// OAuth 2.1 §1.1: the authorization server, made once from what every domain works with and from who is signed in.

import type { Accounts } from '../accounts/account.ts'
import type { Core } from '../core.ts'
import { accountUsers } from './account-users.ts'
import { countActivity } from './activity.ts'
import { withFreshDocument } from './clients/client-id-metadata.ts'
import { openClientKeys } from './clients/client-keys.ts'
import { cacheClients } from './clients/clients.ts'
import { nonceByTime } from './dpop-nonce.ts'
import type { Server } from './server.ts'
import { openSigningKeys } from './signing-keys.ts'

type Given = Core & Pick<Server, 'clock' | 'counters' | 'outbound' | 'frame'>

export async function openServer(given: Given, accounts: Accounts): Promise<Server> {
  const { db, settings, secrets, log, now, outbound } = given
  const server: Server = {
    ...given,
    ...accountUsers(given, accounts),
    keys: await openSigningKeys(given),
    clients: cacheClients(db, settings, now),
    freshClient: (known) => withFreshDocument(server, known),
    activity: countActivity(given),
    clientKeys: openClientKeys({ outbound, log, now }),
    nonces: nonceByTime(secrets, { required: settings.dpop.nonces === 'required' }),
  }
  return server
}
