// Serves every endpoint of OAuth 2.1: how often clients and sessions are used, counted in memory and written in batches, so
// that no request costs a write (C26). A crash loses at most what was counted since the last batch.

import type { Core } from '../core.ts'
import { countClientUse } from './records/clients.ts'
import { countSessionUse } from './records/sessions.ts'

/** Counts are written at most so long after they happened, in milliseconds. */
export const activityFlushEvery = 10_000

export interface Activity {
  sessionUsed(id: string): void
  clientUsed(id: string, counted: { authorizations?: number; tokens?: number }): void
  flush(): Promise<void>
}

export function countActivity(core: Pick<Core, 'db' | 'now'>): Activity {
  let sessions = new Map<string, { uses: number; at: number }>()
  let clients = new Map<string, { authorizations: number; tokens: number; at: number }>()
  return {
    sessionUsed(id) {
      const use = sessions.get(id)
      if (use) {
        use.uses++
        use.at = core.now()
      } else sessions.set(id, { uses: 1, at: core.now() })
    },
    clientUsed(id, { authorizations = 0, tokens = 0 }) {
      const use = clients.get(id)
      if (use) {
        use.authorizations += authorizations
        use.tokens += tokens
        use.at = core.now()
      } else clients.set(id, { authorizations, tokens, at: core.now() })
    },
    async flush() {
      const [used, by] = [sessions, clients]
      sessions = new Map()
      clients = new Map()
      await Promise.all([
        ...[...used].map(([id, { uses, at }]) => core.db.write(countSessionUse, { id, uses, now: at })),
        ...[...by].map(([id, { authorizations, tokens, at }]) =>
          core.db.write(countClientUse, { id, authorizations, tokens, now: at }),
        ),
      ])
    },
  }
}
