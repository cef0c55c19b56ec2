import { livingUser } from '../../db/living.ts'
import { forShare, type Refs, type Sql, sql, wordsWithin } from '../../db/sql.ts'

/** What a grant needs to be allowed, and which consent of its user to its client must allow it (`consentHost`). */
export const consentColumns = {
  client_id: 'text',
  consent_scope: 'text',
  consent_resources: 'text',
  redirect_host: 'text',
} as const

/** A living consent of an enabled user covers what is needed. The user's row is locked first, then the consent's. */
export const consentCovers = (user: unknown, i: Refs<typeof consentColumns>): Sql =>
  sql`exists (select 1 from consents k where k.user_id = ${user} and k.client_id = ${i.client_id}
    and k.redirect_host = ${i.redirect_host}
    and ${wordsWithin(i.consent_scope, sql`k.scope`)} and ${wordsWithin(i.consent_resources, sql`k.resources`)}
    and ${livingUser(user)} ${forShare})`
