// A steady load for as long as one likes, and the memory of the server meanwhile: what is held for ever shows as a slope.
import type { Workload } from './fixture.ts'
import { cpuPerThousand, fullLoad, LoadGenerator } from './measure.ts'
import { memoryMegabytes } from './process-tree.ts'
import { type Server, start } from './server.ts'

const workload: Workload = 'refresh'
const perSecond = 1_000
const lines = 60

/** Loads a prepared server and prints a line now and then; the last one is the slope of the second half. */
export async function steady(server: Server, directory: string, seconds: number): Promise<void> {
  const running = await start(server, directory)
  const load = new LoadGenerator()
  try {
    const measured = { id: server.id, fixture: running.fixture, roots: running.roots }
    const process = running.roots.at(-1)!
    const milliseconds = Math.max(5_000, (seconds * 1_000) / lines)
    const slice = fullLoad(load, workload, milliseconds, perSecond)
    console.log(`${workload}, ${perSecond} a second\n\n      s  MB of the process  answers/s  cpu/1k  p99 ms`)
    const points: [hours: number, megabytes: number][] = []
    const began = performance.now()
    for (let passed = 0; passed < seconds; ) {
      const done = await slice(measured)
      passed = (performance.now() - began) / 1_000
      const megabytes = memoryMegabytes([process])
      points.push([passed / 3_600, megabytes])
      const cells = [passed.toFixed(0), megabytes.toFixed(0), (done.count / done.seconds).toFixed(0)]
      cells.push(cpuPerThousand(done).toFixed(3), done.p99.toFixed(1))
      console.log(cells.map((cell, at) => cell.padStart([7, 17, 9, 6, 6][at]!)).join('  '))
      if (done.errors > 0) throw new Error(`${done.errors} wrong answers, first: ${done.firstError}`)
    }
    const later = points.slice(points.length >> 1)
    console.log(`\nin the second half ${slope(later).toFixed(1)} MB an hour`)
  } finally {
    load.stop()
    await running.stop()
  }
}

/** Of the straight line that fits best. */
function slope(points: [x: number, y: number][]): number {
  const mean = (at: 0 | 1) => points.reduce((sum, point) => sum + point[at], 0) / points.length
  const [x, y] = [mean(0), mean(1)]
  const along = points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0)
  return points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0) / along
}
