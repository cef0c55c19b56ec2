// npm run bench: Gatehouse beside the floor and its peers, interleaved on this machine. See options.ts.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beside } from './clean-up.ts'
import { measureEntries } from './entries.ts'
import { plainOf, serves } from './fixture.ts'
import { fullLoad, interleave, introspectionDuringRefresh, LoadGenerator, type Measured } from './measure.ts'
import { type Options, readOptions, UsageError, usage } from './options.ts'
import {
  besideFormer,
  besidePeers,
  onFullDatabase,
  onFullPostgres,
  onPostgres,
  onSlowDisk,
  type Plan,
} from './plans.ts'
import { measurable, memoryMegabytes } from './process-tree.ts'
import { profile, profileStart } from './profile.ts'
import {
  environment,
  type Measurement,
  markdown,
  measurement,
  type Report,
  type Resources,
  remarks,
  resourceText,
  titleOf,
  workloadText,
} from './report.ts'
import { coldStart, killAll, type Running, type Server, start } from './server.ts'
import { gatehouse } from './servers/gatehouse.ts'
import { steady } from './steady.ts'
import { warm } from './warm.ts'

const root = join(import.meta.dirname, '..')

/** One line on stderr, overwritten on a terminal, so that stdout holds nothing but the tables. */
function progress(text: string) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}

function installPeers() {
  if (existsSync(join(import.meta.dirname, 'node_modules'))) return
  console.error('Installing the peers: npm ci in bench/')
  const stdio = ['ignore', 2, 2] as ['ignore', 2, 2]
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: import.meta.dirname, stdio })
  if (status !== 0) throw new Error('npm ci in bench/ failed')
}

function planOf(options: Options, directory: string): Plan {
  const plan = modeOf(options, directory)
  return options.against === undefined ? plan : besideFormer(options.against, plan, directory)
}

function modeOf({ postgres, rows, slowDisk, peers, only }: Options, directory: string): Plan {
  if (postgres) return rows === undefined ? onPostgres(only) : onFullPostgres(rows, only)
  if (rows !== undefined) return onFullDatabase(rows, only)
  if (slowDisk !== undefined) return onSlowDisk(slowDisk, directory, only)
  return besidePeers(peers, only)
}

/** Prepares each server's directory, then starts each on it several times, in turn. */
async function coldStarts(
  servers: Server[],
  directory: string,
  times: number,
): Promise<Map<string, number[]>> {
  const measured = new Map<string, number[]>(servers.map(({ id }) => [id, []]))
  for (const server of servers) {
    progress(`preparing ${server.id}`)
    await prepare(server, join(directory, server.id))
  }
  for (let time = 0; time < times; time += 1) {
    for (const server of servers) {
      progress(`cold start ${time + 1} of ${times}, ${server.id}`)
      measured.get(server.id)!.push(await coldStart(server, join(directory, server.id)))
    }
  }
  return measured
}

async function prepare(server: Server, directory: string) {
  const running = await start(server, directory)
  await running.stop()
}

async function measureAll(options: Options, plan: Plan, directory: string): Promise<Report> {
  const report: Report = {
    environment: environment(options.slices, options.milliseconds),
    workloads: [],
    resources: [],
  }
  const cold = plan.coldStarts ? await coldStarts(plan.servers, directory, options.coldStarts) : undefined
  const running: Running[] = []
  const measured: Measured[] = []
  const load = new LoadGenerator()
  const second = plan.introspectionDuringRefresh ? new LoadGenerator() : undefined
  try {
    for (const server of plan.servers) {
      const own = join(directory, server.id)
      progress(`starting ${server.id}`)
      // Prepared by a process of its own, so that what preparing took is not counted as idle memory.
      if (!cold && !server.postgres) await prepare(server, own)
      if (server.fill) progress(`filling and starting ${server.id}`)
      const started = await start(server, own)
      running.push(started)
      const { fixture, roots, tokens } = started
      measured.push({ id: server.id, fixture, roots, tokens })
    }
    await sleep(1000)
    const memory = (each: Measured) => (measurable ? memoryMegabytes(each.roots) : Number.NaN)
    const idle = measured.map(memory)
    const { slices, milliseconds } = options
    const add = (figures: Measurement) => {
      report.workloads.push(figures)
      progress('')
      console.log(`\n${titleOf(figures)}\n\n${workloadText(figures)}`)
    }
    for (const workload of plan.workloads) {
      const one = fullLoad(load, workload, milliseconds)
      const of = (text: string) => progress(`${workload}: ${text}`)
      for (const each of running) await warm(each, join(directory, each.server.id))
      const able = measured.filter(({ fixture }) => serves(fixture, workload))
      const plain = report.workloads.find((each) => each.workload === plainOf[workload])
      add(measurement(workload, plan, await interleave(one, able, slices, of), { plain }))
    }
    if (second) {
      const both = introspectionDuringRefresh(second, load, milliseconds)
      const of = (text: string) => progress(`introspection during refresh: ${text}`)
      const slicesOfBoth = await interleave(both, measured, slices, of)
      add(measurement('introspection', plan, slicesOfBoth, { during: 'refresh' }))
    }
    report.resources = plan.servers.map(({ id, label, postgres = false }, at): Resources => {
      const [idleMegabytes, loadMegabytes] = [idle[at]!, memory(measured[at]!)]
      return { id, label, postgres, idleMegabytes, loadMegabytes, coldStarts: cold?.get(id) ?? [] }
    })
    console.log(`\nmemory\n\n${resourceText(report.resources)}`)
    return report
  } finally {
    load.stop()
    second?.stop()
    for (const { stop } of running) await stop()
  }
}

async function bench(options: Options): Promise<number> {
  mkdirSync(join(root, 'tmp'), { recursive: true })
  const directory = mkdtempSync(join(root, 'tmp', 'bench-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  try {
    const { postgres, cleanUp, steady: seconds } = options
    if (cleanUp !== undefined) {
      await beside((id) => join(directory, id), { ...options, rows: cleanUp })
      return 0
    }
    if (seconds !== undefined) {
      const server = postgres ? { ...gatehouse, postgres } : gatehouse
      if (!postgres) await prepare(server, join(directory, server.id))
      await steady(server, join(directory, server.id), seconds)
      return 0
    }
    if (options.entries !== undefined) {
      measureEntries(join(directory, 'entries'), options.entries, options.against)
      return 0
    }
    const plan = planOf(options, directory)
    if (plan.packages) installPeers()
    const report = await measureAll(options, plan, directory)
    for (const remark of remarks(report)) console.log(`! ${remark}`)
    for (const workload of options.profile ? plan.workloads : []) {
      progress(`profiling ${workload}`)
      const lines = await profile(gatehouse, join(directory, gatehouse.id), workload)
      progress('')
      console.log(`\nwhere the time goes: ${workload}\n\n${lines}`)
    }
    if (options.profile) {
      progress('profiling a start')
      const lines = await profileStart(gatehouse, join(directory, gatehouse.id))
      progress('')
      console.log(`\nwhere the time goes: a start\n\n${lines}`)
    }
    if (options.json) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`)
    if (options.markdown) writeFileSync(options.markdown, markdown(report))
    return report.workloads.some(({ rows }) => rows.some(({ errors }) => errors > 0)) ? 1 : 0
  } finally {
    killAll()
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

try {
  const options = readOptions(process.argv.slice(2))
  if (options) process.exitCode = await bench(options)
  else console.log(usage)
} catch (error) {
  progress('')
  if (error instanceof UsageError) console.error(`${error.message}\n\n${usage}`)
  else console.error(error)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
