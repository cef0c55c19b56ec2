import type { Check, Context, Sight } from '../check.ts'
import { NotShown } from '../failures.ts'
import type { Tokens } from '../flow.ts'
import { type ClientKey, sha256 } from '../jose.ts'
import { type Changes, fresh, proof } from '../proofs.ts'
import type { Answer } from '../wire.ts'
import { codeFlowClient } from './authorization.ts'
import { boundTokens, keyFor } from './dpop.ts'

function ask({ server, wire }: Context, headers: Record<string, string>, query = ''): Promise<Answer> {
  return wire.send({ method: 'GET', url: server.userinfo_endpoint! + query, headers })
}

async function openTokens(context: Context): Promise<Tokens> {
  return context.flow.tokens(await codeFlowClient(context))
}

/** Userinfo, the one resource server every OpenID provider has, asked with a token that is bound to a key. */
async function atUserinfo(
  { flow, server, wire }: Context,
  tokens: Tokens,
  scheme: 'DPoP' | 'Bearer',
  dpop: ((nonce: string | undefined) => string) | undefined,
): Promise<Answer> {
  const url = server.userinfo_endpoint!
  const send = (nonce: string | undefined) =>
    wire.send({
      method: 'GET',
      url,
      headers: {
        authorization: `${scheme} ${tokens.access}`,
        ...(dpop === undefined ? {} : { dpop: dpop(nonce) }),
      },
    })
  const answer = await send(flow.nonce(url))
  const nonce = answer.headers.get('dpop-nonce')
  const demanded = /use_dpop_nonce/.test(answer.headers.get('www-authenticate') ?? '')
  return dpop !== undefined && nonce !== null && demanded ? send(nonce) : answer
}

async function userinfoTokens(
  context: Context,
  see: Sight,
): Promise<{
  tokens: Tokens
  key: ClientKey
  proven: (changes?: Changes, withToken?: boolean, by?: ClientKey) => (nonce: string | undefined) => string
}> {
  const { server } = context
  const key = keyFor(context)
  const tokens = await boundTokens(context, see, await codeFlowClient(context), key)
  const proven =
    (changes: Changes = {}, withToken = true, by = key) =>
    (nonce: string | undefined) =>
      proof(
        by,
        {
          method: 'GET',
          url: server.userinfo_endpoint!,
          ...(withToken ? { accessToken: tokens.access } : {}),
          ...(nonce === undefined ? {} : { nonce }),
        },
        changes,
      )
  see.granted(await atUserinfo(context, tokens, 'DPoP', proven()), 'userinfo with a proof')
  return { tokens, key, proven }
}

export const userinfoChecks: readonly Check[] = [
  {
    id: 'N102',
    section: 'RFC 9449 §7.1',
    title: 'at the resource server a proof must name the token and be of its key',
    needs: ['code flow', 'DPoP', 'OpenID Connect', 'userinfo'],
    accepts: 'Any error with 401',
    async run(context, see) {
      const { tokens, proven } = await userinfoTokens(context, see)
      const unauthorized = { status: [400, 401] }
      for (const [input, dpop] of [
        ['no ath', proven({}, false)],
        ['ath of another token', proven({ claims: { ath: fresh(32) } })],
        ['a proof of another key', proven({}, true, keyFor(context))],
        ['no proof', undefined],
      ] as const) {
        see.refused(await atUserinfo(context, tokens, 'DPoP', dpop), unauthorized, input)
      }
      const open = await openTokens(context)
      const ath = { claims: { ath: sha256(open.access) } }
      const unbound = await atUserinfo(context, open, 'DPoP', proven(ath))
      see.refused(unbound, unauthorized, 'a token that is bound to no key, with a proof')
    },
  },
  {
    id: 'N103',
    section: 'RFC 9449 §7.2',
    title: 'a bound access token is no bearer token',
    needs: ['code flow', 'DPoP', 'OpenID Connect', 'userinfo'],
    async run(context, see) {
      const { tokens, proven } = await userinfoTokens(context, see)
      const unauthorized = { status: [400, 401] }
      see.refused(await atUserinfo(context, tokens, 'Bearer', undefined), unauthorized, 'the Bearer scheme')
      see.refused(
        await atUserinfo(context, tokens, 'Bearer', proven()),
        unauthorized,
        'the Bearer scheme with a proof',
      )
    },
  },
  {
    id: 'N116',
    section: 'RFC 6750 §3',
    title: 'userinfo answers a request without a token with a challenge that names no error',
    needs: ['code flow', 'OpenID Connect', 'userinfo'],
    accepts: '400 as well as 401',
    async run(context, see) {
      const { access } = await openTokens(context)
      see.granted(await ask(context, { authorization: `Bearer ${access}` }), 'userinfo')
      const answer = await ask(context, {})
      see.refused(answer, { status: [400, 401] }, 'no token')
      const challenge = answer.headers.get('www-authenticate')
      see.holds(answer.status !== 401 || challenge !== null, 'the 401 comes without WWW-Authenticate', answer)
      see.holds(
        !/\berror=/.test(challenge ?? ''),
        'the challenge names an error although nothing was sent (a SHOULD NOT)',
        answer,
      )
    },
  },
  {
    id: 'N117',
    section: 'RFC 6750 §2',
    title: 'userinfo takes one token, and takes it whole',
    needs: ['code flow', 'OpenID Connect', 'userinfo'],
    accepts: 'A token in the query, which RFC 6750 §2.3 leaves to the server; no token in a form',
    async run(context, see) {
      const { access } = await openTokens(context)
      const headers = { authorization: `Bearer ${access}` }
      see.granted(await ask(context, headers), 'userinfo')
      const refusal = { status: [400, 401] }
      see.refused(await ask(context, { authorization: 'Bearer' }), refusal, 'Bearer without a token')
      see.refused(
        await ask(context, { authorization: `Bearer ${access} ${access}` }),
        refusal,
        'two tokens in the header',
      )
      const query = `?access_token=${encodeURIComponent(access)}`
      see.refused(await ask(context, headers, query), refusal, 'a token by two methods')
      if ((await ask(context, {}, query)).status === 200) see.note('a token in the query is taken')
      const post = (more: Record<string, string>, body: string) =>
        context.wire.send({
          method: 'POST',
          url: context.server.userinfo_endpoint!,
          headers: { 'content-type': 'application/x-www-form-urlencoded', ...more },
          body,
        })
      const form = `access_token=${encodeURIComponent(access)}`
      if ((await post({}, form)).status !== 200) return
      see.refused(await post(headers, form), refusal, 'a token in the header and in a form')
      see.refused(await post({}, `${form}&${form}`), refusal, 'a form with two tokens')
    },
  },
  {
    id: 'N119',
    section: 'RFC 6750 §3.1',
    title: 'an ID token is no access token',
    needs: ['code flow', 'OpenID Connect', 'userinfo'],
    async run(context, see) {
      const { access, idToken } = await openTokens(context)
      if (idToken === undefined) throw new NotShown('no ID token is issued')
      see.granted(await ask(context, { authorization: `Bearer ${access}` }), 'userinfo')
      const answer = await ask(context, { authorization: `Bearer ${idToken}` })
      see.refused(answer, { status: [401] }, 'an ID token')
    },
  },
  {
    id: 'N122',
    section: 'OpenID Connect Core §5.3.3',
    title: 'userinfo needs the scope openid',
    needs: ['code flow', 'OpenID Connect', 'userinfo'],
    accepts: '401 as well as 403',
    async run(context, see) {
      const { flow } = context
      const client = await codeFlowClient(context)
      const { access: good } = await openTokens(context)
      see.granted(await ask(context, { authorization: `Bearer ${good}` }), 'userinfo')
      const [scope] = flow.scopesFor(client, 1)
      const { access } = await flow.tokens(client, { scope: [scope] })
      const answer = await ask(context, { authorization: `Bearer ${access}` })
      see.refused(answer, { status: [401, 403] }, 'a token without openid')
    },
  },
]
