import type { Core } from '../core.ts'
import { json } from '../http/message.ts'
import { jsonRefusal } from '../http/refusal.ts'
import type { Route } from '../http/route.ts'
import { type Accounts, fromHost, UnverifiedWebhook } from './account.ts'
import { refuse } from './refusals.ts'
import { closeUserOf } from './user-operations.ts'

/** The pages of the adapter, and the webhook where it takes one. */
export function accountRoutes(core: Core, { routes = [], onWebhook }: Accounts): readonly Route[] {
  return onWebhook ? [...routes, webhookRoute(core, onWebhook)] : routes
}

/**
 * `POST /webhooks/accounts`: the accounts provider tells that a user was deleted. 401 for a webhook that is not verified;
 * 200 for every other, whether it concerned somebody here or not, so that the provider stops sending it.
 */
function webhookRoute(core: Core, onWebhook: NonNullable<Accounts['onWebhook']>): Route {
  return {
    path: '/webhooks/accounts',
    methods: ['POST'],
    refused: (_, refusal) => jsonRefusal(refusal),
    async run(request) {
      try {
        const told = await fromHost(onWebhook(request.request()))
        const closed = told !== null && (await closeUserOf(core, told.deleted))
        return json(200, { deleted: closed })
      } catch (error) {
        if (!(error instanceof UnverifiedWebhook)) throw error
        return refuse('webhook_unverified', { problem: error.message })
      }
    },
  }
}
