// npm run bench: Gatehouse beside the floor and its peers, interleaved on this machine. See options.ts.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { interleave, LoadGenerator, type Measured } from './measure.ts'
import { type Options, readOptions, UsageError, usage } from './options.ts'
import { measurable, memoryMegabytes } from './process-tree.ts'
import {
  environment,
  markdown,
  type Report,
  type Resources,
  remarks,
  resourceTable,
  rowsOf,
  workloadTable,
} from './report.ts'
import { coldStart, killAll, type Running, type Server, start } from './server.ts'
import { servers } from './servers.ts'

const root = join(import.meta.dirname, '..')
const terminal = process.stderr.isTTY

/** One line on stderr, overwritten on a terminal, so that stdout holds nothing but the tables. */
function progress(text: string) {
  if (terminal) process.stderr.write(`\r\x1b[K${text}`)
}

function installPeers() {
  if (existsSync(join(import.meta.dirname, 'node_modules'))) return
  console.error('Installing the peers: npm ci in bench/')
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 2, 2],
  })
  if (status !== 0) throw new Error('npm ci in bench/ failed')
}

function chosen({ peers }: Options): Server[] {
  const known = servers.map(({ id }) => id).filter((id) => id !== 'gatehouse')
  for (const id of peers ?? []) {
    if (!known.includes(id)) throw new UsageError(`--peers: ${id} is not one of ${known.join(', ')}`)
  }
  return servers.filter(({ id }) => id === 'gatehouse' || (peers?.includes(id) ?? true))
}

/** Prepares each server's directory, then starts each on it several times, in turn. */
async function coldStarts(
  chosen: Server[],
  directory: string,
  times: number,
): Promise<Map<string, number[]>> {
  const measured = new Map<string, number[]>(chosen.map(({ id }) => [id, []]))
  for (const server of chosen) {
    progress(`preparing ${server.id}`)
    const running = await start(server, join(directory, server.id))
    await running.stop()
  }
  for (let time = 0; time < times; time += 1) {
    for (const server of chosen) {
      progress(`cold start ${time + 1} of ${times}, ${server.id}`)
      measured.get(server.id)!.push(await coldStart(server, join(directory, server.id)))
    }
  }
  return measured
}

async function measureAll(options: Options, chosen: Server[], directory: string): Promise<Report> {
  const report: Report = {
    environment: environment(options.slices, options.milliseconds),
    workloads: [],
    resources: [],
  }
  const cold = await coldStarts(chosen, directory, options.coldStarts)
  const running: Running[] = []
  const load = new LoadGenerator()
  try {
    for (const server of chosen) running.push(await start(server, join(directory, server.id)))
    await sleep(1000)
    const resources: Resources[] = running.map(({ server, pid }) => ({
      id: server.id,
      label: server.label,
      idleMegabytes: measurable ? memoryMegabytes([pid]) : Number.NaN,
      loadMegabytes: Number.NaN,
      coldStarts: cold.get(server.id)!,
    }))
    const measured: Measured[] = running.map(({ server, fixture, pid }) => ({
      id: server.id,
      fixture,
      roots: [pid],
    }))
    for (const workload of options.only) {
      const slices = await interleave(load, measured, workload, { ...options, progress })
      const rows = rowsOf(workload, chosen, slices)
      report.workloads.push({ workload, rows })
      progress('')
      console.log(`\n${workload}\n${workloadTable(rows)}`)
    }
    for (const [at, { pid }] of running.entries()) {
      if (measurable) resources[at]!.loadMegabytes = memoryMegabytes([pid])
    }
    report.resources = resources
    console.log(`\nmemory and cold start\n${resourceTable(resources)}`)
    return report
  } finally {
    load.stop()
    for (const { stop } of running) await stop()
  }
}

async function bench(options: Options): Promise<number> {
  const running = chosen(options)
  installPeers()
  mkdirSync(join(root, 'tmp'), { recursive: true })
  const directory = mkdtempSync(join(root, 'tmp', 'bench-'))
  try {
    const report = await measureAll(options, running, directory)
    for (const remark of remarks(report)) console.log(`! ${remark}`)
    if (options.json) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`)
    if (options.markdown) writeFileSync(options.markdown, markdown(report))
    return report.workloads.some(({ rows }) => rows.some(({ errors }) => errors > 0)) ? 1 : 0
  } finally {
    killAll()
    rmSync(directory, { recursive: true, force: true })
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
