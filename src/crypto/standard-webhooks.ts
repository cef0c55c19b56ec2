// Standard Webhooks 1.0.0, "Signature scheme" and "Verifying webhook authenticity": symmetric signatures (`v1`). Svix sends the same scheme under header names of its own.
import { createHmac, timingSafeEqual } from 'node:crypto'

/** How far the sender's clock may be from ours, in seconds, before a delivery counts as replayed. */
export const WEBHOOK_TOLERANCE = 300

/** Shorter keys do not come from a generator: the specification asks for 24 to 64 bytes. */
const SHORTEST_KEY = 24

export type WebhookRefusal =
  | 'no_secret'
  | 'bad_secret'
  | 'missing_header'
  | 'bad_id'
  | 'bad_timestamp'
  | 'outside_tolerance'
  | 'no_matching_signature'

export interface SignedWebhook {
  /** One header by lower-case name, as `Headers.get` answers it. */
  header: (name: string) => string | null | undefined
  /** The body exactly as it came over the wire. Parsing and printing it again breaks the signature. */
  body: Uint8Array | string
  /** Every secret that counts, `whsec_` and base64; several while one is being replaced. */
  secrets: readonly string[]
  /** Greatest distance between `webhook-timestamp` and now, in seconds; default 300. */
  tolerance?: number
}

/**
 * Says whether a webhook was signed with one of the secrets, and when.
 *
 * Accepts the headers `webhook-id`, `webhook-timestamp`, `webhook-signature`, or the three `svix-…` ones; never a mixture.
 * The header may carry several signatures, and one match is enough. Signatures are compared in constant time.
 * An empty list of secrets, or an empty or malformed secret among them, verifies nothing.
 * `timestamp` is in epoch milliseconds.
 */
export function verifyStandardWebhook(
  webhook: SignedWebhook,
): { verified: true; id: string; timestamp: number } | { verified: false; reason: WebhookRefusal } {
  if (webhook.secrets.length === 0) return refused('no_secret')
  const keys: Buffer[] = []
  for (const secret of webhook.secrets) {
    const key = webhookKey(secret)
    if (!key) return refused('bad_secret')
    keys.push(key)
  }

  const family = webhook.header('webhook-id') ? 'webhook' : 'svix'
  const id = webhook.header(`${family}-id`)
  const sent = webhook.header(`${family}-timestamp`)
  const signatures = webhook.header(`${family}-signature`)
  if (!id || !sent || !signatures) return refused('missing_header')

  // A dot would let id, timestamp and body be cut at other places under the same signature.
  if (id.includes('.')) return refused('bad_id')
  if (!/^\d{1,12}$/.test(sent)) return refused('bad_timestamp')
  const timestamp = Number(sent) * 1000
  if (Math.abs(Date.now() - timestamp) > (webhook.tolerance ?? WEBHOOK_TOLERANCE) * 1000) {
    return refused('outside_tolerance')
  }

  const presented = signatures
    .split(' ')
    .filter((signature) => signature.startsWith('v1,'))
    .map((signature) => Buffer.from(signature.slice('v1,'.length), 'base64'))
  for (const key of keys) {
    const expected = createHmac('sha256', key).update(`${id}.${sent}.`).update(webhook.body).digest()
    for (const signature of presented) {
      if (signature.length === expected.length && timingSafeEqual(signature, expected)) {
        return { verified: true, id, timestamp }
      }
    }
  }
  return refused('no_matching_signature')
}

/** The key inside a secret: `whsec_` (may be missing) and base64 of at least 24 bytes. Undefined for anything else. */
export function webhookKey(secret: string): Buffer | undefined {
  const encoded = secret.startsWith('whsec_') ? secret.slice('whsec_'.length) : secret
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return undefined
  const key = Buffer.from(encoded, 'base64')
  return key.length >= SHORTEST_KEY ? key : undefined
}

function refused(reason: WebhookRefusal): { verified: false; reason: WebhookRefusal } {
  return { verified: false, reason }
}
