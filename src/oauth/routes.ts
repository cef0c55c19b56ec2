// Every OAuth endpoint of RFC 6749, RFC 7009, RFC 7591, RFC 7592, RFC 7662, RFC 8414, RFC 7517, RFC 8628, RFC 9126, RFC 9728 with its method: the protocol on one screen.

import { protectedResource, resourceMetadataPaths } from '../api/resource-metadata.ts'
import type { Answer, Incoming } from '../http/message.ts'
import type { Route } from '../http/route.ts'
import { jsonRefusal } from '../protocol/error-answer.ts'
import { paths } from '../protocol/paths.ts'
import type { Refusal } from '../protocol/refusals.ts'
import type { Settings } from '../settings.ts'
import { authorize } from './authorization/authorization.ts'
import { refusalPage } from './authorization/authorization-response.ts'
import { showConnectedApps } from './authorization/connected-apps.ts'
import { answerConsent } from './authorization/decision.ts'
import { pushedAuthorization } from './authorization/pushed-authorization.ts'
import { deviceAuthorization } from './device/device-authorization.ts'
import { devicePage } from './device/device-page.ts'
import { jwksMaxAge } from './keys/signing-keys.ts'
import { logout } from './logout/logout.ts'
import { userinfo } from './openid/userinfo.ts'
import { registerClient } from './registration/client-registration.ts'
import { manageRegistration } from './registration/client-registration-management.ts'
import type { Server } from './server.ts'
import { serverMetadata } from './server-metadata.ts'
import { introspection } from './token/introspection.ts'
import { revocation } from './token/revocation.ts'
import { token } from './token-endpoint.ts'

/** A route before it is bound to its server. */
interface Row extends Omit<Route, 'run' | 'refused'> {
  /** How a refusal or a fault is answered: to a program as JSON, to a person as a page. */
  speaks: 'json' | 'page'
  /** Whether the configuration has it; a route that says nothing is always there. */
  on?(settings: Settings): boolean
  run(server: Server, request: Incoming): Promise<Answer | Refusal> | Answer | Refusal
}

/** The endpoints that the configuration has, bound to their server. */
export function oauthRoutes(server: Server): readonly Route[] {
  const { settings } = server
  return [...routes.filter(({ on }) => on?.(settings) ?? true), ...wellKnownRoutes(settings)].map(
    ({ speaks, on: _, run, ...route }) => ({
      ...route,
      run: (request) => run(server, request),
      refused: (request, refusal) =>
        speaks === 'json' ? jsonRefusal(request, refusal) : refusalPage(server, refusal),
    }),
  )
}

const get = ['GET', 'HEAD']

export const routes: readonly Row[] = [
  // A method that does not fit is refused before the endpoint runs (405 with Allow).
  { methods: ['GET', 'POST'], path: paths.authorization, cors: false, speaks: 'page', run: authorize },
  { methods: ['POST'], path: paths.consent, cors: false, speaks: 'page', run: answerConsent },
  {
    methods: ['GET', 'HEAD', 'POST'],
    path: paths.connectedApps,
    cors: false,
    speaks: 'page',
    run: showConnectedApps,
  },
  {
    methods: ['POST'],
    path: paths.pushedAuthorization,
    cors: true,
    speaks: 'json',
    run: pushedAuthorization,
  },
  { methods: ['POST'], path: paths.token, cors: true, speaks: 'json', run: token },
  {
    methods: ['POST'],
    path: paths.registration,
    cors: true,
    speaks: 'json',
    on: (settings) => settings.registration !== null,
    run: registerClient,
  },
  {
    methods: ['GET', 'PUT', 'DELETE'],
    path: paths.clientConfiguration,
    cors: true,
    speaks: 'json',
    on: (settings) => settings.registration !== null,
    run: manageRegistration,
  },
  {
    methods: ['POST'],
    path: paths.deviceAuthorization,
    cors: true,
    speaks: 'json',
    on: (settings) => settings.device !== null,
    run: deviceAuthorization,
  },
  {
    methods: ['GET', 'HEAD', 'POST'],
    path: paths.device,
    cors: false,
    speaks: 'page',
    on: (settings) => settings.device !== null,
    run: devicePage,
  },
  { methods: ['POST'], path: paths.introspection, cors: false, speaks: 'json', run: introspection },
  { methods: ['POST'], path: paths.revocation, cors: true, speaks: 'json', run: revocation },
  { methods: ['GET', 'POST'], path: paths.userinfo, cors: true, speaks: 'json', run: userinfo },
  { methods: ['GET', 'POST'], path: paths.logout, cors: false, speaks: 'page', run: logout },
  {
    methods: get,
    path: paths.openidConfiguration,
    cors: true,
    speaks: 'json',
    timeless: true,
    run: serverMetadata,
  },
  {
    methods: get,
    path: paths.serverMetadata,
    cors: true,
    speaks: 'json',
    timeless: true,
    run: serverMetadata,
  },
  {
    methods: get,
    path: paths.jwks,
    cors: true,
    speaks: 'json',
    timeless: true,
    async run(server) {
      await server.keys.complete()
      return {
        status: 200,
        headers: {
          'content-type': 'application/jwk-set+json',
          'cache-control': `public, max-age=${jwksMaxAge}`,
        },
        body: server.keys.jwks(),
      }
    },
  },
]

/**
 * Documents whose address depends on the configuration, all outside the issuer's path. For an issuer with a path the well-known name goes between host and
 * path (RFC 8414 §3.1), and each API on the issuer's origin has one of its own (RFC 9728 §3.1).
 */
export function wellKnownRoutes(settings: Settings): Row[] {
  const route = (path: string, run: Row['run']): Row => ({
    methods: get,
    path,
    cors: true,
    speaks: 'json',
    outside: true,
    timeless: true,
    run,
  })
  return [
    // OpenID Connect Discovery §4 puts the name behind the path instead, where the ordinary route answers.
    ...(settings.base === ''
      ? []
      : [paths.serverMetadata, paths.openidConfiguration].map((name) =>
          route(name + settings.base, serverMetadata),
        )),
    ...resourceMetadataPaths(settings).map((path) => route(path, protectedResource)),
  ]
}
