// The load generator: a process of its own, told over IPC which server to load with what and for how long.
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { chains, type Fixture, type StoredTokens, type Workload } from './fixture.ts'
import { type Step, startChain, Unexpected } from './load/chains.ts'
import { Connection } from './load/connection.ts'

export type LoadRequest = {
  fixture: Fixture
  workload: Workload
  milliseconds: number
  /** Requests a second over all chains, evenly spread; without it every chain sends the next at once. */
  perSecond?: number | undefined
  /** A JSON file of `StoredTokens` to walk through instead of fresh ones, shared out over the chains. */
  tokens?: string
}

export type LoadResult = {
  /** Right answers (flows where a workload is a code flow). */
  count: number
  seconds: number
  /** Milliseconds of each right answer, unsorted. */
  latencies: Float64Array
  errors: number
  /** The first unexpected answer, for the report. */
  firstError: string | undefined
  /** Share of one core the load generator itself used; near 1 it is what limits the throughput. */
  ownLoad: number
}

type Chain = { step: Step }
const started = new Map<string, Chain[]>()
const keyOf = (fixture: Fixture, workload: Workload) => `${fixture.ports[0]} ${workload}`

function storedTokens({ tokens, workload }: LoadRequest): string[] {
  if (!tokens || !(workload === 'refresh' || workload === 'introspection')) return []
  return (JSON.parse(readFileSync(tokens, 'utf8')) as StoredTokens)[workload]
}

async function chainsFor(request: LoadRequest, connections: Connection[]): Promise<Chain[]> {
  const { fixture, workload } = request
  const key = keyOf(fixture, workload)
  const known = started.get(key)
  if (known) return known
  const tokens = storedTokens(request)
  const fresh: Chain[] = []
  for (const [chain, connection] of connections.entries()) {
    const share = tokens.filter((_, index) => index % chains === chain)
    fresh.push({ step: await startChain(workload, fixture, chain, connection, share) })
  }
  started.set(key, fresh)
  return fresh
}

async function load(request: LoadRequest): Promise<LoadResult> {
  const { ports } = request.fixture
  const connections = Array.from({ length: chains }, (_, at) => new Connection(ports[at % ports.length]!))
  try {
    const all = await chainsFor(request, connections)
    process.send!('ready')
    await new Promise<void>((resolve) => process.once('message', () => resolve()))
    return await run(all, connections, request)
  } finally {
    for (const connection of connections) connection.close()
  }
}

/**
 * When the requests of one chain are to be sent. One whose predecessor is late counts from when it was due: what waits
 * behind a stall has to be seen in the latencies.
 */
function turns(perSecond: number, start: number, index: number): () => Promise<number> {
  const gap = (chains / perSecond) * 1000
  let due = start + (gap * index) / chains
  return async () => {
    const early = due - performance.now()
    const late = due
    due += gap
    if (early <= 0) return late
    await sleep(early)
    return performance.now()
  }
}

async function run(all: Chain[], connections: Connection[], request: LoadRequest): Promise<LoadResult> {
  const latencies: number[] = []
  let errors = 0
  let firstError: string | undefined
  const cpu = process.cpuUsage()
  const start = performance.now()
  const end = start + request.milliseconds
  await Promise.all(
    all.map(async (chain, index) => {
      const connection = connections[index]!
      const turn = request.perSecond ? turns(request.perSecond, start, index) : undefined
      for (let at = start; at < end; ) {
        const before = turn ? await turn() : performance.now()
        try {
          await chain.step(connection)
          at = performance.now()
          latencies.push(at - before)
        } catch (error) {
          errors += 1
          firstError ??= String(error)
          if (!(error instanceof Unexpected)) throw error
          started.delete(keyOf(request.fixture, request.workload))
          return
        }
      }
    }),
  )
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(cpu)
  const ownLoad = (user + system) / 1e6 / seconds
  return {
    count: latencies.length,
    seconds,
    latencies: Float64Array.from(latencies),
    errors,
    firstError,
    ownLoad,
  }
}

process.on('message', async (message: LoadRequest | 'go' | 'stop') => {
  if (message === 'stop') process.disconnect()
  if (typeof message === 'string') return
  try {
    process.send!(await load(message))
  } catch (error) {
    process.send!({ failed: String(error) })
  }
})
