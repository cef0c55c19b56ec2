// Where Gatehouse's main thread spends its time in each workload, by V8's sampling profiler.
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Workload } from './fixture.ts'
import { fullLoad, LoadGenerator } from './measure.ts'
import { type Server, start } from './server.ts'

type Profile = {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[]
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

/** Loads the server under the profiler, on a prepared directory, and lists what a request is spent on. */
export async function profile(server: Server, directory: string, workload: Workload): Promise<string> {
  const profiles = join(directory, 'profiles')
  rmSync(profiles, { recursive: true, force: true })
  mkdirSync(profiles)
  const flags = ['--cpu-prof', `--cpu-prof-dir=${profiles}`, '--cpu-prof-interval=500']
  const profiled: Server = {
    ...server,
    command(place) {
      const command = server.command(place)
      return { ...command, env: { ...command.env, NODE_OPTIONS: flags.join(' ') } }
    },
  }
  const running = await start(profiled, directory)
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
