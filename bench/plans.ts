// What is measured beside what: the peers, the processes on PostgreSQL, an empty database and a full one, a slow disk.
import { join } from 'node:path'
import type { Workload } from './fixture.ts'
import type { Server } from './server.ts'
import { fillFloor } from './servers/fill-floor.ts'
import { floorScript } from './servers/floor-script.ts'
import { filledGatehouse, formerBuild, gatehouse } from './servers/gatehouse.ts'
import { delayedBy } from './slow-disk.ts'
import {
  filledPostgresTargets,
  filledTargets,
  postgresTargets,
  slowDiskTargets,
  sqliteTargets,
  type Target,
} from './targets.ts'

export type Plan = {
  servers: Server[]
  /** Whether a server needs the packages of bench/. */
  packages?: true
  workloads: readonly Workload[]
  /** Whether introspection is measured once more, during a refresh load on the same server. */
  introspectionDuringRefresh?: boolean
  /** Servers that stand as divisor in a column of their own. */
  bases: string[]
  targets: Target[]
  coldStarts: boolean
}

const script = (name: string) => join(import.meta.dirname, 'servers', name)
const node = (name: string) => () => ({ args: [script(name)] })

const floor: Server = {
  id: 'floor',
  label: 'floor (SQLite, FULL, group commit)',
  durable: true,
  command: ({ directory }) => ({ args: [floorScript(directory)] }),
}

const peers: Server[] = [
  floor,
  {
    id: 'oidc-provider',
    label: 'oidc-provider, in memory',
    durable: false,
    forgets: true,
    command: node('oidc-provider.mjs'),
  },
  {
    id: 'oidc-provider-sqlite',
    label: 'oidc-provider, SQLite FULL',
    durable: true,
    command: node('oidc-provider-sqlite.mjs'),
  },
  {
    id: 'better-auth',
    label: 'better-auth, SQLite WAL NORMAL',
    durable: false,
    command: node('better-auth.mjs'),
  },
]

/** The ids `--peers` knows. */
export const peerIds = peers.map(({ id }) => id)

/** Gatehouse on SQLite beside the floor and the chosen peers. */
export function besidePeers(chosen: string[], workloads: readonly Workload[]): Plan {
  return {
    servers: [gatehouse, ...peers.filter(({ id }) => chosen.includes(id))],
    ...(chosen.some((id) => id !== floor.id) ? { packages: true } : {}),
    workloads,
    bases: ['floor', 'gatehouse'],
    targets: sqliteTargets,
    coldStarts: true,
  }
}

const floorOnPostgres = (id: string, label: string, batch: string): Server => ({
  id,
  label,
  durable: true,
  postgres: true,
  command: ({ directory, databaseUrl }) => ({
    args: [floorScript(directory)],
    env: { BENCH_POSTGRES_URL: databaseUrl!, BENCH_POSTGRES_BATCH: batch },
  }),
})

/** Gatehouse on PostgreSQL with 1, 2 and 4 processes beside two floors. */
export function onPostgres(workloads: readonly Workload[]): Plan {
  return {
    servers: [
      { ...gatehouse, label: 'Gatehouse, 1 process', postgres: true },
      { ...gatehouse, id: 'gatehouse-2', label: 'Gatehouse, 2 processes', postgres: true, processes: 2 },
      { ...gatehouse, id: 'gatehouse-4', label: 'Gatehouse, 4 processes', postgres: true, processes: 4 },
      floorOnPostgres('floor-batched', 'floor, a statement a batch', '1'),
      floorOnPostgres('floor-single', 'floor, a statement a request', '0'),
    ],
    workloads,
    bases: ['floor-batched', 'gatehouse'],
    targets: postgresTargets,
    coldStarts: false,
  }
}

/** Floor and Gatehouse, each on an empty database and on one of `rows` living tokens. */
export function onFullDatabase(rows: number, workloads: readonly Workload[]): Plan {
  const filled = `${rows.toLocaleString('en')} tokens`
  return {
    servers: [
      { ...gatehouse, label: 'Gatehouse, empty' },
      filledGatehouse(rows),
      { ...floor, label: 'floor, empty' },
      {
        ...floor,
        id: 'floor-filled',
        label: `floor, ${filled}`,
        fill: ({ directory }) => fillFloor(join(directory, 'floor.db'), rows),
      },
    ],
    workloads: workloads.filter((workload) => workload === 'refresh' || workload === 'introspection'),
    bases: ['floor', 'gatehouse'],
    targets: filledTargets,
    coldStarts: false,
  }
}

/** Gatehouse on an empty PostgreSQL and on one of `rows` living tokens. */
export function onFullPostgres(rows: number, workloads: readonly Workload[]): Plan {
  return {
    servers: [
      { ...gatehouse, label: 'Gatehouse, empty', postgres: true },
      { ...filledGatehouse(rows), postgres: true },
    ],
    workloads: workloads.filter((workload) => workload === 'refresh' || workload === 'introspection'),
    bases: ['gatehouse'],
    targets: filledPostgresTargets,
    coldStarts: false,
  }
}

/** Each Gatehouse of a plan beside the same of a former build, and nothing else; several processes are left out. */
export function besideFormer(
  commit: string,
  { servers, workloads, targets, coldStarts }: Plan,
  directory: string,
): Plan {
  const own = servers.filter(({ id }) => id === 'gatehouse' || id === 'gatehouse-filled')
  const former = formerBuild(commit, directory)
  return {
    servers: own.flatMap((server) => [server, former(server)]),
    workloads,
    bases: own.flatMap(({ id }) => [id, `${id}-former`]),
    targets,
    coldStarts,
  }
}

/** Gatehouse and the floor on a disk whose every fsync takes so many milliseconds longer. */
export function onSlowDisk(milliseconds: number, directory: string, workloads: readonly Workload[]): Plan {
  const disk = delayedBy(milliseconds, directory)
  const slowed = (server: Server): Server => ({
    ...server,
    label: `${server.label}, fsync +${milliseconds} ms`,
    command(place) {
      const command = server.command(place)
      return { ...command, env: { ...command.env, ...disk } }
    },
  })
  return {
    servers: [gatehouse, floor].map(slowed),
    workloads: workloads.filter((workload) => workload === 'refresh'),
    introspectionDuringRefresh: workloads.includes('introspection'),
    bases: ['floor', 'gatehouse'],
    targets: slowDiskTargets,
    coldStarts: false,
  }
}
