import type { Check } from '../check.ts'
import { NotApplicable } from '../failures.ts'
import { offersGrant } from '../metadata.ts'
import { codeFlowClient } from './authorization.ts'

const accepts =
  'A page instead of a redirect (RFC 9700 §4.11.2 allows it for a client that registered itself)'
const invalidTarget = { status: [400], error: ['invalid_target'] }

export const targetChecks: readonly Check[] = [
  {
    id: 'N39',
    section: 'RFC 8707 §2',
    title: 'a resource that is relative, has a fragment or is unknown is invalid_target',
    needs: ['code flow', 'resources'],
    accepts,
    async run({ clients, flow, server }, see) {
      const client = await clients.of('confidential').catch(() => clients.of('public'))
      const resource = server.protected_resources![0]!
      await flow.code(client, { parameters: { resource } })
      for (const wrong of ['/relative', `${resource}#fragment`, 'https://unknown.example/']) {
        see.turnedBack(
          await flow.authorize(client, { resource: wrong }),
          ['invalid_target'],
          `resource=${wrong}`,
        )
      }
    },
  },
  {
    id: 'N40',
    section: 'RFC 9396 §5',
    title: 'authorization_details that are malformed, of an unknown type or not granted are refused',
    needs: ['code flow', 'authorization details'],
    accepts,
    async run(context, see) {
      const { flow } = context
      const client = await codeFlowClient(context)
      await flow.code(client)
      for (const details of ['{', '{}', '[{}]', '[{"type":"nobody_knows_this"}]']) {
        see.turnedBack(
          await flow.authorize(client, { authorization_details: details }),
          ['invalid_authorization_details'],
          `authorization_details=${details}`,
        )
      }
      // §6: a token request asks for what was granted, or for less.
      const code = await flow.code(client)
      const [type] = context.server.authorization_details_types_supported!
      const more = { authorization_details: JSON.stringify([{ type }]) }
      const refusal = { status: [400], error: ['invalid_authorization_details'] }
      see.refused(await flow.redeem(code, more), refusal, 'authorization_details that were not granted')
    },
  },
  {
    id: 'N79',
    section: 'RFC 8707 §2.2',
    title: 'a resource that was not granted cannot be added when a code is redeemed or a token refreshed',
    needs: ['code flow', 'resources'],
    async run(context, see) {
      const { flow, server } = context
      const client = await codeFlowClient(context)
      const [resource, another] = server.protected_resources!
      if (resource === undefined) throw new NotApplicable('protected_resources is empty')
      const parameters = { resource }
      see.granted(
        await flow.redeem(await flow.code(client, { parameters }), { resource }),
        'the resource that was granted',
      )
      const wider = ['https://unknown.example/', ...(another === undefined ? [] : [another])]
      for (const wrong of wider) {
        const code = await flow.code(client, { parameters })
        see.refused(await flow.redeem(code, { resource: wrong }), invalidTarget, `resource=${wrong}`)
        const after = await flow.redeem(code)
        if (after.status !== 200) see.note('the refused request spent the code')
      }
      const tokens = await flow.tokens(client, { offline: true, parameters }).catch(() => undefined)
      if (tokens?.refresh === undefined) {
        if (offersGrant(server, 'refresh_token'))
          see.note('a refresh was not tried: no refresh token was issued')
        return
      }
      for (const wrong of wider) {
        const answer = await flow.refresh(client, tokens.refresh, { resource: wrong })
        see.refused(answer, invalidTarget, `resource=${wrong} on refresh`)
      }
    },
  },
]
