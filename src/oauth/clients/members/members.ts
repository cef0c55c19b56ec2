// RFC 7591 §2; RFC 8705 §2.1.2, §3.4; RFC 9101 §10.5; RFC 9126 §6; RFC 9396 §10; RFC 9449 §5.2; RFC 9701 §6; OpenID Connect
// Registration §2, RP-Initiated Logout §3.1, Back-Channel Logout §2.2; JARM §3: the one table of what a client is made of.

import { authenticationMethods, clientProfiles } from '../../../protocol/profiles.ts'
import { bounds } from '../../config/tokens.ts'
import {
  age,
  algorithm,
  anyObject,
  anyText,
  count,
  displayName,
  distinguishedName,
  type Form,
  flag,
  https,
  httpsLink,
  ipAddress,
  keySet,
  lifetime,
  oneOf,
  scopes,
  text,
  texts,
  uris,
  words,
} from './forms.ts'

/** One member of a client. Its key in the table is its name in code. */
export interface Member {
  /** Its name in a registration, a metadata document and the output of the CLI. */
  wire: string
  form: Form
  /** The column of `clients` that keeps it; `registered_metadata` keeps many, by their names on the wire. */
  column: string
  /** A client may say it of itself, in a registration or a document; without, only an administrator may. */
  self?: true
  /** Never left out where it cannot be taken: the client would be another one, or less safe than it believes. */
  essential?: true
  /** The option of `clients create` and `clients change`: name, value and help. */
  option?: readonly [name: string, value: string, help: string]
}

type Rest = Pick<Member, 'self' | 'essential' | 'option'>
const own = (wire: string, form: Form, rest: Rest = {}, column = wire): Member => ({
  wire,
  form,
  column,
  ...rest,
})
const kept = (wire: string, form: Form, rest: Rest = { self: true }): Member => ({
  wire,
  form,
  column: 'registered_metadata',
  ...rest,
})
const option = (name: string, value: string, help: string): Pick<Member, 'option'> => ({
  option: [name, value, help],
})
const self = { self: true } as const
const essential = { self: true, essential: true } as const

export const members = {
  name: own('client_name', displayName, { ...self, ...option('name', '<name>', 'Name people see') }, 'name'),
  description: own('description', anyText, option('description', '<text>', 'What it is, for administrators')),
  profile: own(
    'profile',
    oneOf(clientProfiles),
    option(
      'profile',
      '<profile>',
      'default, gpt_action (lifts PKCE), zapier (longer reuse window), mcp, fapi2',
    ),
  ),
  owner: own('owner', anyText, option('owner', '<name>', 'Who answers for it')),
  tokenEndpointAuthMethod: own(
    'token_endpoint_auth_method',
    { ...anyText, allowed: authenticationMethods.join(', ') },
    essential,
  ),
  redirectUris: own('redirect_uris', uris, {
    ...essential,
    ...option('redirect-uri', '<uri>', 'Where answers may go'),
  }),
  grantTypes: own('grant_types', words, {
    ...essential,
    ...option(
      'grant-type',
      '<type>',
      'authorization_code, refresh_token, client_credentials, or another the metadata names',
    ),
  }),
  scope: own('scope', scopes, {
    ...essential,
    ...option('scope', '<scope>', 'Scope it may ask for. Default: all'),
  }),
  resources: own('resources', scopes, option('resource', '<uri>', 'API it may ask tokens for. Default: all')),
  resourceServerFor: own(
    'resource_server_for',
    scopes,
    option('resource-server-for', '<uri>', 'API it serves, whose tokens it may introspect'),
  ),
  requirePkce: own(
    'require_pkce',
    flag,
    option('require-pkce', '<true|false>', 'Only a confidential client may do without'),
  ),
  tokenFormat: own(
    'token_format',
    { ...oneOf(['jwt', 'opaque']), allowed: 'jwt or opaque' },
    option('token-format', '<jwt|opaque>', 'Format of its access tokens'),
  ),
  accessTokenLifetime: own(
    'access_token_lifetime',
    lifetime(bounds.accessTokenLifetime),
    option('access-token-lifetime', '<seconds>', 'Life of its access tokens'),
  ),
  refreshTokenLifetime: own(
    'refresh_token_lifetime',
    lifetime(bounds.refreshTokenLifetime),
    option('refresh-token-lifetime', '<seconds>', 'Life of an unused refresh token'),
  ),
  codeLifetime: own(
    'code_lifetime',
    lifetime(bounds.codeLifetime),
    option('code-lifetime', '<seconds>', 'Life of its authorization codes'),
  ),
  reuseWindow: own(
    'reuse_window',
    lifetime(bounds.reuseWindow),
    option(
      'reuse-window',
      '<seconds>',
      'How long a rotated refresh token gets the same successor, 0 to 86400',
    ),
  ),
  requestsPerHour: own(
    'requests_per_hour',
    count,
    option('requests-per-hour', '<count>', 'Most requests at the token endpoints'),
    'rate_limit_per_hour',
  ),
  logoUri: own('logo_uri', httpsLink, { ...self, ...option('logo-uri', '<url>', 'Its logo, https') }),
  clientUri: own('client_uri', httpsLink, {
    ...self,
    ...option('client-uri', '<url>', 'Its home page, https'),
  }),
  policyUri: own('policy_uri', httpsLink, {
    ...self,
    ...option('policy-uri', '<url>', 'Its privacy policy, https'),
  }),
  tosUri: own('tos_uri', httpsLink, { ...self, ...option('tos-uri', '<url>', 'Its terms, https') }),
  jwksUri: own('jwks_uri', anyText, self),
  jwks: own('jwks', keySet, self),
  metadata: own('metadata', anyObject),

  applicationType: kept('application_type', oneOf(['web', 'native'])),
  contacts: kept('contacts', texts),
  defaultScope: kept('default_scope', texts, {}),
  softwareId: kept('software_id', text),
  softwareVersion: kept('software_version', text),
  tlsClientAuthSubjectDn: kept('tls_client_auth_subject_dn', distinguishedName, essential),
  tlsClientAuthSanDns: kept('tls_client_auth_san_dns', text, essential),
  tlsClientAuthSanUri: kept('tls_client_auth_san_uri', text, essential),
  tlsClientAuthSanIp: kept('tls_client_auth_san_ip', ipAddress, essential),
  tlsClientAuthSanEmail: kept('tls_client_auth_san_email', text, essential),
  tokenEndpointAuthSigningAlg: kept('token_endpoint_auth_signing_alg', algorithm, essential),
  requestObjectSigningAlg: kept('request_object_signing_alg', algorithm, essential),
  idTokenSignedResponseAlg: kept('id_token_signed_response_alg', algorithm, {
    ...self,
    ...option(
      'id-token-alg',
      '<alg>',
      'Signs its ID tokens: RS256, PS256, ES256 or EdDSA. Default: openid.signingAlg, RS256',
    ),
  }),
  userinfoSignedResponseAlg: kept('userinfo_signed_response_alg', algorithm),
  authorizationSignedResponseAlg: kept('authorization_signed_response_alg', algorithm),
  introspectionSignedResponseAlg: kept('introspection_signed_response_alg', algorithm),
  claimsInIdToken: kept('claims_in_id_token', flag, {
    ...self,
    ...option(
      'claims-in-id-token',
      '<true|false>',
      'Its ID tokens hold the claims of the granted scopes. Default: true with a redirect URI and openid',
    ),
  }),
  requirePushedAuthorizationRequests: kept('require_pushed_authorization_requests', flag, essential),
  requireSignedRequestObject: kept('require_signed_request_object', flag, essential),
  dpopBoundAccessTokens: kept('dpop_bound_access_tokens', flag, essential),
  tlsClientCertificateBoundAccessTokens: kept('tls_client_certificate_bound_access_tokens', flag, essential),
  requireNonce: kept('require_nonce', flag, essential),
  subjectType: kept('subject_type', oneOf(['public', 'pairwise']), essential),
  sectorIdentifierUri: kept('sector_identifier_uri', https, essential),
  initiateLoginUri: kept('initiate_login_uri', https),
  postLogoutRedirectUris: kept('post_logout_redirect_uris', texts, {
    ...self,
    ...option('post-logout-redirect-uri', '<uri>', 'Where people may go once it has signed them out'),
  }),
  backchannelLogoutUri: kept('backchannel_logout_uri', text),
  backchannelLogoutSessionRequired: kept('backchannel_logout_session_required', flag),
  defaultMaxAge: kept('default_max_age', age),
  requireAuthTime: kept('require_auth_time', flag),
  defaultAcrValues: kept('default_acr_values', texts),
  authorizationDetailsTypes: kept('authorization_details_types', texts),
} as const satisfies Readonly<Record<string, Member>>

export type MemberName = keyof typeof members

const rows: readonly (readonly [MemberName, Member])[] = Object.entries(members) as [MemberName, Member][]
/** Those that share the column of registered metadata, and those with a column of their own. */
export const registeredMembers = rows.filter(([, { column }]) => column === 'registered_metadata')
export const columnMembers = rows.filter(([, { column }]) => column !== 'registered_metadata')
/** Members with an option of the CLI. */
export const optionMembers = rows.filter(([, member]) => member.option !== undefined)

/** A member by its name in code, or undefined. */
export function memberNamed(name: string): Member | undefined {
  return Object.hasOwn(members, name) ? members[name as MemberName] : undefined
}
