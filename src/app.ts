import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Account,
  type Accounts,
  type AccountsHouse,
  type AccountsRoute,
  fromHost,
} from './accounts/account.ts'
import { paths as accountPaths } from './accounts/account-pages.ts'
import { cleanUpAccounts } from './accounts/clean-up.ts'
import { localAccounts } from './accounts/local.ts'
import { sidOf } from './accounts/sign-outs.ts'
import { claimsOf, isOfAuthority, knownUser, resolveUser } from './accounts/users.ts'
import { answerWebhook, webhookPath } from './accounts/webhook.ts'
import { secretProblems } from './config/secret.ts'
import { type Config, resolveConfig } from './config.ts'
import { ConfigError } from './config-error.ts'
import type { Core } from './core.ts'
import { rootSecrets } from './crypto/secrets.ts'
import { type Clock, givenClock, openClock } from './db/clock.ts'
import { cleanUpCounters, openCounters } from './db/counters.ts'
import { type Database, Unavailable } from './db/database.ts'
import { migrateUp, migrationStatus, SchemaMismatch } from './db/migrate.ts'
import { openDatabase } from './db/open.ts'
import { settledWithin } from './deadline.ts'
import { cleanUpEvents } from './events/clean-up.ts'
import { type Health, healthPaths, openHealth, type Probe } from './health.ts'
import { allowOrigin, preflight } from './http/cors.ts'
import { openOutbound, type Resolve } from './http/guarded-fetch.ts'
import type { Answer, Incoming } from './http/message.ts'
import { answerFromResponse, isResponse } from './http/web.ts'
import { cleanUp } from './jobs/clean-up.ts'
import { type Job, startScheduler } from './jobs/scheduler.ts'
import { jsonLog, type Log, told, toldPath } from './log.ts'
import { activityFlushEvery, countActivity } from './oauth/activity.ts'
import { refusalPage } from './oauth/authorization/authorization-response.ts'
import { waitingRequest } from './oauth/authorization/waiting-request.ts'
import { cleanUpOauth, clearSalts } from './oauth/clean-up.ts'
import { reapClients } from './oauth/clients/arrivals.ts'
import { withFreshDocument } from './oauth/clients/client-id-metadata.ts'
import { openClientKeys } from './oauth/clients/client-keys.ts'
import { cacheClients } from './oauth/clients/clients.ts'
import { nonceByTime } from './oauth/dpop-nonce.ts'
import { jsonRefusal } from './oauth/error-answer.ts'
import { deliverLogouts, logoutsAreDue } from './oauth/openid/back-channel-logout.ts'
import { paths } from './oauth/paths.ts'
import { isRefusal, type Refusal, refuse } from './oauth/refusals.ts'
import { type Route, routes, wellKnownRoutes } from './oauth/routes.ts'
import type { Server } from './oauth/server.ts'
import { openSigningKeys } from './oauth/signing-keys.ts'
import { troubleFrom } from './oauth/trouble.ts'
import { branding } from './pages/branding.ts'
import { errorPage } from './pages/error.ts'
import { homePage } from './pages/home.ts'
import { answerPage } from './pages/page.ts'
import { requestIdOf, requestLog } from './request-log.ts'
import type { Settings } from './settings.ts'

/** The whole house, wired: what `index.ts` makes public and the CLI drives. */
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

/** How long jobs and counts may take to come to an end when the app is closed, in milliseconds. */
const closeLimit = 10_000

export interface AppOptions {
  /** A database that is open already; it is not closed with the app. */
  database?: Database
  now?: () => number
  /** Finds the addresses of a host that somebody else chose. */
  resolve?: Resolve
}

export async function openApp(config: Config, options: AppOptions = {}): Promise<App> {
  const settings = resolveConfig(config)
  const log: Log = typeof settings.log === 'string' ? jsonLog(settings.log) : settings.log
  const looks = branding(settings.pages)
  const db =
    options.database ??
    (await openDatabase(settings.database, {
      connections: settings.databaseConnections,
      log,
      onError: (error) => log.warn('database connection lost', { error: error.message }),
    }))
  let clock: Clock | undefined
  try {
    await prepareSchema(db, settings)
    clock = options.now ? givenClock(options.now) : await openClock({ db, log })
    const { now } = clock
    const core: Core = { settings, db, secrets: rootSecrets(settings.secrets), log, now }
    const clients = cacheClients(db, settings, now)
    const counters = openCounters(db, now)
    const frame: Server['frame'] = (user) => ({
      branding: looks,
      base: settings.base,
      ...(user
        ? { account: { name: user.name, email: user.email }, navigation: navigation(settings, accounts) }
        : {}),
    })
    const waitingFor = (address: string) => waitingRequest(server, address)
    const accounts = accountsFrom(config, { ...core, counters, frame, waitingFor })
    const outbound = openOutbound(settings.outbound, options.resolve)
    const server: Server = {
      ...core,
      clock,
      keys: await openSigningKeys(core),
      clients,
      freshClient: (known) => withFreshDocument(server, known),
      counters,
      activity: countActivity(core),
      outbound,
      clientKeys: openClientKeys({ outbound, log, now }),
      nonces: nonceByTime(core.secrets, { required: settings.dpop.nonces === 'required' }),
      frame,
      authority: accounts.authority,
      claimNames: ['name', 'email', ...(accounts.claimNames ?? [])],
      claims: (userId, scopes) => claimsOf(core, accounts, userId, scopes),
      signOut:
        accounts.signOut &&
        (async (request, returnTo) =>
          answerFromResponse(await fromHost(accounts.signOut!(request.request(), returnTo)))),
      switchUrl: (returnTo) => accounts.switchUrl?.(returnTo),
      async signedIn(request, ask) {
        const account = await fromHost(accounts.authenticate(request.request(), ask))
        if (account === null || isResponse(account)) return account
        return userOf(core, accounts, account)
      },
      async endedStatement(request, after) {
        const account = await accounts.endedStatement?.(request.request(), after)
        const user = account && (await knownUser(core, account))
        if (!user || user.disabled_at !== null) return undefined
        return { id: user.id, ...(account.sessionId === undefined ? {} : { sid: sidOf(account) }) }
      },
    }
    return wire(server, accounts, options.database === undefined)
  } catch (error) {
    clock?.close()
    if (!options.database) await db.close().catch(() => {})
    throw error
  }
}

async function userOf(core: Core, { authority, keepsSignIns }: Accounts, account: Account) {
  const bare = authority === undefined || isOfAuthority(account, authority)
  const user = await resolveUser(core, account, bare)
  if (user.disabled_at !== null) return { disabled: account }
  return {
    id: user.id,
    subject: user.subject,
    name: user.name ?? user.email ?? user.subject,
    ...(user.email === null ? {} : { email: user.email }),
    ...(account.authTime === undefined ? {} : { authTime: account.authTime }),
    ...(account.acr === undefined ? {} : { acr: account.acr }),
    ...(account.amr === undefined ? {} : { amr: account.amr }),
    ...(account.sessionId === undefined ? {} : { sid: sidOf(account) }),
    ...(keepsSignIns && account.sessionId !== undefined ? { signInRow: account.sessionId } : {}),
    ...(account.expiresAt === undefined ? {} : { statementEnds: account.expiresAt }),
  }
}

function wire(server: Server, accounts: Accounts, ownsDatabase: boolean): App {
  const { settings, log } = server
  const health = openHealth(server, probesOf(server))
  const logRequest = requestLog(server)
  const byPath = (list: readonly Route[]) => new Map(list.map((route) => [route.path, route]))
  const anywhere = [...wellKnownRoutes(settings), ...healthRoutes(health)]
  const table = byPath([...routes.filter(({ on }) => on?.(settings) ?? true), ...anywhere])
  // Of an issuer with a path only these stand outside it (RFC 8414 §3.1).
  const outside = byPath(anywhere)
  const pages = new Map<string, AccountsRoute>((accounts.routes ?? []).map((route) => [route.path, route]))
  const flushing = setInterval(() => flush().catch(ignore), activityFlushEvery)
  flushing.unref()
  const scheduler = settings.jobs ? startScheduler(server, jobsOf(server).map(whileTimeIsKnown)) : undefined

  /** By a wrong clock nothing is begun, and nothing deleted just after it was set. */
  function whileTimeIsKnown(job: Job): Job {
    const due = async () => (await job.due?.()) ?? true
    const mayRun = () => server.clock.ok && (job.deletes === false || server.clock.steady)
    return { ...job, due: async () => mayRun() && due() }
  }

  async function flush() {
    await Promise.all([server.activity.flush(), server.counters.flush()])
  }
  function ignore(error: unknown) {
    log.warn('counts could not be written yet', { error: String(error) })
  }

  async function answer(request: Incoming): Promise<Answer> {
    const started = performance.now()
    const requestId = requestIdOf(request)
    const route = (request.outside ? outside : table).get(request.path)
    const page = route || request.outside ? undefined : pages.get(request.path)
    const path = route || page ? request.path : toldPath(request.path)
    let result: Answer
    let refusal: Refusal | undefined
    try {
      if (route && request.method === 'OPTIONS' && route.cors) result = preflight(route.methods, request)
      else if (route && !route.methods.includes(request.method)) {
        refusal = refuse('method_not_allowed', { method: told(request.method) }, { allow: route.methods })
        result = answerRefusal(server, route.speaks, request, refusal)
      } else if (!server.clock.ok && !route?.timeless) {
        throw new Unavailable('the clock of this process cannot be trusted')
      } else if (route) {
        const outcome = await route.run(server, request)
        if (isRefusal(outcome)) {
          refusal = outcome
          result = answerRefusal(server, route.speaks, request, outcome)
        } else result = outcome
      } else if (page) result = await page.answer(request)
      else if (request.outside) result = notFound(server)
      else if (request.path === webhookPath && accounts.onWebhook) {
        result = await answerWebhook(server, accounts.onWebhook, request)
      } else if (request.path === '/' && (request.method === 'GET' || request.method === 'HEAD')) {
        result = home(server, accounts)
      } else result = notFound(server)
    } catch (error) {
      refusal = troubleFrom(error, path, log, requestId)
      result = answerRefusal(server, route?.speaks ?? 'page', request, refusal)
    }
    if (route?.cors) allowOrigin(request, result, settings.cors)
    if (route?.quiet) return result
    logRequest(request, { requestId, path, answer: result, started, refused: refusal })
    return result
  }

  let known = settings.secrets as readonly string[]
  let replacing: Promise<void> = Promise.resolve()
  const closing = new AbortController()

  async function replaceSecrets(secrets: readonly string[], settle: number) {
    const problems = secretProblems(secrets, settings.loopback)
    if (problems.length > 0) throw new ConfigError(problems)
    const former = known
    server.secrets.replace([...new Set([...former, ...secrets])])
    if (secrets[0] !== former[0]) await sleep(settle, undefined, { ref: false, signal: closing.signal })
    server.secrets.replace([...new Set([...secrets, ...former])])
    await server.keys.reseal()
    server.secrets.replace(secrets)
    known = secrets
  }

  return {
    settings,
    server,
    accounts,
    answer,
    stopping: (so = true) => health.stopping(so),
    health,
    replaceSecrets(secrets, settle = 3_000) {
      const turn = replacing.then(() => replaceSecrets(secrets, settle))
      replacing = turn.catch(() => {})
      return turn
    },
    async close() {
      closing.abort()
      clearInterval(flushing)
      server.clock.close()
      server.outbound.close()
      const ended = Promise.all([replacing, scheduler?.close()]).then(() => flush().catch(ignore))
      if (!(await settledWithin(closeLimit, ended))) log.warn('closing without waiting for what is under way')
      if (ownsDatabase) await server.db.close()
    },
  }
}

/** What `/readyz` looks at beside the database. */
function probesOf({ keys, clock }: Server): Probe[] {
  return [
    clock,
    {
      name: 'keys',
      get ok() {
        return keys.list().some((key) => key.state === 'signs')
      },
    },
  ]
}

/** Asked every few seconds by machines: no line in the log for each. */
function healthRoutes(health: Health): Route[] {
  const route = (path: string, run: Route['run']): Route => ({
    methods: ['GET', 'HEAD'],
    path,
    cors: false,
    speaks: 'json',
    quiet: true,
    timeless: true,
    run,
  })
  return [route(healthPaths.live, health.live), route(healthPaths.ready, health.ready)]
}

function answerRefusal(server: Server, speaks: 'json' | 'page', request: Incoming, refusal: Refusal): Answer {
  if (speaks === 'json') return jsonRefusal(request, refusal)
  const id = refusal.facts?.request_id
  return refusalPage(server, refusal, { requestId: typeof id === 'string' ? id : undefined })
}

function notFound(server: Server): Answer {
  return answerPage(
    errorPage(server.frame(), {
      status: 404,
      title: 'Page not found',
      message: 'Check the address. The page may have moved.',
    }),
  )
}

/** Connected apps are there for everyone; an account page only where the accounts are ours. */
function navigation(settings: Settings, accounts: Accounts) {
  return {
    ...(hasAccountPage(accounts) ? { account: settings.base + accountPaths.account } : {}),
    connectedApps: settings.base + paths.connectedApps,
  }
}

function hasAccountPage(accounts: Accounts): boolean {
  return accounts.routes?.some((route) => route.path === accountPaths.account) ?? false
}

/** The issuer URL itself, for a person who opens it. */
function home({ settings, frame }: Server, accounts: Accounts): Answer {
  const { account, connectedApps } = navigation(settings, accounts)
  return answerPage(
    homePage(frame(), {
      issuer: settings.issuer,
      ...(account === undefined ? {} : { accountUrl: account }),
      connectedAppsUrl: connectedApps,
    }),
  )
}

/** What runs beside the requests, in one process at a time. */
export function jobsOf(server: Server): Job[] {
  const steps = {
    ...cleanUpOauth(server),
    ...cleanUpAccounts(server),
    ...cleanUpEvents(server),
    ...cleanUpCounters(server.db, server.now),
  }
  return [
    // On SQLite it works on the thread that answers requests, on PostgreSQL in a process of the database's own.
    cleanUp(steps, server.db.dialect === 'sqlite' ? 2 : 1),
    { name: 'clear_salts', every: 10_000, run: (turn) => clearSalts(server, turn) },
    {
      name: 'deliver_logouts',
      every: 2_000,
      deletes: false,
      due: () => logoutsAreDue(server),
      run: (turn) => deliverLogouts(server, turn),
    },
    { name: 'reap_clients', every: 600_000, run: (turn) => reapClients(server, turn) },
    {
      name: 'rotate_signing_keys',
      every: 3_600_000,
      async run() {
        const { created, retired } = await server.keys.rotate()
        return { created: created.length, retired: retired.length }
      },
    },
  ]
}

/** SQLite is brought up to date at start; PostgreSQL only when asked, since many processes share it. */
async function prepareSchema(db: Database, settings: Settings): Promise<void> {
  if (settings.migrate ?? db.dialect === 'sqlite') {
    await migrateUp(db)
    return
  }
  const missing = (await migrationStatus(db)).filter((step) => step.appliedAt === null)
  if (missing.length > 0) {
    throw new SchemaMismatch(
      `the database lacks schema version ${missing.map((step) => `${step.version} (${step.name})`).join(', ')}: run npx gatehouse-auth migrate up`,
    )
  }
}

function accountsFrom(config: Config, house: AccountsHouse): Accounts {
  const { accounts = localAccounts() } = config
  return typeof accounts === 'function' ? accounts(house) : accounts
}
