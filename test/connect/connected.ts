// A page of docs/connect as a reader follows it: the server over TLS on a port, the page's own command that makes the client,
// the page's own program as a process with the library as it is installed, and a person with a browser.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { dirname, join } from 'node:path'
import { after, before } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { openApp } from '../../src/app.ts'
import { embed, type Gatehouse } from '../../src/gatehouse.ts'
import { sendResponse } from '../../src/http/mount.ts'
import { nodeServer } from '../../src/http/node.ts'
import { emptyFolder, freePort, run } from '../cli/command-line.ts'
import { makeAuthority } from '../support/certificates.ts'
import { type Dialect, freshDatabase, scopes } from '../support/gatehouse.ts'
import { type PrintedPage, printedApp, printedIssuer, readPage } from './page.ts'
import { openPerson, type Person } from './person.ts'

export interface Made {
  client_id: string
  client_secret: string
}

export interface Connected {
  page: PrintedPage
  auth: Gatehouse
  issuer: string
  /** Origin of the app. */
  app: string
  /** What the commands of the page made, in turn; the program is given the first. */
  clients: Made[]
  /** Runs another program of the page to its end, as this client; answers what it printed. */
  run(program: string, client: Made): Promise<string>
  /** What a command of `gatehouse-auth` prints, on the server's database. */
  gatehouse(...args: string[]): Promise<Record<string, unknown>[]>
  /** Everything the app printed. */
  printed(): string
  /** Somebody new, with an empty browser. */
  newPerson(): Person
}

export interface Setting {
  /** Name of the page, without `.md`. */
  page: string
  /** The folder under test/clients whose packages the program imports. */
  workspace: string
  /** Path of the issuer. Default: none on SQLite, `/auth` on PostgreSQL. */
  path?: string
  /** What Node is started with, among the programs of the page. Default: `server.js`. */
  start?: (port: string) => string[]
  /** Programs of the test's own that lie beside those of the page. */
  beside?: Record<string, string>
}

/** One for the process: two of the same name cannot be told apart. */
const authority = makeAuthority()
setDefaultCACertificates([...getCACertificates('default'), authority.cert])

const clients = fileURLToPath(new URL('../clients/', import.meta.url))

/** Follows a page for a whole suite. Call inside `describe`, use inside tests. */
export function connected(dialect: Dialect, setting: Setting): { readonly current: Connected } {
  const cleanups: (() => unknown)[] = []
  let opened: Connected | undefined
  before(async () => {
    opened = await open(dialect, setting, cleanups)
  })
  after(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup()
  })
  return {
    get current() {
      return opened!
    },
  }
}

async function open(dialect: Dialect, setting: Setting, cleanups: (() => unknown)[]): Promise<Connected> {
  const page = readPage(setting.page)
  const folder = emptyFolder()
  const authorityFile = join(folder, 'authority.pem')
  writeFileSync(authorityFile, authority.cert)

  const server = createServer(authority.issue(['localhost'])).listen(0, 'localhost')
  await once(server, 'listening')
  const origin = `https://localhost:${(server.address() as AddressInfo).port}`
  const issuer = origin + (setting.path ?? (dialect === 'sqlite' ? '' : '/auth'))
  const database = await freshDatabase(dialect)
  const secret = randomBytes(32).toString('base64')
  const resources = { [`${origin}/api`]: { name: 'Job board' } }
  const app = await openApp({
    issuer,
    secret,
    database: database.url,
    scopes,
    resources,
    migrate: true,
    jobs: false,
    log: 'silent',
  })
  const auth = embed(app)
  const toAuth = nodeServer(app.answer, app.settings)
  server.on('request', async (request, response) => {
    if (request.url !== '/api/jobs') return toAuth.emit('request', request, response)
    const access = await auth.authenticate(request, { scope: 'jobs:read' })
    return sendResponse(access.ok ? Response.json({ for: access.subject }) : access.response, response)
  })
  cleanups.push(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
    await auth.close()
    await database.remove()
  })

  const port = await freePort()
  const here = (text: string) =>
    text
      .replaceAll(printedIssuer, issuer)
      .replaceAll(printedApp, `http://localhost:${port}`)
      .replaceAll(/\b3000\b/g, port)

  writeFileSync(
    join(folder, 'gatehouse.config.mjs'),
    `export default ${JSON.stringify({ scopes, resources })}`,
  )
  const env = { GATEHOUSE_ISSUER: issuer, GATEHOUSE_SECRET: secret, GATEHOUSE_DATABASE_URL: database.url }
  const made: Made[] = []
  const gatehouse = async <T>(...args: string[]): Promise<T[]> => {
    const done = await run(folder, [...args, '--json'], env)
    assert.equal(done.code, 0, done.stderr)
    return done.lines<T>()
  }
  for (const command of page.commands) {
    made.push(...(await gatehouse<Made>(...command.map(here))))
  }
  const [client] = made
  assert.ok(client, `${setting.page}.md says how the client is made`)

  // Beside the packages it imports; the folder is ignored by git.
  const place = join(clients, setting.workspace, 'tmp', `${process.pid}-${dialect}-${setting.page}`)
  for (const [name, code] of [...page.programs, ...Object.entries(setting.beside ?? {})]) {
    mkdirSync(dirname(join(place, name)), { recursive: true })
    writeFileSync(join(place, name), here(code))
  }
  cleanups.push(() => {
    rmSync(place, { recursive: true, force: true })
    removeIfEmpty(dirname(place))
  })
  const environment = {
    NODE_EXTRA_CA_CERTS: authorityFile,
    CLIENT_ID: client.client_id,
    CLIENT_SECRET: client.client_secret,
    SESSION_SECRET: randomBytes(32).toString('base64'),
    AUTH_SECRET: randomBytes(32).toString('base64'),
    NEXTAUTH_SECRET: randomBytes(32).toString('base64'),
    NEXTAUTH_URL: `http://localhost:${port}`,
    NEXT_TELEMETRY_DISABLED: '1',
    PORT: port,
  }
  const started = start(place, setting.start?.(port) ?? ['server.js'], environment)
  cleanups.push(started.end)
  await started.listens(Number(port))

  return {
    page,
    auth,
    issuer,
    app: `http://localhost:${port}`,
    clients: made,
    gatehouse,
    async run(program, { client_id, client_secret }) {
      const more = { ...environment, CLIENT_ID: client_id, CLIENT_SECRET: client_secret }
      const other = start(place, [program], more)
      assert.equal(await other.exited, 0, other.printed())
      return other.printed()
    },
    printed: started.printed,
    newPerson: () => openPerson(issuer),
  }
}

/** Suites of other files may have programs there. */
function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder)
  } catch (error) {
    if (!['ENOTEMPTY', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}

/** The program, as `node server.js` runs it, with what its page says about the environment. */
function start(cwd: string, program: string[], more: Record<string, string>) {
  const own = Object.entries(process.env).filter(([name]) => !/^(GATEHOUSE_|NODE_|AUTH_|PORT$)/.test(name))
  const child: ChildProcess = spawn(process.execPath, program, {
    cwd,
    env: { ...Object.fromEntries(own), ...more },
    // A group of its own: what it starts ends with it.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  for (const stream of [child.stdout!, child.stderr!])
    stream.setEncoding('utf8').on('data', (text) => (printed += text))
  const exited = once(child, 'close').then(([code]) => code as number | null)
  const end = () => {
    try {
      process.kill(-child.pid!, 'SIGKILL')
    } catch {
      // It has ended.
    }
  }
  process.once('exit', end)
  return {
    exited,
    printed: () => printed,
    async listens(port: number): Promise<void> {
      while (!(await accepts(port))) {
        if (child.exitCode !== null || child.signalCode !== null)
          throw new Error(`${program.join(' ')} ended before it listened:\n${printed}`)
        await sleep(25)
      }
    },
    async end(): Promise<void> {
      end()
      await exited
      process.off('exit', end)
    },
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect({ port, host: 'localhost' })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
