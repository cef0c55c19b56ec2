// A real PgBouncer in transaction mode before a database, where one is installed.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const program = ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer', '/usr/local/bin/pgbouncer'].find(existsSync)

/** Why there is none, or false. */
export const noPgbouncer = program === undefined ? 'PgBouncer is not installed' : false

export async function startPgbouncer(
  url: string,
  size: number,
): Promise<{ url: string; stop(): Promise<void> }> {
  const { hostname, port, pathname, username, password } = new URL(url)
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const listening = (probe.address() as { port: number }).port
  probe.close()
  await once(probe, 'close')
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-pgbouncer-'))
  const file = join(folder, 'pgbouncer.ini')
  writeFileSync(
    file,
    `[databases]
* = host=${hostname} port=${port || 5432} user=${decodeURIComponent(username)} password=${decodeURIComponent(password)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${listening}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${size}
max_client_conn = 100
`,
  )
  const account = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : undefined
  if (account) for (const path of [folder, file]) chownSync(path, account.uid, account.gid)
  const child = spawn(program!, [file], { ...account, stdio: 'ignore' })
  const reached = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(listening, '127.0.0.1', () => resolve(true))
      socket.on('error', () => resolve(false))
      socket.on('connect', () => socket.destroy())
    })
  while (!(await reached())) {
    if (child.exitCode !== null) throw new Error(`PgBouncer ended with code ${child.exitCode}`)
    await sleep(20)
  }
  return {
    url: `postgres://${username}@127.0.0.1:${listening}${pathname}`,
    async stop() {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
