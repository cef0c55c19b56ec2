import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openSqlite } from '../../src/db/sqlite.ts'
import { openTestServer } from '../support/gatehouse.ts'

const modeOf = (file: string) => (statSync(file).mode & 0o777).toString(8)
const skip = process.platform === 'win32' ? 'Windows has no modes' : false

test('the database’s files are its user’s alone, whatever the umask', { skip }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'gatehouse-private-'))
  const before = process.umask(0o000)
  t.after(() => {
    process.umask(before)
    rmSync(directory, { recursive: true, force: true })
  })
  const file = join(directory, 'gatehouse.db')
  const server = await openTestServer('sqlite', { database: file }, async () => openSqlite(file))
  await server.createClient()
  for (const one of [file, `${file}-wal`, `${file}-shm`]) assert.equal(modeOf(one), '600', one)
  await server.close()
})

test('a database that everybody could read is closed to them at start; its group stays as the operator wants it', {
  skip,
}, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'gatehouse-private-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  for (const [was, becomes] of [
    [0o644, '640'],
    [0o666, '660'],
    [0o640, '640'],
    [0o600, '600'],
  ] as const) {
    const file = join(directory, `${was}.db`)
    writeFileSync(file, '')
    chmodSync(file, was)
    const database = openSqlite(file)
    assert.equal(modeOf(file), becomes)
    assert.equal(modeOf(`${file}-wal`), becomes)
    assert.equal(modeOf(`${file}-shm`), becomes)
    await database.close()
  }
})
