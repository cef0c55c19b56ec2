import type { Check, Context } from '../check.ts'
import { type Client, codeClient } from '../clients.ts'
import { NotApplicable, NotShown } from '../failures.ts'
import type { Outcome } from '../front-channel.ts'
import { sayOutcome } from '../front-channel.ts'
import { speaksOpenId } from '../metadata.ts'
import type { Parameters } from '../wire.ts'

const accepts =
  'A page instead of a redirect (RFC 9700 §4.11.2 allows it for a client that registered itself)'

/** The client the authorization endpoint is tried with. */
export async function codeFlowClient({ clients }: Context): Promise<Client> {
  return clients.of('confidential').catch(() => clients.of('public'))
}

export const authorizationChecks: readonly Check[] = [
  {
    id: 'N18',
    section: 'RFC 6749 §3.1',
    title: 'a parameter that is sent twice is invalid_request',
    needs: ['code flow'],
    accepts,
    async run(context, see) {
      const { flow } = context
      const client = await codeFlowClient(context)
      await flow.code(client)
      for (const name of ['scope', 'state', 'response_type', 'code_challenge', 'code_challenge_method']) {
        const { parameters } = flow.request(client)
        const value = String(parameters[name] ?? 'twice')
        see.turnedBack(
          await flow.authorize(client, { [name]: [value, value] }),
          ['invalid_request'],
          `${name} twice`,
        )
      }
    },
  },
  {
    id: 'N19',
    section: 'RFC 6749 §3.1.1',
    title: 'a request without response_type is invalid_request',
    needs: ['code flow'],
    accepts,
    async run(context, see) {
      const client = await codeFlowClient(context)
      await context.flow.code(client)
      const outcome = await context.flow.authorize(client, { response_type: undefined })
      see.turnedBack(outcome, ['invalid_request'], 'no response_type')
    },
  },
  {
    id: 'N20',
    section: 'RFC 9700 §2.1.2',
    title: 'a response type that puts an access token into the redirect is refused, an unknown one too',
    needs: ['code flow'],
    accepts: `${accepts}; unauthorized_client where the response type is known but not the client’s`,
    async run(context, see) {
      const { flow, server } = context
      const client = await codeFlowClient(context)
      await flow.code(client)
      for (const type of ['token', 'id_token token', 'code token', 'surprise']) {
        const outcome = await flow.authorize(client, { response_type: type, nonce: 'n-0S6_WzA2Mj' })
        see.turnedBack(
          outcome,
          ['unsupported_response_type', 'unauthorized_client', 'invalid_request'],
          `response_type=${type}`,
        )
      }
      if (server.response_modes_supported === undefined) return
      const mode = await flow.authorize(client, { response_mode: 'surprise' })
      see.turnedBack(mode, [], 'response_mode=surprise')
    },
  },
  {
    id: 'N21',
    section: 'RFC 6749 §4.1.2.1',
    title: 'a client that was registered without the code grant gets no code',
    needs: ['code flow', 'client credentials', 'registration'],
    accepts: `${accepts}; any error code`,
    async run(context, see) {
      const { clients, flow, server } = context
      await flow.code(await codeFlowClient(context))
      const { method } = await codeFlowClient(context)
      const client = await clients.register({
        ...codeClient(server, method === 'none' ? 'client_secret_basic' : method, [clients.redirectUri]),
        grant_types: ['client_credentials'],
        response_types: [],
      })
      if (client.grantTypes.includes('authorization_code')) {
        throw new NotApplicable('the server gave the client the code grant although it asked for another')
      }
      const without =
        client.redirectUris.length > 0 ? client : { ...client, redirectUris: [clients.redirectUri] }
      see.turnedBack(await flow.authorize(without), [], 'response_type=code')
    },
  },
  {
    id: 'N22',
    section: 'RFC 6749 §3.3',
    title: 'a malformed or unknown scope is invalid_scope, or is left out and the answer says so',
    needs: ['code flow'],
    accepts: `${accepts}; an unknown scope may be ignored where the token answer carries the scope that was granted (§3.3)`,
    async run(context, see) {
      const { flow } = context
      const client = await codeFlowClient(context)
      await flow.code(client)
      const known = [...(flow.offers(client, 'openid') ? ['openid'] : []), ...flow.scopes(client)]
      const own = known.filter((one) => one !== 'openid')
      for (const [scope, input, beside] of [
        ['nobody:knows:this', 'an unknown scope', known],
        ['a"b', 'a malformed scope', known],
        ['nobody:knows:this', 'an unknown scope without openid', own],
        ['a"b', 'a malformed scope without openid', own],
      ] as const) {
        const outcome = await flow.authorize(client, { scope: [...beside, scope].join(' ') })
        if (!outcome.left?.parameters.has('code')) {
          // Where nothing else is asked, nothing is left to be granted.
          const codes = beside === known ? ['invalid_scope'] : ['invalid_scope', 'access_denied']
          see.turnedBack(outcome, codes, input)
          continue
        }
        const { answer, scope: granted } = await flow.tokens(client, { scope: [...beside, scope] })
        see.holds(
          granted !== undefined && !granted.split(' ').includes(scope),
          `${input}: it was neither refused nor does the token answer say that it was not granted`,
          answer,
        )
      }
    },
  },
  {
    id: 'N41',
    section: 'RFC 6749 §4.1.2.1',
    title: 'a user who denies is reported as access_denied, with the state and without a code',
    needs: ['code flow'],
    async run(context, see) {
      const client = await codeFlowClient(context)
      await context.flow.code(client)
      const outcome = await deny(context, client, { state: 'kept-as-it-is' })
      const { parameters } = outcome.left!
      see.turnedBack(outcome, ['access_denied'], 'a user who denies')
      see.holds(
        parameters.get('state') === 'kept-as-it-is',
        'the state of the request is not in the answer',
        outcome.answer,
      )
    },
  },
  {
    id: 'N125',
    section: 'RFC 9207 §2',
    title: 'every authorization response names its issuer, errors included',
    needs: ['code flow'],
    async run(context, see) {
      const { flow, server } = context
      if (!server.authorization_response_iss_parameter_supported) {
        throw new NotApplicable('the metadata does not say authorization_response_iss_parameter_supported')
      }
      const client = await codeFlowClient(context)
      const code = await flow.code(client)
      const wrong = await flow.authorize(client, { response_type: 'surprise' })
      const denied = await deny(context, client)
      const responses: [URLSearchParams, string, Outcome['answer']][] = [
        [code.response, 'a code', code.answer],
        [denied.left!.parameters, 'the error after a denial', denied.answer],
        ...offered(wrong).map((parameters): [URLSearchParams, string, Outcome['answer']] => [
          parameters,
          'an error',
          wrong.answer,
        ]),
      ]
      for (const [parameters, input, answer] of responses) {
        const issuers = parameters.getAll('iss')
        see.holds(
          issuers.length === 1 && issuers[0] === server.issuer,
          `${input}: iss is ${issuers.join(' and ') || 'absent'}, the issuer is ${server.issuer}`,
          answer,
        )
      }
    },
  },
]

/** What goes to the client, by a redirect or by a link on the page that says why there is none. */
function offered({ left, page }: Outcome): URLSearchParams[] {
  if (left) return [left.parameters]
  const links = page?.links.map(({ url }) => new URL(url).searchParams) ?? []
  return links.filter((parameters) => parameters.has('error'))
}

/**
 * Somebody says no. Consent that is remembered is asked again by prompt=consent, where the server knows that. Throws `NotShown`
 * where no denial could be seen.
 */
async function deny({ flow }: Context, client: Client, changes: Parameters = {}): Promise<Outcome> {
  const outcome = await flow.authorize(client, { prompt: 'consent', ...changes }, { decision: 'deny' })
  if (!outcome.left) throw new NotShown(`the sign-in script found no way to deny: ${sayOutcome(outcome)}`)
  if (outcome.left.parameters.has('code') && !outcome.denied)
    throw new NotShown('a code came without a consent page, so no denial could be tried')
  return outcome
}

/** `prompt` and its like are understood: by OpenID Connect, or by servers that say so. */
export function knowsPrompt({ server }: Context): boolean {
  return speaksOpenId(server) || (server.prompt_values_supported ?? []).length > 0
}
