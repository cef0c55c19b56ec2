import { parseArgs } from 'node:util'
import { type Workload, workloads } from './fixture.ts'
import { peerIds } from './plans.ts'

export const usage = `npm run bench -- [options]

  --only <workload>     one of ${workloads.join(', ')}; may be repeated
  --peers <ids>         which servers run beside Gatehouse, comma-separated:
                        ${peerIds.join(', ')}; default all
  --postgres            Gatehouse on PostgreSQL with 1, 2 and 4 processes beside two floors on PostgreSQL
  --rows <n>            refresh and introspection on a database of so many living tokens and on an empty one;
                        with --postgres on PostgreSQL
  --against <commit>    beside the same of a former build, and nothing else; goes with --postgres, --rows or neither
  --slow-disk <ms>      refresh, and introspection during refresh, on a disk whose every fsync takes so much longer
  --clean-up <n>        refresh beside the clean-up of so many expired tokens of each kind and without it, and how many
                        rows go meanwhile; goes with --postgres
  --steady <seconds>    1,000 refreshes a second for so long, and the memory of the process; goes with --postgres
  --entries <n>         n starts of a program that imports the API's entry, beside Node alone; goes with --against
  --slices <n>          slices a server and workload, interleaved A B B A; default 8
  --milliseconds <n>    length of a slice; default 1000
  --quick               two slices of 400 ms and one cold start: a look, not a measurement
  --profile             afterwards, where Gatehouse's time goes in each workload and in a start
  --json <file>         write every figure as JSON
  --markdown <file>     write the tables as Markdown
  --help                print this`

export type Options = {
  only: Workload[]
  peers: string[]
  postgres: boolean
  rows: number | undefined
  against: string | undefined
  slowDisk: number | undefined
  cleanUp: number | undefined
  steady: number | undefined
  entries: number | undefined
  slices: number
  milliseconds: number
  coldStarts: number
  profile: boolean
  json: string | undefined
  markdown: string | undefined
}

/** A command line that cannot be run; `run.ts` prints it and exits with 2. */
export class UsageError extends Error {}

function count(name: string, given: string | undefined, otherwise: number, atLeast: number): number {
  if (given === undefined) return otherwise
  const value = Number(given)
  if (Number.isInteger(value) && value >= atLeast) return value
  throw new UsageError(
    `--${name}: ${given} is not a whole number of ${atLeast} or more, for example --${name} ${otherwise}`,
  )
}

function workloadNamed(name: string): Workload {
  const found = workloads.find((workload) => workload === name)
  if (found) return found
  throw new UsageError(`--only: ${name} is not one of ${workloads.join(', ')}`)
}

function peerNamed(id: string): string {
  if (peerIds.includes(id)) return id
  throw new UsageError(`--peers: ${id} is not one of ${peerIds.join(', ')}`)
}

/** Reads the command line; undefined when only help was asked for. */
export function readOptions(args: string[]): Options | undefined {
  let given: ReturnType<typeof parse>
  try {
    given = parse(args)
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
  if (given.help) return undefined
  const others = (['postgres', 'rows', 'slow-disk'] as const).filter((name) => given[name])
  if (given['slow-disk'] && others.length > 1) {
    throw new UsageError(`--${others.join(' and --')} are different measurements: give one`)
  }
  if (given.against && given['slow-disk']) throw new UsageError('--against does not go with --slow-disk')
  if (given.against && given.peers) throw new UsageError('--against measures no peers: leave --peers out')
  if (given.profile && others.length > 0) throw new UsageError(`--profile does not go with --${others[0]}`)
  if (given.peers && others.length > 0) {
    throw new UsageError(`--peers does not go with --${others[0]}, which has floors of its own`)
  }
  const alone = (['clean-up', 'steady'] as const).filter((name) => given[name])
  const beside = [...alone, ...(['rows', 'slow-disk', 'against', 'profile', 'peers'] as const)].filter(
    (name) => given[name],
  )
  if (alone.length > 0 && beside.length > 1)
    throw new UsageError(`--${alone[0]} does not go with --${beside[1]}`)
  const quick = given.quick === true
  return {
    only: given.only ? given.only.map(workloadNamed) : [...workloads],
    peers: given.peers?.split(',').filter(Boolean).map(peerNamed) ?? peerIds,
    postgres: given.postgres === true,
    rows: given.rows === undefined ? undefined : count('rows', given.rows, 1_000_000, 1000),
    against: given.against,
    slowDisk: given['slow-disk'] === undefined ? undefined : count('slow-disk', given['slow-disk'], 2, 1),
    cleanUp:
      given['clean-up'] === undefined ? undefined : count('clean-up', given['clean-up'], 1_000_000, 1000),
    steady: given.steady === undefined ? undefined : count('steady', given.steady, 3600, 5),
    entries: given.entries === undefined ? undefined : count('entries', given.entries, 15, 1),
    slices: count('slices', given.slices, quick ? 2 : 8, 2),
    milliseconds: count('milliseconds', given.milliseconds, quick ? 400 : 1000, 100),
    coldStarts: quick ? 1 : 5,
    profile: given.profile === true,
    json: given.json,
    markdown: given.markdown,
  }
}

function parse(args: string[]) {
  return parseArgs({
    args,
    options: {
      only: { type: 'string', multiple: true },
      peers: { type: 'string' },
      postgres: { type: 'boolean' },
      rows: { type: 'string' },
      against: { type: 'string' },
      'slow-disk': { type: 'string' },
      'clean-up': { type: 'string' },
      steady: { type: 'string' },
      entries: { type: 'string' },
      slices: { type: 'string' },
      milliseconds: { type: 'string' },
      quick: { type: 'boolean' },
      profile: { type: 'boolean' },
      json: { type: 'string' },
      markdown: { type: 'string' },
      help: { type: 'boolean' },
    },
  }).values
}
