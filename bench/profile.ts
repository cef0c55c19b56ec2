// Where Gatehouse's main thread spends its time in each workload, by V8's sampling profiler.
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Workload } from './fixture.ts'
import { fullLoad, LoadGenerator } from './measure.ts'
import { coldStart, type Server, start } from './server.ts'

type Profile = {
  nodes: {
    id: number
    callFrame: { functionName: string; url: string; lineNumber: number }
    children?: number[]
  }[]
  samples: number[]
  timeDeltas: number[]
}

const shown = 25

/** Shares of busy time by function, the dearest first, of the busiest thread whose profile a directory holds. */
function dearest(directory: string): [where: string, share: number][] {
  let best: [string, number][] = []
  let most = 0
  for (const file of readdirSync(directory)) {
    const profile = JSON.parse(readFileSync(join(directory, file), 'utf8')) as Profile
    const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]))
    const self = new Map<string, number>()
    let busy = 0
    for (const [at, id] of profile.samples.entries()) {
      const name = names.get(id)!
      const time = profile.timeDeltas[at]!
      if (name === '(idle)') continue
      busy += time
      self.set(name, (self.get(name) ?? 0) + time)
    }
    if (busy <= most) continue
    most = busy
    best = [...self].map(([name, time]) => [name, time / busy])
  }
  return best.sort((a, b) => b[1] - a[1])
}

function nameOf({ functionName, url, lineNumber }: Profile['nodes'][number]['callFrame']): string {
  const file = url.replace(/^.*\/(build|node_modules)\//, '')
  const name = functionName || '(anonymous)'
  return file ? `${name} ${file}:${lineNumber + 1}` : name
}

function profiled(server: Server, directory: string, interval: number): { server: Server; profiles: string } {
  const profiles = join(directory, 'profiles')
  rmSync(profiles, { recursive: true, force: true })
  mkdirSync(profiles)
  const flags = ['--cpu-prof', `--cpu-prof-dir=${profiles}`, `--cpu-prof-interval=${interval}`]
  return {
    profiles,
    server: {
      ...server,
      command(place) {
        const command = server.command(place)
        return { ...command, env: { ...command.env, NODE_OPTIONS: flags.join(' ') } }
      },
    },
  }
}

/** Loads the server under the profiler, on a prepared directory, and lists what a request is spent on. */
export async function profile(server: Server, directory: string, workload: Workload): Promise<string> {
  const { server: watched, profiles } = profiled(server, directory, 500)
  const running = await start(watched, directory)
  const load = new LoadGenerator()
  try {
    const measured = { id: server.id, fixture: running.fixture, roots: running.roots }
    const slice = fullLoad(load, workload, 1000)
    for (let nth = 0; nth < 4; nth += 1) await slice(measured)
  } finally {
    load.stop()
    await running.stop()
  }
  const lines = dearest(profiles).slice(0, shown)
  return lines.map(([where, share]) => `${(share * 100).toFixed(1).padStart(5)} %  ${where}`).join('\n')
}

const startsProfiled = 5

/** Milliseconds of a start until its first token, by what Node works on: the median of several starts. */
export async function profileStart(server: Server, directory: string): Promise<string> {
  const { server: watched, profiles } = profiled(server, directory, 200)
  for (let nth = 0; nth < startsProfiled; nth += 1) await coldStart(watched, directory)
  const starts = readdirSync(profiles).map((file) =>
    startParts(JSON.parse(readFileSync(join(profiles, file), 'utf8')) as Profile),
  )
  const names = [...new Set(starts.flatMap((parts) => [...parts.keys()]))]
  const middle = (name: string) => {
    const times = starts.map((parts) => parts.get(name) ?? 0).sort((a, b) => a - b)
    return times[times.length >> 1]!
  }
  return names
    .map((name) => [name, middle(name)] as const)
    .filter(([, time]) => time >= 1)
    .sort((a, b) => b[1] - a[1])
    .map(([name, time]) => `${time.toFixed(0).padStart(5)} ms  ${name}`)
    .join('\n')
}

/** Node's own modules being loaded count as such, whoever asked for them; the rest counts for the nearest file of ours. */
function startParts({ nodes, samples, timeDeltas }: Profile): Map<string, number> {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])))
  const parts = new Map<string, number>()
  for (const [at, id] of samples.entries()) {
    const part = partOf(id)
    if (part !== '(idle)') parts.set(part, (parts.get(part) ?? 0) + timeDeltas[at]! / 1_000)
  }
  return parts

  function partOf(sample: number): string {
    const { functionName } = frames.get(sample)!
    if (functionName.startsWith('(') && functionName !== '(root)') return functionName
    let own: string | undefined
    for (let id: number | undefined = sample; id !== undefined; id = parents.get(id)) {
      const frame = frames.get(id)!
      if (frame.functionName === 'compileForInternalLoader') return 'modules of Node itself'
      own ??= /\/(?:build|node_modules)\/((?:@[^/]+\/)?[^/]+)/.exec(frame.url)?.[1]
    }
    return own ?? 'Node, and loading our files'
  }
}
