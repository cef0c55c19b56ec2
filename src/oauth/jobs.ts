// RFC 9700 §4.14.2; RFC 7591 §3; OpenID Connect Back-Channel Logout §2.5; OpenID Connect Core §10.1.1: what runs beside the
// requests, in one process at a time.

import type { Job } from '../jobs/job.ts'
import { clearSalts } from './clean-up.ts'
import { deliverLogouts, logoutsAreDue } from './logout/back-channel-logout.ts'
import { reapClients } from './registration/registration-limits.ts'
import type { Server } from './server.ts'

export function oauthJobs(server: Server): readonly Job[] {
  return [
    { name: 'clear_salts', every: 10_000, run: (turn) => clearSalts(server, turn) },
    {
      name: 'deliver_logouts',
      every: 2_000,
      deletes: false,
      due: () => logoutsAreDue(server),
      run: (turn) => deliverLogouts(server, turn),
    },
    { name: 'reap_clients', every: 600_000, run: (turn) => reapClients(server, turn) },
    {
      name: 'rotate_signing_keys',
      every: 3_600_000,
      async run() {
        const { created, retired } = await server.keys.rotate()
        return { created: created.length, retired: retired.length }
      },
    },
  ]
}
