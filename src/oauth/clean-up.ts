// RFC 6749 §4.1.2, §6; RFC 7009 §2.1; RFC 9700 §4.14.2: what of codes, tokens and sessions is removed, and when.

import type { Core } from '../core.ts'
import { firstIdAt } from '../crypto/ids.ts'
import { type Deletion, deleteBefore, type Step, stepLimit } from '../db/deletion.ts'
import { patience } from './authorization/return-address.ts'
import { bounds, longestUsualWindow } from './config/tokens.ts'
import {
  clearSalt,
  expiredSessions,
  oldAccessTokens,
  oldAuthorizationRequests,
  oldCodes,
  oldDeviceCodes,
  oldInitialAccessTokens,
  oldLogoutDeliveries,
  oldPushedRequests,
  oldRefreshTokens,
  oldSigningKeys,
  oldUsedJtis,
  reuseWindows,
  revokedSessions,
  saltsBetween,
} from './records/deletions.ts'

/** A spent or expired code, a device's too, is still recognised for so long, in milliseconds (RFC 6749 §4.1.2). */
export const keepCodes = 86_400_000

/** A pushed request outlives its name while its user signs in and then decides, in milliseconds. */
const keepPushedRequests = 2 * patience

/** One step per table that grows with use; a step is repeated while it says there may be more. */
export function cleanUpOauth({
  db,
  now,
  settings,
}: Pick<Core, 'db' | 'now' | 'settings'>): Record<string, () => Promise<Step>> {
  const after = (of: Deletion, keep = 0) => deleteBefore(db, of, () => now() - keep, now)
  return {
    authorization_requests: after(oldAuthorizationRequests),
    pushed_authorization_requests: after(oldPushedRequests, keepPushedRequests),
    codes: after(oldCodes, keepCodes),
    device_codes: after(oldDeviceCodes, keepCodes),
    access_tokens: after(oldAccessTokens),
    refresh_tokens: after(oldRefreshTokens),
    expired_sessions: after(expiredSessions, settings.sessions.keep),
    revoked_sessions: after(revokedSessions, settings.sessions.keep),
    logout_deliveries: after(oldLogoutDeliveries),
    used_jtis: after(oldUsedJtis),
    initial_access_tokens: after(oldInitialAccessTokens),
    signing_keys: after(oldSigningKeys),
  }
}

/** Clocks of two processes may differ by so much without a retry inside its window finding its salt gone, in milliseconds. */
const clockTolerance = 5_000
/** A row may become visible so long after its id was made (a slow commit), in milliseconds. */
const slowestCommit = 20_000

/**
 * Clears the salts of refresh tokens whose reuse window has ended, so that nothing at rest yields them any more
 * (RFC 9700 §4.14.2). Goes along the time-ordered ids from where the last run came to: once at the end of each window
 * that clients have, and once at the end of the longest there can be, for what changed meanwhile.
 */
export async function clearSalts(
  core: Pick<Core, 'db' | 'now' | 'settings'>,
  turn: { previous: Record<string, unknown> | null; pause(): Promise<void> },
): Promise<{ until: number; cleared: number }> {
  const { db } = core
  const until = core.now() - clockTolerance
  const since = typeof turn.previous?.until === 'number' ? turn.previous.until : 0
  const standard = core.settings.tokens.reuseWindow
  const own = await db.all(reuseWindows, { after: 0 })
  // Of windows that were shortened meanwhile, the usual ones are looked for at their longest, too.
  const ends = [longestUsualWindow, bounds.reuseWindow[1]]
  let cleared = 0
  for (const reuse_window of new Set([standard, ...own.map((row) => row.reuse_window), ...ends])) {
    const last = firstIdAt(until - reuse_window)
    // What took longer to commit than its window is passed before it is seen, so short windows are gone over again.
    let first = firstIdAt(since - Math.max(reuse_window, slowestCommit))
    for (;;) {
      const page = await db.all(saltsBetween, { first, last, standard, reuse_window })
      const due = page.filter((row) => row.due === 1)
      await Promise.all(due.map(({ id }) => db.write(clearSalt, { id })))
      cleared += due.length
      if (page.length < stepLimit) break
      // The smallest text after the last id.
      first = `${page.at(-1)!.id} `
      await turn.pause()
    }
  }
  return { until, cleared }
}
