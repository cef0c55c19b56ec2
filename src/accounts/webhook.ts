import type { Core } from '../core.ts'
import { type Answer, empty, type Incoming, json } from '../http/message.ts'
import { type Accounts, fromHost, UnverifiedWebhook } from './account.ts'
import { closeUserOf } from './user-operations.ts'

export const webhookPath = '/webhooks/accounts'

/**
 * `POST /webhooks/accounts`: the accounts provider tells that a user was deleted. 401 for a webhook that is not verified;
 * 200 for every other, whether it concerned somebody here or not, so that the provider stops sending it.
 */
export async function answerWebhook(
  core: Core,
  onWebhook: NonNullable<Accounts['onWebhook']>,
  request: Incoming,
): Promise<Answer> {
  if (request.method !== 'POST') return empty(405, { allow: 'POST' })
  try {
    const told = await fromHost(onWebhook(request.request()))
    const closed = told !== null && (await closeUserOf(core, told.deleted))
    return json(200, { deleted: closed })
  } catch (error) {
    if (!(error instanceof UnverifiedWebhook)) throw error
    core.log.warn('accounts webhook refused', { reason: error.message })
    return json(401, { error: 'unverified_webhook' })
  }
}
