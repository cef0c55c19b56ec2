import { insert, sql, write } from '../../db/sql.ts'

/** Adds an identifier unless it is there. Sorted, so that two batches with the same ones never wait for each other. */
export const insertUsedJti = write('insert_used_jti', { id: 'text', expires_at: 'int' }, (i) => ({
  guard: sql<{ id: string }>`${insert('used_jtis', { id: i.id, expires_at: i.expires_at })} order by ${i.id}
    on conflict do nothing returning id`,
  key: 'id',
}))
