import { anyRefusal, badRequest, type Check, type Context, type Sight } from '../check.ts'
import { type Client, codeClient } from '../clients.ts'
import { NotApplicable, NotShown } from '../failures.ts'
import { compact, makeKey } from '../jose.ts'
import { isLoopback, openListener } from '../listener.ts'
import { fresh, seconds } from '../proofs.ts'
import type { Answer } from '../wire.ts'
import { codeFlowClient } from './authorization.ts'

const refusedMetadata = { status: [400], error: ['invalid_redirect_uri', 'invalid_client_metadata'] }

async function method(context: Context): Promise<Client['method']> {
  return (await codeFlowClient(context)).method
}

/** Somebody can register here at all: a client that was needed already, or one for this. */
async function registers({ clients, server }: Context): Promise<void> {
  if (clients.all.some(({ registered }) => registered['client_id_issued_at'] !== undefined)) return
  await clients.register(codeClient(server, 'none', [clients.redirectUri]))
}

/** A registration that must be refused. What is registered all the same is deleted in the end. */
async function refuse(
  { clients }: Context,
  see: Sight,
  metadata: Record<string, unknown>,
  input: string,
): Promise<void> {
  const answer = await clients.tryRegister(metadata)
  if (answer.status === 201) clients.adopt(answer)
  see.refused(answer, refusedMetadata, input)
}

async function manageable(
  { clients, server }: Context,
  how: Client['method'],
): Promise<Client & { management: NonNullable<Client['management']> }> {
  const client = await clients.register(codeClient(server, how, [clients.redirectUri]))
  if (!client.management) throw new NotApplicable('a registration cannot be managed here (RFC 7592)')
  return { ...client, management: client.management }
}

export const registrationChecks: readonly Check[] = [
  {
    id: 'N104',
    section: 'RFC 7591 §5',
    title: 'redirect URIs that are missing, have a fragment or are not the client’s alone are not registered',
    needs: ['registration'],
    accepts: 'invalid_client_metadata as well as invalid_redirect_uri',
    async run(context, see) {
      const base = codeClient(context.server, await method(context), [])
      await registers(context)
      const lists: Record<string, unknown> = {
        'no redirect_uris': undefined,
        'a fragment': [`${context.clients.redirectUri}#fragment`],
        'http on a host that is not loopback': ['http://client.example/callback'],
        'a javascript: URI': ['javascript:alert(1)'],
        'a data: URI': ['data:text/html,hello'],
      }
      for (const [input, list] of Object.entries(lists))
        await refuse(context, see, { ...base, redirect_uris: list }, input)
    },
  },
  {
    id: 'N105',
    section: 'RFC 7591 §2',
    title: 'metadata that contradicts itself is not registered as it is',
    needs: ['registration'],
    accepts: 'invalid_client_metadata, or other values than were asked for (§3.2.1)',
    async run(context, see) {
      const { clients, server, wire } = context
      const how = await method(context)
      const base = codeClient(server, how, [clients.redirectUri])
      await registers(context)
      const { publicJwk } = makeKey()!
      const tries: [string, Record<string, unknown>, (json: Answer['json']) => boolean][] = [
        [
          'jwks beside jwks_uri',
          { jwks: { keys: [publicJwk] }, jwks_uri: 'https://client.example/jwks.json' },
          (json) => json['jwks'] !== undefined && json['jwks_uri'] !== undefined,
        ],
        [
          'an unknown token_endpoint_auth_method',
          { token_endpoint_auth_method: 'surprise' },
          (json) => json['token_endpoint_auth_method'] === 'surprise',
        ],
        [
          'response_types without the grant they need',
          { grant_types: ['client_credentials'], response_types: ['code'] },
          (json) =>
            [json['response_types']].flat().includes('code') &&
            ![json['grant_types']].flat().includes('authorization_code'),
        ],
      ]
      const text = await wire.send({
        method: 'POST',
        url: server.registration_endpoint!,
        headers: { 'content-type': 'text/plain', ...clients.authorization },
        body: JSON.stringify(base),
      })
      if (text.status === 201) clients.adopt(text)
      see.refused(text, anyRefusal, 'JSON that says it is text/plain')
      for (const [input, more, stands] of tries) {
        const answer = await clients.tryRegister({ ...base, ...more })
        if (answer.status !== 201) {
          see.refused(answer, refusedMetadata, input)
          continue
        }
        clients.adopt(answer)
        see.holds(!stands(answer.json), `${input} was registered`, answer)
      }
    },
  },
  {
    id: 'N106',
    section: 'RFC 7591 §5',
    title: 'no URL of a registration makes the server connect to its own network',
    needs: ['registration'],
    accepts:
      'Registration and refusal alike; whether this machine was asked is noted, since no section forbids it',
    async run(context, see) {
      const { clients, server } = context
      if (!isLoopback(server.issuer)) {
        throw new NotShown('the server is not on this machine: whether it connects somewhere cannot be seen')
      }
      const base = codeClient(server, await method(context), [clients.redirectUri])
      await registers(context)
      const listener = await openListener()
      try {
        const url = `https://${listener.host}/`
        for (const urls of [
          { jwks_uri: url, logo_uri: url, client_uri: url },
          { sector_identifier_uri: url },
        ]) {
          const names = Object.keys(urls).join(', ')
          const before = listener.connections
          const answer = await clients.tryRegister({ ...base, ...urls })
          if (answer.status === 201) clients.adopt(answer)
          else see.refused(answer, badRequest, names)
          if (listener.connections > before) see.note(`${names}: the server connected to 127.0.0.1`)
        }
      } finally {
        await listener.close()
      }
    },
  },
  {
    id: 'N107',
    section: 'RFC 7591 §2.3',
    title: 'a software statement of an untrusted issuer is ignored',
    needs: ['registration'],
    accepts: 'invalid_software_statement, unapproved_software_statement, or a registration that ignores it',
    async run(context, see) {
      const { clients, server } = context
      const base = codeClient(server, await method(context), [clients.redirectUri])
      await registers(context)
      const key = makeKey(['ES256'])!
      const claims = {
        iss: 'https://nobody-trusts-this.example',
        iat: seconds(),
        jti: fresh(),
        software_id: 'forged-software',
        client_name: 'Forged name',
      }
      const statement = compact({ alg: key.alg, typ: 'JWT' }, claims, key)
      const answer = await clients.tryRegister({ ...base, software_statement: statement })
      if (answer.status === 201) {
        clients.adopt(answer)
        const believed =
          answer.json['client_name'] === 'Forged name' || answer.json['software_id'] === 'forged-software'
        see.holds(!believed, 'what the forged statement says was registered', answer)
        return
      }
      see.refused(
        answer,
        {
          status: [400],
          error: ['invalid_software_statement', 'unapproved_software_statement', 'invalid_client_metadata'],
        },
        'a forged software statement',
      )
    },
  },
  {
    id: 'N108',
    section: 'RFC 7591 §3',
    title: 'where registration needs an initial access token, it is refused without one',
    needs: ['registration'],
    accepts: '403 as well as 401',
    async run(context, see) {
      const { clients, server, wire } = context
      const metadata = codeClient(server, await method(context), [clients.redirectUri])
      const send = (headers: Record<string, string>) =>
        wire.send({
          method: 'POST',
          url: server.registration_endpoint!,
          headers: { 'content-type': 'application/json', ...headers },
          body: JSON.stringify(metadata),
        })
      const without = await send({})
      if (without.status === 201) {
        clients.adopt(without)
        throw new NotApplicable('everybody may register')
      }
      await registers(context)
      const refusal = { status: [401, 403] }
      see.refused(without, refusal, 'no initial access token')
      see.refused(
        await send({ authorization: `Bearer ${fresh(32)}` }),
        refusal,
        'a wrong initial access token',
      )
    },
  },
  {
    id: 'N109',
    section: 'RFC 7592 §2.2',
    title: 'a registration is read and changed by its own token alone, and no client chooses its secret',
    needs: ['code flow', 'registration'],
    accepts: 'Any refusal of another client’s token; a secret of one’s own may be ignored',
    async run(context, see) {
      const { flow, wire } = context
      const how = await method(context)
      // A token that was shown for another client may be revoked for it (§2.1), so it is nobody else's.
      const [thief, mine] = [await manageable(context, how), await manageable(context, how)]
      const send = (verb: string, url: string, token: string, body?: object) =>
        wire.send({
          method: verb,
          url,
          headers: {
            authorization: `Bearer ${token}`,
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        })
      const read = see.granted(
        await send('GET', mine.management.url, mine.management.token),
        'reading a registration',
      )
      for (const verb of ['GET', 'DELETE']) {
        const answer = await send(verb, mine.management.url, thief.management.token)
        see.refused(answer, anyRefusal, `${verb} with another client’s token`)
      }
      see.refused(await send('GET', mine.management.url, fresh(32)), anyRefusal, 'GET with an unknown token')
      const bare = await wire.send({ method: 'GET', url: mine.management.url })
      see.refused(bare, anyRefusal, 'GET without a token')
      const after = await send('GET', mine.management.url, tokenIn(read) ?? mine.management.token)
      see.holds(
        after.status === 200,
        'the registration is gone after another client’s token was shown',
        after,
      )
      if (mine.secret === undefined) return
      const {
        registration_client_uri: _uri,
        registration_access_token: _token,
        client_secret: _secret,
        ...own
      } = {
        ...codeClient(context.server, how, mine.redirectUris),
        client_id: mine.id,
        client_name: 'Gatehouse verify',
      } as Record<string, unknown>
      const chosen = fresh(32)
      const token = tokenIn(after) ?? tokenIn(read) ?? mine.management.token
      const changed = await send('PUT', mine.management.url, token, { ...own, client_secret: chosen })
      if (changed.status === 200) mine.management.token = tokenIn(changed) ?? token
      else see.refused(changed, { status: [400, 403] }, 'a client_secret of one’s own choice')
      const answer = await flow.redeem(await flow.code(mine), {}, { as: { ...mine, secret: chosen } })
      see.holds(answer.status !== 200, 'the client authenticates by the secret it chose', changed)
    },
  },
]

/** A registration access token that was replaced as it was used (RFC 7592 §3.1). */
function tokenIn({ json }: Answer): string | undefined {
  const token = json['registration_access_token']
  return typeof token === 'string' ? token : undefined
}
