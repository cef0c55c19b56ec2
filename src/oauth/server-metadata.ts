// RFC 8414 §2, §3; OpenID Connect Discovery §3; RFC 8628 §4; RFC 9207 §3; RFC 9449 §5.1: what this server offers, one document
// under each name. It advertises only what has a route.

import { algorithms, verifiedAlgorithms } from '../crypto/jws.ts'
import { type Answer, json } from '../http/message.ts'
import { proofAlgorithms } from '../protocol/dpop.ts'
import { spokenGrantTypes } from '../protocol/grant-types.ts'
import { paths } from '../protocol/paths.ts'
import { spokenMethods } from '../protocol/profiles.ts'
import { prompts } from './authorization/authorization-request.ts'
import { responseModes } from './authorization/jarm.ts'
import { mutualTlsMetadata } from './clients/mutual-tls.ts'
import type { Server } from './server.ts'

export function serverMetadata(server: Server): Answer {
  const metadata = describe(server)
  return json(
    200,
    { ...metadata, ...mutualTlsMetadata(server, metadata) },
    { 'cache-control': 'public, max-age=300' },
  )
}

function describe(server: Server): Record<string, unknown> {
  const methods = spokenMethods(server.settings)
  const { issuer, scopes, resources, pushedRequests, registration, clientIdMetadata, device } =
    server.settings
  const detailTypes = Object.keys(server.settings.authorizationDetails)
  // Whom it trusts for that is not said (ID-JAG §9.4).
  const idJag = [...server.settings.assertionIssuers.values()].some((one) => one.accepts.includes('id-jag'))
  return {
    issuer,
    authorization_endpoint: issuer + paths.authorization,
    token_endpoint: issuer + paths.token,
    introspection_endpoint: issuer + paths.introspection,
    revocation_endpoint: issuer + paths.revocation,
    userinfo_endpoint: issuer + paths.userinfo,
    ...(server.signOut ? { end_session_endpoint: issuer + paths.logout } : {}),
    jwks_uri: issuer + paths.jwks,
    scopes_supported: Object.keys(scopes),
    response_types_supported: ['code'],
    response_modes_supported: responseModes,
    grant_types_supported: spokenGrantTypes(server.settings).map((one) => one.name),
    token_endpoint_auth_methods_supported: methods,
    token_endpoint_auth_signing_alg_values_supported: verifiedAlgorithms,
    introspection_endpoint_auth_methods_supported: methods.filter((one) => one !== 'none'),
    introspection_endpoint_auth_signing_alg_values_supported: verifiedAlgorithms,
    introspection_signing_alg_values_supported: algorithms,
    revocation_endpoint_auth_methods_supported: methods,
    revocation_endpoint_auth_signing_alg_values_supported: verifiedAlgorithms,
    code_challenge_methods_supported: ['S256'],
    dpop_signing_alg_values_supported: proofAlgorithms,
    ...(pushedRequests === null
      ? {}
      : {
          pushed_authorization_request_endpoint: issuer + paths.pushedAuthorization,
          require_pushed_authorization_requests: pushedRequests.required,
        }),
    ...(idJag
      ? { authorization_grant_profiles_supported: ['urn:ietf:params:oauth:grant-profile:id-jag'] }
      : {}),
    ...(device === null ? {} : { device_authorization_endpoint: issuer + paths.deviceAuthorization }),
    ...(registration === null ? {} : { registration_endpoint: issuer + paths.registration }),
    ...(clientIdMetadata === null ? {} : { client_id_metadata_document_supported: true }),
    // By value only: no request_uri is ever fetched, and one that was pushed needs no leave of this parameter.
    request_parameter_supported: true,
    request_uri_parameter_supported: false,
    request_object_signing_alg_values_supported: verifiedAlgorithms,
    authorization_signing_alg_values_supported: algorithms,
    ...(detailTypes.length > 0 ? { authorization_details_types_supported: detailTypes } : {}),
    authorization_response_iss_parameter_supported: true,
    ...openidMetadata(server),
    ...(Object.keys(resources).length > 0 ? { protected_resources: Object.keys(resources) } : {}),
  }
}

/** What OpenID Connect adds (Discovery §3, Core §3.1.2.1, Back-Channel Logout §2.1). */
function openidMetadata({ settings, claimNames }: Server): Record<string, unknown> {
  const { acrValues } = settings.authentication
  return {
    subject_types_supported: ['public', 'pairwise'],
    id_token_signing_alg_values_supported: algorithms,
    userinfo_signing_alg_values_supported: algorithms,
    claim_types_supported: ['normal'],
    claims_supported: [...tokenClaims, ...claimNames],
    claims_parameter_supported: true,
    prompt_values_supported: prompts,
    ...(acrValues.length > 0 ? { acr_values_supported: acrValues } : {}),
    backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
  }
}

const tokenClaims = ['iss', 'sub', 'aud', 'exp', 'iat', 'auth_time', 'nonce', 'acr', 'amr', 'at_hash', 'sid']
