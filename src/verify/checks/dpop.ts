import { anyRefusal, type Check, type Context, invalidGrant, type Sight } from '../check.ts'
import { type Client, codeClient } from '../clients.ts'
import { NotApplicable, NotShown } from '../failures.ts'
import type { Code, Tokens } from '../flow.ts'
import { type ClientKey, compact, keyedWith, makeKey, unsigned } from '../jose.ts'
import { type Changes, fresh, proof, proofParts, seconds } from '../proofs.ts'
import type { Answer } from '../wire.ts'
import { codeFlowClient } from './authorization.ts'

const invalidProof = { status: [400], error: ['invalid_dpop_proof'] }

export function keyFor({ server }: Context): ClientKey {
  const key = makeKey(server.dpop_signing_alg_values_supported)
  if (!key) throw new NotShown('no algorithm of dpop_signing_alg_values_supported is spoken here')
  return key
}

/** A correct redemption with a proof, which also brings the nonce where one is used. */
export async function boundTokens(
  context: Context,
  see: Sight,
  client: Client,
  key: ClientKey,
): Promise<Tokens> {
  const tokens = await context.flow.tokens(client, { key })
  see.holds(
    String(tokens.answer.json['token_type']).toLowerCase() === 'dpop',
    `token_type is ${tokens.answer.json['token_type']} for a request with a proof`,
    tokens.answer,
  )
  return tokens
}

function tokenProof({ flow, server }: Context, key: ClientKey, changes: Changes = {}): string {
  const url = server.token_endpoint
  const nonce = flow.nonce(url)
  return proof(key, { method: 'POST', url, ...(nonce === undefined ? {} : { nonce }) }, changes)
}

function parts({ flow, server }: Context, key: ClientKey, changes: Changes = {}) {
  const url = server.token_endpoint
  const nonce = flow.nonce(url)
  return proofParts(key, { method: 'POST', url, ...(nonce === undefined ? {} : { nonce }) }, changes)
}

const redeemWith = ({ flow }: Context, code: Code, dpop: string | string[]): Promise<Answer> =>
  flow.redeem(code, {}, { headers: { dpop } })

/** Each of these proofs is refused with a good code; a good proof then redeems it. */
async function refuseEach(
  context: Context,
  see: Sight,
  proofs: (key: ClientKey) => Record<string, string | string[]>,
): Promise<void> {
  const { flow } = context
  const client = await codeFlowClient(context)
  const key = keyFor(context)
  await boundTokens(context, see, client, key)
  const code = await flow.code(client)
  for (const [input, dpop] of Object.entries(proofs(key))) {
    see.refused(await redeemWith(context, code, dpop), invalidProof, input)
  }
  const after = await flow.redeem(code, {}, { key })
  if (after.status !== 200) see.note('a refused request spent the code')
}

export const dpopChecks: readonly Check[] = [
  {
    id: 'N87',
    section: 'RFC 9449 §5',
    title: 'a public client’s refresh token is good with its key alone',
    needs: ['code flow', 'refresh tokens', 'DPoP'],
    accepts: 'Any code; the section names none',
    async run(context, see) {
      const { clients, flow } = context
      const client = await clients.of('public')
      const key = keyFor(context)
      const { refresh } = await flow.tokens(client, { offline: true, key })
      const codes = {
        status: [400, 401],
        error: [...invalidGrant.error!, 'invalid_dpop_proof', 'invalid_request'],
      }
      see.refused(await flow.refresh(client, refresh!), codes, 'no proof')
      see.refused(
        await flow.refresh(client, refresh!, {}, { key: keyFor(context) }),
        codes,
        'a proof of another key',
      )
      const after = await flow.refresh(client, refresh!, {}, { key })
      if (after.status === 200) return
      see.note('the refused request spent the refresh token')
      const again = await flow.tokens(client, { offline: true, key })
      see.granted(await flow.refresh(client, again.refresh!, {}, { key }), 'a refresh token with its key')
    },
  },
  {
    id: 'N96',
    section: 'RFC 9449 §4.3',
    title: 'a proof that is no signed proof is invalid_dpop_proof',
    needs: ['code flow', 'DPoP'],
    run: (context, see) =>
      refuseEach(context, see, (key) => {
        const { header, claims } = parts(context, key)
        const again = () => ({ ...claims, jti: fresh() })
        const jws = (changes: Changes) => tokenProof(context, key, changes)
        return {
          'two proofs': [jws({}), jws({})],
          'no JWT': 'no.jwt',
          'another typ': jws({ header: { typ: 'JWT' } }),
          'alg none': unsigned({ ...header, alg: 'none' }, again()),
          'a symmetric algorithm': keyedWith(
            JSON.stringify(header.jwk),
            { ...header, alg: 'HS256' },
            again(),
          ),
          'the private key in jwk': compact(
            { ...header, jwk: key.privateKey.export({ format: 'jwk' }) },
            again(),
            key,
          ),
          'a signature by another key': compact(header, again(), makeKey([key.alg])!),
          'no jwk': jws({ header: { jwk: undefined } }),
        }
      }),
  },
  {
    id: 'N97',
    section: 'RFC 9449 §4.3',
    title: 'a proof for another method or another address is invalid_dpop_proof',
    needs: ['code flow', 'DPoP'],
    run: (context, see) =>
      refuseEach(context, see, (key) => ({
        'htm of another method': tokenProof(context, key, { claims: { htm: 'GET' } }),
        'htu of another address': tokenProof(context, key, {
          claims: { htu: `${context.server.token_endpoint}/other` },
        }),
        'htu of another host': tokenProof(context, key, { claims: { htu: 'https://other.example/token' } }),
        'no htm': tokenProof(context, key, { claims: { htm: undefined } }),
        'no htu': tokenProof(context, key, { claims: { htu: undefined } }),
      })),
  },
  {
    id: 'N98',
    section: 'RFC 9449 §4.3',
    title: 'a proof without a jti, or of another time, is invalid_dpop_proof',
    needs: ['code flow', 'DPoP'],
    accepts: 'Any iat where a nonce of the server bounds the age instead (§4.3, item 11)',
    run: (context, see) =>
      refuseEach(context, see, (key) => {
        const now = seconds()
        const { flow, server } = context
        const times = {
          'an iat an hour ago': tokenProof(context, key, { claims: { iat: now - 3_600 } }),
          'an iat an hour ahead': tokenProof(context, key, { claims: { iat: now + 3_600 } }),
        }
        return {
          'no jti': tokenProof(context, key, { claims: { jti: undefined } }),
          'no iat': tokenProof(context, key, { claims: { iat: undefined } }),
          ...(flow.nonce(server.token_endpoint) === undefined ? times : {}),
        }
      }),
  },
  {
    id: 'N99',
    section: 'RFC 9449 §11.1',
    title: 'a proof is good once, also when it is used in parallel (a MAY)',
    needs: ['code flow', 'DPoP'],
    accepts: 'Any refusal',
    async run(context, see) {
      const { flow, wire } = context
      const client = await codeFlowClient(context)
      const key = keyFor(context)
      await boundTokens(context, see, client, key)
      const once = tokenProof(context, key)
      const first = await redeemWith(context, await flow.code(client), once)
      see.granted(first, 'a proof')
      const again = await redeemWith(context, await flow.code(client), once)
      if (!see.refused(again, anyRefusal, 'the same proof again')) return
      const codes: Code[] = []
      for (let at = 0; at < wire.atOnce; at++) codes.push(await flow.code(client))
      const dpop = tokenProof(context, key)
      const answers = await Promise.all(codes.map((code) => redeemWith(context, code, dpop)))
      const passed = answers.filter(({ status }) => status === 200)
      const second = passed[1]
      if (second) see.holds(false, `one proof passed ${passed.length} times in parallel`, second)
      for (const answer of answers) {
        if (answer.status !== 200) see.refused(answer, anyRefusal, 'a proof that came too late')
      }
    },
  },
  {
    id: 'N100',
    section: 'RFC 9449 §8',
    title: 'where a nonce is demanded, a request without it is told one and spends nothing',
    needs: ['code flow', 'DPoP'],
    async run(context, see) {
      const { flow, server } = context
      const client = await codeFlowClient(context)
      const key = keyFor(context)
      await boundTokens(context, see, client, key)
      if (flow.nonce(server.token_endpoint) === undefined)
        throw new NotApplicable('the server gives no nonce')
      const code = await flow.code(client)
      const without = await redeemWith(
        context,
        code,
        tokenProof(context, key, { claims: { nonce: undefined } }),
      )
      if (without.status === 200) throw new NotApplicable('a nonce is given but not demanded')
      const expected = { status: [400], error: ['use_dpop_nonce'] }
      const stale = await redeemWith(context, code, tokenProof(context, key, { claims: { nonce: fresh() } }))
      for (const [answer, input] of [
        [without, 'no nonce'],
        [stale, 'a made-up nonce'],
      ] as const) {
        see.refused(answer, expected, input)
        see.holds(answer.headers.has('dpop-nonce'), `${input}: the answer brings no DPoP-Nonce`, answer)
      }
      const after = await flow.redeem(code, {}, { key })
      see.holds(after.status === 200, 'the code was spent by the request that was told to come again', after)
    },
  },
  {
    id: 'N101',
    section: 'RFC 9449 §5.2',
    title: 'a client registered for bound tokens gets none without a proof',
    needs: ['code flow', 'DPoP', 'registration'],
    accepts: 'Any refusal',
    async run(context, see) {
      const { clients, flow, server } = context
      const { method } = await codeFlowClient(context)
      const client = await clients.register({
        ...codeClient(server, method, [clients.redirectUri]),
        dpop_bound_access_tokens: true,
      })
      if (client.registered['dpop_bound_access_tokens'] !== true) {
        throw new NotApplicable('the server does not keep dpop_bound_access_tokens')
      }
      await boundTokens(context, see, client, keyFor(context))
      see.refused(await flow.redeem(await flow.code(client)), anyRefusal, 'no proof')
    },
  },
]
