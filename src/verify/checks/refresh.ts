import { type Check, type Context, invalidGrant, type Sight } from '../check.ts'
import type { Client } from '../clients.ts'
import { NotApplicable, NotShown, Untried } from '../failures.ts'
import type { Tokens } from '../flow.ts'
import { fresh } from '../proofs.ts'
import type { Answer } from '../wire.ts'

type Refreshable = Tokens & { refresh: string }

/** Tokens with a refresh token, of a public client where one gets them: rotation is demanded for those. */
async function refreshable({ clients, flow }: Context): Promise<Refreshable> {
  const reasons: string[] = []
  for (const role of ['public', 'confidential'] as const) {
    try {
      return (await flow.tokens(await clients.of(role), { offline: true })) as Refreshable
    } catch (error) {
      if (!(error instanceof Untried)) throw error
      reasons.push((error as Error).message)
    }
  }
  throw new NotShown(reasons[0]!)
}

const successorOf = (answer: Answer): string | undefined =>
  typeof answer.json['refresh_token'] === 'string' ? answer.json['refresh_token'] : undefined

/** Refreshes once; ends the check where the token is not rotated, which RFC 9700 allows for confidential clients alone. */
async function rotate(
  { flow }: Context,
  see: Sight,
  client: Client,
  token: string,
): Promise<string | undefined> {
  const answer = see.granted(await flow.refresh(client, token), 'a refresh token')
  const successor = successorOf(answer)
  if (successor !== undefined && successor !== token) return successor
  if (client.method !== 'none')
    throw new NotApplicable('refresh tokens of confidential clients are not rotated')
  see.holds(
    false,
    'a public client’s refresh token is neither rotated nor bound to a key (RFC 9700 §2.2.2)',
    answer,
  )
  return undefined
}

/** Whether a refused request left the token alone is the server's own matter; that a refresh works at all is not. */
async function stillGood(
  context: Context,
  see: Sight,
  { client, refresh }: Pick<Refreshable, 'client' | 'refresh'>,
): Promise<void> {
  const { flow } = context
  if ((await flow.refresh(client, refresh)).status === 200) return
  see.note('the refused request spent the refresh token')
  const fresh = (await flow.tokens(client, { offline: true })) as Refreshable
  see.granted(await flow.refresh(client, fresh.refresh), 'a refresh token')
}

/** How many lines of tokens go on from these: more than one means a copy lives beside the original. */
async function livingLines({ flow }: Context, client: Client, tokens: readonly string[]): Promise<Answer[]> {
  const living: Answer[] = []
  for (const token of tokens) {
    const answer = await flow.refresh(client, token)
    if (answer.status === 200) living.push(answer)
  }
  return living
}

export const refreshChecks: readonly Check[] = [
  {
    id: 'N80',
    section: 'RFC 6749 §5.2',
    title: 'an unknown or revoked refresh token is invalid_grant',
    needs: ['code flow', 'refresh tokens'],
    async run(context, see) {
      const { flow, server } = context
      const { client, refresh } = await refreshable(context)
      see.refused(await flow.refresh(client, fresh(32)), invalidGrant, 'a made-up refresh token')
      const refreshed = see.granted(await flow.refresh(client, refresh), 'a refresh token')
      if (server.revocation_endpoint === undefined) return
      const token = successorOf(refreshed) ?? refresh
      see.granted(await flow.post(client, server.revocation_endpoint, { token }), 'a revocation')
      see.refused(await flow.refresh(client, token), invalidGrant, 'a revoked refresh token')
    },
  },
  {
    id: 'N81',
    section: 'RFC 6749 §6',
    title: 'a refresh token is good for the client it was issued to alone',
    needs: ['code flow', 'refresh tokens'],
    async run(context, see) {
      const { clients, flow } = context
      const { client, refresh } = await refreshable(context)
      const thief = await clients.of(client.method === 'none' ? 'confidential' : 'other')
      see.refused(
        await flow.refresh(client, refresh, {}, { as: thief }),
        invalidGrant,
        'another client’s refresh token',
      )
      await stillGood(context, see, { client, refresh })
    },
  },
  {
    id: 'N82',
    section: 'RFC 6749 §6',
    title: 'a refresh cannot widen the scope',
    needs: ['code flow', 'refresh tokens'],
    accepts: 'The surplus may be ignored where the answer says which scope was granted',
    async run(context, see) {
      const { clients, flow } = context
      const client = await clients.of('confidential').catch(() => clients.of('public'))
      const [granted, surplus] = flow.scopesFor(client, 2)
      const tokens = (await flow.tokens(client, { offline: true, scope: [granted] })) as Refreshable
      const answer = await flow.refresh(client, tokens.refresh, { scope: `${granted} ${surplus}` })
      if (answer.status === 200) {
        const now = String(answer.json['scope'] ?? `${granted} ${surplus}`).split(' ')
        see.holds(!now.includes(surplus), `${surplus} was granted, though it was never consented to`, answer)
        return
      }
      see.refused(answer, { status: [400], error: ['invalid_scope'] }, 'a wider scope')
      await stillGood(context, see, tokens)
    },
  },
  {
    id: 'N83',
    section: 'RFC 9700 §4.14.2',
    title: 'a rotated refresh token whose successor was used is refused, and ends what came from it',
    needs: ['code flow', 'refresh tokens'],
    async run(context, see) {
      const { flow } = context
      const { client, refresh } = await refreshable(context)
      const second = await rotate(context, see, client, refresh)
      if (second === undefined) return
      const third = await rotate(context, see, client, second)
      if (third === undefined) return
      see.refused(
        await flow.refresh(client, refresh),
        invalidGrant,
        'a refresh token that was rotated twice over',
      )
      see.refused(
        await flow.refresh(client, third),
        invalidGrant,
        'the newest refresh token after an old one was replayed',
      )
    },
  },
  {
    id: 'N84',
    section: 'RFC 9700 §4.14.2',
    title: 'a refresh token that is sent again makes no second line of tokens',
    needs: ['code flow', 'refresh tokens'],
    accepts: 'A refusal, or the same successor again for a client that lost the answer',
    async run(context, see) {
      const { clients, flow } = context
      const { client, refresh } = await refreshable(context)
      const first = await rotate(context, see, client, refresh)
      if (first === undefined) return
      const again = await flow.refresh(client, refresh)
      if (again.status !== 200) {
        see.refused(again, invalidGrant, 'a rotated refresh token')
        return
      }
      const second = successorOf(again)
      const living =
        second === undefined || second === first ? [] : await livingLines(context, client, [first, second])
      if (living.length > 1) see.holds(false, 'both successors of one refresh token live', living[1]!)
      const thief = await clients
        .of(client.method === 'none' ? 'confidential' : 'other')
        .catch(() => undefined)
      if (!thief) return
      see.refused(
        await flow.refresh(client, refresh, {}, { as: thief }),
        invalidGrant,
        'a rotated refresh token in another client’s hands',
      )
    },
  },
  {
    id: 'N85',
    section: 'RFC 9700 §4.14.2',
    title: 'parallel refreshes of one token make one successor',
    needs: ['code flow', 'refresh tokens'],
    accepts: 'One success and refusals, or one and the same successor for all',
    async run(context, see) {
      const { flow, wire } = context
      for (let round = 0; round < 3; round++) {
        const { client, refresh } = await refreshable(context)
        const answers = await Promise.all(
          Array.from({ length: wire.atOnce }, () => flow.refresh(client, refresh)),
        )
        const successes = answers.filter(({ status }) => status === 200)
        if (successes.length === 0) see.notSeen('of parallel refreshes none succeeded')
        for (const answer of answers) {
          if (answer.status !== 200) see.refused(answer, invalidGrant, 'a refresh that came too late')
        }
        const successors = new Set(successes.map(successorOf).filter((one) => one !== undefined))
        if (client.method !== 'none' && successors.has(refresh)) {
          throw new NotApplicable('refresh tokens of confidential clients are not rotated')
        }
        if (successors.size < 2) continue
        const living = await livingLines(context, client, [...successors])
        if (living.length > 1) {
          see.holds(false, `${living.length} successors of one refresh token live`, living[1]!)
        }
      }
    },
  },
]
