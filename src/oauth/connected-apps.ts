// RFC 6749 §10.2, RFC 7009 §1, RFC 9700 §4.14.2: what a user allowed, to whom, and how they end it.

import { eventInput } from '../events/append.ts'
import { browserOf, formToken, formTokenIsValid } from '../http/csrf.ts'
import { parseForm } from '../http/forms.ts'
import { type Answer, type Incoming, seeOther } from '../http/message.ts'
import { answerFromResponse, isResponse } from '../http/web.ts'
import { connectedAppsPage } from '../pages/connected-apps.ts'
import { answerPage } from '../pages/page.ts'
import { originOf, readBackChannelForm } from './back-channel.ts'
import { cameByItself } from './clients/clients.ts'
import { paths } from './paths.ts'
import { type ConnectedAppRow, connectedApps, useOfApp, withdrawConsent } from './records/consents.ts'
import { isRefusal, type Refusal, refuse } from './refusals.ts'
import { mayRecord } from './room.ts'
import { scopeSet } from './scope.ts'
import type { Server, User } from './server.ts'

/** `GET` lists the apps, `POST` with `client` disconnects one. Whoever is not signed in signs in first. */
export async function showConnectedApps(server: Server, request: Incoming): Promise<Answer | Refusal> {
  const returnTo = server.settings.issuer + paths.connectedApps
  const user = await server.signedIn(request, { prompt: [], returnTo, interactive: true })
  if (user === null) return refuse('login_required')
  // A form that arrives signed out cannot be carried across the sign-in: the page is shown instead.
  if (isResponse(user)) return answerFromResponse(user)
  if ('disabled' in user) return refuse('user_disabled')
  return request.method === 'POST' ? disconnect(server, request, user) : list(server, request, user)
}

const disconnectPurpose = (userId: string, clientId: string) => `disconnect ${userId} ${clientId}`
/** Vouches that an app was just disconnected, so that no link can claim it was. */
const noticePurpose = (userId: string, clientId: string) => `disconnected ${userId} ${clientId}`

async function list(server: Server, request: Incoming, user: User): Promise<Answer> {
  const { settings, secrets } = server
  await server.activity.flush()
  const apps = await appsOf(server, user)
  const browser = browserOf(request, settings)
  const clients = await Promise.all(apps.map((app) => server.clients.find(app.client_id)))
  const lifetimes = clients.map((client) => client?.accessTokenLifetime ?? 0)
  const page = connectedAppsPage(server.frame(user), {
    apps: apps.map((row, n) => ({
      client: {
        name: row.name,
        logo: clients[n] && cameByItself(clients[n]) ? undefined : (row.logo_uri ?? undefined),
        homepage: row.client_uri ?? undefined,
      },
      hosts: row.hosts,
      scopes: row.scopes.map((name) => ({ name, description: settings.scopes[name] ?? name })),
      since: row.created_at,
      lastUsed: row.lastUsed,
      uses: row.uses,
      sessions: row.sessions,
      disconnect: {
        action: settings.base + paths.connectedApps,
        hidden: {
          client: row.client_id,
          form_token: formToken(secrets, browser, disconnectPurpose(user.id, row.client_id)),
        },
      },
    })),
    disconnected: await justDisconnected(server, request, user),
    accessTokenLifetime: Math.max(...lifetimes, 0) || undefined,
  })
  return answerPage(page, browser.setCookie === undefined ? undefined : { 'set-cookie': browser.setCookie })
}

/** The apps of a user and how they are used, the last used first. */
async function appsOf({ db, now }: Server, { id }: User) {
  const consents = await db.all(connectedApps, { user_id: id })
  const apps = [...Map.groupBy(consents, (row) => row.client_id).values()].map(joined)
  const used = await Promise.all(
    apps.map(async (app) => {
      const use = await db.one(useOfApp, { user_id: id, client_id: app.client_id, now: now() })
      return { ...app, ...use!, lastUsed: use!.last_active_at ?? app.updated_at }
    }),
  )
  return used.sort((a, b) => b.lastUsed - a.lastUsed || (a.client_id < b.client_id ? -1 : 1))
}

/** One app of all the consents to it; `hosts` are named where there are several, since not all may be allowed the same. */
function joined(consents: ConnectedAppRow[]) {
  const first = consents[0]!
  const hosts = consents.map((row) => row.redirect_host).filter((host) => host !== '' && host !== '*')
  return {
    ...first,
    scopes: [...new Set(consents.flatMap((row) => scopeSet(row.scope)))].sort(),
    created_at: Math.min(...consents.map((row) => row.created_at)),
    updated_at: Math.max(...consents.map((row) => row.updated_at)),
    hosts: hosts.length > 1 ? hosts : [],
  }
}

async function justDisconnected(server: Server, request: Incoming, user: User): Promise<string | undefined> {
  const form = parseForm(request.search)
  const [id, proof] = [form?.get('disconnected'), form?.get('proof')]
  if (id === undefined || proof === undefined) return undefined
  if (!server.secrets.verifies('form token', noticePurpose(user.id, id), proof)) return undefined
  return (await server.clients.find(id))?.name
}

async function disconnect(server: Server, request: Incoming, user: User): Promise<Answer | Refusal> {
  const form = await readBackChannelForm(request)
  if (isRefusal(form)) return form
  const clientId = form.get('client')
  if (clientId === undefined) return refuse('missing_parameter', { parameter: 'client' })
  const { settings, secrets } = server
  const purpose = disconnectPurpose(user.id, clientId)
  if (!formTokenIsValid(secrets, request, settings, purpose, form.get('form_token'))) {
    return refuse('form_token_wrong', {}, { again: settings.issuer + paths.connectedApps })
  }
  // Whoever withdraws more than there can be only fills the audit log.
  const { perUser } = settings.storage
  if (!mayRecord(server, `disconnect:${user.id}`, perUser))
    return refuse('user_limit_reached', { user: user.id, limit: perUser })
  const now = server.now()
  const both = { user_id: user.id, client_id: clientId, now }
  const context = { userId: user.id, clientId, ...originOf(request) }
  await server.db.write(withdrawConsent, { ...both, ...eventInput(now, 'consent_withdrawn', context) })
  const query = new URLSearchParams({
    disconnected: clientId,
    proof: secrets.mac('form token', noticePurpose(user.id, clientId)),
  })
  return seeOther(`${settings.issuer}${paths.connectedApps}?${query}`)
}
