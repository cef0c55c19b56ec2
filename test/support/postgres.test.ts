import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { dropTestDatabase, type Postgres, startPostgres, testDatabaseUrl } from './postgres.ts'

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

describe('a PostgreSQL of one’s own', () => {
  let server: Postgres
  before(async () => {
    server = await startPostgres({ settings: { max_connections: '17' } })
  })
  after(() => server.stop())

  test('waits for the disk, listens on loopback alone, and takes settings', async () => {
    const rows = await query(
      server.url,
      `select name, setting from pg_settings
       where name in ('fsync', 'full_page_writes', 'synchronous_commit', 'listen_addresses', 'unix_socket_directories', 'max_connections')`,
    )
    assert.deepEqual(Object.fromEntries(rows.map((row) => [row['name'], row['setting']])), {
      fsync: 'on',
      full_page_writes: 'on',
      synchronous_commit: 'on',
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      max_connections: '17',
    })
  })

  test('keeps what it committed and nothing else through kill -9 and a restart', async () => {
    await query(server.url, 'create table kept (n int)')
    await query(server.url, 'insert into kept values (1), (2)')
    const open = new pg.Client({ connectionString: server.url })
    open.on('error', () => {})
    await open.connect()
    await open.query('begin')
    await open.query('insert into kept values (3)')

    const first = server.pid
    await server.kill('SIGKILL')
    assert.throws(() => process.kill(first, 0), { code: 'ESRCH' })
    await assert.rejects(query(server.url, 'select 1'), { code: 'ECONNREFUSED' })

    await server.restart()
    assert.notEqual(server.pid, first)
    assert.deepEqual(await query(server.url, 'select n from kept order by n'), [{ n: 1 }, { n: 2 }])
    await open.end().catch(() => {})
  })

  test('restarts while it runs', async () => {
    const first = server.pid
    await server.restart()
    assert.notEqual(server.pid, first)
    assert.deepEqual(await query(server.url, 'select 1 as n'), [{ n: 1 }])
  })
})

test('a PostgreSQL and its files end with the process that started it, even by kill -9', async () => {
  const script = `
    import { startPostgres } from ${JSON.stringify(new URL('./postgres.ts', import.meta.url).href)}
    import pg from 'pg'
    const server = await startPostgres()
    const client = new pg.Client({ connectionString: server.url })
    await client.connect()
    const { rows } = await client.query('show data_directory')
    console.log(JSON.stringify({ url: server.url, files: rows[0].data_directory }))
    setInterval(() => {}, 1000)`
  const owner = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: new URL('.', import.meta.url),
  })
  const [line] = await once(owner.stdout, 'data')
  const { url, files } = JSON.parse(String(line)) as { url: string; files: string }
  const { port, hostname } = new URL(url)
  assert.ok(existsSync(files))
  assert.ok(await accepts(Number(port), hostname))

  owner.kill('SIGKILL')
  await once(owner, 'exit')
  while (existsSync(files)) await sleep(50)
  assert.equal(await accepts(Number(port), hostname), false)
})

test('every test database is empty and its own, and can be dropped while in use', async () => {
  const [one, other] = await Promise.all([testDatabaseUrl(), testDatabaseUrl()])
  await query(one, 'create table here (n int)')
  assert.deepEqual(await query(other, "select to_regclass('here') as found"), [{ found: null }])

  const open = new pg.Client({ connectionString: one })
  open.on('error', () => {})
  await open.connect()
  await dropTestDatabase(one)
  await assert.rejects(query(one, 'select 1'), { code: '3D000' })
  await dropTestDatabase(other)
  await open.end().catch(() => {})
})

test('only a database made for a test can be dropped', async () => {
  const url = new URL(await testDatabaseUrl())
  const made = url.href
  url.pathname = '/postgres'
  await assert.rejects(dropTestDatabase(url.href), /postgres is not a database made for a test/)
  await dropTestDatabase(made)
})

function accepts(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
