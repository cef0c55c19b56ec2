import type { Check, Context } from '../check.ts'
import type { Client } from '../clients.ts'
import { NotShown } from '../failures.ts'
import type { AskOptions } from '../front-channel.ts'
import { fresh } from '../proofs.ts'
import { type Parameters, withQuery } from '../wire.ts'
import { codeFlowClient } from './authorization.ts'

/** Somebody who may be signed out without disturbing the other checks. */
const person = 2

function logOut({ flow, server }: Context, client: Client, parameters: Parameters, options: AskOptions) {
  return flow.visit(client, withQuery(server.end_session_endpoint!, parameters), { person, ...options })
}

async function signedIn({ flow }: Context, client: Client): Promise<boolean> {
  const outcome = await flow.authorize(client, { prompt: 'none' }, { person, look: true })
  return outcome.left?.parameters.has('code') ?? false
}

export const logoutChecks: readonly Check[] = [
  {
    id: 'N123',
    section: 'RP-Initiated Logout §3',
    title: 'a logout never redirects to an address that was not registered',
    needs: ['code flow', 'OpenID Connect', 'logout'],
    accepts: 'Any page',
    async run(context, see) {
      const client = await codeFlowClient(context)
      const { idToken } = await context.flow.tokens(client, { person })
      const evil = { post_logout_redirect_uri: 'https://evil.example/after', state: 'x' }
      const tries: Record<string, Parameters> = {
        'nothing that names a client': evil,
        'a client_id': { ...evil, client_id: client.id },
        ...(idToken === undefined ? {} : { 'an ID token of the user': { ...evil, id_token_hint: idToken } }),
      }
      for (const [input, parameters] of Object.entries(tries)) {
        see.paged(
          await logOut(context, client, parameters, {}),
          `an address that is not registered, with ${input}`,
          'any page',
        )
      }
    },
  },
  {
    id: 'N124',
    section: 'RP-Initiated Logout §2',
    title: 'a logout without the user’s own ID token asks before it does anything',
    needs: ['code flow', 'OpenID Connect', 'logout'],
    async run(context, see) {
      const { flow } = context
      const client = await codeFlowClient(context)
      await flow.code(client, { person })
      if (!(await signedIn(context, client))) {
        throw new NotShown('prompt=none gets no code with a sign-in and consent either')
      }
      const { idToken } = await flow.tokens(client, { person: 1 })
      const { idToken: own } = await flow.tokens(client, { person })
      const other = await context.clients.of('other').catch(() => context.clients.of('public'))
      const tries: Record<string, Parameters> = {
        'no id_token_hint': {},
        ...(idToken === undefined ? {} : { 'the ID token of another user': { id_token_hint: idToken } }),
        ...(own === undefined
          ? {}
          : { 'an ID token with another signature': { id_token_hint: resigned(own), client_id: client.id } }),
        ...(own === undefined || other.id === client.id
          ? {}
          : { 'an ID token beside another client_id': { id_token_hint: own, client_id: other.id } }),
      }
      for (const [input, parameters] of Object.entries(tries)) {
        const outcome = await logOut(context, client, parameters, { look: true })
        see.holds(
          await signedIn(context, client),
          `${input}: the user was signed out without being asked`,
          outcome.answer,
        )
      }
    },
  },
]

/** The same JWT with a made-up signature of the same length. */
function resigned(jwt: string): string {
  const [header, claims, signature] = jwt.split('.') as [string, string, string]
  return `${header}.${claims}.${fresh(Math.floor((signature.length * 3) / 4))}`
}
