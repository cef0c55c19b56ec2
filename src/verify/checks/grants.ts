import { anyRefusal, type Check, type Context, invalidGrant, invalidRequest, type Sight } from '../check.ts'
import type { Client } from '../clients.ts'
import { NotShown } from '../failures.ts'
import type { Tokens } from '../flow.ts'
import { compact, makeKey } from '../jose.ts'
import { fresh, seconds } from '../proofs.ts'
import type { Answer, Parameters } from '../wire.ts'

const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange'
const bearerGrant = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const accessToken = 'urn:ietf:params:oauth:token-type:access_token'

/** A confidential client that may use one more grant type. */
async function clientFor({ clients }: Context, type: string): Promise<Client> {
  const { method } = await clients.of('confidential')
  return clients.withGrant(type, method)
}

function exchange({ flow, server }: Context, client: Client, form: Parameters): Promise<Answer> {
  return flow.post(client, server.token_endpoint, {
    grant_type: exchangeGrant,
    subject_token_type: accessToken,
    ...form,
  })
}

/** A client and its own token, exchanged once to see that it may. */
async function exchanging(context: Context): Promise<{ client: Client; tokens: Tokens; answer: Answer }> {
  const client = await clientFor(context, exchangeGrant)
  const tokens = await context.flow.tokens(client)
  const answer = await exchange(context, client, { subject_token: tokens.access })
  if (answer.json['error'] === 'unauthorized_client') throw new NotShown('no client may exchange tokens')
  return { client, tokens, answer }
}

/** A client that registered for one scope asks for another. */
async function narrower(
  clients: Context['clients'],
  flow: Context['flow'],
  server: Context['server'],
  see: Sight,
): Promise<void> {
  if (server.registration_endpoint === undefined) return
  const machine = await clients.of('machine')
  const [scope, surplus] = flow.scopes(machine)
  if (scope === undefined || surplus === undefined) return
  const { method } = machine
  const types = { grant_types: ['client_credentials'], response_types: [], redirect_uris: [] }
  const client = await clients
    .register({ token_endpoint_auth_method: method, ...types, scope })
    .catch(() => undefined)
  if (client?.scope !== scope) return
  const form = { grant_type: 'client_credentials' }
  see.granted(await flow.post(client, server.token_endpoint, { ...form, scope }), 'the scope it registered')
  const answer = await flow.post(client, server.token_endpoint, { ...form, scope: surplus })
  const granted = String(answer.json['scope'] ?? '').split(' ')
  see.holds(
    !granted.includes(surplus),
    `scope=${surplus} of a client that registered ${scope} was granted`,
    answer,
  )
}

export const grantChecks: readonly Check[] = [
  {
    id: 'N88',
    section: 'RFC 6749 §4.4',
    title: 'client_credentials is for confidential clients, and makes no refresh token',
    needs: ['client credentials'],
    accepts: 'Any refusal of a public client; a refresh token is a SHOULD NOT (§4.4.3)',
    async run({ clients, flow, server }, see) {
      const machine = await clients.of('machine')
      const form = { grant_type: 'client_credentials' }
      const answer = see.granted(await flow.post(machine, server.token_endpoint, form), 'client_credentials')
      see.holds(answer.json['refresh_token'] === undefined, 'client_credentials made a refresh token', answer)
      const nobody = await clients.of('public')
      see.refused(await flow.post(nobody, server.token_endpoint, form), anyRefusal, 'a public client')
    },
  },
  {
    id: 'N89',
    section: 'RFC 6749 §3.3',
    title: 'client_credentials goes no further than the client’s own scope',
    needs: ['client credentials'],
    accepts: 'The surplus may be ignored where the answer says which scope was granted',
    async run({ clients, flow, server }, see) {
      const machine = await clients.of('machine')
      const form = { grant_type: 'client_credentials' }
      see.granted(await flow.post(machine, server.token_endpoint, form), 'client_credentials')
      const own = machine.scope?.split(' ') ?? []
      const surplus = server.scopes_supported?.find(
        (scope) => machine.scope !== undefined && !own.includes(scope),
      )
      await narrower(clients, flow, server, see)
      for (const scope of ['nobody:knows:this', ...(surplus === undefined ? [] : [surplus])]) {
        const asked = [...flow.scopes(machine), scope].join(' ')
        const answer = await flow.post(machine, server.token_endpoint, { ...form, scope: asked })
        if (answer.status === 200 && answer.json['scope'] === undefined && asked === scope) {
          // An empty scope has no spelling (RFC 6749 §3.3), so the answer cannot say that nothing was granted.
          see.note(`scope=${scope}: the answer does not say which scope was granted`)
        } else if (answer.status === 200) {
          const granted = String(answer.json['scope'] ?? asked).split(' ')
          const what = `scope=${scope} was neither refused nor does the answer say that it was not granted`
          see.holds(!granted.includes(scope), what, answer)
        } else see.refused(answer, { status: [400], error: ['invalid_scope'] }, `scope=${scope}`)
      }
    },
  },
  {
    id: 'N90',
    section: 'RFC 8693 §2.2.2',
    title: 'an invalid subject or actor token is invalid_request',
    needs: ['code flow', 'token exchange'],
    async run(context, see) {
      const { client, tokens } = await exchanging(context)
      see.refused(
        await exchange(context, client, { subject_token: fresh(32) }),
        invalidRequest,
        'an unknown subject_token',
      )
      const actor = { subject_token: tokens.access, actor_token: fresh(32), actor_token_type: accessToken }
      see.refused(await exchange(context, client, actor), invalidRequest, 'an unknown actor_token')
      const { revocation_endpoint: url } = context.server
      if (url === undefined) return
      await context.flow.post(client, url, { token: tokens.access })
      const revoked = await exchange(context, client, { subject_token: tokens.access })
      see.refused(revoked, invalidRequest, 'a revoked subject_token')
    },
  },
  {
    id: 'N91',
    section: 'RFC 8693 §2.1',
    title: 'an exchange whose parameters do not fit together is invalid_request',
    needs: ['code flow', 'token exchange'],
    async run(context, see) {
      const { client, tokens } = await exchanging(context)
      const subject = { subject_token: tokens.access }
      const forms: Record<string, Parameters> = {
        'no subject_token': {},
        'no subject_token_type': { ...subject, subject_token_type: undefined },
        'an unknown subject_token_type': { ...subject, subject_token_type: 'urn:example:unknown' },
        'actor_token without its type': { ...subject, actor_token: tokens.access },
        'actor_token_type without a token': { ...subject, actor_token_type: accessToken },
        'an unknown requested_token_type': { ...subject, requested_token_type: 'urn:example:unknown' },
      }
      for (const [input, form] of Object.entries(forms)) {
        see.refused(await exchange(context, client, form), invalidRequest, input)
      }
    },
  },
  {
    id: 'N92',
    section: 'RFC 8693 §2.2.2',
    title: 'an exchange leads to no unknown target and no wider scope',
    needs: ['code flow', 'token exchange'],
    async run(context, see) {
      const { client, tokens, answer } = await exchanging(context)
      see.granted(answer, 'the exchange of a client’s own token')
      const subject = { subject_token: tokens.access }
      const target = await exchange(context, client, { ...subject, resource: 'https://unknown.example/' })
      see.refused(
        target,
        { status: [400], error: ['invalid_target', 'invalid_request'] },
        'an unknown resource',
      )
      const scope = 'nobody:knows:this'
      const wider = await exchange(context, client, { ...subject, scope })
      if (wider.status === 200) {
        const granted = String(wider.json['scope'] ?? scope).split(' ')
        see.holds(!granted.includes(scope), 'an unknown scope was granted', wider)
      } else
        see.refused(wider, { status: [400], error: ['invalid_scope', 'invalid_request'] }, 'an unknown scope')
    },
  },
  {
    id: 'N93',
    section: 'RFC 7523 §3.1',
    title: 'an assertion of an untrusted issuer is invalid_grant',
    needs: ['JWT bearer'],
    async run(context, see) {
      const { flow, server } = context
      const client = await clientFor(context, bearerGrant)
      const key = makeKey(['ES256'])!
      const now = seconds()
      const claims = {
        iss: 'https://nobody-trusts-this.example',
        sub: 'somebody',
        aud: server.issuer,
        jti: fresh(),
        iat: now,
        exp: now + 60,
      }
      const forms: Record<string, string> = {
        'an untrusted issuer': compact({ alg: key.alg, typ: 'JWT' }, claims, key),
        'no JWT': 'no.jwt.here',
      }
      for (const [input, jwt] of Object.entries(forms)) {
        const answer = await flow.post(client, server.token_endpoint, {
          grant_type: bearerGrant,
          assertion: jwt,
        })
        if (answer.json['error'] === 'unauthorized_client') {
          throw new NotShown('no client may present assertions as grants')
        }
        see.refused(answer, invalidGrant, input)
      }
    },
  },
]
