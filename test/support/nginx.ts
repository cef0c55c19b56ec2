// The machine's nginx with the sample of docs/operating.md, on ports of ours.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const program = ['/usr/sbin/nginx', '/usr/bin/nginx', '/usr/local/bin/nginx', '/opt/homebrew/bin/nginx'].find(
  existsSync,
)

export const hasNginx = program !== undefined

export interface Nginx {
  readonly port: number
  /** Its error log. */
  said(): string
  stop(): Promise<void>
}

/**
 * In front of servers on these ports of 127.0.0.1; with `defaults` its buffers are as large as nginx makes them by itself,
 * and `change` may rewrite the sample.
 */
export async function startNginx(
  ports: readonly (string | number)[],
  { defaults = false, change = (http: string) => http } = {},
): Promise<Nginx> {
  if (program === undefined) throw new Error('there is no nginx on this machine')
  const page = readFileSync(new URL('../../docs/operating.md', import.meta.url), 'utf8')
  const sample = /```nginx\n([\s\S]*?)```/.exec(page)![1]!
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-nginx-'))
  const servers = ports.map((one) => `    server 127.0.0.1:${one} max_fails=0;\n`).join('')
  const http = change(sample)
    .replace(/( *server 127\.0\.0\.1:\d+ max_fails=0;\n)+/, servers)
    .replace(/listen [^;]+;/, `listen 127.0.0.1:${port};`)
    .replace(/^ *ssl_.*\n/gm, '')
    .replace(/^ *proxy_buffer.*\n/gm, (line) => (defaults ? '' : line))
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
    .join(' ')
  const [conf, log] = [join(folder, 'nginx.conf'), join(folder, 'error.log')]
  writeFileSync(
    conf,
    `daemon off; pid ${folder}/pid; worker_processes 2; error_log ${log}; events {}\nhttp { access_log off; ${temporary}\n${http} }`,
  )
  const child = spawn(program, ['-p', folder, '-c', conf, '-e', log], { stdio: 'inherit' })
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(readFileSync(log, 'utf8'))
    await sleep(20)
  }
  return {
    port,
    said: () => readFileSync(log, 'utf8'),
    async stop() {
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const { promise, resolve } = Promise.withResolvers<boolean>()
  socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  return promise.finally(() => socket.destroy())
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  await once(probe, 'close')
  return port
}
