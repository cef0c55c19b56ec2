// OpenID Connect Core §2, §5.1; RP-Initiated Logout §2: the users of this server, behind the accounts that the host's seam names.

import { type Account, type Accounts, fromHost } from '../../accounts/account.ts'
import { sidOf } from '../../accounts/sign-outs.ts'
import { claimsOf, isOfAuthority, knownUser, resolveUser } from '../../accounts/users.ts'
import type { Core } from '../../core.ts'
import { answerFromResponse, isResponse } from '../../http/web.ts'
import type { Server, User } from '../server.ts'

type Seam = Pick<
  Server,
  'authority' | 'claimNames' | 'claims' | 'signOut' | 'switchUrl' | 'signedIn' | 'endedStatement'
>

export function accountUsers(core: Core, accounts: Accounts): Seam {
  return {
    authority: accounts.authority,
    claimNames: ['name', 'email', ...(accounts.claimNames ?? [])],
    claims: (userId, scopes) => claimsOf(core, accounts, userId, scopes),
    signOut:
      accounts.signOut &&
      (async (request, returnTo) =>
        answerFromResponse(await fromHost(accounts.signOut!(request.request(), returnTo)))),
    switchUrl: (returnTo) => accounts.switchUrl?.(returnTo),
    async signedIn(request, ask) {
      const account = await fromHost(accounts.authenticate(request.request(), ask))
      if (account === null || isResponse(account)) return account
      return userOf(core, accounts, account)
    },
    async endedStatement(request, after) {
      const account = await accounts.endedStatement?.(request.request(), after)
      const user = account && (await knownUser(core, account))
      if (!user || user.disabled_at !== null) return undefined
      return { id: user.id, ...(account.sessionId === undefined ? {} : { sid: sidOf(account) }) }
    },
  }
}

async function userOf(
  core: Core,
  { authority, keepsSignIns }: Accounts,
  account: Account,
): Promise<User | { disabled: Account }> {
  const bare = authority === undefined || isOfAuthority(account, authority)
  const user = await resolveUser(core, account, bare)
  if (user.disabled_at !== null) return { disabled: account }
  return {
    id: user.id,
    subject: user.subject,
    name: user.name ?? user.email ?? user.subject,
    ...(user.email === null ? {} : { email: user.email }),
    ...(account.authTime === undefined ? {} : { authTime: account.authTime }),
    ...(account.acr === undefined ? {} : { acr: account.acr }),
    ...(account.amr === undefined ? {} : { amr: account.amr }),
    ...(account.sessionId === undefined ? {} : { sid: sidOf(account) }),
    ...(keepsSignIns && account.sessionId !== undefined ? { signInRow: account.sessionId } : {}),
    ...(account.expiresAt === undefined ? {} : { statementEnds: account.expiresAt }),
  }
}
