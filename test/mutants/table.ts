import type { Mutant } from './mutant.ts'
import { accountMutants } from './rows/accounts.ts'
import { authorizationMutants } from './rows/authorization.ts'
import { grantMutants } from './rows/grants.ts'
import { requestedMutants } from './rows/requested.ts'
import { requestMutants } from './rows/requests.ts'
import { tokenMutants } from './rows/tokens.ts'

/** Every mutant: at least one for each reason of `src/<domain>/refusals.ts`. */
export const mutants: readonly Mutant[] = [
  ...requestMutants,
  ...authorizationMutants,
  ...requestedMutants,
  ...grantMutants,
  ...tokenMutants,
  ...accountMutants,
]
