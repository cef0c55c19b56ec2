import { type Check, type Context, invalidClient, type Sight } from '../check.ts'
import type { Client } from '../clients.ts'
import { NotShown } from '../failures.ts'
import { compact, keyedWith, makeKey, unsigned } from '../jose.ts'
import {
  assertion,
  assertionForm,
  assertionParts,
  assertionType,
  type Changes,
  fresh,
  seconds,
} from '../proofs.ts'
import type { Answer, Parameters } from '../wire.ts'

type Signing = Client & { key: NonNullable<Client['key']> }

async function signingClient({ clients }: Context): Promise<Signing> {
  return (await clients.of('signing')) as Signing
}

/**
 * Something any authenticated client may do as often as it likes, so that an assertion alone decides: revoking a token that
 * does not exist, asking about one, pushing a request.
 */
function ask({ flow, server }: Context, client: Client, form: Parameters): Promise<Answer> {
  const send = (url: string, more: Parameters) =>
    flow.post(client, url, more, { credentials: { headers: {}, form } })
  if (server.revocation_endpoint !== undefined) return send(server.revocation_endpoint, { token: fresh(32) })
  if (server.introspection_endpoint !== undefined)
    return send(server.introspection_endpoint, { token: fresh(32) })
  const url = server.pushed_authorization_request_endpoint
  if (url === undefined) throw new NotShown('there is no endpoint where an assertion alone decides')
  return send(url, flow.request(client).parameters)
}

/** Each of these assertions is refused at the token endpoint with a good code, and the right one is not. */
async function refuseEach(
  context: Context,
  see: Sight,
  client: Signing,
  forms: Record<string, Parameters>,
): Promise<void> {
  const { flow } = context
  see.granted(await flow.redeem(await flow.code(client)), 'a code with an assertion')
  const code = await flow.code(client)
  for (const [input, form] of Object.entries(forms)) {
    const answer = await flow.redeem(code, {}, { credentials: { headers: {}, form } })
    see.refused(answer, invalidClient, input)
  }
  const after = await flow.redeem(code)
  if (after.status !== 200) see.note('a refused request spent the code')
}

const formWith = ({ server }: Context, client: Signing, changes: Changes): Parameters =>
  assertionForm(client, assertion(client, server.issuer, changes))

export const assertionChecks: readonly Check[] = [
  {
    id: 'N65',
    section: 'RFC 7523 §3',
    title: 'an assertion that is not signed by the client’s key is invalid_client',
    needs: ['code flow', 'private_key_jwt'],
    accepts: 'invalid_request for what is no JWT at all',
    async run(context, see) {
      const client = await signingClient(context)
      const { issuer } = context.server
      const { header, claims } = assertionParts(client, issuer)
      const again = () => ({ ...claims, jti: fresh() })
      const { publicJwk, alg } = client.key
      await refuseEach(context, see, client, {
        'a secret in place of the assertion': { client_id: client.id, client_secret: fresh(32) },
        'alg none': assertionForm(client, unsigned({ ...header, alg: 'none' }, again())),
        'HS256 keyed with the public key': assertionForm(
          client,
          keyedWith(JSON.stringify(publicJwk), { ...header, alg: 'HS256' }, again()),
        ),
        'another key under the same kid': assertionForm(client, compact(header, again(), makeKey([alg])!)),
        'claims that were changed after signing': assertionForm(
          client,
          changed(compact(header, again(), client.key)),
        ),
      })
      const code = await context.flow.code(client)
      const refusal = { status: [400, 401], error: ['invalid_client', 'invalid_request'] }
      for (const id of [client.id, undefined]) {
        const form = { ...assertionForm(client, 'no.jwt'), client_id: id }
        const answer = await context.flow.redeem(code, {}, { credentials: { headers: {}, form } })
        see.refused(answer, refusal, `no JWT${id === undefined ? ' and no client_id' : ''}`)
      }
    },
  },
  {
    id: 'N66',
    section: 'RFC 7523 §3',
    title: 'an assertion for another server, or for none, is invalid_client',
    needs: ['code flow', 'private_key_jwt'],
    async run(context, see) {
      const client = await signingClient(context)
      await refuseEach(context, see, client, {
        'no aud': formWith(context, client, { claims: { aud: undefined } }),
        'aud of another server': formWith(context, client, { claims: { aud: 'https://other.example' } }),
      })
    },
  },
  {
    id: 'N67',
    section: 'RFC 7523 §3',
    title: 'an assertion that is expired, never ends or has not begun is invalid_client',
    needs: ['code flow', 'private_key_jwt'],
    accepts: 'An iat ahead of the clock, of which §3 says only that it may be refused',
    async run(context, see) {
      const client = await signingClient(context)
      const now = seconds()
      await refuseEach(context, see, client, {
        'no exp': formWith(context, client, { claims: { exp: undefined } }),
        'exp=0': formWith(context, client, { claims: { exp: 0 } }),
        'an exp ten minutes ago': formWith(context, client, { claims: { iat: now - 900, exp: now - 600 } }),
        'an nbf an hour ahead': formWith(context, client, { claims: { nbf: now + 3_600, exp: now + 7_200 } }),
      })
    },
  },
  {
    id: 'N68',
    section: 'RFC 7523 §3',
    title: 'an assertion that speaks for somebody else is invalid_client',
    needs: ['code flow', 'private_key_jwt'],
    accepts: 'invalid_request where client_id and assertion name two clients',
    async run(context, see) {
      const client = await signingClient(context)
      const other = await context.clients.of('confidential').catch(() => context.clients.of('public'))
      const alone = (claims: Record<string, unknown>) => ({
        ...formWith(context, client, { claims }),
        client_id: undefined,
      })
      await refuseEach(context, see, client, {
        'iss of another client': alone({ iss: other.id }),
        'sub of another client': alone({ sub: other.id }),
        'iss and sub of another client': alone({ iss: other.id, sub: other.id }),
      })
      const code = await context.flow.code(client)
      const form = { ...formWith(context, client, {}), client_id: other.id }
      const answer = await context.flow.redeem(code, {}, { credentials: { headers: {}, form } })
      const refusal = { status: [400, 401], error: ['invalid_client', 'invalid_request'] }
      see.refused(answer, refusal, 'client_id of another client')
    },
  },
  {
    id: 'N69',
    section: 'OpenID Connect Core §9',
    title: 'an assertion is good once, also when it is used in parallel',
    needs: ['private_key_jwt'],
    async run(context, see) {
      const client = await signingClient(context)
      const once = formWith(context, client, {})
      see.granted(await ask(context, client, once), 'an assertion')
      see.refused(await ask(context, client, once), invalidClient, 'the same assertion again')
      for (let round = 0; round < 3; round++) {
        const form = formWith(context, client, {})
        const answers = await Promise.all(
          Array.from({ length: context.wire.atOnce }, () => ask(context, client, form)),
        )
        const passed = answers.filter(({ status }) => status >= 200 && status < 300)
        const second = passed[1]
        if (second) see.holds(false, `one assertion passed ${passed.length} times in parallel`, second)
        for (const answer of answers) {
          if (!passed.includes(answer)) see.refused(answer, invalidClient, 'an assertion that came too late')
        }
      }
    },
  },
  {
    id: 'N70',
    section: 'RFC 7521 §4.2.1',
    title: 'an unknown client_assertion_type is refused',
    needs: ['code flow', 'private_key_jwt'],
    accepts: 'invalid_request as well as invalid_client',
    async run(context, see) {
      const { flow } = context
      const client = await signingClient(context)
      const code = await flow.code(client)
      const form = {
        ...formWith(context, client, {}),
        client_assertion_type: `${assertionType}-of-another-kind`,
      }
      const answer = await flow.redeem(code, {}, { credentials: { headers: {}, form } })
      const refusal = { status: [400, 401], error: ['invalid_client', 'invalid_request'] }
      see.refused(answer, refusal, 'an unknown client_assertion_type')
      see.granted(await flow.redeem(await flow.code(client)), 'a code with an assertion')
    },
  },
]

/** The same JWS with other claims under the old signature. */
function changed(jws: string): string {
  const [header, claims, signature] = jws.split('.') as [string, string, string]
  const object = JSON.parse(Buffer.from(claims, 'base64url').toString('utf8'))
  const other = Buffer.from(JSON.stringify({ ...object, exp: object.exp + 60 })).toString('base64url')
  return `${header}.${other}.${signature}`
}
