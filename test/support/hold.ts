// Holds operations at the database after they have decided and before they commit, so that a test chooses how two of them
// interleave. PostgreSQL only: SQLite has one writer.

import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

const lock = 727_416_999

export interface Hold {
  /** From now on whatever writes an event waits in its transaction. */
  close(): Promise<void>
  /** Resolves once so many connections wait, here or for a lock of one that does; or once one of the promises has settled. */
  waiting(count: number, ...orSettled: Promise<unknown>[]): Promise<void>
  /** Lets all of them go on. */
  open(): Promise<void>
  end(): Promise<void>
}

export async function holdEvents(url: string): Promise<Hold> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(`
    create or replace function hold_event() returns trigger language plpgsql as $$
      begin perform pg_advisory_xact_lock_shared(${lock}); return new; end $$;
    create or replace trigger hold_event before insert on events for each row execute function hold_event();`)
  return {
    async close() {
      await client.query(`select pg_advisory_lock(${lock})`)
    },
    async waiting(count, ...orSettled) {
      let settled = false
      const settle = () => {
        settled = true
      }
      for (const one of orSettled) one.then(settle, settle)
      for (;;) {
        const { rows } = await client.query(
          `select count(*)::int as count from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        )
        if (rows[0].count >= count || settled) return
        await sleep(2)
      }
    },
    async open() {
      await client.query(`select pg_advisory_unlock(${lock})`)
    },
    end: () => client.end(),
  }
}
