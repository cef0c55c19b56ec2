import type { Check, Context, Sight } from '../check.ts'
import type { Client } from '../clients.ts'
import { NotApplicable } from '../failures.ts'
import type { Outcome } from '../front-channel.ts'
import { compact, makeKey, unsigned } from '../jose.ts'
import { isLoopback, openListener } from '../listener.ts'
import { speaksOpenId } from '../metadata.ts'
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
  if (!gotCode(outcome)) throw new NotApplicable('a correct request object does not lead to a code')
  return client
}

/** OpenID Connect Core §6.1 wants these outside as well; RFC 9101 §5 allows it. */
function outside(client: Client): Parameters {
  return { redirect_uri: client.redirectUris[0] }
}

async function notSupported(context: Context, see: Sight, name: string, value: string): Promise<void> {
  const client = await codeFlowClient(context)
  const outcome = await context.flow.authorize(client, { [name]: value })
  // RFC 6749 §3.1: a server that never heard of a parameter ignores it.
  if (gotCode(outcome) && !speaksOpenId(context.server)) see.note(`${name} is ignored`)
  else see.turnedBack(outcome, [], `${name} where it is not supported`)
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
    title: 'what a request object says is not overruled from outside it',
    needs: ['code flow', 'request objects'],
    accepts: 'A refusal; parameters outside that the object does not have (OpenID Connect Core §6.1)',
    async run(context, see) {
      const client = await objectClient(context)
      const { header, claims } = objectParts(context, client, { claims: { state: 'inside-the-object' } })
      const jwt = compact(header, claims, client.key)
      const outcome = await send(context, client, jwt, { ...outside(client), state: 'outside-of-it' })
      if (!outcome.left) return
      const state = outcome.left.parameters.get('state')
      see.holds(state !== 'outside-of-it', 'the state outside the object won', outcome.answer)
    },
  },
  {
    id: 'N37',
    section: 'RFC 9101 §10.4.1',
    title: 'a request_uri nobody registered is not fetched',
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
          see.note(
            'the server is not on this machine: whether it connected somewhere cannot be seen from here',
          )
        }
      } finally {
        await listener.close()
      }
    },
  },
]
