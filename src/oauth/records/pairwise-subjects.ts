import { insert, select, sql, write } from '../../db/sql.ts'

export const findPairwiseSubject = select(
  'find_pairwise_subject',
  { user_id: 'text', sector: 'text' },
  (i) => sql<{ subject: string }>`select subject from pairwise_subjects
    where user_id = ${i.user_id} and sector = ${i.sector}`,
)

/** Of any number that name the same user to the same sector at once, the first stays. */
export const insertPairwiseSubject = write(
  'insert_pairwise_subject',
  { user_id: 'text', sector: 'text', subject: 'text', now: 'int' },
  (i) => ({
    effects: [
      sql`${insert('pairwise_subjects', {
        user_id: i.user_id,
        sector: i.sector,
        subject: i.subject,
        created_at: i.now,
      })} on conflict do nothing`,
    ],
  }),
)
