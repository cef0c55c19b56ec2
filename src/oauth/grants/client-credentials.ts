// RFC 6749 §4.4: client credentials. No user, no session, never a refresh token (§4.4.3).

import { eventInput } from '../../events/append.ts'
import { grantTypeRules } from '../../protocol/grant-types.ts'
import { isRefusal, refuse } from '../../protocol/refusals.ts'
import { requestedResources } from '../../protocol/resource-indicators.ts'
import { requestedScope } from '../../protocol/scope.ts'
import { isOpenidScope } from '../config/scopes.ts'
import { limitIssuing } from '../guards/pending-limits.ts'
import { issueClientToken } from '../records/access-tokens.ts'
import { makeAccessToken } from '../token/access-token.ts'
import type { GrantType } from './grant.ts'

export const clientCredentials: GrantType = {
  ...grantTypeRules.clientCredentials,
  async redeem(server, { client, form, origin, binding }) {
    const scope = requestedScope(form.get('scope'), server.settings, client)
    if (isRefusal(scope)) return scope
    const personal = scope.find(isOpenidScope)
    if (personal !== undefined) return refuse('scope_without_user', { client: client.id, scope: personal })
    const resources = requestedResources(form.all('resource'), server.settings, client.resources)
    if (isRefusal(resources)) return resources
    const tooMany = limitIssuing(server, client, `client:${client.id}`)
    if (tooMany) return tooMany

    const now = server.now()
    const access = await makeAccessToken(
      server,
      client,
      {
        subject: client.id,
        userId: null,
        sessionId: null,
        sessionExpiresAt: null,
        scope,
        resources,
        authTime: null,
        binding,
      },
      now,
    )
    await server.db.write(issueClientToken, {
      ...access.row,
      ...eventInput(
        now,
        'client_credentials',
        { clientId: client.id, ...origin },
        { scope: access.row.access_scope },
      ),
    })
    return { access }
  },
}
