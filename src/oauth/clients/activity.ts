// Serves every endpoint of OAuth 2.1: how often clients and sessions are used, counted in memory and written in batches, so
// that no request costs a write (C26). A crash loses at most what was counted since the last batch.

import type { Core } from '../../core.ts'
import { countClientUse } from '../records/clients.ts'
import { countSessionUse } from '../records/sessions.ts'

/** Counts are written at most so long after they happened, in milliseconds. */
export const activityFlushEvery = 10_000

export interface Activity {
  sessionUsed(id: string): void
  clientUsed(id: string, counted: { authorizations?: number; tokens?: number }): void
  flush(): Promise<void>
}

/** Rows of one batch: a flush after a busy while must not hold up the requests that write beside it. */
const batchSize = 200

export function countActivity(core: Pick<Core, 'db' | 'now'>): Activity {
  const sessions = new Map<string, { uses: number; at: number }>()
  const clients = new Map<string, { authorizations: number; tokens: number; at: number }>()

  function sessionUsed(id: string, uses: number, at: number) {
    const use = sessions.get(id)
    if (!use) sessions.set(id, { uses, at })
    else {
      use.uses += uses
      use.at = Math.max(use.at, at)
    }
  }

  function clientUsed(id: string, authorizations: number, tokens: number, at: number) {
    const use = clients.get(id)
    if (!use) clients.set(id, { authorizations, tokens, at })
    else {
      use.authorizations += authorizations
      use.tokens += tokens
      use.at = Math.max(use.at, at)
    }
  }

  /** Takes counts out in batches and writes them; what could not be written is counted again. */
  async function drain<Use>(
    counts: Map<string, Use>,
    write: (id: string, use: Use) => Promise<unknown>,
    giveBack: (id: string, use: Use) => void,
  ): Promise<void> {
    const due = [...counts]
    for (let from = 0; from < due.length; from += batchSize) {
      const batch = due.slice(from, from + batchSize).filter(([id, use]) => counts.get(id) === use)
      for (const [id] of batch) counts.delete(id)
      const written = await Promise.allSettled(batch.map(([id, use]) => write(id, use)))
      const failed = written.findIndex((one) => one.status === 'rejected')
      if (failed < 0) continue
      written.forEach((one, n) => {
        if (one.status === 'rejected') giveBack(...batch[n]!)
      })
      throw (written[failed] as PromiseRejectedResult).reason
    }
  }

  return {
    sessionUsed: (id) => sessionUsed(id, 1, core.now()),
    clientUsed: (id, { authorizations = 0, tokens = 0 }) =>
      clientUsed(id, authorizations, tokens, core.now()),
    async flush() {
      await drain(
        sessions,
        (id, { uses, at }) => core.db.write(countSessionUse, { id, uses, now: at }),
        (id, { uses, at }) => sessionUsed(id, uses, at),
      )
      await drain(
        clients,
        (id, { authorizations, tokens, at }) =>
          core.db.write(countClientUse, { id, authorizations, tokens, now: at }),
        (id, { authorizations, tokens, at }) => clientUsed(id, authorizations, tokens, at),
      )
    },
  }
}
