import type { Check, Context } from '../check.ts'
import type { Client } from '../clients.ts'
import { NotApplicable } from '../failures.ts'
import { codeFlowClient } from './authorization.ts'

const accepts =
  'A page instead of a redirect (RFC 9700 §4.11.2 allows it for a client that registered itself)'

async function publicClient({ clients }: Context): Promise<Client> {
  return clients.of('public')
}

export const pkceChecks: readonly Check[] = [
  {
    id: 'N23',
    section: 'RFC 9700 §2.1.1',
    title: 'a public client gets no code without a code_challenge',
    needs: ['code flow'],
    accepts: `${accepts}; confidential clients are not tried, since RFC 9700 leaves it to them`,
    async run(context, see) {
      const client = await publicClient(context)
      await context.flow.code(client)
      const without = { code_challenge: undefined, code_challenge_method: undefined }
      see.turnedBack(await context.flow.authorize(client, without), ['invalid_request'], 'no code_challenge')
    },
  },
  {
    id: 'N24',
    section: 'RFC 7636 §4.3',
    title: 'the method plain is refused, also where it is meant by leaving the method out',
    needs: ['code flow'],
    accepts,
    async run(context, see) {
      const { flow, server } = context
      if (server.code_challenge_methods_supported?.includes('plain')) {
        throw new NotApplicable(
          'code_challenge_methods_supported has plain, which RFC 7636 §4.2 leaves to the server',
        )
      }
      const client = await codeFlowClient(context)
      await flow.code(client)
      for (const method of ['plain', undefined]) {
        see.turnedBack(
          await flow.authorize(client, { code_challenge_method: method }),
          ['invalid_request'],
          method === undefined ? 'a code_challenge without a method' : 'code_challenge_method=plain',
        )
      }
    },
  },
  {
    id: 'N25',
    section: 'RFC 7636 §4.4.1',
    title: 'an unknown code_challenge_method is invalid_request',
    needs: ['code flow'],
    accepts,
    async run(context, see) {
      const client = await codeFlowClient(context)
      await context.flow.code(client)
      for (const method of ['S512', 's256']) {
        see.turnedBack(
          await context.flow.authorize(client, { code_challenge_method: method }),
          ['invalid_request'],
          `code_challenge_method=${method}`,
        )
      }
    },
  },
  {
    id: 'N26',
    section: 'RFC 7636 §4.2',
    title: 'a code_challenge outside its alphabet or length is refused',
    needs: ['code flow'],
    accepts: `${accepts}; any length from 43 to 128, which the grammar of §4.2 allows`,
    async run(context, see) {
      const client = await codeFlowClient(context)
      await context.flow.code(client)
      for (const [challenge, input] of [
        ['a'.repeat(42), '42 characters'],
        ['a'.repeat(129), '129 characters'],
        [`${'a'.repeat(42)}!`, 'a character outside the alphabet'],
        [`${'a'.repeat(42)}=`, 'padding'],
      ] as const) {
        const outcome = await context.flow.authorize(client, { code_challenge: challenge })
        see.turnedBack(outcome, ['invalid_request'], `a code_challenge with ${input}`)
      }
    },
  },
]
