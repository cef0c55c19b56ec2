// Every list of the command line is shown a page at a time, says when there is more, and goes on after the last row shown.

import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { onBothDatabases } from '../support/gatehouse.ts'
import { besideServer } from './beside.ts'
import { signUp } from './person.ts'

onBothDatabases('lists of the command line', (dialect) => {
  const { server, gatehouse, json, makeApp } = besideServer(dialect)

  let user: string

  before(async () => {
    const app = await makeApp()
    await makeApp()
    for (const name of ['one', 'two', 'three']) await signUp(server(), app, `${name}@example.com`)
    for (const name of ['a', 'b', 'c']) await json('clients', 'invite', '--name', name)
    user = (await json<{ id: string }>('users', 'show', 'one@example.com'))[0]!.id
  })

  const lists: [words: () => string[], most: number, least: number][] = [
    [() => ['clients', 'list'], 1, 2],
    [() => ['clients', 'invitations'], 2, 3],
    [() => ['users', 'list'], 2, 3],
    [() => ['sessions', 'list'], 2, 3],
    [() => ['users', 'sessions', user], 1, 1],
    [() => ['events', 'list', '--type', 'authorize'], 2, 3],
  ]
  for (const [wordsOf, limit, least] of lists) {
    test(`D: ${wordsOf().slice(0, 2).join(' ')} has a limit and a cursor, says when there is more, and leaves nothing out`, async () => {
      const words = wordsOf()
      const what = words.join(' ')
      const whole = await json<Record<string, unknown>>(...words, '--limit', '10000')
      assert.ok(whole.length >= least, what)
      const walked: Record<string, unknown>[] = []
      let next: string[] = []
      for (let pages = 1; ; pages++) {
        const lines = await json<Record<string, unknown>>(...words, '--limit', String(limit), ...next)
        const last = lines.at(-1)!
        const more = Object.keys(last).length === 1 && typeof last.next === 'string'
        const rows = more ? lines.slice(0, -1) : lines
        walked.push(...rows)
        assert.ok(rows.length <= limit, `${what}: no more than was asked for`)
        assert.ok(pages <= whole.length, `${what}: it ends`)
        if (!more) break
        assert.equal(rows.length, limit)
        next = ['--after', last.next as string]
      }
      assert.deepEqual(walked, whole, what)
      if (whole.length === 1) return
      const shown = await gatehouse(...words, '--limit', '1')
      const cursor = /There are more: --after (\S+)/.exec(shown.stderr)?.[1]
      assert.ok(cursor, `${what} says that there is more: ${shown.stderr}`)
      const rest = await json(...words, '--limit', '10000', '--after', cursor)
      assert.deepEqual(rest, whole.slice(1), what)
    })
  }
})
