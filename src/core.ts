import type { Secrets } from './crypto/secrets.ts'
import type { Database } from './db/database.ts'
import type { Log } from './log.ts'
import type { Settings } from './settings.ts'

/** What every domain works with. Made once, in app.ts. */
export interface Core {
  readonly settings: Settings
  readonly db: Database
  readonly secrets: Secrets
  readonly log: Log
  /** Epoch milliseconds. */
  now(): number
}
