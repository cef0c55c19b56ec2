import type { Check, Context, Sight } from '../check.ts'
import type { Client } from '../clients.ts'
import { isLoopback, openListener } from '../listener.ts'
import type { Answer } from '../wire.ts'
import { codeFlowClient } from './authorization.ts'

const accepts = 'Any page, with any status under 500, as long as nothing leaves for a redirect URI'

/** A client whose id is this URL asks for authorization, in the words of one that is known. */
async function arrive({ flow }: Context, see: Sight, like: Client, url: string): Promise<Answer> {
  const stranger: Client = { ...like, id: url, method: 'none' }
  const outcome = await flow.authorize(stranger)
  see.paged(outcome, `client_id=${url}`)
  return outcome.answer
}

export const clientDocumentChecks: readonly Check[] = [
  {
    id: 'N15',
    section: 'draft-ietf-oauth-client-id-metadata-document §3',
    title: 'a URL that can be no client ID leads nowhere',
    needs: ['code flow', 'client ID documents'],
    accepts,
    async run(context, see) {
      const client = await codeFlowClient(context)
      await context.flow.code(client)
      const listener = await openListener()
      try {
        const { host } = listener
        for (const url of [
          `http://${host}/client.json`,
          `https://${host}`,
          `https://${host}/client.json#fragment`,
          `https://user@${host}/client.json`,
          `https://${host}/./client.json`,
          `https://${host}/other/../client.json`,
        ]) {
          const answer = await arrive(context, see, client, url)
          const none = listener.connections === 0
          if (!see.holds(none, 'the server connected to a URL that can be no client ID', answer)) break
        }
        if (!isLoopback(context.server.issuer)) {
          see.note(
            'the server is not on this machine: whether it connected somewhere cannot be seen from here',
          )
        }
      } finally {
        await listener.close()
      }
    },
  },
  {
    id: 'N16',
    section: 'draft-ietf-oauth-client-id-metadata-document §6.5',
    title: 'a client ID at an address inside some network leads nowhere',
    needs: ['code flow', 'client ID documents'],
    accepts,
    async run(context, see) {
      const client = await codeFlowClient(context)
      await context.flow.code(client)
      for (const host of ['169.254.169.254', '10.0.0.1', '[fd00::1]']) {
        await arrive(context, see, client, `https://${host}/client.json`)
      }
    },
  },
]
