import type { Accounts, AccountsContext } from './accounts/account.ts'
import { cleanUpAccounts } from './accounts/clean-up.ts'
import { localAccounts } from './accounts/local.ts'
import { accountRoutes } from './accounts/routes.ts'
import { secretReplacement } from './config/secret-replacement.ts'
import type { Options } from './config/section.ts'
import { type Config, resolveConfig } from './config.ts'
import { cleanUpCounters, openCounters } from './db/counters.ts'
import { settledWithin } from './deadline.ts'
import { cleanUpEvents } from './events/clean-up.ts'
import { type Health, healthRoutes, keyProbe, openHealth } from './health.ts'
import { openDispatch } from './http/dispatch.ts'
import { openOutbound, type Resolve } from './http/guarded-fetch.ts'
import type { Answer, Incoming } from './http/message.ts'
import type { Route } from './http/route.ts'
import { cleanUp } from './jobs/clean-up.ts'
import { flushEvery } from './jobs/flush.ts'
import type { CleanUpStep, Job } from './jobs/job.ts'
import { startScheduler } from './jobs/scheduler.ts'
import { whileTimeIsKnown } from './jobs/trusted-time.ts'
import { pendingRequest } from './oauth/authorization/pending-request.ts'
import { cleanUpOauth } from './oauth/clean-up.ts'
import { activityFlushEvery } from './oauth/clients/activity.ts'
import { frameFor, homeRoute, notFound } from './oauth/home.ts'
import { oauthJobs } from './oauth/jobs.ts'
import { openServer } from './oauth/open.ts'
import { oauthRoutes } from './oauth/routes.ts'
import type { Server } from './oauth/server.ts'
import { type CoreOptions, openCore } from './open-core.ts'
import { branding } from './pages/branding.ts'
import type { Settings } from './settings.ts'

/** What a domain adds to the server. */
interface Domain {
  /** Its options, by their names in the configuration. */
  options?: Options
  routes?(server: Server, beside: { accounts: Accounts; health: Health }): readonly Route[]
  /** What runs beside the requests, in one process at a time. */
  jobs?(server: Server): readonly Job[]
  /** One step per table that grows with use. */
  cleanUp?(server: Server): Record<string, CleanUpStep>
}

/** Every domain, in the order in which their routes are looked for. */
const domains: readonly Domain[] = [
  { routes: oauthRoutes, jobs: oauthJobs, cleanUp: cleanUpOauth },
  { routes: (_, { health }) => healthRoutes(health) },
  { routes: (server, { accounts }) => accountRoutes(server, accounts), cleanUp: cleanUpAccounts },
  { cleanUp: cleanUpEvents },
  { cleanUp: ({ db, now }) => cleanUpCounters(db, now) },
  { routes: (server, { accounts }) => [homeRoute(server, accounts)] },
]

/** The options of domains that declare them beside their code. */
export const domainOptions: Options = Object.assign({}, ...domains.map(({ options }) => options))

/** Checks a configuration and fills in its defaults. Throws `ConfigError` with all problems at once. */
export function readConfig(config: Config): Settings {
  return resolveConfig(config, domainOptions)
}

/** The server, wired: what `index.ts` makes public and the CLI drives. */
export interface App {
  readonly settings: Settings
  readonly server: Server
  readonly accounts: Accounts
  answer(request: Incoming): Promise<Answer>
  /** The process is about to end, or after all it is not: fails `/readyz` at once. */
  stopping(so?: boolean): void
  readonly health: Health
  /**
   * Takes other root secrets while serving, newest first. They verify at once; the newest seals and derives only after
   * `settle` milliseconds, when every process that was told at the same time knows it too. Throws `ConfigError`.
   */
  replaceSecrets(secrets: readonly string[], settle?: number): Promise<void>
  close(): Promise<void>
}

export interface AppOptions extends CoreOptions {
  /** Finds the addresses of a host that somebody else chose. */
  resolve?: Resolve
}

/** How long jobs and counts may take to come to an end when the app is closed, in milliseconds. */
const closeLimit = 10_000

export async function openApp(config: Config, options: AppOptions = {}): Promise<App> {
  const settings = readConfig(config)
  const looks = branding(settings.pages)
  const { core, close } = await openCore(settings, options)
  try {
    const counters = openCounters(core.db, core.now)
    const frame = frameFor(settings, looks, () => accounts)
    const waitingFor: AccountsContext['waitingFor'] = (address) => pendingRequest(server, address)
    const { accounts: given = localAccounts() } = config
    const accounts = typeof given === 'function' ? given({ ...core, counters, frame, waitingFor }) : given
    const outbound = openOutbound(settings.outbound, options.resolve)
    const server = await openServer({ ...core, counters, outbound, frame }, accounts)
    return wire(server, accounts, close)
  } catch (error) {
    await close().catch(() => {})
    throw error
  }
}

function wire(server: Server, accounts: Accounts, closeCore: () => Promise<void>): App {
  const { settings, log, clock } = server
  const health = openHealth(server, [clock, keyProbe(server.keys)])
  const routes = domains.flatMap((domain) => domain.routes?.(server, { accounts, health }) ?? [])
  const { cors, forwardedHeader } = settings
  const timeIsKnown = () => clock.ok
  const flushing = flushEvery(activityFlushEvery, [server.activity, server.counters], log)
  const jobs = settings.jobs ? jobsOf(server).map((job) => whileTimeIsKnown(clock, job)) : undefined
  const scheduler = jobs && startScheduler(server, jobs)
  const replacement = secretReplacement(server, () => server.keys.reseal())
  return {
    settings,
    server,
    accounts,
    answer: openDispatch({ routes, otherwise: notFound(server), cors, forwardedHeader, log, timeIsKnown }),
    stopping: (so = true) => health.stopping(so),
    health,
    replaceSecrets: (given, settle = 3_000) => replacement.replace(given, settle),
    async close() {
      replacement.abort()
      flushing.stop()
      clock.close()
      server.outbound.close()
      const ended = Promise.all([replacement.done(), scheduler?.close()]).then(() => flushing.end())
      if (!(await settledWithin(closeLimit, ended))) log.warn('closing without waiting for what is under way')
      await closeCore()
    },
  }
}

/** What runs beside the requests, in one process at a time. */
export function jobsOf(server: Server): Job[] {
  const steps: Record<string, CleanUpStep> = Object.assign(
    {},
    ...domains.map((domain) => domain.cleanUp?.(server)),
  )
  // On SQLite it works on the thread that answers requests, on PostgreSQL in a process of the database's own.
  const cleaning = cleanUp(steps, server.db.dialect === 'sqlite' ? 2 : 1)
  return [cleaning, ...domains.flatMap((domain) => domain.jobs?.(server) ?? [])]
}
