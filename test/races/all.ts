import { oneAssertion, oneIdentityAssertion } from './assertions.ts'
import {
  allowDeviceAgainstDeny,
  disconnectAgainstDevice,
  oneDeviceCode,
  pollsOfOneDevice,
} from './devices.ts'
import {
  deleteAgainstTokens,
  disableAgainstTokens,
  disconnectAgainstEverything,
  revocationAgainstRefresh,
} from './endings.ts'
import { disableAgainstAssertions, passwordAgainstCodes, revokeClientAgainstEverything } from './grants.ts'
import {
  allowAgainstDeny,
  firstSignIn,
  firstSignInOfTwo,
  oneConsentForm,
  signUp,
  twoConsentForms,
} from './people.ts'
import { oneProof, oneProofForRefresh } from './proofs.ts'
import { onePushedRequest, pushedRequestEndsOneWay, pushedRequestInTabs } from './pushed-requests.ts'
import type { Race } from './race.ts'
import { oneInvitation, severalInvitations } from './registrations.ts'
import { oneCode, oneRefreshToken, oneRefreshTokenWithoutWindow, quota } from './tokens.ts'

/** Races on a field where a header says who is signed in. */
export const races: readonly Race[] = [
  oneCode,
  oneRefreshToken,
  oneRefreshTokenWithoutWindow,
  revocationAgainstRefresh,
  disconnectAgainstEverything,
  disableAgainstTokens,
  deleteAgainstTokens,
  disableAgainstAssertions,
  revokeClientAgainstEverything,
  quota,
  oneConsentForm,
  allowAgainstDeny,
  twoConsentForms,
  firstSignIn,
  firstSignInOfTwo,
  oneAssertion,
  oneIdentityAssertion,
  oneDeviceCode,
  pollsOfOneDevice,
  allowDeviceAgainstDeny,
  disconnectAgainstDevice,
  oneProof,
  oneProofForRefresh,
  oneInvitation,
  severalInvitations,
  onePushedRequest,
  pushedRequestInTabs,
  pushedRequestEndsOneWay,
]

/** Races on a field with accounts of our own. */
export const localRaces: readonly Race[] = [signUp, passwordAgainstCodes]
