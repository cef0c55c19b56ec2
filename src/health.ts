import type { Core } from './core.ts'
import { findSchemaStep, newestStep } from './db/health.ts'
import { type Answer, type Incoming, json } from './http/message.ts'
import { jsonRefusal } from './http/refusal.ts'
import type { Route } from './http/route.ts'

export const healthPaths = { live: '/livez', ready: '/readyz' } as const

/** One thing without which the process should not be sent requests. `ok` is looked at each time. */
export interface Probe {
  readonly name: string
  readonly ok: boolean
}

/** Without a key that signs there is nothing to issue. */
export function keyProbe(keys: { list(): readonly { state: string }[] }): Probe {
  return {
    name: 'keys',
    get ok() {
      return keys.list().some((key) => key.state === 'signs')
    },
  }
}

/** Whether the process runs, and whether it should be sent requests. */
export interface Health {
  live(): Answer
  ready(): Promise<Answer>
  /** What keeps the process from being ready; empty where nothing does. */
  failing(): Promise<string[]>
  /** The process is about to end: not ready from now on. */
  stopping(so: boolean): void
  /** Lets the next look be a fresh one. */
  forget(): void
}

/** What was found is shared for so long, and a read may take so long, in milliseconds. */
const [shared, patience] = [1_000, 1_000]
/** A read that was never answered is given up after so long, and another one sent. */
const givenUp = 10_000

type Needs = Pick<Core, 'db' | 'log'>

/** Looks at the database, the schema and the storage itself, and at every probe. */
export function openHealth({ db, log }: Needs, probes: readonly Probe[]): Health {
  const version = newestStep()
  let isStopping = false
  let found: { failing: Promise<string[]>; until: number } | undefined
  let reading: { outcome: Promise<string | undefined>; since: number } | undefined
  let said = false

  /** At most one read is under way, so that looks do not pile up before a database that is silent. */
  function read(): Promise<string | undefined> {
    const now = performance.now()
    if (reading && now - reading.since < givenUp) return reading.outcome
    const outcome = db
      .one(findSchemaStep, { version })
      .then((step) => (step === undefined ? 'schema' : undefined))
      .catch(() => 'database')
      .finally(() => {
        if (reading?.outcome === outcome) reading = undefined
      })
    reading = { outcome, since: now }
    return outcome
  }

  async function look(): Promise<string[]> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(resolve, patience, 'database')
    })
    const storage = await Promise.race([read(), late]).finally(() => clearTimeout(timer))
    const failing = [
      ...(storage === undefined ? [] : [storage]),
      ...(db.broken?.() === undefined ? [] : ['storage']),
      ...probes.filter((probe) => !probe.ok).map((probe) => probe.name),
    ]
    if (failing.length > 0 !== said) {
      said = failing.length > 0
      if (said) log.warn('not ready', { failing: failing.join(' ') })
      else log.info('ready again')
    }
    return failing
  }

  async function failing(): Promise<string[]> {
    if (isStopping) return ['stopping']
    const now = performance.now()
    if (!found || now > found.until) {
      const fresh = { failing: look(), until: Number.POSITIVE_INFINITY }
      found = fresh
      void fresh.failing.then(() => {
        fresh.until = performance.now() + shared
      })
    }
    return found.failing
  }

  return {
    live,
    failing,
    async ready() {
      const found = await failing()
      return found.length === 0 ? json(200, { status: 'ready' }) : notReady(found)
    },
    stopping(so) {
      isStopping = so
    },
    forget() {
      found = undefined
    },
  }
}

/** Asked every few seconds by machines: no line in the log for each. */
export function healthRoutes(health: Health): Route[] {
  const route = (path: string, run: Route['run']): Route => ({
    methods: ['GET', 'HEAD'],
    path,
    outside: true,
    timeless: true,
    quiet: true,
    run,
    refused: (_, refusal) => jsonRefusal(refusal),
  })
  return [route(healthPaths.live, health.live), route(healthPaths.ready, health.ready)]
}

/** What both addresses answer before there is an app; undefined for any other request. */
export function whileStarting({ path, method }: Pick<Incoming, 'path' | 'method'>): Answer | undefined {
  if (method !== 'GET' && method !== 'HEAD') return undefined
  if (path === healthPaths.live) return live()
  return path === healthPaths.ready ? notReady(['starting']) : undefined
}

function live(): Answer {
  return json(200, { status: 'live' })
}

function notReady(failing: string[]): Answer {
  return json(503, { status: 'not ready', failing }, { 'retry-after': '1' })
}
