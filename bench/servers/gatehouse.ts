import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, globSync, mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Server } from '../server.ts'
import { fillGatehouse } from './fill-gatehouse.ts'
import { prepareGatehouse } from './gatehouse-fixture.ts'

const root = join(import.meta.dirname, '..', '..')

type Credentials = { id: string; secret: string }
const clientOf = (directory: string) =>
  JSON.parse(readFileSync(join(directory, 'client.json'), 'utf8')) as Credentials

/** Compiles src/ into the server's directory, as it is published; dist/ stays as it is. */
function build(directory: string): string {
  const output = join(directory, 'build')
  if (existsSync(join(output, 'index.js'))) return output
  const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'))
  const args = [join(typescript, 'bin', 'tsc'), '-p', join(root, 'tsconfig.build.json'), '--outDir', output]
  const { status } = spawnSync(process.execPath, args, { stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new Error('Gatehouse could not be compiled')
  for (const file of globSync('**/*.sql', { cwd: join(root, 'src') })) {
    mkdirSync(dirname(join(output, file)), { recursive: true })
    copyFileSync(join(root, 'src', file), join(output, file))
  }
  return output
}

export const gatehouse: Server = {
  id: 'gatehouse',
  label: 'Gatehouse (SQLite)',
  durable: true,
  command: ({ directory, issuerPort, databaseUrl }) => ({
    args: [join(import.meta.dirname, 'gatehouse-server.mjs')],
    env: {
      BENCH_BUILD: build(directory),
      ISSUER_PORT: String(issuerPort),
      ...(databaseUrl === undefined ? {} : { BENCH_POSTGRES_URL: databaseUrl }),
    },
  }),
  afterFirstStart: (place) => prepareGatehouse(place, clientOf(place.directory)),
}

/** Gatehouse on a database that already holds so many living tokens of each kind, with their sessions and events. */
export const filledGatehouse = (rows: number): Server => ({
  ...gatehouse,
  id: 'gatehouse-filled',
  label: `Gatehouse, ${rows.toLocaleString('en')} tokens`,
  fill: (directory) => fillGatehouse(join(directory, 'gatehouse.db'), clientOf(directory).id, rows),
})
