import { forKeyShare, forShare, type Sql, sql } from './sql.ts'

// What an operation that begins something rests on. Each condition locks its row until the operation is done, and an
// operation that ends things locks the same row first (`lock` of a write): of the two, one sees all that the other did.

/** The user is there and enabled. */
export const livingUser = (id: unknown): Sql =>
  sql`exists (select 1 from users u where u.id = ${id} and u.disabled_at is null ${forShare})`

/**
 * The client is there and active; where `method` is given, it still authenticates as it did. Its counters may change
 * meanwhile, so whatever suspends, revokes or changes it does so under `lockRows('clients', …)`.
 */
export const livingClient = (id: unknown, method?: unknown): Sql =>
  sql`exists (select 1 from clients c where c.id = ${id} and c.revoked_at is null and c.suspended_at is null
    ${method === undefined ? sql`` : sql`and c.token_endpoint_auth_method = ${method}`} ${forKeyShare})`

/** The browser is still signed in, where its sign-in is a row of ours; null where it is not. */
export const livingSignIn = (id: unknown): Sql =>
  sql`(${id} is null or exists (select 1 from sign_ins b where b.id = ${id} ${forKeyShare}))`
