import type { Check, Context, Sight } from '../check.ts'
import { type Client, codeClient } from '../clients.ts'
import { NotApplicable, NotShown } from '../failures.ts'
import type { Outcome } from '../front-channel.ts'
import { compact, makeKey, unsigned } from '../jose.ts'
import { isLoopback, openListener } from '../listener.ts'
import { speaksOpenId } from '../metadata.ts'
import { insideOf, keptInside, outsiders, overrulePushed } from '../overruled.ts'
import { type Changes, fresh, seconds } from '../proofs.ts'
import { type Parameters, withQuery } from '../wire.ts'
import { codeFlowClient } from './authorization.ts'

type Signing = Client & { key: NonNullable<Client['key']> }

const gotCode = ({ left }: Outcome) => left?.parameters.has('code') ?? false

/** Header and claims of a request object (RFC 9101 §4) that is right but for the changes. */
function objectParts({ flow, server }: Context, client: Signing, { header, claims }: Changes = {}) {
  const now = seconds()
  return {
    header: { typ: 'oauth-authz-req+jwt', alg: client.key.alg, kid: client.key.publicJwk.kid, ...header },
    claims: {
      ...flow.request(client).parameters,
      iss: client.id,
      aud: server.issuer,
      iat: now,
      nbf: now,
      exp: now + 300,
      jti: fresh(),
      ...claims,
    },
  }
}

/** Sends an object, with nothing outside it but what must be there and what is given. */
function send(
  { flow, server }: Context,
  client: Client,
  jwt: string,
  more: Parameters = {},
): Promise<Outcome> {
  const parameters = { client_id: client.id, response_type: 'code', request: jwt, ...more }
  return flow.visit(client, withQuery(server.authorization_endpoint!, parameters))
}

/** A client whose request objects lead to a code. */
async function objectClient(context: Context): Promise<Signing> {
  const client = (await context.clients.of('signing')) as Signing
  const { header, claims } = objectParts(context, client)
  const outcome = await send(context, client, compact(header, claims, client.key), outside(client))
  if (!gotCode(outcome)) throw new NotShown('a correct request object does not lead to a code')
  return client
}

/** OpenID Connect Core §6.1 wants these outside as well; RFC 9101 §5 allows it. */
function outside(client: Client): Parameters {
  return { redirect_uri: client.redirectUris[0] }
}

/** RFC 9101 §10.5: a client that registered for signed requests is held to them. */
async function demanded({ clients, flow, server }: Context, see: Sight): Promise<void> {
  if (server.registration_endpoint === undefined) return
  const key = makeKey(server.request_object_signing_alg_values_supported)
  if (!key) return
  const jwks = { keys: [key.publicJwk] }
  const metadata = {
    ...codeClient(server, 'none', [clients.redirectUri]),
    jwks,
    require_signed_request_object: true,
  }
  const client = await clients.register(metadata, key).catch(() => undefined)
  if (client?.registered['require_signed_request_object'] !== true) return
  see.turnedBack(
    await flow.authorize(client),
    [],
    'no request object, of a client that must sign its requests',
  )
}

async function notSupported(context: Context, see: Sight, name: string, value: string): Promise<void> {
  const client = await codeFlowClient(context)
  const outcome = await context.flow.authorize(client, { [name]: value })
  // RFC 6749 §3.1: a server that never heard of a parameter ignores it.
  if (gotCode(outcome) && !speaksOpenId(context.server)) see.note(`${name} is ignored`)
  else see.turnedBack(outcome, [], `${name} where it is not supported`)
}

async function overruleObject(context: Context, see: Sight): Promise<void> {
  const client = await objectClient(context)
  for (const more of outsiders(client, context.flow)) {
    const inside = insideOf(context, client)
    const { header, claims } = objectParts(context, client, { claims: inside.parameters })
    const jwt = compact(header, claims, client.key)
    const outcome = await send(context, client, jwt, { ...outside(client), ...more })
    const input = `${Object.keys(more).join()} beside a request object`
    await keptInside(context, see, client, inside, outcome, input)
  }
}

export const requestObjectChecks: readonly Check[] = [
  {
    id: 'N32',
    section: 'OpenID Connect Core §3.1.2.6',
    title: 'request, request_uri and registration are refused where they are not supported',
    needs: ['code flow'],
    accepts: 'Any error; a server without OpenID Connect may ignore them (RFC 6749 §3.1)',
    async run(context, see) {
      const { server } = context
      await context.flow.code(await codeFlowClient(context))
      if (!server.request_parameter_supported) await notSupported(context, see, 'request', 'e30.e30.')
      if (server.request_uri_parameter_supported === false)
        await notSupported(context, see, 'request_uri', 'https://client.example/request.jwt')
      if (speaksOpenId(server)) await notSupported(context, see, 'registration', '{"client_name":"Somebody"}')
    },
  },
  {
    id: 'N33',
    section: 'RFC 9101 §5',
    title: 'request and request_uri together are refused',
    needs: ['code flow', 'request objects'],
    accepts: 'Any error, or a page',
    async run(context, see) {
      const client = await objectClient(context)
      const { header, claims } = objectParts(context, client)
      const jwt = compact(header, claims, client.key)
      const more = { ...outside(client), request_uri: 'https://client.example/request.jwt' }
      see.turnedBack(await send(context, client, jwt, more), [], 'request and request_uri')
      const { pushed_authorization_request_endpoint: endpoint } = context.server
      if (endpoint === undefined) return
      const { parameters } = context.flow.request(client)
      const pushed = see.granted(await context.flow.post(client, endpoint, parameters), 'a pushed request')
      const both = { ...outside(client), request_uri: String(pushed.json['request_uri']) }
      const again = compact(header, { ...claims, jti: fresh() }, client.key)
      see.turnedBack(await send(context, client, again, both), [], 'request and the name of a pushed request')
    },
  },
  {
    id: 'N34',
    section: 'RFC 9101 §6.2',
    title: 'a request object that is unsigned, wrongly signed, for another server or expired is refused',
    needs: ['code flow', 'request objects'],
    accepts: 'Any error, or a page; alg none where request_object_signing_alg_values_supported has it',
    async run(context, see) {
      const { server } = context
      const client = await objectClient(context)
      const jws = (changes: Changes) => {
        const { header, claims } = objectParts(context, client, changes)
        return compact(header, claims, changes.key ?? client.key)
      }
      const { header, claims } = objectParts(context, client)
      const now = seconds()
      const objects: Record<string, string> = {
        'no JWT': 'no.jwt',
        'a key that is not the client’s': jws({ key: makeKey([client.key.alg])! }),
        'aud of another server': jws({ claims: { aud: 'https://other.example' } }),
        'an exp ten minutes ago': jws({ claims: { iat: now - 900, nbf: now - 900, exp: now - 600 } }),
      }
      if (!server.request_object_signing_alg_values_supported?.includes('none')) {
        objects['alg none'] = unsigned({ ...header, alg: 'none' }, claims)
      }
      for (const [input, jwt] of Object.entries(objects)) {
        see.turnedBack(await send(context, client, jwt, outside(client)), [], input)
      }
      await demanded(context, see)
    },
  },
  {
    id: 'N35',
    section: 'RFC 9101 §6.3',
    title: 'a request object of another client_id than the query is refused',
    needs: ['code flow', 'request objects'],
    accepts: 'Any error, or a page',
    async run(context, see) {
      const client = await objectClient(context)
      const other = await context.clients.of('confidential').catch(() => context.clients.of('public'))
      const { header, claims } = objectParts(context, client, { claims: { client_id: other.id } })
      const jwt = compact(header, claims, client.key)
      see.turnedBack(await send(context, client, jwt, outside(client)), [], 'another client_id in the object')
    },
  },
  {
    id: 'N36',
    section: 'RFC 9101 §6.3',
    title: 'what a request object or a pushed request says is not overruled from outside it',
    needs: ['code flow'],
    accepts:
      'A refusal; parameters outside that the object does not have (OpenID Connect Core §6.1), for a pushed request too',
    async run(context, see) {
      const { request_parameter_supported: objects, pushed_authorization_request_endpoint: pushed } =
        context.server
      if (!objects && pushed === undefined)
        throw new NotApplicable('the metadata names neither request objects nor pushed requests')
      if (pushed !== undefined) await overrulePushed(context, see, pushed)
      if (objects) await overruleObject(context, see)
    },
  },
  {
    id: 'N37',
    section: 'RFC 9101 §10.4.1',
    title: 'an unregistered request_uri is not fetched',
    needs: ['code flow'],
    accepts: 'Any error, or a page',
    async run(context, see) {
      const { flow, server } = context
      const client = await codeFlowClient(context)
      await flow.code(client)
      const listener = await openListener()
      try {
        for (const url of [`http://${listener.host}/request.jwt`, `https://${listener.host}/request.jwt`]) {
          const outcome = await flow.authorize(client, { request_uri: url })
          if (gotCode(outcome) && !speaksOpenId(server)) see.note('request_uri is ignored')
          else see.turnedBack(outcome, [], `a request_uri at ${new URL(url).protocol}//127.0.0.1`)
          see.holds(
            listener.connections === 0,
            'the server connected to a request_uri at 127.0.0.1',
            outcome.answer,
          )
        }
        if (!isLoopback(server.issuer)) {
          see.notSeen(
            'the server is not on this machine: whether it connected somewhere cannot be seen from here',
          )
        }
      } finally {
        await listener.close()
      }
    },
  },
]
