import type { Core } from './core.ts'
import { rootSecrets } from './crypto/secrets.ts'
import { type Clock, givenClock, openClock } from './db/clock.ts'
import type { Database } from './db/database.ts'
import { openDatabase } from './db/open.ts'
import { prepareSchema } from './db/prepare-schema.ts'
import { jsonLog } from './log.ts'
import type { Settings } from './settings.ts'

export interface CoreOptions {
  /** A database that is open already; it is not closed with the rest. */
  database?: Database
  now?: () => number
}

export interface OpenCore extends Core {
  readonly clock: Clock
}

/** Opens what every domain works with: database, clock, secrets and log. `close` closes what was opened here. */
export async function openCore(
  settings: Settings,
  options: CoreOptions,
): Promise<{ core: OpenCore; close(): Promise<void> }> {
  const log = typeof settings.log === 'string' ? jsonLog(settings.log) : settings.log
  const db =
    options.database ??
    (await openDatabase(settings.database, {
      connections: settings.databaseConnections,
      log,
      onError: (error) => log.warn('database connection lost', { error: error.message }),
    }))
  let clock: Clock | undefined
  async function close() {
    clock?.close()
    if (!options.database) await db.close()
  }
  try {
    await prepareSchema(db, settings.migrate ?? undefined)
    clock = options.now ? givenClock(options.now) : await openClock({ db, log })
    const secrets = rootSecrets(settings.secrets)
    return { core: { settings, db, clock, secrets, log, now: clock.now }, close }
  } catch (error) {
    await close().catch(() => {})
    throw error
  }
}
