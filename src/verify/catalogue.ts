import type { Check } from './check.ts'
import { authorizationChecks } from './checks/authorization.ts'
import { codeChecks } from './checks/codes.ts'
import { introspectionChecks } from './checks/introspection.ts'
import { pageChecks } from './checks/pages.ts'
import { pkceChecks } from './checks/pkce.ts'
import { redirectChecks } from './checks/redirects.ts'
import { refreshChecks } from './checks/refresh.ts'
import { tokenChecks } from './checks/token-endpoint.ts'

const numberOf = ({ id }: Check) => Number(id.slice(1))

/** Every rule that can be tried from outside, in the order of the catalogue. */
export const checks: readonly Check[] = [
  ...redirectChecks,
  ...authorizationChecks,
  ...pkceChecks,
  ...pageChecks,
  ...tokenChecks,
  ...codeChecks,
  ...refreshChecks,
  ...introspectionChecks,
].sort((a, b) => numberOf(a) - numberOf(b))
