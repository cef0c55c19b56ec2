import { answerAlgorithms, toWire } from '../../oauth/clients/client-metadata.ts'
import { columnMembers } from '../../oauth/clients/members/members.ts'
import type { ShownClient } from '../../oauth/clients/shown-client.ts'
import type { Settings } from '../../settings.ts'
import { time } from '../table.ts'

/** A client in the words of RFC 7591 §2, and what an administrator wants to know beside them. Never a hash. */
export function asMetadata(client: ShownClient, settings: Settings): Record<string, unknown> {
  const members = client as unknown as Readonly<Record<string, unknown>>
  // Each column has its line, but for the keys, and the notes of the server and of an import.
  const shown = columnMembers.filter(([name]) => name !== 'metadata' && (name !== 'jwks' || client.jwks))
  return {
    client_id: client.id,
    ...Object.fromEntries(shown.map(([name, { wire }]) => [wire, members[name] ?? null])),
    scope: client.scope.join(' '),
    state: client.state,
    reason: client.reason ?? null,
    source: client.source,
    id_token_signed_response_alg: answerAlgorithms(settings, client.profile, client).idToken,
    ...toWire(client),
    authorizations: client.authorizations,
    tokens_issued: client.tokensIssued,
    previous_secret_until: time(client.previousSecretExpiresAt ?? null),
    last_used: time(client.lastUsedAt ?? null),
    created: time(client.createdAt),
    changed: time(client.updatedAt),
  }
}
