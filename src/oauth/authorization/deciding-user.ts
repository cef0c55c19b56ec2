// RFC 6749 §10.12; RFC 8628 §3.3: the user a page was shown to is the one who decides on it.

import type { Incoming } from '../../http/message.ts'
import { isResponse } from '../../http/web.ts'
import type { Server, User } from '../server.ts'
import { patience } from './return-address.ts'

/** Whom a form was shown to, as it is kept until the form comes back. */
export interface ShownTo {
  userId: string
  subject: string
  authTime: number | null
  acr: string | null
  amr: readonly string[] | null
  sid: string | null
  /** When the account provider's statement about the user ends; null when it does not. */
  statementEnds: number | null
}

/** What of a user goes into a grant. */
export type DecidingUser = Pick<User, 'id' | 'subject' | 'authTime' | 'acr' | 'amr' | 'sid' | 'signInRow'>

export function shownTo(user: User): ShownTo {
  return {
    userId: user.id,
    subject: user.subject,
    authTime: user.authTime ?? null,
    acr: user.acr ?? null,
    amr: user.amr ?? null,
    sid: user.sid ?? null,
    statementEnds: user.statementEnds ?? null,
  }
}

/**
 * The user the form was shown to, if still the one in this browser, in the same sign-in. Some providers' statements live for a
 * minute and are renewed by no page of ours while a person reads: then the one that has ended since must still be in the
 * browser, about the same user and sign-in.
 */
export async function decidingUser(
  server: Server,
  request: Incoming,
  shown: ShownTo,
): Promise<DecidingUser | undefined> {
  const answer = await server.signedIn(request, {
    prompt: ['none'],
    returnTo: server.settings.issuer,
    interactive: false,
  })
  const same = {
    id: shown.userId,
    subject: shown.subject,
    ...(shown.authTime === null ? {} : { authTime: shown.authTime }),
    ...(shown.acr === null ? {} : { acr: shown.acr }),
    ...(shown.amr === null ? {} : { amr: shown.amr }),
    ...(shown.sid === null ? {} : { sid: shown.sid }),
  }
  const isSame = (user: Pick<User, 'id' | 'sid'>) =>
    user.id === shown.userId && user.sid === (shown.sid ?? undefined)
  if (answer === null) {
    if (shown.statementEnds === null || shown.statementEnds > server.now()) return undefined
    const before = await server.endedStatement(request, server.now() - patience)
    return before && isSame(before) ? same : undefined
  }
  // Under another sign-in of the same user, the one the form belongs to has ended.
  if (isResponse(answer) || 'disabled' in answer || !isSame(answer)) return undefined
  return { ...same, ...(answer.signInRow === undefined ? {} : { signInRow: answer.signInRow }) }
}
