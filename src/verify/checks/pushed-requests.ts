import { anyRefusal, badRequest, type Check, type Context, invalidClient, type Sight } from '../check.ts'
import { type Client, codeClient } from '../clients.ts'
import { NotApplicable, NotShown } from '../failures.ts'
import type { AskOptions, Outcome } from '../front-channel.ts'
import { type ClientKey, makeKey, thumbprint } from '../jose.ts'
import { fresh } from '../proofs.ts'
import { type Answer, type Parameters, withQuery } from '../wire.ts'
import { codeFlowClient } from './authorization.ts'

const endpoint = ({ server }: Context) => server.pushed_authorization_request_endpoint!

function push(context: Context, client: Client, changes: Parameters = {}): Promise<Answer> {
  const { parameters } = context.flow.request(client, changes)
  return context.flow.post(client, endpoint(context), parameters)
}

/** A pushed request that was accepted. */
async function pushed(context: Context, see: Sight, client: Client): Promise<string> {
  const answer = see.granted(await push(context, client), 'a pushed request')
  const uri = answer.json['request_uri']
  see.holds(typeof uri === 'string', 'a pushed request was accepted without a request_uri', answer)
  return String(uri)
}

function come(
  { flow, server }: Context,
  client: Client,
  uri: string,
  options?: AskOptions,
): Promise<Outcome> {
  const url = withQuery(server.authorization_endpoint!, { client_id: client.id, request_uri: uri })
  return flow.visit(client, url, options)
}

/** The code of a request with `dpop_jkt` is good with a proof of that key alone (RFC 9449 §10). */
async function boundCode(
  context: Context,
  see: Sight,
  client: Client,
  uri: string,
  verifier: string,
  [key, other]: [ClientKey, ClientKey],
): Promise<void> {
  const { flow } = context
  const { left, answer } = await come(context, client, uri)
  const value = left?.parameters.get('code')
  if (!left || !value) throw new NotShown('a pushed request with dpop_jkt does not lead to a code')
  const redirectUri = client.redirectUris[0]!
  const code = { client, value, verifier, redirectUri, response: left.parameters, answer }
  see.refused(await flow.redeem(code), anyRefusal, 'a code bound by dpop_jkt, without a proof')
  see.refused(
    await flow.redeem(code, {}, { key: other }),
    anyRefusal,
    'a code bound by dpop_jkt, with another key',
  )
  const good = await flow.redeem(code, {}, { key })
  if (good.status !== 200) see.note('a refused request spent the code')
}

const gotCode = ({ left }: Outcome) => left?.parameters.has('code') ?? false

export const pushedRequestChecks: readonly Check[] = [
  {
    id: 'N13',
    section: 'RFC 9126 §4',
    title: 'a pushed request that is unknown, or of another client, leads nowhere',
    needs: ['code flow', 'pushed requests'],
    accepts: 'A page, or an error at the client’s own redirect URI',
    async run(context, see) {
      const client = await codeFlowClient(context)
      const unknown = `urn:ietf:params:oauth:request_uri:${fresh(32)}`
      see.turnedBack(await come(context, client, unknown), [], 'a made-up request_uri')
      const thief = await context.clients.of('other').catch(() => context.clients.of('public'))
      if (thief.id === client.id) throw new NotShown('there is only one client')
      const uri = await pushed(context, see, client)
      see.turnedBack(await come(context, thief, uri), [], 'a request_uri of another client')
      if (gotCode(await come(context, client, uri))) return
      see.note('the request_uri no longer worked for its owner after another client had shown it')
      see.holds(
        gotCode(await come(context, client, await pushed(context, see, client))),
        'a pushed request does not lead to a code',
        await push(context, client),
      )
    },
  },
  {
    id: 'N14',
    section: 'RFC 9126 §4',
    title: 'a pushed request makes one code (a SHOULD), also when it is used in parallel',
    needs: ['code flow', 'pushed requests'],
    async run(context, see) {
      const client = await codeFlowClient(context)
      const uri = await pushed(context, see, client)
      const first = await come(context, client, uri)
      if (!gotCode(first)) throw new NotShown('a pushed request does not lead to a code')
      const here = await come(context, client, uri)
      see.holds(!gotCode(here), 'a request_uri, used again in its browser, made a second code', here.answer)
      const again = await come(context, client, uri, { stranger: true })
      see.holds(
        !gotCode(again),
        'a request_uri, used again in another browser, made a second code',
        again.answer,
      )
      const another = await pushed(context, see, client)
      const { atOnce } = context.wire
      const all = await Promise.all(Array.from({ length: atOnce }, () => come(context, client, another)))
      const codes = all.filter(gotCode)
      const second = codes[1]
      if (second)
        see.holds(false, `one request_uri, used in parallel, made ${codes.length} codes`, second.answer)
      if (codes.length === 0) see.notSeen('a request_uri, used in parallel, made no code at all')
      for (const { answer } of all) see.holds(answer.status < 500, `an answer with ${answer.status}`, answer)
    },
  },
  {
    id: 'N38',
    section: 'RFC 9126 §5',
    title: 'where pushing is required, a request that was not pushed is refused',
    needs: ['code flow', 'pushed requests'],
    accepts: 'A page instead of a redirect',
    async run(context, see) {
      const { clients, flow, server } = context
      const everyone = server.require_pushed_authorization_requests
      const method = (await codeFlowClient(context)).method
      const client = everyone
        ? await codeFlowClient(context)
        : await clients.register({
            ...codeClient(server, method, [clients.redirectUri]),
            require_pushed_authorization_requests: true,
          })
      if (!everyone && client.registered['require_pushed_authorization_requests'] !== true) {
        throw new NotApplicable('neither the server nor a client can require pushing')
      }
      await flow.code(client)
      const { parameters } = flow.request(client)
      const outcome = await flow.visit(client, withQuery(server.authorization_endpoint!, parameters))
      see.turnedBack(outcome, ['invalid_request'], 'a request that was not pushed')
    },
  },
  {
    id: 'N49',
    section: 'RFC 9126 §2.1',
    title: 'a request_uri in a pushed request is refused',
    needs: ['pushed requests'],
    accepts: 'Any code; the section names none',
    async run(context, see) {
      const client = await codeFlowClient(context)
      const uri = await pushed(context, see, client)
      see.refused(await push(context, client, { request_uri: uri }), badRequest, 'a request_uri in the body')
    },
  },
  {
    id: 'N50',
    section: 'RFC 9126 §2.1',
    title: 'a client that does not authenticate pushes nothing',
    needs: ['pushed requests'],
    async run(context, see) {
      const { clients, flow } = context
      const client = await clients.of('confidential')
      await pushed(context, see, client)
      const { parameters } = flow.request(client)
      const without = await flow.post({ ...client, method: 'none' }, endpoint(context), parameters)
      see.refused(without, invalidClient, 'no authentication')
      const wrong = await flow.post({ ...client, secret: fresh() }, endpoint(context), parameters)
      see.refused(wrong, invalidClient, 'a wrong secret')
    },
  },
  {
    id: 'N51',
    section: 'RFC 9126 §2.3',
    title: 'requests are pushed by POST, and a huge one breaks nothing',
    needs: ['pushed requests'],
    accepts: 'Any size the server wants to take',
    async run(context, see) {
      const { flow, wire } = context
      const client = await codeFlowClient(context)
      await pushed(context, see, client)
      const { parameters } = flow.request(client)
      const url = withQuery(endpoint(context), parameters)
      see.refused(await wire.send({ method: 'GET', url }), { status: [405] }, 'GET')
      const huge = await push(context, client, { state: 'x'.repeat(1 << 20) })
      see.holds(huge.status < 500, `a body of a megabyte: ${huge.status}`, huge)
      await pushed(context, see, client)
    },
  },
  {
    id: 'N52',
    section: 'RFC 9126 §2.3',
    title: 'what the authorization endpoint would refuse is refused when it is pushed',
    needs: ['pushed requests'],
    accepts: 'Another redirect URI of a client that authenticates (§2.4)',
    async run(context, see) {
      const { clients, server } = context
      const client = await clients.of('public').catch(() => codeFlowClient(context))
      await pushed(context, see, client)
      const evil = await push(context, client, { redirect_uri: 'https://evil.example/callback' })
      if (client.method === 'none') {
        const refusal = { status: [400], error: ['invalid_request', 'invalid_redirect_uri'] }
        see.refused(evil, refusal, 'a redirect_uri that is not registered')
      }
      const type = await push(context, client, { response_type: 'surprise' })
      const wrong = {
        status: [400],
        error: ['unsupported_response_type', 'unauthorized_client', 'invalid_request'],
      }
      see.refused(type, wrong, 'response_type=surprise')
      if (server.response_modes_supported !== undefined) {
        const mode = await push(context, client, { response_mode: 'surprise' })
        const code = mode.json['error']
        if (see.refused(mode, badRequest, 'response_mode=surprise'))
          see.holds(
            typeof code === 'string' && code !== '',
            'response_mode=surprise: no error code came',
            mode,
          )
      }
      if ((server.protected_resources ?? []).length === 0) return
      const resource = await push(context, client, { resource: 'https://unknown.example/' })
      see.refused(resource, { status: [400], error: ['invalid_target'] }, 'an unknown resource')
    },
  },
  {
    id: 'N53',
    section: 'RFC 9449 §10.1',
    title: 'a dpop_jkt that is not the key of the proof is refused',
    needs: ['pushed requests', 'DPoP'],
    accepts: 'Any refusal',
    async run(context, see) {
      const { flow, server } = context
      const client = await codeFlowClient(context)
      const [key, other] = [1, 2].map(() => makeKey(server.dpop_signing_alg_values_supported))
      if (!key || !other)
        throw new NotShown('no algorithm of dpop_signing_alg_values_supported is spoken here')
      for (const [jkt, right] of [
        [thumbprint(key.publicJwk), true],
        [thumbprint(other.publicJwk), false],
      ] as const) {
        const { parameters, verifier } = flow.request(client, { dpop_jkt: jkt })
        const answer = await flow.post(client, endpoint(context), parameters, { key })
        if (right) {
          see.granted(answer, 'dpop_jkt of the key of the proof')
          await boundCode(context, see, client, String(answer.json['request_uri']), verifier, [key, other])
        } else see.refused(answer, anyRefusal, 'dpop_jkt of another key')
      }
    },
  },
]
