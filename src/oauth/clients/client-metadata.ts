// RFC 7591 §2; RFC 8705 §2.1.2, §3.4; RFC 9101 §10.5; RFC 9126 §6; RFC 9396 §10; RFC 9449 §5.2; RFC 9701 §6; OpenID Connect
// Registration §2, RP-Initiated Logout §3.1, Back-Channel Logout §2.2; JARM §3: client metadata beyond what every client has,
// by its name on the wire and by its name here.

import type { Algorithm } from '../../crypto/jws.ts'
import { type ClientProfile, profiles } from '../../protocol/profiles.ts'
import type { Settings } from '../../settings.ts'
import { registeredMembers } from './members/members.ts'

/** What a client is registered with beyond the columns of its row. */
export interface RegisteredMetadata {
  /** Redirects of a `native` client go to the user's own device (RFC 8252). */
  applicationType?: 'web' | 'native'
  contacts?: string[]
  /** Scopes it gets when it asks for none by name. Default: all it may ask for. */
  defaultScope?: string[]
  softwareId?: string
  softwareVersion?: string
  /** What the certificate of a `tls_client_auth` client says; exactly one of the five (RFC 8705 §2.1.2). */
  tlsClientAuthSubjectDn?: string
  tlsClientAuthSanDns?: string
  tlsClientAuthSanUri?: string
  tlsClientAuthSanIp?: string
  tlsClientAuthSanEmail?: string
  /** Signs its client assertions. Default: any that is spoken here. */
  tokenEndpointAuthSigningAlg?: Algorithm
  /** Signs its request objects. Default: any that is spoken here. */
  requestObjectSigningAlg?: Algorithm
  /** Signs ID tokens and logout tokens for it. Default `openid.signingAlg`; ES256 for the profile fapi2. */
  idTokenSignedResponseAlg?: Algorithm
  /** Signs userinfo answers for it; without one they are plain JSON. */
  userinfoSignedResponseAlg?: Algorithm
  /** Signs authorization responses for it where it asks for them signed. Default as for ID tokens. */
  authorizationSignedResponseAlg?: Algorithm
  /** Signs introspection answers for it where it asks for them signed. Default as for ID tokens. */
  introspectionSignedResponseAlg?: Algorithm
  /** Puts the claims of the granted scopes into its ID tokens (OpenID Connect Core §5.4). Default `openid.claimsInIdToken`. */
  claimsInIdToken?: boolean
  requirePushedAuthorizationRequests?: boolean
  requireSignedRequestObject?: boolean
  dpopBoundAccessTokens?: boolean
  tlsClientCertificateBoundAccessTokens?: boolean
  /** Refuses its requests for an ID token without a `nonce`. */
  requireNonce?: boolean
  /** `pairwise` gives users another `sub` in each sector. Default `public`. */
  subjectType?: 'public' | 'pairwise'
  sectorIdentifierUri?: string
  /** Where it begins a sign-in that somebody else asks for (OpenID Connect Core §4). */
  initiateLoginUri?: string
  postLogoutRedirectUris?: string[]
  backchannelLogoutUri?: string
  backchannelLogoutSessionRequired?: boolean
  /** Seconds. */
  defaultMaxAge?: number
  /** ID tokens always say when the user signed in, where that is known. */
  requireAuthTime?: boolean
  defaultAcrValues?: string[]
  /** Types of `authorization_details` it may ask for. Default: all that are configured. */
  authorizationDetailsTypes?: string[]
}

/** What the answers to a client are signed with. */
export interface AnswerAlgorithms {
  /** ID tokens and logout tokens. */
  idToken: Algorithm
  authorization: Algorithm
  introspection: Algorithm
}

/**
 * The algorithm a client chose, or the default where it chose none: RS256, as OpenID Connect Registration §2, JARM §3 and
 * RFC 9701 §6 say, unless `openid.signingAlg` or its profile says otherwise.
 */
export function answerAlgorithms(
  { openid }: Pick<Settings, 'openid'>,
  profile: ClientProfile,
  registered: RegisteredMetadata,
): AnswerAlgorithms {
  const { algorithms: allowed } = profiles[profile]
  const standard = allowed === null || allowed.includes(openid.signingAlg) ? openid.signingAlg : 'ES256'
  return {
    idToken: registered.idTokenSignedResponseAlg ?? standard,
    authorization: registered.authorizationSignedResponseAlg ?? standard,
    introspection: registered.introspectionSignedResponseAlg ?? standard,
  }
}

/** By their names on the wire: how they are stored, and how a client is told. */
export function toWire(registered: RegisteredMetadata): Record<string, unknown> {
  const given = registered as Readonly<Record<string, unknown>>
  const known = registeredMembers.filter(([name]) => given[name] !== undefined)
  return Object.fromEntries(known.map(([name, { wire }]) => [wire, given[name]]))
}

/** The registered members among metadata in wire names, unchecked; what is not known is left out. */
export function fromWire(
  metadata: Readonly<Record<string, unknown>>,
  among = registeredMembers,
): RegisteredMetadata {
  const known = among.filter(([, { wire }]) => metadata[wire] !== undefined)
  return Object.fromEntries(known.map(([name, { wire }]) => [name, metadata[wire]]))
}
