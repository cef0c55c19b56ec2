import type { Database } from './database.ts'
import { raw, returning, type Select, select, sql, using, type Write, write } from './sql.ts'

/** Rows that one step of a clean-up deletes at most, so that no request waits long behind it. */
export const stepLimit = 250

/** What one step of a clean-up removed, and whether more may be due. */
export interface Step {
  removed: number
  more: boolean
}

/** Clean-up of one table: what is due is found in the order of its index and deleted by its key. */
export interface Deletion {
  find: Select<{ before: number }, { key: string }>
  remove: Write<{ key: string; before: number }, { key: string }>
}

/** Rows of `table` whose `column` (an indexed time, `expires_at` unless named) lies before a moment. */
export function deletion(table: string, { key = 'id', column = 'expires_at' } = {}): Deletion {
  const [from, id, time] = [raw(table), raw(`${table}.${key}`), raw(`${table}.${column}`)]
  return {
    find: select(
      `old_${table}_by_${column}`,
      { before: 'int' },
      (i) => sql<{ key: string }>`select ${id} as key from ${from} where ${time} < ${i.before}
        order by ${time} limit ${raw(String(stepLimit))}`,
    ),
    remove: write(`delete_old_${table}_by_${column}`, { key: 'text', before: 'int' }, (i) => ({
      guard: sql<{
        key: string
      }>`delete from ${from} ${using} where ${id} = ${i.key} and ${time} < ${i.before}
        ${returning} ${id} as key`,
    })),
  }
}

/** One step of a deletion. */
export async function deleteBefore(db: Database, { find, remove }: Deletion, before: number): Promise<Step> {
  const due = await db.all(find, { before })
  const deleted = await Promise.all(due.map(({ key }) => db.write(remove, { key, before })))
  return stepOf(deleted)
}

/** The step that these deletions of single rows make up. */
export function stepOf(deleted: readonly (readonly unknown[])[]): Step {
  return {
    removed: deleted.filter((rows) => rows.length > 0).length,
    more: deleted.length === stepLimit,
  }
}
