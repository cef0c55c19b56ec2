// One text, two databases: what `select` and `write` make of it is pinned here, so that a change of rendering is seen.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  andFrom,
  from,
  insert,
  join,
  raw,
  renderQuery,
  returning,
  select,
  selecting,
  sql,
  using,
  write,
} from '../../src/db/sql.ts'

/** One line, single spaces: how the text is laid out is nobody's business. */
const plain = (text: string) => text.replaceAll(/\s+/g, ' ').trim()

describe('select', () => {
  const find = select(
    'find_thing',
    { id: 'text', hash: 'text', now: 'int', limit: 'int?' },
    (i) =>
      sql`select * from things where id = ${i.id} and hash = ${i.hash} and (${i.now} > made_at or ${i.id} = '')`,
  )

  test('on SQLite each input is one numbered parameter, however often it is used', () => {
    assert.equal(
      plain(find.sqlite.text),
      "select * from things where id = ?1 and hash = ?2 and (?3 > made_at or ?1 = '')",
    )
    assert.deepEqual(find.sqlite.columns, ['id', 'hash', 'now'])
  })

  test('on PostgreSQL the inputs of a batch arrive as arrays and each answer carries its number', () => {
    assert.equal(
      plain(find.postgres),
      plain(`select i.n, r.* from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[])
        with ordinality as i(id, hash, now, limit, n)
        cross join lateral (select * from things where id = i.id and hash = i.hash and (i.now > made_at or i.id = '')) r
        order by i.n`),
    )
  })
})

describe('write', () => {
  const spend = write('spend_thing', { id: 'text', now: 'int', log_id: 'text' }, (i) => ({
    guard: sql`update things set used_at = ${i.now} ${from} where things.id = ${i.id} and used_at is null ${returning} things.id`,
    effects: [
      insert('log', { id: i.log_id, at: i.now }),
      sql`delete from drafts ${using} where drafts.id = ${i.id}`,
    ],
  }))

  test('on SQLite the guard and its effects are statements of one transaction', () => {
    assert.equal(
      plain(spend.sqlite.guard!.text),
      'update things set used_at = ?1 where things.id = ?2 and used_at is null returning things.id',
    )
    assert.deepEqual(
      spend.sqlite.effects.map(({ text, columns }) => [plain(text), columns]),
      [
        ['insert into log (id, at) select ?1, ?2 where true', ['log_id', 'now']],
        ['delete from drafts where drafts.id = ?1', ['id']],
      ],
    )
  })

  test('on PostgreSQL they are one statement whose effects follow only guards that held', () => {
    assert.equal(
      plain(spend.postgres),
      plain(`with i as (select * from unnest($1::text[], $2::bigint[], $3::text[]) with ordinality as i(id, now, log_id, n)),
        guard as (update things set used_at = i.now from i where things.id = i.id and used_at is null returning i.n, things.id),
        part_0 as (insert into log (id, at) select i.log_id, i.now
          from i join (select distinct n from guard) guard on guard.n = i.n where true),
        part_1 as (delete from drafts using i join (select distinct n from guard) guard on guard.n = i.n where drafts.id = i.id)
        select * from guard`),
    )
  })

  test('without a guard every effect happens', () => {
    const add = write('add_thing', { id: 'text' }, (i) => ({ effects: [insert('things', { id: i.id })] }))
    assert.equal(add.sqlite.guard, null)
    assert.equal(
      plain(add.postgres),
      plain(`with i as (select * from unnest($1::text[]) with ordinality as i(id, n)),
        part_0 as (insert into things (id) select i.id from i where true) select 0 as n where false`),
    )
  })

  test('a guard that only looks may hold for several requests of a batch', () => {
    const look = write('look_at_thing', { id: 'text' }, (i) => ({
      guard: sql`${selecting} t.id from things t ${andFrom} where t.id = ${i.id}`,
    }))
    assert.equal(plain(look.sqlite.guard!.text), 'select t.id from things t where t.id = ?1')
    assert.match(
      plain(look.postgres),
      /guard as \(select i\.n, t\.id from things t , i where t\.id = i\.id\)/,
    )
  })

  test('a guard that inserts is matched by a key to the first request that has it', () => {
    const count = write('count_thing', { key: 'text', amount: 'int' }, (i) => ({
      guard: sql`${insert('counts', { key: i.key, count: i.amount })}
        on conflict (key) do update set count = counts.count + excluded.count returning key, count`,
      key: 'key',
    }))
    assert.equal(
      plain(count.postgres),
      plain(`with i as (select * from unnest($1::text[], $2::bigint[]) with ordinality as i(key, amount, n)),
        changed as (insert into counts (key, count) select i.key, i.amount from i where true
          on conflict (key) do update set count = counts.count + excluded.count returning key, count),
        guard as (select distinct on (changed.key) i.n, changed.* from changed join i on i.key = changed.key
          order by changed.key, i.n) select * from guard`),
    )
  })

  test('a bound value has no place in a prepared statement', () => {
    const wrong = select('wrong', { id: 'text' }, () => sql`select ${'a value'}`)
    for (const dialect of ['sqlite', 'postgres'] as const)
      for (let n = 0; n < 2; n++) assert.throws(() => wrong[dialect], /takes inputs only/)
  })

  test('a statement is made when it is first asked for, once, and then holds its texts as plain properties', () => {
    let made = 0
    const find = select('find', { id: 'text' }, (i) => {
      made++
      return sql`select ${i.id}`
    })
    assert.equal(made, 0)
    assert.equal(find.sqlite, find.sqlite)
    assert.match(find.postgres, /cross join lateral/)
    assert.equal(made, 1)
    assert.ok(Object.values(Object.getOwnPropertyDescriptors(find)).every((one) => 'value' in one))
  })
})

describe('one-off query', () => {
  test('binds its values, never writes them into the text', () => {
    const query = sql`select * from things where id in (${join([sql`${'a'}`, sql`${"b'"}`], ', ')}) limit ${raw('5')}`
    assert.deepEqual(renderQuery(query, 'sqlite'), {
      text: 'select * from things where id in (?, ?) limit 5',
      values: ['a', "b'"],
    })
    assert.deepEqual(renderQuery(query, 'postgres'), {
      text: 'select * from things where id in ($1, $2) limit 5',
      values: ['a', "b'"],
    })
  })

  test('takes no inputs', () => {
    assert.throws(() => renderQuery(sql`delete from things ${using}`, 'sqlite'), /has no inputs/)
  })
})
