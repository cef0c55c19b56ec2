import type { Context, Sight } from './check.ts'
import { codeFlowClient } from './checks/authorization.ts'
import type { Client } from './clients.ts'
import { NotShown } from './failures.ts'
import type { Outcome } from './front-channel.ts'
import { sha256 } from './jose.ts'
import { fresh } from './proofs.ts'
import { type Parameters, withQuery } from './wire.ts'

const gotCode = ({ left }: Outcome) => left?.parameters.has('code') ?? false

/** What stands outside, where something else stands inside: each on its own, and never what decides who asks. */
export function outsiders(client: Client, flow: Context['flow']): Parameters[] {
  const [, other] = flow.scopes(client)
  const [, second] = client.redirectUris
  return [
    { state: 'outside-of-it' },
    { code_challenge: sha256(fresh(32)) },
    ...(other === undefined ? [] : [{ scope: other }]),
    ...(second === undefined ? [] : [{ redirect_uri: second }]),
  ]
}

/** A refusal keeps the rule; an answer must be that to the request inside. */
export async function keptInside(
  { flow }: Context,
  see: Sight,
  client: Client,
  inside: { parameters: Parameters; verifier: string },
  outcome: Outcome,
  input: string,
): Promise<void> {
  const { left, answer } = outcome
  if (!gotCode(outcome) || !left) {
    see.turnedBack({ ...outcome, asked: {} }, [], input)
    return
  }
  const state = left.parameters.get('state')
  see.holds(state === inside.parameters['state'], `${input}: the state is ${state}`, answer)
  const redirectUri = String(inside.parameters['redirect_uri'])
  see.holds(left.url.startsWith(redirectUri), `${input}: it led to another redirect URI`, answer)
  const redeemed = await flow.redeem({
    client,
    value: left.parameters.get('code')!,
    verifier: inside.verifier,
    redirectUri,
    response: left.parameters,
    answer,
  })
  if (!see.holds(redeemed.status === 200, `${input}: the code is not that of the request inside`, redeemed))
    return
  const scope = String(redeemed.json['scope'] ?? inside.parameters['scope']).split(' ')
  const asked = String(inside.parameters['scope']).split(' ')
  see.holds(
    scope.every((one) => asked.includes(one)),
    `${input}: the scope is ${scope.join(' ')}`,
    redeemed,
  )
}

/** The request inside asks for one scope, at the first redirect URI. */
export function insideOf({ flow }: Context, client: Client) {
  const [scope] = flow.scopes(client)
  return flow.request(client, { state: 'inside-of-it', ...(scope === undefined ? {} : { scope }) })
}

/** Each parameter beside the name of a pushed request; the name alone leads to a code. */
export async function overrulePushed(context: Context, see: Sight, endpoint: string): Promise<void> {
  const { flow, server } = context
  const client = await codeFlowClient(context)
  const push = async () => {
    const inside = insideOf(context, client)
    const answer = see.granted(await flow.post(client, endpoint, inside.parameters), 'a pushed request')
    return { inside, uri: String(answer.json['request_uri']) }
  }
  const come = (uri: string, more: Parameters) =>
    flow.visit(
      client,
      withQuery(server.authorization_endpoint!, { client_id: client.id, request_uri: uri, ...more }),
    )
  const twin = await push()
  const alone = await come(twin.uri, {})
  if (!gotCode(alone)) throw new NotShown('a pushed request does not lead to a code')
  await keptInside(context, see, client, twin.inside, alone, 'a pushed request')
  for (const more of outsiders(client, flow)) {
    const { inside, uri } = await push()
    const input = `${Object.keys(more).join()} beside a pushed request`
    await keptInside(context, see, client, inside, await come(uri, more), input)
  }
}
