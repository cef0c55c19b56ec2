import { anyRefusal, type Check, type Context, invalidGrant, invalidRequest, type Sight } from '../check.ts'
import type { Client } from '../clients.ts'
import { NotShown } from '../failures.ts'
import { fresh } from '../proofs.ts'

/** A client that may introspect what it was issued, shown by an active token. */
async function introspecting(context: Context): Promise<{ client: Client; url: string; access: string }> {
  const { clients, flow, server } = context
  const client = await clients.of('confidential')
  const { access } = await flow.tokens(client)
  if (!(await flow.active(client, access))) {
    throw new NotShown('the client may not introspect the tokens it was issued')
  }
  return { client, url: server.introspection_endpoint!, access }
}

async function revocable(
  context: Context,
): Promise<{ client: Client; url: string; refresh: string; access: string }> {
  const { clients, flow, server } = context
  const client = await clients.of('confidential').catch(() => clients.of('public'))
  const { access, refresh } = await flow.tokens(client, { offline: true })
  return { client, url: server.revocation_endpoint!, access, refresh: refresh! }
}

/** §2 leaves open whether access tokens can be revoked; where one was, it is good nowhere at the server. */
async function accessRevoked({ flow, server, wire }: Context, see: Sight, client: Client, url: string) {
  const { access, answer } = await flow.tokens(client)
  const userinfo = server.userinfo_endpoint
  const ask = () =>
    wire.send({ method: 'GET', url: userinfo!, headers: { authorization: `Bearer ${access}` } })
  const shown = userinfo !== undefined && (await ask()).status === 200
  if ((await flow.post(client, url, { token: access })).status !== 200) return
  see.holds((await flow.active(client, access)) !== true, 'a revoked access token is active', answer)
  if (shown) see.refused(await ask(), anyRefusal, 'a revoked access token at userinfo')
}

export const introspectionChecks: readonly Check[] = [
  {
    id: 'N110',
    section: 'RFC 7662 §2.1',
    title: 'introspection answers no client that does not authenticate',
    needs: ['code flow', 'introspection'],
    accepts: '400 and 403 as well as 401',
    async run(context, see) {
      const { flow } = context
      const { client, url, access } = await introspecting(context)
      const refusal = { status: [400, 401, 403] }
      see.refused(await flow.post(null, url, { token: access }), refusal, 'no credentials')
      const wrong = { ...client, secret: fresh() }
      if (client.secret !== undefined) {
        see.refused(await flow.post(client, url, { token: access }, { as: wrong }), refusal, 'a wrong secret')
      }
      see.refused(await flow.post(client, url, {}), invalidRequest, 'no token')
    },
  },
  {
    id: 'N111',
    section: 'RFC 7662 §2.2',
    title: 'of a token that is not active, introspection says nothing else',
    needs: ['code flow', 'introspection'],
    async run(context, see) {
      const { flow, server } = context
      const { client, url, access } = await introspecting(context)
      const tokens: [string, string][] = [['an unknown token', fresh(32)]]
      if (server.revocation_endpoint !== undefined) {
        const revoked = await flow.post(client, server.revocation_endpoint, { token: access })
        if (revoked.status === 200) tokens.push(['a revoked token', access])
      }
      for (const [input, token] of tokens) {
        const answer = see.granted(await flow.post(client, url, { token }), `introspection of ${input}`)
        see.holds(answer.json['active'] === false, `${input}: active is ${answer.json['active']}`, answer)
        const members = Object.keys(answer.json).join(', ')
        see.holds(members === 'active', `${input}: the answer has the members ${members}`, answer)
      }
    },
  },
  {
    id: 'N112',
    section: 'RFC 7009 §2.1',
    title: 'revoking an unknown token succeeds, and a wrong hint does not keep a token alive',
    needs: ['code flow', 'refresh tokens', 'revocation'],
    async run(context, see) {
      const { flow } = context
      const { client, url, refresh } = await revocable(context)
      const unknown = await flow.post(client, url, { token: fresh(32) })
      see.holds(unknown.status === 200, `an unknown token: 200 was expected, ${unknown.status} came`, unknown)
      const wrong = await flow.post(client, url, { token: refresh, token_type_hint: 'access_token' })
      see.holds(
        wrong.status === 200,
        `a wrong token_type_hint: 200 was expected, ${wrong.status} came`,
        wrong,
      )
      see.refused(await flow.refresh(client, refresh), invalidGrant, 'a token revoked with a wrong hint')
      await accessRevoked(context, see, client, url)
    },
  },
  {
    id: 'N113',
    section: 'RFC 7009 §2.1',
    title: 'no client revokes another client’s token',
    needs: ['code flow', 'refresh tokens', 'revocation'],
    accepts: 'Any refusal',
    async run(context, see) {
      const { clients, flow } = context
      const { client, url, refresh } = await revocable(context)
      const thief = await clients.of('other').catch(() => clients.of('public'))
      if (thief.id === client.id) throw new NotShown('there is only one client')
      see.refused(
        await flow.post(thief, url, { token: refresh }),
        anyRefusal,
        'another client’s refresh token',
      )
      const after = await flow.refresh(client, refresh)
      see.holds(after.status === 200, 'the token is dead after another client revoked it', after)
    },
  },
  {
    id: 'N115',
    section: 'RFC 7009 §2.1',
    title: 'with a refresh token, the access tokens of the same grant end (a SHOULD)',
    needs: ['code flow', 'refresh tokens', 'revocation', 'introspection'],
    async run(context, see) {
      const { flow } = context
      const { client, url, access, refresh } = await revocable(context)
      if (!(await flow.active(client, access))) {
        throw new NotShown('the client may not introspect the tokens it was issued')
      }
      const answer = see.granted(await flow.post(client, url, { token: refresh }), 'a revocation')
      see.holds(
        (await flow.active(client, access)) !== true,
        'the access token is active after its refresh token was revoked',
        answer,
      )
      see.refused(await flow.refresh(client, refresh), invalidGrant, 'the revoked refresh token')
    },
  },
]
