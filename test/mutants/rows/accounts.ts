// What the pages of accounts refuse, and the webhook of their provider.

import { hidden, type Mutant } from '../mutant.ts'

const notJudged = 'a run signs in through these pages and judges none: no section says what they answer'
const noProvider = 'a run has no provider of accounts'
const test = 'test/accounts/refusals.test.ts'
const openid = 'accounts/openid.ts'
const setPassword = 'accounts/local/set-password.ts'

export const accountMutants: readonly Mutant[] = [
  hidden(
    'form_expired',
    'accounts/account-pages.ts',
    'if (row && !posted.ours(signOutPurpose(row)))',
    'if (false)',
    notJudged,
    test,
  ),
  hidden(
    'account_disabled',
    openid,
    'if (user.disabled_at !== null) return disabled()',
    "if (user.disabled_at !== null) return seeOther('/')",
    noProvider,
    test,
  ),
  hidden(
    'password_link_unknown',
    setPassword,
    'if (!link) return expired()',
    "if (!link) return seeOther('/')",
    notJudged,
    test,
  ),
  hidden('too_many_password_links', setPassword, 'if (limited) return', 'if (false) return', notJudged, test),
  hidden(
    'sign_in_elsewhere',
    'accounts/development.ts',
    'return here && forwarded === undefined ?',
    'return true ?',
    notJudged,
    test,
  ),
  hidden(
    'provider_answer_unexpected',
    openid,
    "return refuse('provider_answer_unexpected',",
    "return refuse('provider_failed',",
    noProvider,
    test,
  ),
  hidden(
    'provider_denied',
    openid,
    "? 'provider_denied' : 'provider_failed'",
    "? 'provider_failed' : 'provider_failed'",
    noProvider,
    test,
  ),
  hidden(
    'provider_failed',
    openid,
    "? 'provider_denied' : 'provider_failed'",
    "? 'provider_denied' : 'provider_denied'",
    noProvider,
    test,
  ),
  hidden(
    'webhook_unverified',
    'accounts/routes.ts',
    'if (!(error instanceof UnverifiedWebhook)) throw error',
    'if (!(error instanceof UnverifiedWebhook)) throw error\n        if (true) return json(200, {})',
    noProvider,
    test,
  ),
]
