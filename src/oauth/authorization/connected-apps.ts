// RFC 6749 §10.2, RFC 7009 §1, RFC 9700 §4.14.2: what a user allowed, to whom, and how they end it.

import { browserOf, formToken, formTokenIsValid } from '../../http/csrf.ts'
import { parseForm } from '../../http/forms.ts'
import { type Answer, type Incoming, seeOther } from '../../http/message.ts'
import { answerFromResponse, isResponse } from '../../http/web.ts'
import { connectedAppsPage } from '../../pages/connected-apps.ts'
import { answerPage } from '../../pages/page.ts'
import { isSelfRegistered } from '../../protocol/client-source.ts'
import { originOf, readBackChannelForm } from '../../protocol/form-endpoint.ts'
import { paths } from '../../protocol/paths.ts'
import { isRefusal, type Refusal, refuse } from '../../protocol/refusals.ts'
import { mayRecord } from '../guards/pending-limits.ts'
import type { Server, User } from '../server.ts'
import { connectedClients, withdrawConsent } from './consents.ts'

/** `GET` lists the apps, `POST` with `client` disconnects one. Without a sign-in, the user signs in first. */
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
  const apps = await connectedClients(server, user.id)
  const browser = browserOf(request, settings)
  const clients = await Promise.all(apps.map((app) => server.clients.find(app.client)))
  const lifetimes = clients.map((client) => client?.accessTokenLifetime ?? 0)
  const page = connectedAppsPage(server.frame(user), {
    apps: apps.map((app, n) => ({
      client: {
        name: app.name,
        logo: clients[n] && isSelfRegistered(clients[n]) ? undefined : (app.logoUri ?? undefined),
        homepage: app.clientUri ?? undefined,
      },
      hosts: app.hosts,
      scopes: app.scope.map((name) => ({ name, description: settings.scopes[name] ?? name })),
      since: app.since,
      lastUsed: app.lastUsed,
      uses: app.uses,
      sessions: app.sessions,
      disconnect: {
        action: settings.base + paths.connectedApps,
        hidden: {
          client: app.client,
          form_token: formToken(secrets, browser, disconnectPurpose(user.id, app.client)),
        },
      },
    })),
    disconnected: await justDisconnected(server, request, user),
    accessTokenLifetime: Math.max(...lifetimes, 0) || undefined,
  })
  return answerPage(page, browser.setCookie === undefined ? undefined : { 'set-cookie': browser.setCookie })
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
  // More withdrawals than there can be consents would only fill the audit log.
  const { perUser } = settings.storage
  if (!mayRecord(server, `disconnect:${user.id}`, perUser))
    return refuse('user_limit_reached', { user: user.id, limit: perUser })
  await withdrawConsent(server, user.id, clientId, originOf(request))
  const query = new URLSearchParams({
    disconnected: clientId,
    proof: secrets.mac('form token', noticePurpose(user.id, clientId)),
  })
  return seeOther(`${settings.issuer}${paths.connectedApps}?${query}`)
}
