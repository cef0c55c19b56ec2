// The write-ahead log as a file: it stays small, it may fill the disk, and somebody may take it away.

import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Database, Unavailable } from '../../src/db/database.ts'
import { sql } from '../../src/db/sql.ts'
import { openSqlite, type SqliteOptions } from '../../src/db/sqlite.ts'
import type { Facts, Log } from '../../src/log.ts'
import { addThing, countThings, findThing, thingsTable } from './things.ts'

const directory = mkdtempSync(join(tmpdir(), 'gatehouse-log-'))
after(() => rmSync(directory, { recursive: true, force: true }))

let files = 0
const newFile = () => join(directory, `${files++}.db`)
const [mebibyte, carriedAt] = [2 ** 20, 16 * 2 ** 20]

async function openThings(file: string, options: SqliteOptions = {}): Promise<Database> {
  const db = openSqlite(file, options)
  await db.connection((run) => run(thingsTable))
  return db
}

function keptLog() {
  const lines: { level: string; message: string; facts: Facts }[] = []
  const at =
    (level: string) =>
    (message: string, facts: Facts = {}) =>
      void lines.push({ level, message, facts })
  const log: Log = { info: at('info'), warn: at('warn'), error: at('error') }
  return { log, lines, find: (text: RegExp) => lines.find((line) => text.test(line.message)) }
}

const walSize = (file: string) => statSync(`${file}-wal`).size

/** Waits for what happens off the request path. */
async function until(what: string, holds: () => boolean, meanwhile?: (n: number) => Promise<unknown>) {
  for (let n = 0; n < 1_000; n++) {
    if (holds()) return
    await meanwhile?.(n)
    await sleep(20)
  }
  assert.fail(what)
}

describe('the size of the log', () => {
  test('counts bytes: a few large operations are carried over as many small ones are', async () => {
    const file = newFile()
    const db = await openThings(file)
    const label = 'x'.repeat(mebibyte)
    for (let n = 0; n < 60; n++) await db.write(addThing, { id: `${n}`, label })
    await until(
      'the log is back below its bound',
      () => walSize(file) <= carriedAt,
      (n) => db.write(addThing, { id: `small ${n}`, label: 'x' }),
    )
    await db.close()
  })

  test('counts bytes of one transaction of a connection of its own', async () => {
    const file = newFile()
    const db = await openThings(file)
    await db.connection(async (run) => {
      await run('begin')
      for (let n = 0; n < 40; n++)
        await run(`insert into things (id, label) values (?, hex(zeroblob(${mebibyte / 2})))`, [n])
      await run('commit')
    })
    await db.write(addThing, { id: 'after', label: 'x' })
    await until(
      'the log is back below its bound',
      () => walSize(file) <= carriedAt,
      (n) => db.write(addThing, { id: `small ${n}`, label: 'x' }),
    )
    await db.close()
  })

  test('is brought down at start, after a crash left a large one', async () => {
    const [crashed, file] = [newFile(), newFile()]
    const before = new DatabaseSync(crashed)
    before.exec(`pragma journal_mode = wal; pragma wal_autocheckpoint = 0; ${thingsTable}`)
    const add = before.prepare('insert into things (id, label) values (?, hex(zeroblob(524288)))')
    for (let n = 0; n < 40; n++) add.run(n)
    for (const end of ['', '-wal']) copyFileSync(crashed + end, file + end)
    before.close()
    assert.ok(walSize(file) > carriedAt)
    const db = openSqlite(file)
    await until(
      'the log is below its bound',
      () => walSize(file) <= carriedAt,
      (n) => db.write(addThing, { id: `small ${n}`, label: 'x' }),
    )
    assert.ok((await db.query(countThings()))[0]!.count >= 40)
    await db.close()
  })

  test('is bounded where a reader keeps it from beginning anew: the log names it, and beyond the bound writes are refused', async () => {
    const file = newFile()
    const { log, find } = keptLog()
    const db = await openThings(file, { log, logLimits: { carry: mebibyte, most: 8 * mebibyte } })
    const reader = spawn(process.execPath, [
      '-e',
      `const { DatabaseSync } = require('node:sqlite'); const db = new DatabaseSync(process.argv[1])
       db.exec('begin; select count(*) from things'); db.prepare('select count(*) from things').get()
       console.log('reads'); setInterval(() => {}, 1000)`,
      file,
    ])
    await once(reader.stdout, 'data')
    const label = 'x'.repeat(mebibyte / 4)
    let written = 0
    const add = () => db.write(addThing, { id: `${written}`, label }).then(() => written++)
    while (walSize(file) < 5 * mebibyte) await add()
    await until('the log names the reader', () => find(/reader keeps/) !== undefined)
    const refusal = await (async () => {
      for (;;) await add()
    })().catch((error) => error)
    assert.ok(refusal instanceof Unavailable, String(refusal))
    assert.match(refusal.message, /reader/)
    assert.ok(walSize(file) < 9 * mebibyte, `the log reached ${walSize(file)}`)
    assert.ok(await db.one(findThing, { id: '0' }), 'reads go on')
    if (process.platform === 'linux') assert.equal(find(/reader keeps/)!.facts.processes, String(reader.pid))

    reader.kill('SIGKILL')
    await once(reader, 'exit')
    await until('writes go on once the reader is gone', () => walSize(file) < mebibyte)
    await db.write(addThing, { id: 'after', label })
    assert.equal((await db.query(countThings()))[0]!.count, written + 1)
    await db.close()
  })
})

describe('a disk that the log filled', () => {
  const script = join(import.meta.dirname, 'fill-log.ts')

  /** A process whose files may not grow beyond so many KiB: what a full disk is to it. */
  function limited(kib: number, args: string[]): ChildProcess {
    const child = spawn(
      'bash',
      ['-c', `ulimit -S -f ${kib}; exec "$0" "$@"`, process.execPath, script, ...args],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    )
    return child
  }
  const result = async (child: ChildProcess) => {
    let text = ''
    child.stdout!.on('data', (chunk) => (text += chunk))
    const [code] = await once(child, 'close')
    assert.equal(code, 0)
    return JSON.parse(text.trim().split('\n').at(-1)!) as {
      answered: number
      refused: number
      faults: string[]
    }
  }

  test('is no dead end: the log is carried over, and writing goes on', async () => {
    const file = newFile()
    const { answered, faults } = await result(limited(4_096, [file, '100']))
    assert.deepEqual(faults, [])
    assert.equal(answered, 100)
    const db = openSqlite(file)
    assert.equal((await db.query(countThings()))[0]!.count, 4, 'and the file holds what was answered')
    await db.close()
  })

  test('refuses with Unavailable until there is space, opens and closes meanwhile, and needs no new start', async () => {
    const file = newFile()
    await (await openThings(file)).close()
    const child = limited(64, [file, '5', 'then wait'])
    const [first] = await Promise.race([once(child.stdout!, 'data'), once(child, 'exit')])
    const before = JSON.parse(String(first)) as { answered: number; refused: number; faults: string[] }
    assert.deepEqual(before, { answered: 0, refused: 5, faults: [] })
    execFileSync('prlimit', ['--pid', String(child.pid), '--fsize=unlimited'])
    child.stdin!.end('go\n')
    assert.deepEqual(await result(child), { answered: 5, refused: 0, faults: [] })

    const again = await result(limited(64, [file, '5']))
    assert.deepEqual(again, { answered: 0, refused: 5, faults: [] }, 'a start and an end with a full disk')
  })

  test('on a file system without a free block', async (t) => {
    const mounted = join(directory, 'small')
    mkdirSync(mounted)
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', mounted], { stdio: 'ignore' })
    } catch {
      return t.skip('a small file system cannot be mounted here: run as root on Linux')
    }
    try {
      const file = join(mounted, 'gatehouse.db')
      const { log, find } = keptLog()
      const db = await openThings(file, { log })
      const label = 'x'.repeat(100_000)
      const renew = (n: number) => {
        const other = `${n} `.repeat(40_000)
        return db.query(
          sql`insert into things (id, label) values (${`${n % 4}`}, ${other}) on conflict (id) do update set label = ${other}`,
        )
      }
      for (let n = 0; n < 100; n++) await renew(n)
      assert.equal(find(/no space/), undefined, 'the log made room before it had filled the disk')

      writeFileSync(join(mounted, 'filler'), 'x')
      try {
        for (;;) writeFileSync(join(mounted, 'filler'), 'x'.repeat(4_096), { flag: 'a' })
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
      }
      const add = (n: number) => db.write(addThing, { id: `big ${n}`, label: label.repeat(10) })
      let refused: unknown
      for (let n = 0; refused === undefined && n < 10; n++)
        refused = await add(n).then(
          () => undefined,
          (e) => e,
        )
      assert.ok(refused instanceof Unavailable)
      assert.ok(find(/no space/))
      await db.close()
      const again = openSqlite(file)
      assert.ok(await again.one(findThing, { id: '0' }), 'it opens on the full disk')
      unlinkSync(join(mounted, 'filler'))
      await again.write(addThing, { id: 'after', label: 'x' })
      await again.close()
    } finally {
      execFileSync('umount', ['-l', mounted])
    }
  })
})

describe('a file that is taken away while it is used', () => {
  const thieves: Record<string, (file: string) => void> = {
    'the log is unlinked': (file) => unlinkSync(`${file}-wal`),
    'the log is moved away': (file) => renameSync(`${file}-wal`, `${file}-wal.away`),
    'another log is put in its place': (file) => {
      writeFileSync(`${file}-other`, '')
      renameSync(`${file}-other`, `${file}-wal`)
    },
    'another database is put in its place': (file) => {
      copyFileSync(file, `${file}-other`)
      renameSync(file, `${file}.away`)
      renameSync(`${file}-other`, file)
    },
  }
  for (const [what, take] of Object.entries(thieves)) {
    test(`${what}: nothing more is answered, and the log says why`, async () => {
      const file = newFile()
      const { log, find } = keptLog()
      const db = await openThings(file, { log })
      await db.write(addThing, { id: 'before', label: 'x' })
      assert.equal(db.broken?.(), undefined)
      take(file)
      await assert.rejects(db.write(addThing, { id: 'after', label: 'x' }), Unavailable)
      await assert.rejects(db.write(addThing, { id: 'later', label: 'x' }), Unavailable)
      await assert.rejects(db.one(findThing, { id: 'before' }), Unavailable)
      await assert.rejects(db.query(countThings()), Unavailable)
      await assert.rejects(
        db.connection((run) => run('select 1')),
        Unavailable,
      )
      assert.match(db.broken?.() ?? '', /removed or replaced/)
      assert.ok(find(/removed or replaced/))
      await db.close()
      if (!what.startsWith('the log')) return
      const again = openSqlite(file)
      assert.ok(await again.one(findThing, { id: 'before' }), 'what was answered is in the file')
      await again.close()
    })
  }

  test('is noticed where nobody writes', async () => {
    const file = newFile()
    const db = await openThings(file)
    unlinkSync(`${file}-wal`)
    await until('it is noticed', () => db.broken?.() !== undefined)
    await assert.rejects(db.one(findThing, { id: 'a' }), Unavailable)
    await db.close()
  })
})
