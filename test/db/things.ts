import { from, insert, returning, select, sql, write } from '../../src/db/sql.ts'

// A small table of the tests' own, with statements of every shape.

export const thingsTable =
  "create table things (id text primary key, used_at bigint, label text not null check (label <> 'poison'))"

export const addThing = write('test_add_thing', { id: 'text', label: 'text' }, (i) => ({
  effects: [insert('things', { id: i.id, label: i.label })],
}))

export const spendThing = write('test_spend_thing', { id: 'text', now: 'int', log_id: 'text' }, (i) => ({
  guard: sql<{
    id: string
  }>`update things set used_at = ${i.now} ${from} where things.id = ${i.id} and things.used_at is null
    ${returning} things.id`,
  effects: [insert('things', { id: i.log_id, label: sql`'log'` })],
}))

export const findThing = select(
  'test_find_thing',
  { id: 'text' },
  (i) => sql<{ id: string; used_at: number | null; label: string }>`select * from things where id = ${i.id}`,
)

export const countThings = () => sql<{ count: number }>`select count(*) as count from things`
