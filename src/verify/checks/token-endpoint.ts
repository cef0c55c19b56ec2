import { anyRefusal, type Check, type Context, invalidClient, invalidRequest } from '../check.ts'
import { basic, type Client } from '../clients.ts'
import { NotShown } from '../failures.ts'
import type { Code } from '../flow.ts'
import { offersGrant } from '../metadata.ts'
import { assertion, assertionForm, assertionType, fresh } from '../proofs.ts'
import { encode, withQuery } from '../wire.ts'

const form = { 'content-type': 'application/x-www-form-urlencoded' }

/** A confidential client with a secret, and how it authenticates. */
async function secretClient({ clients }: Context): Promise<Client & { secret: string }> {
  const client = await clients.of('confidential')
  if (client.secret === undefined) throw new NotShown('no client with a secret was given')
  return client as Client & { secret: string }
}

/** Everything that redeems a code, credentials included, by the client's own method. */
function whole(code: Code, client: Client & { secret: string }) {
  return {
    grant_type: 'authorization_code',
    code: code.value,
    redirect_uri: code.redirectUri,
    code_verifier: code.verifier,
    client_id: client.id,
    client_secret: client.secret,
  }
}

async function stillUsable({ flow }: Context, code: Code, note: (words: string) => void): Promise<void> {
  const answer = await flow.redeem(code)
  if (answer.status !== 200)
    note('the refused request spent the code: its owner could not redeem it afterwards')
}

export const tokenChecks: readonly Check[] = [
  {
    id: 'N54',
    section: 'RFC 6749 §3.2',
    title: 'the token endpoint takes POST only, and nothing from the query',
    needs: ['code flow'],
    accepts: 'Any refusal',
    async run(context, see) {
      const { flow, server, wire } = context
      const client = await secretClient(context)
      see.granted(await flow.redeem(await flow.code(client)), 'a code')
      const code = await flow.code(client)
      const { client_id, client_secret, ...grant } = whole(code, client)
      const authorization = basic(client.id, client.secret)
      for (const [input, headers, query] of [
        ['the grant in the query', { authorization }, grant],
        ['everything in the query', {}, { ...grant, client_id, client_secret }],
      ] as const) {
        const url = withQuery(server.token_endpoint, query)
        see.refused(await wire.send({ method: 'GET', url, headers }), anyRefusal, `GET with ${input}`)
        const posted = { method: 'POST', url, headers: { ...form, ...headers }, body: '' }
        see.refused(await wire.send(posted), anyRefusal, `POST with ${input}`)
      }
      await stillUsable(context, code, see.note)
    },
  },
  {
    id: 'N55',
    section: 'RFC 6749 §4.1.3',
    title: 'the token endpoint takes forms, not JSON',
    needs: ['code flow'],
    accepts: 'Any refusal',
    async run(context, see) {
      const { flow, server, wire } = context
      const client = await secretClient(context)
      see.granted(await flow.redeem(await flow.code(client)), 'a code')
      const { client_id, client_secret, ...grant } = whole(await flow.code(client), client)
      const answer = await wire.send({
        method: 'POST',
        url: server.token_endpoint,
        headers: {
          'content-type': 'application/json',
          ...(client.method === 'client_secret_basic'
            ? { authorization: basic(client.id, client.secret) }
            : {}),
        },
        body: JSON.stringify(
          client.method === 'client_secret_basic' ? grant : { ...grant, client_id, client_secret },
        ),
      })
      see.refused(answer, anyRefusal, 'a JSON body')
      const code = whole(await flow.code(client), client)
      const send = (type: string, body: string) =>
        wire.send({ method: 'POST', url: server.token_endpoint, headers: { 'content-type': type }, body })
      see.refused(await send('text/plain', encode(code)), anyRefusal, 'a form that says it is text/plain')
      const broken = await send(form['content-type'], `${encode(code)}&state=%zz`)
      see.holds(broken.status < 500, `a broken percent-escape: ${broken.status}`, broken)
    },
  },
  {
    id: 'N56',
    section: 'RFC 6749 §3.2',
    title: 'a parameter that is sent twice is invalid_request',
    needs: ['code flow'],
    async run(context, see) {
      const { flow } = context
      const client = await secretClient(context)
      see.granted(await flow.redeem(await flow.code(client)), 'a code')
      for (const name of ['grant_type', 'code', 'code_verifier', 'redirect_uri'] as const) {
        const code = await flow.code(client)
        const value = whole(code, client)[name]
        see.refused(await flow.redeem(code, { [name]: [value, value] }), invalidRequest, `${name} twice`)
      }
    },
  },
  {
    id: 'N57',
    section: 'RFC 6749 §5.2',
    title:
      'a missing grant_type is invalid_request, an unknown one unsupported_grant_type, and password never works',
    async run(context, see) {
      const { clients, flow, server } = context
      const client = await clients.of('confidential').catch(() => clients.of('public'))
      const ask = (more: Record<string, string>) => flow.post(client, server.token_endpoint, more)
      see.refused(await ask({}), invalidRequest, 'no grant_type')
      const unsupported = { status: [400], error: ['unsupported_grant_type'] }
      see.refused(await ask({ grant_type: 'surprise' }), unsupported, 'grant_type=surprise')
      see.refused(
        await ask({ grant_type: 'password', username: 'nobody', password: fresh() }),
        { status: [400], error: ['unsupported_grant_type', 'unauthorized_client'] },
        'grant_type=password',
      )
    },
  },
  {
    id: 'N58',
    section: 'RFC 6749 §5.2',
    title: 'a grant type the client was not registered for is unauthorized_client',
    needs: ['client credentials'],
    async run(context, see) {
      const { flow, server } = context
      const client = await secretClient(context)
      if (client.grantTypes.includes('client_credentials')) {
        throw new NotShown('the client may use client_credentials')
      }
      const answer = await flow.post(client, server.token_endpoint, { grant_type: 'client_credentials' })
      const said = Array.isArray(client.registered['grant_types'])
      if (!said && answer.status === 200)
        throw new NotShown('the grant types of the client are not known, and it may use client_credentials')
      see.refused(answer, { status: [400], error: ['unauthorized_client'] }, 'client_credentials')
    },
  },
  {
    id: 'N59',
    section: 'RFC 6749 §2.3',
    title: 'a client that authenticates twice is refused',
    needs: ['code flow'],
    accepts: 'invalid_request (RFC 6749 §5.2) or invalid_client (RFC 7521 §4.2.1)',
    async run(context, see) {
      const { clients, flow, server } = context
      const client = await secretClient(context)
      see.granted(await flow.redeem(await flow.code(client)), 'a code')
      const twice = { status: [400, 401], error: ['invalid_request', 'invalid_client'] }
      const header = { authorization: basic(client.id, client.secret) }
      const code = await flow.code(client)
      const body = { client_id: client.id, client_secret: client.secret }
      see.refused(
        await flow.redeem(code, {}, { credentials: { headers: header, form: body } }),
        twice,
        'Basic and a secret in the body',
      )
      const none = { client_assertion_type: assertionType, client_assertion: 'e30.e30.e30' }
      see.refused(
        await flow.redeem(code, {}, { credentials: { headers: header, form: none } }),
        twice,
        'Basic and an assertion',
      )
      await stillUsable(context, code, see.note)
      if (!server.token_endpoint_auth_methods_supported?.includes('private_key_jwt')) return
      const signing = await clients.of('signing').catch(() => undefined)
      if (!signing) {
        see.notSeen('an assertion that holds, beside a secret: there is no client that signs')
        return
      }
      const own = await flow.code(signing)
      const held = assertionForm(signing, assertion(signing, server.issuer))
      const beside = { headers: { authorization: basic(signing.id, fresh()) }, form: held }
      see.refused(
        await flow.redeem(own, {}, { credentials: beside }),
        twice,
        'an assertion that holds, and Basic',
      )
    },
  },
  {
    id: 'N60',
    section: 'RFC 6749 §5.2',
    title: 'a wrong secret is invalid_client, and after Basic a challenge',
    needs: ['code flow'],
    accepts: '400 as well as 401 where no Authorization header was sent',
    async run(context, see) {
      const { flow } = context
      const client = await secretClient(context)
      see.granted(await flow.redeem(await flow.code(client)), 'a code')
      const code = await flow.code(client)
      const answer = await flow.redeem(code, {}, { as: { ...client, secret: fresh() } })
      see.refused(
        answer,
        client.method === 'client_secret_basic' ? unauthorized : invalidClient,
        'a wrong secret',
      )
      if (client.method === 'client_secret_basic') {
        const challenge = answer.headers.get('www-authenticate') ?? ''
        see.holds(/^basic\b/i.test(challenge), 'the 401 comes without WWW-Authenticate: Basic', answer)
      }
      await stillUsable(context, code, see.note)
    },
  },
  {
    id: 'N61',
    section: 'RFC 6749 §5.2',
    title: 'an unknown client is invalid_client, whatever it presents',
    async run({ clients, flow, server }, see) {
      const method = await clients.of('confidential').then(
        (client) => client.method,
        () => 'none' as const,
      )
      const nobody: Client = {
        id: `nobody-${fresh()}`,
        method,
        secret: fresh(),
        redirectUris: [],
        grantTypes: [],
        registered: {},
      }
      const forms = {
        'a refresh token': { grant_type: 'refresh_token', refresh_token: fresh() },
        'a code': { grant_type: 'authorization_code', code: fresh(), code_verifier: fresh(32) },
      }
      for (const [input, parameters] of Object.entries(forms)) {
        for (const as of [nobody, { ...nobody, method: 'none' as const }]) {
          const answer = await flow.post(as, server.token_endpoint, parameters)
          see.refused(
            answer,
            invalidClient,
            `${input} by an unknown client${as === nobody ? '' : ' without a secret'}`,
          )
        }
      }
    },
  },
  {
    id: 'N62',
    section: 'RFC 6749 §3.2.1',
    title: 'a confidential client that does not authenticate is invalid_client, on refresh too',
    needs: ['code flow'],
    async run(context, see) {
      const { flow, server } = context
      const client = await secretClient(context)
      const as = { ...client, method: 'none' as const }
      see.granted(await flow.redeem(await flow.code(client)), 'a code')
      const code = await flow.code(client)
      see.refused(await flow.redeem(code, {}, { as }), invalidClient, 'a code without the secret')
      await stillUsable(context, code, see.note)
      const tokens = await flow.tokens(client, { offline: true }).catch(() => undefined)
      if (tokens?.refresh === undefined) {
        if (offersGrant(server, 'refresh_token'))
          see.note('a refresh without the secret was not tried: no refresh token was issued')
        return
      }
      see.refused(
        await flow.refresh(client, tokens.refresh, {}, { as }),
        invalidClient,
        'a refresh token without the secret',
      )
      const after = await flow.refresh(client, tokens.refresh)
      if (after.status !== 200) see.note('the refused request spent the refresh token')
    },
  },
  {
    id: 'N63',
    section: 'RFC 6749 §2.3.1',
    title: 'a broken Basic header is refused, and breaks nothing',
    needs: ['code flow'],
    accepts: '400 invalid_request as well as 401 invalid_client',
    async run(context, see) {
      const { flow } = context
      const client = await secretClient(context)
      see.granted(await flow.redeem(await flow.code(client)), 'a code')
      const code = await flow.code(client)
      const broken = {
        'no base64': 'Basic !!!',
        'no colon': `Basic ${Buffer.from('nocolon').toString('base64')}`,
        'a broken percent-escape': `Basic ${Buffer.from('%zz:%').toString('base64')}`,
        nothing: 'Basic',
      }
      for (const [input, authorization] of Object.entries(broken)) {
        const answer = await flow.redeem(code, {}, { credentials: { headers: { authorization }, form: {} } })
        see.refused(
          answer,
          { status: [400, 401], error: ['invalid_client', 'invalid_request'] },
          `a Basic header with ${input}`,
        )
      }
      await stillUsable(context, code, see.note)
    },
  },
  {
    id: 'N64',
    section: 'RFC 6749 §5.1',
    title: 'an answer with tokens is not to be stored',
    needs: ['code flow'],
    accepts: 'No Pragma (OAuth 2.1 no longer asks for it); nothing on errors, of which §5.2 says nothing',
    async run(context, see) {
      const client = await context.clients.of('confidential').catch(() => context.clients.of('public'))
      const answer = see.granted(await context.flow.redeem(await context.flow.code(client)), 'a code')
      const cache = answer.headers.get('cache-control') ?? ''
      see.holds(/\bno-store\b/i.test(cache), 'the token answer comes without Cache-Control: no-store', answer)
    },
  },
]

const unauthorized = { status: [401], error: ['invalid_client'] }
