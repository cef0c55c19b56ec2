// OAuth 2.1 §1.1: the authorization server, made once from what every domain works with and from who is signed in.

import type { Accounts } from '../accounts/account.ts'
import type { Core } from '../core.ts'
import { nonceByTime } from '../protocol/dpop-nonce.ts'
import { countActivity } from './clients/activity.ts'
import { openClientKeys } from './clients/client-keys.ts'
import { cacheClients } from './clients/clients.ts'
import { openSigningKeys } from './keys/signing-keys.ts'
import { accountUsers } from './openid/account-users.ts'
import { withFreshDocument } from './registration/client-id-metadata.ts'
import type { Server } from './server.ts'

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
