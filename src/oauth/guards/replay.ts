// RFC 7519 §4.1.7, RFC 7523 §3 and §5.2, RFC 9449 §11.1: a JWT with a jti is good once, in every process and after every restart.

import type { Core } from '../../core.ts'
import { sha256 } from '../../crypto/tokens.ts'
import { insertUsedJti } from '../records/used-jtis.ts'

/** A jti is remembered for so much longer than its JWT lives, as clocks of processes differ, in milliseconds. */
const clockTolerance = 60_000

/**
 * Spends a `jti`; true for exactly one of any number of callers, in any number of processes. `kind` says what sort of JWT
 * it is, `id` is the jti with all it is unique within (the issuer, a key, a URI). `expiresAt` is the moment from which the
 * JWT is refused for its age, in epoch milliseconds. The last of all checks: what is refused must not be spent.
 */
export async function spendJti(
  core: Pick<Core, 'db'>,
  kind: string,
  id: string | readonly string[],
  expiresAt: number,
): Promise<boolean> {
  const spent = await core.db.write(insertUsedJti, {
    id: sha256(JSON.stringify([kind, id])),
    // Times in a JWT may have a fraction (RFC 7519 §2, NumericDate); those of a row have none.
    expires_at: Math.ceil(expiresAt) + clockTolerance,
  })
  return spent.length > 0
}
