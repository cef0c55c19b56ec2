import type { Check } from './check.ts'
import { assertionChecks } from './checks/assertions.ts'
import { authorizationChecks } from './checks/authorization.ts'
import { clientDocumentChecks } from './checks/client-documents.ts'
import { codeChecks } from './checks/codes.ts'
import { deviceChecks } from './checks/device.ts'
import { dpopChecks } from './checks/dpop.ts'
import { grantChecks } from './checks/grants.ts'
import { introspectionChecks } from './checks/introspection.ts'
import { logoutChecks } from './checks/logout.ts'
import { openidChecks } from './checks/openid.ts'
import { pageChecks } from './checks/pages.ts'
import { pkceChecks } from './checks/pkce.ts'
import { pushedRequestChecks } from './checks/pushed-requests.ts'
import { redirectChecks } from './checks/redirects.ts'
import { refreshChecks } from './checks/refresh.ts'
import { registrationChecks } from './checks/registration.ts'
import { requestObjectChecks } from './checks/request-objects.ts'
import { targetChecks } from './checks/targets.ts'
import { tokenChecks } from './checks/token-endpoint.ts'
import { userinfoChecks } from './checks/userinfo.ts'

const numberOf = ({ id }: Check) => Number(id.slice(1))

/** Every rule that can be tried from outside, in the order of the catalogue. */
export const checks: readonly Check[] = [
  ...assertionChecks,
  ...authorizationChecks,
  ...clientDocumentChecks,
  ...codeChecks,
  ...deviceChecks,
  ...dpopChecks,
  ...grantChecks,
  ...introspectionChecks,
  ...logoutChecks,
  ...openidChecks,
  ...pageChecks,
  ...pkceChecks,
  ...pushedRequestChecks,
  ...redirectChecks,
  ...refreshChecks,
  ...registrationChecks,
  ...requestObjectChecks,
  ...targetChecks,
  ...tokenChecks,
  ...userinfoChecks,
].sort((a, b) => numberOf(a) - numberOf(b))
