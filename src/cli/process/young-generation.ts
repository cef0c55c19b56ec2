import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

/** Both halves of V8's young generation, in bytes: a larger one saves no CPU. */
const enough = 8 * 1_048_576
/** A process that used less in a second has nothing to gain, in microseconds. */
const idle = 50_000

const size = () => getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')!.space_size
const growBy = (factor: number) => setFlagsFromString(`--semi-space-growth-factor=${factor}`)

/**
 * Keeps the young generation of this process at 8 MB. Hardly anything in it outlives a request, so growing on to 32 MB, as V8
 * does by itself, costs memory and saves nothing. V8 takes the greatest size from the command line alone; while it runs it asks
 * by which factor to grow. That is 1, but for the moment in which it is made to grow from 2 MB, within a second of work and whenever it was made
 * small again after an idle time. Does nothing where the command line or NODE_OPTIONS give a size.
 */
export function holdYoungGeneration(): void {
  if (/semi[-_]space/.test([...process.execArgv, process.env.NODE_OPTIONS].join(' '))) return
  // Not while it starts: growing costs as much as the rest of a start.
  growBy(1)
  let before = process.cpuUsage()
  setInterval(() => {
    const { user, system } = process.cpuUsage(before)
    before = process.cpuUsage()
    if (user + system > idle) grow()
  }, 1_000).unref()
}

/** It grows when more than it holds has outlived a collection. */
function grow(): void {
  growBy(4)
  const kept: object[] = []
  while (size() < enough && kept.length < 400_000) for (let n = 0; n < 4_000; n++) kept.push({ n })
  growBy(1)
}
