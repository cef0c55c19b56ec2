// Every OAuth endpoint of RFC 6749, RFC 7009, RFC 7662, RFC 8414, RFC 7517 with its method: the protocol on one screen.

import type { Answer, Incoming } from '../http/message.ts'
import { authorize } from './authorization.ts'
import { answerConsent } from './consent.ts'
import { introspection } from './introspection.ts'
import type { Refusal } from './refusals.ts'
import { revocation } from './revocation.ts'
import type { Server } from './server.ts'
import { paths, serverMetadata } from './server-metadata.ts'
import { jwksMaxAge } from './signing-keys.ts'
import { token } from './token.ts'

export interface Route {
  methods: readonly string[]
  path: string
  /** Whether browser code of other origins may read the answer. */
  cors: boolean
  /** How a refusal or a fault is answered: to a program as JSON, to a person as a page. */
  speaks: 'json' | 'page'
  run(server: Server, request: Incoming): Promise<Answer | Refusal> | Answer
}

const get = ['GET', 'HEAD']

export const routes: readonly Route[] = [
  // A method that does not fit is refused before the endpoint runs (405 with Allow).
  { methods: ['GET', 'POST'], path: paths.authorization, cors: false, speaks: 'page', run: authorize },
  { methods: ['POST'], path: paths.consent, cors: false, speaks: 'page', run: answerConsent },
  { methods: ['POST'], path: paths.token, cors: true, speaks: 'json', run: token },
  { methods: ['POST'], path: paths.introspection, cors: false, speaks: 'json', run: introspection },
  { methods: ['POST'], path: paths.revocation, cors: true, speaks: 'json', run: revocation },
  { methods: get, path: paths.serverMetadata, cors: true, speaks: 'json', run: serverMetadata },
  {
    methods: get,
    path: paths.jwks,
    cors: true,
    speaks: 'json',
    run: (server) => ({
      status: 200,
      headers: {
        'content-type': 'application/jwk-set+json',
        'cache-control': `public, max-age=${jwksMaxAge}`,
      },
      body: server.keys.jwks(),
    }),
  },
]
