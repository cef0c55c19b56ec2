// RFC 7591 §2; RFC 8705 §2.1.2, §3.4; RFC 9101 §10.5; RFC 9126 §6; RFC 9396 §10; RFC 9449 §5.2; RFC 9701 §6; OpenID Connect
// Registration §2, RP-Initiated Logout §3.1, Back-Channel Logout §2.2; JARM §3: client metadata beyond what every client has,
// by its name on the wire and by its name here.

import { canonicalAddress, parseDistinguishedName } from '../../crypto/certificate.ts'
import { type Algorithm, algorithmNamed, algorithms } from '../../crypto/jws.ts'
import { type ClientProfile, profiles } from '../../protocol/profiles.ts'
import type { Settings } from '../../settings.ts'

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

type Member = keyof RegisteredMetadata

interface Rule {
  wire: string
  /** In words, for an error message. */
  allowed: string
  fits(value: unknown): boolean
  /** How a value that fits is kept. Default: as it is. */
  kept?(value: unknown): unknown
}

const isText = (value: unknown) => typeof value === 'string' && value.length > 0 && value.length <= 2_048
const isList = (value: unknown, fits: (one: unknown) => boolean) =>
  Array.isArray(value) && value.length <= 100 && value.every(fits)
const isHttps = (value: unknown) =>
  isText(value) && /^https:\/\/[^#]+$/i.test(value as string) && URL.canParse(value as string)

const text = (wire: string): Rule => ({ wire, allowed: 'a text', fits: isText })
const texts = (wire: string): Rule => ({
  wire,
  allowed: 'a list of texts',
  fits: (value) => isList(value, isText),
})
const flag = (wire: string): Rule => ({
  wire,
  allowed: 'true or false',
  fits: (value) => typeof value === 'boolean',
})
const https = (wire: string): Rule => ({ wire, allowed: 'an https URL without fragment', fits: isHttps })
const oneOf = (wire: string, words: readonly string[]): Rule => ({
  wire,
  allowed: words.join(', '),
  fits: (value) => words.includes(value as string),
})

/** Taken by either name of EdDSA, and told by the one (RFC 9864 §2.2). */
const algorithm = (wire: string): Rule => ({
  wire,
  allowed: algorithms.join(', '),
  fits: (value) => algorithmNamed(value) !== undefined,
  kept: algorithmNamed,
})

const rules: Readonly<Record<Member, Rule>> = {
  applicationType: oneOf('application_type', ['web', 'native']),
  contacts: texts('contacts'),
  defaultScope: texts('default_scope'),
  softwareId: text('software_id'),
  softwareVersion: text('software_version'),
  tlsClientAuthSubjectDn: {
    wire: 'tls_client_auth_subject_dn',
    allowed: 'a distinguished name, the most specific part first (RFC 4514)',
    fits: (value) => isText(value) && parseDistinguishedName(value as string) !== undefined,
  },
  tlsClientAuthSanDns: text('tls_client_auth_san_dns'),
  tlsClientAuthSanUri: text('tls_client_auth_san_uri'),
  tlsClientAuthSanIp: {
    wire: 'tls_client_auth_san_ip',
    allowed: 'an IP address',
    fits: (value) => isText(value) && canonicalAddress(value as string) !== undefined,
  },
  tlsClientAuthSanEmail: text('tls_client_auth_san_email'),
  tokenEndpointAuthSigningAlg: algorithm('token_endpoint_auth_signing_alg'),
  requestObjectSigningAlg: algorithm('request_object_signing_alg'),
  idTokenSignedResponseAlg: algorithm('id_token_signed_response_alg'),
  userinfoSignedResponseAlg: algorithm('userinfo_signed_response_alg'),
  authorizationSignedResponseAlg: algorithm('authorization_signed_response_alg'),
  introspectionSignedResponseAlg: algorithm('introspection_signed_response_alg'),
  claimsInIdToken: flag('claims_in_id_token'),
  requirePushedAuthorizationRequests: flag('require_pushed_authorization_requests'),
  requireSignedRequestObject: flag('require_signed_request_object'),
  dpopBoundAccessTokens: flag('dpop_bound_access_tokens'),
  tlsClientCertificateBoundAccessTokens: flag('tls_client_certificate_bound_access_tokens'),
  requireNonce: flag('require_nonce'),
  subjectType: oneOf('subject_type', ['public', 'pairwise']),
  sectorIdentifierUri: https('sector_identifier_uri'),
  initiateLoginUri: https('initiate_login_uri'),
  postLogoutRedirectUris: texts('post_logout_redirect_uris'),
  backchannelLogoutUri: text('backchannel_logout_uri'),
  backchannelLogoutSessionRequired: flag('backchannel_logout_session_required'),
  defaultMaxAge: {
    wire: 'default_max_age',
    allowed: 'a whole number of seconds',
    fits: (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 999_999_999,
  },
  requireAuthTime: flag('require_auth_time'),
  defaultAcrValues: texts('default_acr_values'),
  authorizationDetailsTypes: texts('authorization_details_types'),
}

const members = Object.keys(rules) as Member[]

/** The members of an input that are registered here, each checked by itself; `problem` hears of every other. */
export function readRegisteredMetadata(
  input: RegisteredMetadata,
  problem: (path: string, given: unknown, allowed: string) => void,
): RegisteredMetadata {
  const read: Record<string, unknown> = {}
  for (const member of members) {
    const value = input[member]
    if (value === undefined) continue
    const { fits, kept = (given: unknown) => given } = rules[member]
    if (fits(value)) read[member] = kept(value)
    else problem(member, value, rules[member].allowed)
  }
  return read as RegisteredMetadata
}

/** By their names on the wire: how they are stored, and how a client is told. */
export function toWire(registered: RegisteredMetadata): Record<string, unknown> {
  const known = members.filter((member) => registered[member] !== undefined)
  return Object.fromEntries(known.map((member) => [rules[member].wire, registered[member]]))
}

/** The registered members among metadata in wire names, unchecked; what is not known is left out. */
export function fromWire(metadata: Readonly<Record<string, unknown>>): RegisteredMetadata {
  const known = members.filter((member) => metadata[rules[member].wire] !== undefined)
  return Object.fromEntries(known.map((member) => [member, metadata[rules[member].wire]]))
}
