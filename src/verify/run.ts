import { checks } from './catalogue.ts'
import { type Check, type Context, openSight, type Seen } from './check.ts'
import { type GivenClient, openClients, type Role } from './clients.ts'
import { CannotRun, Elsewhere, NotApplicable, Untried } from './failures.ts'
import { openFlow } from './flow.ts'
import { type Mask, openMask, type ShownExchange } from './mask.ts'
import { discover, type Metadata } from './metadata.ts'
import { unmetNeed } from './needs.ts'
import { type SignIn, signInByForms } from './sign-in.ts'
import { openWire, type Wire } from './wire.ts'

export interface Verification {
  /** The server's issuer, whose metadata leads to everything else. */
  issuer: string
  /** Clients to act as. What is missing is registered, where the server allows it. */
  clients?: readonly GivenClient[]
  /** Redirect URIs of clients that are registered, instead of two under `client.example`. */
  redirectUris?: readonly string[]
  initialAccessToken?: string
  /** Origins beside the issuer's that are the server's as well. Nothing is sent to any other. */
  also?: readonly string[]
  /** Default: forms. */
  signIn?: SignIn
  /** Ids of rows (`N61`) or beginnings of sections (`RFC 7636`). Default: all. */
  only?: readonly string[]
  /** Told of each rule as it is done. */
  tell?(result: Result): void
}

/** A rule and what was found. */
export interface Result {
  id: string
  section: string
  title: string
  result: 'held' | 'fell_short' | 'not_applicable' | 'not_shown'
  /** Why it is not applicable, or what was not seen. */
  reason?: string
  /** What the specification leaves to the server. */
  accepts?: string
  /** What was seen where the specification leaves a choice. */
  notes?: readonly string[]
  /** Each thing that fell short, with the request and the answer. */
  findings?: readonly ({ what: string } & ShownExchange)[]
}

export interface Report {
  issuer: string
  /** ISO time. */
  began: string
  /** How many requests were sent. */
  requests: number
  /** False when something outside the rules kept some of them from being tried: a limit of requests, a fault. */
  complete: boolean
  summary: { held: number; fell_short: number; not_applicable: number; not_shown: number }
  checks: readonly Result[]
}

/** No run sends more. */
export const mostRequests = 2_000
/** Connections at once; races are run over all of them. */
export const atOnce = 8

/**
 * Tries every rule of the catalogue against a server from outside. Throws `CannotRun` when there is no metadata, no
 * client, or a correct flow does not come to its end.
 */
export async function verify(options: Verification): Promise<Report> {
  const began = new Date().toISOString()
  const own = ownOrigins(options)
  const wire = openWire(mostRequests, atOnce, own)
  const mask = openMask()
  const watched: Wire = {
    ...wire,
    async send(request) {
      const answer = await wire.send(request)
      mask.learn(answer)
      return answer
    },
    get sent() {
      return wire.sent
    },
  }
  try {
    const { server, url } = await discover(watched, options.issuer)
    keepToOwn(server, own)
    const given = options.clients ?? []
    for (const client of given) {
      if (client.client_secret !== undefined) mask.learnValue('client_secret', client.client_secret)
    }
    const clients = openClients({ wire: watched, server, given, ...options })
    const flow = openFlow(watched, server, options.signIn ?? signInByForms())
    const context: Context = { server, wire: watched, clients, flow }
    try {
      await tryFlow(context)
      await wire.warm(url)
      const results: Result[] = []
      let complete = true
      for (const check of select(options.only)) {
        flow.changePeople()
        const { result, tried } = await runCheck(check, context, mask)
        if (!tried) complete = false
        results.push(result)
        options.tell?.(result)
      }
      const count = (result: Result['result']) => results.filter((one) => one.result === result).length
      return {
        issuer: server.issuer,
        began,
        requests: wire.sent,
        complete,
        summary: {
          held: count('held'),
          fell_short: count('fell_short'),
          not_applicable: count('not_applicable'),
          not_shown: count('not_shown'),
        },
        checks: results,
      }
    } finally {
      await clients.deleteAll().catch(() => {})
    }
  } finally {
    wire.close()
  }
}

/** Where a run may send anything: to the issuer's origin and those the user vouched for. */
function ownOrigins({ issuer, also = [] }: Verification): ReadonlySet<string> {
  return new Set([issuer, ...also].map((url) => new URL(url).origin))
}

/** Metadata may name any host; what would go there is worth stealing (RFC 8414 §6.2). */
function keepToOwn(server: Metadata, own: ReadonlySet<string>): void {
  for (const [name, url] of Object.entries(server)) {
    if (!name.endsWith('_endpoint') || typeof url !== 'string') continue
    if (!URL.canParse(url)) throw new CannotRun(`the metadata has a ${name} that is no URL`)
    const { origin } = new URL(url)
    if (!own.has(origin)) throw new CannotRun(new Elsewhere(`the metadata names a ${name}`, origin).message)
  }
}

function select(only: readonly string[] | undefined): readonly Check[] {
  if (only === undefined) return checks
  const wanted = checks.filter(({ id, section }) =>
    only.some((one) => id.toLowerCase() === one.toLowerCase() || section.startsWith(one)),
  )
  if (wanted.length === 0) throw new CannotRun(`no rule fits ${only.join(', ')}`)
  return wanted
}

/** A correct flow first: where it does not come to its end, no refusal would say anything. */
async function tryFlow({ clients, flow, server }: Context): Promise<void> {
  if (server.authorization_endpoint === undefined) return
  const roles: Role[] = ['confidential', 'public', 'signing']
  const reasons: string[] = []
  for (const role of roles) {
    try {
      await flow.tokens(await clients.of(role))
      return
    } catch (error) {
      reasons.push(`${role} client: ${(error as Error).message}`)
    }
  }
  throw new CannotRun(`a correct flow does not come to its end. ${reasons.join('. ')}`)
}

async function runCheck(
  check: Check,
  context: Context,
  mask: Mask,
): Promise<{ result: Result; tried: boolean }> {
  const { id, section, title, accepts, needs } = check
  const head = { id, section, title, ...(accepts === undefined ? {} : { accepts }) }
  const unmet = unmetNeed(context.server, needs)
  if (unmet !== undefined) {
    return { tried: true, result: { ...head, result: 'not_applicable', reason: unmet } }
  }
  const see = openSight(context.server)
  let stopped: Error | undefined
  try {
    await check.run(context, see)
  } catch (error) {
    stopped = error as Error
  }
  return {
    tried: stopped === undefined || stopped instanceof Untried,
    result: judge(head, see, stopped, mask),
  }
}

type Head = Pick<Result, 'id' | 'section' | 'title' | 'accepts'>

/** What was found counts even where a check could not come to its end. */
function judge(head: Head, see: Seen, stopped: Error | undefined, mask: Mask): Result {
  const notes = see.notes.length > 0 ? { notes: see.notes.map(mask.text) } : {}
  if (see.findings.length > 0) {
    const findings = see.findings.map(({ what, answer }) => ({ what: mask.text(what), ...mask.show(answer) }))
    return { ...head, result: 'fell_short', ...notes, findings }
  }
  const reasons = [...(stopped ? [stopped.message] : []), ...see.unseen].map(mask.text)
  if (stopped instanceof NotApplicable) {
    return { ...head, result: 'not_applicable', reason: reasons[0]!, ...notes }
  }
  if (reasons.length > 0) return { ...head, result: 'not_shown', reason: reasons.join('; '), ...notes }
  return { ...head, result: 'held', ...notes }
}
