// Every reason a request is refused, with its answer on the wire: RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3.1, RFC 7009 §2.2.1,
// RFC 7662 §2.3, RFC 8707 §2, RFC 9449 §5. The wire stays generic; the reason and its facts go to the log and to events.

import {
  isRefusal as isAnyRefusal,
  type Refusal as RefusalFor,
  type Rows,
  refuser,
  requestRefusals,
  row,
} from '../http/refusal.ts'
import { told, toldUrl } from '../log.ts'

const invalidRequest = (description: string) => row(400, 'invalid_request', description)
const invalidClient = (description: string) => row(401, 'invalid_client', description)
const invalidGrant = (description: string) => row(400, 'invalid_grant', description)
const invalidDpopProof = (description: string) => row(400, 'invalid_dpop_proof', description)
const tooMany = (description: string) => row(429, 'temporarily_unavailable', description)
const details = (what: string) =>
  row(400, 'invalid_authorization_details', `The authorization_details cannot be granted: ${what}`)

/** The table of OAuth. A reason names what happened; several may share a wire answer on purpose. */
export const refusals = {
  // The request itself, and what is the server's own
  ...requestRefusals,

  // Client authentication (RFC 6749 §2.3, §5.2)
  client_unknown: invalidClient('Client authentication failed'),
  client_inactive: invalidClient('Client authentication failed'),
  client_secret_wrong: invalidClient('Client authentication failed'),
  client_authentication_missing: invalidClient('Client authentication failed'),
  client_authentication_malformed: invalidClient('The Authorization header could not be parsed'),
  client_authentication_ambiguous: invalidRequest('More than one client authentication method was used'),
  client_assertion_ambiguous: invalidClient(
    'A client assertion was sent beside another authentication method',
  ),
  client_assertion_type_unknown: invalidClient('The client_assertion_type is not supported'),
  client_assertion_malformed: invalidClient('The client assertion is not a signed JWT'),
  client_assertion_claims: invalidClient('The client assertion is not valid'),
  client_assertion_signature: invalidClient('The client assertion is not valid'),
  client_assertion_replayed: invalidClient('The client assertion is not valid'),
  client_method_wrong: invalidClient('Client authentication failed'),
  client_certificate_malformed: invalidClient('The client certificate could not be read'),
  client_certificate_wrong: invalidClient('Client authentication failed'),
  client_certificate_missing: invalidRequest('This client must show its certificate'),
  client_document_withdrawn: invalidClient('The description of the client is no longer at its address'),
  client_document_stale: row(
    503,
    'temporarily_unavailable',
    'The description of the client cannot be read now; try again',
  ),
  client_keys_forbidden: invalidClient('The keys of the client cannot be read'),
  client_keys_unavailable: row(
    503,
    'temporarily_unavailable',
    'The keys of the client cannot be read now; try again',
  ),
  user_limit_reached: tooMany('Too much is waiting for this user; try again later'),
  no_room: row(503, 'temporarily_unavailable', 'Too much is waiting at the moment; try again later'),
  too_many_failures: tooMany('Too many failed attempts; try again later'),
  too_many_requests: tooMany('The hourly request limit of this client is used up'),

  // Authorization endpoint, redirect not trusted (RFC 6749 §4.1.2.1): a page, never a redirect
  authorize_client_missing: invalidRequest('The client_id is missing'),
  authorize_client_repeated: invalidRequest('The client_id or redirect_uri was sent more than once'),
  authorize_client_unknown: invalidRequest('This application is not known here'),
  authorize_client_inactive: invalidRequest('This application is not active'),
  // A client_id that is the URL of a document (CIMD §3, §5.1)
  client_url_malformed: invalidRequest('The client_id is not an address a document can be at'),
  client_host_untrusted: invalidRequest('Applications described at this address are not accepted here'),
  client_document_unavailable: invalidRequest(
    'The description of this application could not be read from its address',
  ),
  client_document_invalid: invalidRequest('The description of this application is not valid'),
  too_many_registrations: tooMany('Too many new applications at the moment; try again later'),
  redirect_uri_missing: invalidRequest('The redirect_uri is missing and the client has several'),
  redirect_uri_unregistered: invalidRequest('The redirect_uri is not registered for this application'),
  // No error code: it could only be sent in the mode that is not understood (OpenID Connect Core §3.1.2.6).
  response_mode_unsupported: row(400, '', 'The response_mode is not supported'),

  // Authorization endpoint, redirect trusted
  response_type_missing: invalidRequest('The response_type is missing'),
  response_type_unsupported: row(400, 'unsupported_response_type', 'Only response_type=code is supported'),
  response_type_unauthorized: row(
    400,
    'unauthorized_client',
    'This client may not use the authorization code grant',
  ),
  pkce_missing: invalidRequest('PKCE is required: send code_challenge with code_challenge_method=S256'),
  pkce_method_unsupported: invalidRequest('The code_challenge_method must be S256'),
  pkce_challenge_malformed: invalidRequest('The code_challenge must be 43 base64url characters'),
  prompt_invalid: invalidRequest('The prompt value is not valid'),
  dpop_jkt_malformed: invalidRequest('dpop_jkt must be a JWK thumbprint in base64url'),
  claims_malformed: invalidRequest('The claims parameter must be a JSON object of claims'),
  id_token_hint_invalid: invalidRequest('The id_token_hint is not an ID token of this server'),
  authentication_unmet: row(
    400,
    'unmet_authentication_requirements',
    'The user cannot be authenticated as strongly as was asked',
  ),
  max_age_invalid: invalidRequest('max_age must be a whole number of seconds'),
  request_object_unsupported: row(
    400,
    'request_not_supported',
    'The request parameter is not supported for this client',
  ),
  request_uri_unsupported: row(
    400,
    'request_uri_not_supported',
    'The request_uri parameter is not supported',
  ),
  request_uri_unknown: row(400, 'invalid_request_uri', 'The request_uri does not name a pushed request'),
  request_object_malformed: row(400, 'invalid_request_object', 'The request object is not a signed JWT'),
  request_object_claims: row(400, 'invalid_request_object', 'The request object is not valid'),
  request_object_signature: row(400, 'invalid_request_object', 'The request object is not valid'),
  request_object_missing: invalidRequest('This client must send a signed request object'),
  response_mode_unsigned: invalidRequest('This client must ask for a signed response'),
  nonce_missing: invalidRequest('This client must send a nonce'),
  pushed_request_missing: invalidRequest('The request must be pushed first'),
  request_object_ambiguous: invalidRequest('Send either request or request_uri, not both'),
  registration_unsupported: row(
    400,
    'registration_not_supported',
    'The registration parameter is not supported',
  ),
  login_required: row(400, 'login_required', 'The user must sign in'),
  consent_required: row(400, 'consent_required', 'The user must consent'),
  user_denied: row(400, 'access_denied', 'The user denied the request'),
  user_disabled: row(400, 'access_denied', 'The account is disabled'),
  session_quota_full: row(400, 'access_denied', 'The account has too many sessions with this application'),

  // Pushed authorization requests (RFC 9126 §2.3); the first is a page at the authorization endpoint
  pushed_request_unknown: row(
    400,
    'invalid_request_uri',
    'This request has expired or was completed already; go back to the application and start again',
  ),
  pushed_request_unaccepted: invalidRequest('Pushed authorization requests are not accepted here'),
  pushed_request_nested: invalidRequest('A pushed request cannot hold a request_uri'),
  pushed_request_key: invalidRequest('dpop_jkt is not the key of the DPoP proof'),
  pushed_response_mode_unsupported: invalidRequest('The response_mode is not supported'),
  too_many_pushed_requests: tooMany('Too many requests were pushed from this network; try again later'),

  // Consent form
  form_token_wrong: row(
    403,
    'invalid_request',
    'This form has expired or belongs to another browser session',
  ),
  form_of_another_user: row(403, 'invalid_request', 'This form was shown to another user'),
  form_already_answered: invalidRequest('This request was already answered or has expired'),
  form_scope_exceeded: invalidRequest('The form grants more than was asked for'),

  // Logout (OpenID Connect RP-Initiated Logout §3, §4): a page
  logout_elsewhere: row(404, '', 'Signing out happens where you signed in'),
  logout_client_mismatch: invalidRequest('The id_token_hint was made for another application'),
  logout_redirect_uri_unregistered: invalidRequest(
    'The post_logout_redirect_uri is not registered for this application',
  ),

  // Scope and resource
  scope_malformed: row(400, 'invalid_scope', 'The scope is malformed'),
  scope_unknown: row(400, 'invalid_scope', 'A requested scope is not known'),
  scope_not_allowed: row(400, 'invalid_scope', 'A requested scope is not allowed for this client'),
  scope_without_user: row(400, 'invalid_scope', 'A requested scope is about a user, and there is none'),
  scope_exceeded: row(400, 'invalid_scope', 'The requested scope exceeds what was granted'),
  resource_malformed: row(400, 'invalid_target', 'The resource must be an absolute URI without fragment'),
  resource_unknown: row(400, 'invalid_target', 'The resource is not known here'),
  resource_not_allowed: row(400, 'invalid_target', 'The resource is not allowed for this client'),
  resource_exceeded: row(400, 'invalid_target', 'The resource exceeds what was granted'),

  // Authorization details (RFC 9396 §5)
  authorization_details_malformed: details('they are no JSON array of objects with a type'),
  authorization_details_type: details('a type is not known'),
  authorization_details_not_allowed: details('a type is not allowed for this client'),
  authorization_details_invalid: details('they do not fit their type'),
  authorization_details_unreadable: details('they are too long to be shown to the user'),
  authorization_details_exceeded: details('they exceed what was granted'),
  authorization_details_misplaced: details('this grant_type has none'),

  // Token endpoint (RFC 6749 §5.2)
  grant_type_missing: invalidRequest('The grant_type is missing'),
  grant_type_unsupported: row(400, 'unsupported_grant_type', 'The grant_type is not supported'),
  grant_type_unauthorized: row(400, 'unauthorized_client', 'This client may not use this grant_type'),
  grant_type_confidential: row(400, 'unauthorized_client', 'A public client may not use this grant_type'),
  code_unknown: invalidGrant('The code is not valid'),
  code_expired: invalidGrant('The code is not valid'),
  code_foreign: invalidGrant('The code is not valid'),
  code_replayed: invalidGrant('The code is not valid'),
  code_redirect_uri_mismatch: invalidGrant('The code is not valid'),
  code_verifier_wrong: invalidGrant('The code_verifier is not valid'),
  code_verifier_unexpected: invalidRequest('A code_verifier was sent without a code_challenge'),
  code_binding_mismatch: invalidGrant('The code is not valid'),
  code_user_disabled: invalidGrant('The code is not valid'),
  code_consent_ended: invalidGrant('The code is not valid'),
  code_quota_full: invalidGrant('The account has too many sessions with this application'),
  refresh_token_unknown: invalidGrant('The refresh token is not valid'),
  refresh_token_expired: invalidGrant('The refresh token is not valid'),
  refresh_token_foreign: invalidGrant('The refresh token is not valid'),
  refresh_token_reused: invalidGrant('The refresh token is not valid'),
  refresh_token_binding_mismatch: invalidGrant('The refresh token is not valid'),
  session_ended: invalidGrant('The refresh token is not valid'),

  // Proofs of a key (RFC 9449 §5, §8), 401 at an API; certificates (RFC 8705 §3)
  dpop_proof_missing: invalidDpopProof('A DPoP proof is required'),
  dpop_proof_malformed: invalidDpopProof('The DPoP header is not one DPoP proof'),
  dpop_proof_key: invalidDpopProof('The key or the algorithm of the DPoP proof is not accepted'),
  dpop_proof_signature: invalidDpopProof('The signature of the DPoP proof is not valid'),
  dpop_proof_request: invalidDpopProof('The DPoP proof is for another method or URL'),
  dpop_proof_token: invalidDpopProof('The DPoP proof is not for this access token'),
  dpop_proof_time: invalidDpopProof('The DPoP proof is too old or from the future'),
  dpop_proof_replayed: invalidDpopProof('The DPoP proof was used before'),
  dpop_nonce_missing: row(
    400,
    'use_dpop_nonce',
    'The DPoP proof must hold the nonce of the DPoP-Nonce header',
  ),
  dpop_nonce_stale: row(400, 'use_dpop_nonce', 'The DPoP proof must hold the nonce of the DPoP-Nonce header'),

  // Devices (RFC 8628 §3.5)
  device_pending: row(400, 'authorization_pending', 'The user has not decided yet'),
  device_too_fast: row(400, 'slow_down', 'Wait 5 seconds longer between two requests from now on'),
  device_denied: row(400, 'access_denied', 'The user denied the request'),
  device_code_expired: row(400, 'expired_token', 'The device_code has expired; start again'),
  device_code_unknown: invalidGrant('The device_code is not valid'),
  device_code_foreign: invalidGrant('The device_code is not valid'),
  device_code_replayed: invalidGrant('The device_code is not valid'),
  too_many_devices: tooMany('Too many devices have started in this network; try again later'),

  // Token exchange (RFC 8693 §2.2.2)
  token_type_invalid: invalidRequest('A token type is missing or not supported'),
  subject_token_invalid: invalidRequest('The subject_token is not valid'),
  actor_token_invalid: invalidRequest('The actor_token is not valid'),
  exchange_not_allowed: invalidRequest('This exchange is not allowed'),
  exchange_target_refused: row(400, 'invalid_target', 'A token for this target is not given in exchange'),

  // Assertions as grants (RFC 7523 §3.1)
  assertion_invalid: invalidGrant('The assertion is not valid'),
  assertion_untrusted: invalidGrant('The assertion is not valid'),
  assertion_signature: invalidGrant('The assertion is not valid'),
  assertion_replayed: invalidGrant('The assertion is not valid'),
  assertion_user: invalidGrant('The assertion is not valid'),

  // Revocation (RFC 7009 §2.2.1)
  token_foreign: invalidRequest('The token was issued to another client'),
  token_type_unsupported: row(400, 'unsupported_token_type', 'Tokens of this type cannot be revoked'),

  // Registration and its management (RFC 7591 §3.2.2, RFC 7592 §2)
  registration_not_json: row(400, 'invalid_client_metadata', 'The body must be a JSON object'),
  registration_redirect_uri: row(400, 'invalid_redirect_uri', 'A redirect URI is not allowed'),
  registration_metadata: row(400, 'invalid_client_metadata', 'The client metadata is not allowed'),
  registration_secret_chosen: row(
    400,
    'invalid_client_metadata',
    'client_secret: it is chosen here and cannot be set',
  ),
  software_statement_missing: row(400, 'invalid_software_statement', 'A software statement is required'),
  software_statement_invalid: row(400, 'invalid_software_statement', 'The software statement is not valid'),
  software_statement_unapproved: row(
    400,
    'unapproved_software_statement',
    'The issuer of the software statement is not trusted',
  ),
  initial_access_token_missing: row(401, '', ''),
  initial_access_token_invalid: row(401, 'invalid_token', 'The initial access token is not valid'),
  registration_token_missing: row(401, '', ''),
  registration_token_invalid: row(401, 'invalid_token', 'The registration access token is not valid'),

  // Resource server (RFC 6750 §3.1)
  token_missing: row(401, '', ''),
  bearer_malformed: invalidRequest('The Authorization header is malformed'),
  bearer_in_query: invalidRequest('The access token must be sent in the Authorization header'),
  bearer_twice: invalidRequest('The access token was sent by more than one method'),
  access_token_invalid: row(401, 'invalid_token', 'The access token is not valid'),
  access_token_expired: row(401, 'invalid_token', 'The access token has expired'),
  access_token_revoked: row(401, 'invalid_token', 'The access token is not valid'),
  access_token_audience: row(401, 'invalid_token', 'The access token is for another resource'),
  access_token_type: row(401, 'invalid_token', 'The token is no access token'),
  access_token_bound: row(401, 'invalid_token', 'The access token is bound to a key and needs a DPoP proof'),
  access_token_unbound: row(401, 'invalid_token', 'The access token is not bound to a key'),
  access_token_other_key: row(401, 'invalid_token', 'The access token is bound to another key'),
  access_token_other_certificate: row(
    401,
    'invalid_token',
    'The access token is bound to another certificate',
  ),
  scope_insufficient: row(403, 'insufficient_scope', 'The access token lacks a scope'),
  authentication_insufficient: row(
    401,
    'insufficient_user_authentication',
    'A more recent authentication is required',
  ),
  authentication_too_weak: row(
    401,
    'insufficient_user_authentication',
    'Another way of authentication is required',
  ),
} as const satisfies Rows

export type Reason = keyof typeof refusals

/** A request that was refused for one of them. */
export type Refusal = RefusalFor<Reason>

export const refuse = refuser(refusals)

/** What was sent, for a description: a secret may have come in any field, so only what has a harmless shape is repeated. */
export function sentAs(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
  return (/^[a-z][a-z0-9+.-]*:/i.test(text) ? toldUrl(text) : told(text))!.slice(0, 200)
}

export function isRefusal(value: unknown): value is Refusal {
  return isAnyRefusal(value)
}
