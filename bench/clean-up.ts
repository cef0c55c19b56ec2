// Refresh beside the clean-up of a backlog and without it, and how many rows go meanwhile. Only one of the two servers runs at
// a time: the other one, with its database, is stopped by a signal for as long as a slice takes.
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { timeOrderedId } from '../src/crypto/ids.ts'
import { cpuPerThousand, fullLoad, interleave, LoadGenerator, median, pairedRatio } from './measure.ts'
import { processTree } from './process-tree.ts'
import { type Running, type Server, start } from './server.ts'
import { sinkFor } from './servers/fill-gatehouse.ts'
import { databaseFile, gatehouse } from './servers/gatehouse.ts'

const tables = ['access_tokens', 'refresh_tokens']

/** Tokens of each kind that expired within the last day. */
async function fillExpired(database: string, rows: number): Promise<void> {
  const sink = await sinkFor(database)
  const access = sink.into(
    'access_tokens',
    'id, hash, client_id, subject, scope, resources, created_at, expires_at',
  )
  const refresh = sink.into(
    'refresh_tokens',
    'id, hash, session_id, scope, resources, created_at, expires_at',
  )
  const begin = Date.now() - 86_400_000
  for (let row = 0; row < rows; row++) {
    const at = begin + Math.floor((row * 80_000_000) / rows)
    const [id, hash, resource] = [timeOrderedId(at), `expired-${row}`.padEnd(43, '-'), 'https://api.example']
    access.run(id, hash, 'expired', 'expired', 'jobs:read', resource, at - 900_000, at)
    refresh.run(id, hash, id, 'jobs:read', resource, at - 900_000, at)
    if (row % 5_000 === 0) await sink.pause()
  }
  await sink.end()
}

/** Counts what is left of the backlog. */
async function counter(database: string): Promise<{ left(): Promise<number>; end(): Promise<void> }> {
  const sum = tables
    .map((table) => `(select count(*) from ${table} where expires_at < ${Date.now()})`)
    .join(' + ')
  if (!database.startsWith('postgres')) {
    const db = new DatabaseSync(database, { readOnly: true })
    const count = db.prepare(`select ${sum} as count`)
    return { left: async () => Number(count.get()!.count), end: async () => db.close() }
  }
  const client = new pg.Client({ connectionString: database })
  await client.connect()
  return {
    left: async () => Number((await client.query(`select ${sum} as count`)).rows[0].count),
    end: () => client.end(),
  }
}

function signal({ roots }: Running, name: 'SIGSTOP' | 'SIGCONT') {
  for (const pid of roots.flatMap(processTree)) process.kill(pid, name)
}

/** Prints what refresh costs beside the clean-up, and what the clean-up does meanwhile. */
export async function beside(
  directoryOf: (id: string) => string,
  {
    rows,
    postgres,
    slices,
    milliseconds,
  }: { rows: number; postgres: boolean; slices: number; milliseconds: number },
): Promise<void> {
  const base: Server = postgres ? { ...gatehouse, postgres: true } : gatehouse
  const quiet: Server = {
    ...base,
    id: 'gatehouse-quiet',
    label: 'without clean-up',
    environment: { BENCH_JOBS: 'off' },
  }
  const cleaning: Server = {
    ...base,
    id: 'gatehouse-cleaning',
    label: 'beside clean-up',
    async fill({ directory, databaseUrl }) {
      await fillExpired(databaseUrl ?? databaseFile(directory), rows)
      return { refresh: [], introspection: [] }
    },
  }
  const running: Running[] = []
  const load = new LoadGenerator()
  try {
    for (const server of [quiet, cleaning]) {
      const directory = directoryOf(server.id)
      if (!postgres) await (await start({ ...server, fill: undefined }, directory)).stop()
      running.push(await start(server, directory))
    }
    const cleaner = running[1]!
    const backlog = await counter(cleaner.databaseUrl ?? databaseFile(directoryOf(cleaning.id)))
    for (const full = await backlog.left(); (await backlog.left()) >= full; ) await sleep(200)
    const removed: number[] = []
    const one = fullLoad(load, 'refresh', milliseconds)
    const measured = running.map(({ server, fixture, roots }) => ({ id: server.id, fixture, roots }))
    const slicesOf = await interleave(
      async (which) => {
        const [own, other] = which.id === quiet.id ? [running[0]!, cleaner] : [cleaner, running[0]!]
        signal(own, 'SIGCONT')
        const before = own === cleaner ? await backlog.left() : 0
        signal(other, 'SIGSTOP')
        const began = performance.now()
        const slice = await one(which)
        if (own === cleaner) {
          const after = await backlog.left()
          if (after > 0) removed.push(((before - after) / (performance.now() - began)) * 1_000)
        }
        return slice
      },
      measured,
      slices,
      () => {},
    )
    for (const each of running) signal(each, 'SIGCONT')
    const left = await backlog.left()
    await backlog.end()
    const [without, with_] = [slicesOf.get(quiet.id)!, slicesOf.get(cleaning.id)!]
    const rate = (all: typeof without) => median(all.map(({ count, seconds }) => count / seconds))
    const p99 = (slice: (typeof without)[number]) => slice.p99
    const ratio = (figure: (slice: (typeof without)[number]) => number) =>
      pairedRatio(with_, without, figure).toFixed(2)
    console.log(`refresh, ${rows} expired tokens of each kind, ${left} rows left at the end`)
    console.log(
      `without clean-up: ${rate(without).toFixed(0)} answers/s, p99 ${median(without.map(p99)).toFixed(1)} ms`,
    )
    console.log(
      `beside clean-up:  ${rate(with_).toFixed(0)} answers/s, p99 ${median(with_.map(p99)).toFixed(1)} ms`,
    )
    console.log(`p99 ÷ without: ${ratio(p99)}, cpu ÷ without: ${ratio(cpuPerThousand)}`)
    console.log(
      `rows removed a second: ${median(removed).toFixed(0)}, in ${removed.length} slices that had some left`,
    )
  } finally {
    load.stop()
    for (const each of running) {
      signal(each, 'SIGCONT')
      await each.stop()
    }
  }
}
