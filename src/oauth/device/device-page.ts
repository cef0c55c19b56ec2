// RFC 8628 §3.3, §3.3.1, §5.1, §5.4: the page where a person says which device they mean, sees what it asks, and decides. A link
// alone decides nothing: only the browser in which the code was entered sees the question, and only its form answers it.

import { networkLimit } from '../../core.ts'
import type { Limit } from '../../db/counters.ts'
import { eventInput } from '../../events/append.ts'
import { type Browser, browserOf, formToken, formTokenIsValid } from '../../http/csrf.ts'
import type { Form } from '../../http/forms.ts'
import { type Answer, type Incoming, seeOther } from '../../http/message.ts'
import { answerFromResponse, isResponse } from '../../http/web.ts'
import { deviceCodePage, deviceConsentPage, deviceDonePage } from '../../pages/device.ts'
import { answerPage, type Page } from '../../pages/page.ts'
import { plainSentence } from '../../pages/sentences.ts'
import { originOf } from '../../protocol/form-endpoint.ts'
import { paths } from '../../protocol/paths.ts'
import { consentHost } from '../../protocol/redirect-uri.ts'
import { isRefusal, type Refusal, refuse } from '../../protocol/refusals.ts'
import { readPageForm } from '../../protocol/request-body.ts'
import { canonicalScope, scopeSet } from '../../protocol/scope.ts'
import { readUserCode, shownUserCode, userCodeHashes } from '../../protocol/user-code.ts'
import { clientView, grantView } from '../authorization/consent.ts'
import { decidingUser, type ShownTo, shownTo } from '../authorization/deciding-user.ts'
import type { Client } from '../clients/clients.ts'
import { subjectFor } from '../clients/pairwise-subject.ts'
import { findConsent } from '../records/consents.ts'
import {
  approveDevice,
  type DeviceRow,
  denyDevice,
  findDevice,
  findDeviceOfUserCode,
} from '../records/device-codes.ts'
import type { Server } from '../server.ts'
import { quotaIsFull } from '../sessions.ts'

/** Attempts are counted in windows of so many milliseconds. */
const window = 15 * 60_000
/** What one browser session, and one user, may try in it; a network may try more. */
const mostAttempts = 10

const codePurpose = 'device code'

/** `GET` asks for the code, or shows what the device asks once the code was entered here; `POST` enters it, or decides. */
export async function devicePage(server: Server, request: Incoming): Promise<Answer | Refusal> {
  const outcome = await answerDevice(server, request)
  return isRefusal(outcome) ? { ...outcome, again: server.settings.issuer + paths.device } : outcome
}

async function answerDevice(server: Server, request: Incoming): Promise<Answer | Refusal> {
  const form = await readPageForm(request)
  if (isRefusal(form)) return form
  if (request.method !== 'POST') {
    const shown = form.get('shown')
    return shown === undefined
      ? askCode(server, request, { typed: form.get('user_code') })
      : askConsent(server, request, shown)
  }
  return form.get('decision') === undefined ? enterCode(server, request, form) : decide(server, request, form)
}

interface Problem {
  status: number
  text: 'device.unknown' | 'device.too_many' | 'device.elsewhere'
  retryAfter?: number
}

/** The form for the code. A code that came with a link stands in it, to be compared; it still has to be sent (§3.3.1). */
function askCode(
  server: Server,
  request: Incoming,
  { typed, problem }: { typed?: string | undefined; problem?: Problem },
): Answer {
  const { settings, secrets } = server
  const browser = browserOf(request, settings)
  const code = readUserCode(typed)
  const frame = server.frame()
  const page = deviceCodePage(frame, {
    action: settings.base + paths.device,
    hidden: { form_token: formToken(secrets, browser, codePurpose) },
    userCode: code === undefined ? (typed ?? '').slice(0, 32) : shownUserCode(code),
    linked: code !== undefined && problem === undefined,
    ...(problem && { error: plainSentence(frame, problem.text) }),
  })
  return answer({ ...page, status: problem?.status ?? 200 }, browser, problem?.retryAfter)
}

function answer(page: Page, browser: Browser, retryAfter?: number): Answer {
  return answerPage(page, {
    ...(browser.setCookie === undefined ? {} : { 'set-cookie': browser.setCookie }),
    ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
  })
}

/** What an address says about a device and the code it was found by; good in the browser where the code was entered. */
interface Entered {
  device: string
  code: string
}

const enteredIn = (browserId: string) => `device entered ${browserId}`

async function enterCode(server: Server, request: Incoming, form: Form): Promise<Answer | Refusal> {
  const { settings, secrets } = server
  if (!formTokenIsValid(secrets, request, settings, codePurpose, form.get('form_token')))
    return refuse('form_token_wrong')
  const typed = form.get('user_code')
  const browser = browserOf(request, settings)
  const retryAfter = await countAttempt(server, request, browser)
  if (retryAfter > 0)
    return askCode(server, request, { typed, problem: { status: 429, text: 'device.too_many', retryAfter } })
  const code = readUserCode(typed)
  const device = code === undefined ? undefined : await findWaiting(server, code)
  if (code === undefined || !device)
    return askCode(server, request, { typed, problem: { status: 422, text: 'device.unknown' } })
  const entered: Entered = { device, code }
  const shown = secrets.seal(JSON.stringify(entered), enteredIn(browser.id))
  return seeOther(addressOf(server, shown))
}

function addressOf({ settings }: Server, shown: string): string {
  return `${settings.issuer}${paths.device}?${new URLSearchParams({ shown })}`
}

/** Every attempt counts before it is looked up, so that many at once gain nothing (§5.1). Seconds to wait, else 0. */
async function countAttempt(server: Server, request: Incoming, browser: Browser): Promise<number> {
  const { counters, settings } = server
  const user = await server.signedIn(request, {
    prompt: ['none'],
    returnTo: settings.issuer,
    interactive: false,
  })
  const { shared, ...network } = networkLimit(settings, request.address, 'device network', {
    most: settings.limits.failuresPerNetwork,
    window,
  })
  const limits: Limit[] = [
    // Anybody can make up browsers: where there is no room for their counters, their network's will do.
    { key: `device browser:${browser.id}`, most: mostAttempts, window, wider: network },
  ]
  const userId = user !== null && 'id' in user ? user.id : undefined
  if (userId !== undefined) limits.push({ key: `device user:${userId}`, most: mostAttempts, window })
  // Where all users seem to come from one network, those who are signed in have enough with their own.
  if (!shared || userId === undefined) limits.push(network)
  const before = await counters.take(limits, true)
  if (before > 0) return Math.ceil(before / 1_000)
  // By now this process knows what the others have counted, and this attempt with it.
  const after = await Promise.all(limits.map((limit) => counters.blockedFor(limit, -1)))
  return Math.ceil(Math.max(...after) / 1_000)
}

async function findWaiting(server: Server, code: string): Promise<string | undefined> {
  for (const user_code_hash of userCodeHashes(server.secrets, code)) {
    const row = await server.db.one(findDeviceOfUserCode, { user_code_hash })
    if (row) return row.decision === null && row.expires_at > server.now() ? row.id : undefined
  }
  return undefined
}

/** The user who entered the code signs in and sees what the device asks for. */
async function askConsent(server: Server, request: Incoming, shown: string): Promise<Answer | Refusal> {
  const { settings, secrets } = server
  const browser = browserOf(request, settings)
  const entered = open<Entered>(server, browser, shown, enteredIn)
  if (!entered) return askCode(server, request, { problem: { status: 400, text: 'device.elsewhere' } })
  const asked = await readDevice(server, entered.device)
  const late = isRefusal(asked) ? asked.refusal === 'form_already_answered' : asked.row.decision !== null
  if (late) return askCode(server, request, { problem: { status: 400, text: 'device.unknown' } })
  if (isRefusal(asked)) return asked
  const { row, client } = asked
  const user = await server.signedIn(request, {
    prompt: [],
    returnTo: addressOf(server, shown),
    interactive: true,
  })
  if (user === null) return refuse('login_required', { client: client.id })
  if (isResponse(user)) return answerFromResponse(user)
  if ('disabled' in user) return refuse('user_disabled', { client: client.id })
  const full = await quotaFull(server, client, user.id)
  if (full) return full
  const consent = await server.db.one(findConsent, {
    user_id: user.id,
    client_id: client.id,
    redirect_host: consentHost(client, null),
  })
  const details = row.authorization_details === null ? [] : JSON.parse(row.authorization_details)
  const decision: Decision = { device: row.id, ...shownTo(user) }
  const page = deviceConsentPage(server.frame(user), {
    action: settings.base + paths.device,
    hidden: { form_token: secrets.seal(JSON.stringify(decision), decidedIn(browser.id)) },
    client: clientView(client),
    account: {
      name: user.name,
      email: user.email,
      switchUrl: server.switchUrl(addressOf(server, shown)),
    },
    ...grantView(
      server,
      client,
      { scope: scopeSet(row.scope), resources: scopeSet(row.resources), authorizationDetails: details },
      scopeSet(consent?.scope ?? ''),
    ),
    userCode: shownUserCode(entered.code),
    device: {
      ...(row.ip_address === null ? {} : { address: row.ip_address }),
      ...(row.user_agent === null ? {} : { userAgent: row.user_agent }),
      at: row.created_at,
    },
  })
  return answer(page, browser)
}

/** Which device a form decides about, and whom it was shown to: good in this browser only, so it is the form's token too. */
type Decision = ShownTo & { device: string }

const decidedIn = (browserId: string) => `device decision ${browserId}`

function open<T>(
  { secrets }: Server,
  browser: Browser,
  sealed: string | undefined,
  context: (browserId: string) => string,
): T | undefined {
  if (browser.setCookie !== undefined || sealed === undefined) return undefined
  for (const id of browser.ids) {
    try {
      return JSON.parse(secrets.open(sealed, context(id))) as T
    } catch {
      // Perhaps sealed for another page of this browser.
    }
  }
  return undefined
}

/** A device that still waits, or about which a person has decided, and its client. */
async function readDevice(server: Server, id: string): Promise<{ row: DeviceRow; client: Client } | Refusal> {
  const row = await server.db.one(findDevice, { id })
  if (!row || (row.decision === null && row.expires_at <= server.now()))
    return refuse('form_already_answered')
  const client = await server.clients.find(row.client_id)
  return client?.active ? { row, client } : refuse('authorize_client_inactive', { client: row.client_id })
}

async function quotaFull(server: Server, client: Client, userId: string): Promise<Refusal | undefined> {
  return (await quotaIsFull(server, userId, client))
    ? refuse('session_quota_full', { client: client.id, user: userId })
    : undefined
}

async function decide(server: Server, request: Incoming, form: Form): Promise<Answer | Refusal> {
  const browser = browserOf(request, server.settings)
  const shown = open<Decision>(server, browser, form.get('form_token'), decidedIn)
  if (!shown) return refuse('form_token_wrong')
  const asked = await readDevice(server, shown.device)
  if (isRefusal(asked)) return asked
  const { row, client } = asked
  const user = await decidingUser(server, request, shown)
  if (user === undefined) return refuse('form_of_another_user', { client: client.id })
  const decision = form.get('decision')
  if (decision !== 'allow' && decision !== 'deny')
    return refuse('missing_parameter', { parameter: 'decision' })
  const allowed = decision === 'allow'
  const done = () => answerPage(deviceDonePage(server.frame(), { client: client.name, allowed }))
  if (row.decision !== null) return decidedBefore(row, user.id, allowed) ?? done()
  const full = allowed ? await quotaFull(server, client, user.id) : undefined
  if (full) return full
  const now = server.now()
  const context = { userId: user.id, clientId: client.id, ...originOf(request) }
  const facts = { scope: row.scope, device_address: row.ip_address }
  const decided =
    decision === 'deny'
      ? await server.db.write(denyDevice, {
          id: row.id,
          now,
          ...eventInput(now, 'device_denied', context, facts),
        })
      : await server.db.write(approveDevice, {
          id: row.id,
          user_id: user.id,
          client_id: client.id,
          subject: await subjectFor(server, client, user),
          auth_time: user.authTime ?? null,
          acr: user.acr ?? null,
          amr: user.amr?.join(' ') ?? null,
          consent_scope: row.scope,
          consent_resources: canonicalScope(scopeSet(row.resources)),
          redirect_host: consentHost(client, null),
          sign_in_row: user.signInRow ?? null,
          now,
          ...eventInput(now, 'device_approved', context, facts),
        })
  if (decided.length > 0 && allowed) server.activity.clientUsed(client.id, { authorizations: 1 })
  if (decided.length > 0) return done()
  const found = await server.db.one(findDevice, { id: row.id })
  return decidedBefore(found ?? row, user.id, allowed) ?? done()
}

/** The first decision stands. Undefined where it is the same one, of the same user. */
function decidedBefore(row: DeviceRow, userId: string, allow: boolean): Refusal | undefined {
  const allowed = row.decision === 'approved'
  const facts = { client: row.client_id, first: row.decision }
  if (row.decision === null || (allowed && row.user_id !== userId))
    return refuse('form_already_answered', facts)
  if (allowed === allow) return undefined
  return refuse('form_already_answered', facts, {
    description: `You already ${allowed ? 'allowed' : 'denied'} this request`,
  })
}
