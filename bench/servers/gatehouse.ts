// Gatehouse as its users start it: the built command, executed directly, beside a configuration file.
import { execFileSync, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import type { Place, Server } from '../server.ts'
import { fillGatehouse } from './fill-gatehouse.ts'
import { authority, grantTypes, prepareGatehouse, redirectUri } from './gatehouse-fixture.ts'

const root = join(import.meta.dirname, '..', '..')
const config = 'gatehouse.config.js'

type Clients = { id: string; secret: string; publicId: string }
const clientFile = (directory: string) => join(directory, 'client.json')
const clientOf = (directory: string) => JSON.parse(readFileSync(clientFile(directory), 'utf8')) as Clients
export const databaseFile = (directory: string) => join(directory, 'gatehouse.db')

/**
 * Builds Gatehouse into the server's directory, as it is published, from this source tree or another; resolves with the
 * command. dist/ stays as it is.
 */
function build(directory: string, source: string): string {
  const command = join(directory, 'build', 'cli.js')
  if (existsSync(command)) return command
  const args = [join(source, 'scripts', 'build.ts'), join(directory, 'build')]
  const { status } = spawnSync(process.execPath, args, { stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new Error('Gatehouse could not be built')
  return command
}

/** The empty ones keep out what the caller's own environment says. */
const environment = ({ directory, issuerPort, databaseUrl }: Place): Record<string, string> => ({
  PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`,
  NODE_ENV: 'production',
  XDG_CACHE_HOME: join(directory, 'cache'),
  ISSUER_PORT: String(issuerPort),
  GATEHOUSE_ISSUER: '',
  GATEHOUSE_LOG: '',
  GATEHOUSE_SECRET: 'a-secret-of-the-benchmark-0123456789',
  GATEHOUSE_DATABASE_URL: databaseUrl ?? databaseFile(directory),
})

/** Migrates the database and registers the clients, on the command line. */
async function register(place: Place, source: string) {
  const { directory } = place
  copyFileSync(join(source, 'bench', 'servers', config), join(directory, config))
  writeFileSync(join(directory, 'ca.pem'), authority.cert)
  const command = build(directory, source)
  const run = (...args: string[]) => {
    const env = { ...process.env, ...environment(place) }
    return execFileSync(command, args, { cwd: directory, env, encoding: 'utf8' })
  }
  run('migrate', 'up')
  const create = (...more: string[]) => {
    const args = ['--json', '--name', 'bench', '--redirect-uri', redirectUri, ...more]
    return JSON.parse(run('clients', 'create', ...args)) as Record<string, string>
  }
  const grants = (types: string[]) => types.flatMap((type) => ['--grant-type', type])
  const { client_id, client_secret } = create(...grants([...grantTypes, 'client_credentials']))
  const publicId = create('--public', ...grants(grantTypes)).client_id
  writeFileSync(clientFile(directory), JSON.stringify({ id: client_id, secret: client_secret, publicId }))
}

const from = (source: string): Server => ({
  id: 'gatehouse',
  label: 'Gatehouse (SQLite)',
  durable: true,
  command: (place) => ({
    file: build(place.directory, source),
    args: ['serve', '--host', '127.0.0.1'],
    env: environment(place),
  }),
  beforeFirstStart: (place) => register(place, source),
  afterFirstStart: (place) => prepareGatehouse(place, clientOf(place.directory)),
})

export const gatehouse = from(root)

/** Gatehouse on a database that already holds so many living tokens of each kind, with their sessions and events. */
export const filledGatehouse = (rows: number): Server => ({
  ...gatehouse,
  id: 'gatehouse-filled',
  label: `Gatehouse, ${rows.toLocaleString('en')} tokens`,
  fill: ({ directory, databaseUrl }) =>
    fillGatehouse(databaseUrl ?? databaseFile(directory), clientOf(directory).id, rows),
})

/**
 * Unpacks a commit of this repository, with the packages that are installed here; a former build differs from the present
 * one in its own code only. Resolves with a function that makes a server the same of the former build.
 */
export function formerBuild(commit: string, directory: string): (server: Server) => Server {
  const source = formerSource(commit, directory)
  const { command, beforeFirstStart, afterFirstStart } = from(source)
  return (server) => ({
    ...server,
    id: `${server.id}-former`,
    label: `${server.label}, ${commit}`,
    command,
    beforeFirstStart,
    afterFirstStart,
  })
}

/** Where a commit of this repository was unpacked. */
export function formerSource(commit: string, directory: string): string {
  const source = join(directory, 'former')
  mkdirSync(source)
  const packed = join(directory, 'former.tar')
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 2] }).trim()
  git('archive', '--output', packed, git('rev-parse', '--verify', '--end-of-options', `${commit}^{commit}`))
  execFileSync('tar', ['-xf', packed, '-C', source])
  rmSync(packed)
  symlinkSync(join(root, 'node_modules'), join(source, 'node_modules'))
  return source
}
