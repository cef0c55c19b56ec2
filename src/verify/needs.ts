import { type Metadata, offersGrant, speaksOpenId } from './metadata.ts'

/** What a check needs of a server, and what to say of one that does not offer it. */
const needs = {
  'code flow': [
    'the metadata names no authorization_endpoint',
    (server: Metadata) => server.authorization_endpoint !== undefined,
  ],
  'refresh tokens': [
    'grant_types_supported has no refresh_token',
    (server: Metadata) => offersGrant(server, 'refresh_token'),
  ],
  'client credentials': [
    'grant_types_supported has no client_credentials',
    (server: Metadata) => offersGrant(server, 'client_credentials'),
  ],
  'token exchange': [
    'grant_types_supported has no urn:ietf:params:oauth:grant-type:token-exchange',
    (server: Metadata) => offersGrant(server, 'urn:ietf:params:oauth:grant-type:token-exchange'),
  ],
  'JWT bearer': [
    'grant_types_supported has no urn:ietf:params:oauth:grant-type:jwt-bearer',
    (server: Metadata) => offersGrant(server, 'urn:ietf:params:oauth:grant-type:jwt-bearer'),
  ],
  'device grant': [
    'the metadata names no device_authorization_endpoint',
    (server: Metadata) => server.device_authorization_endpoint !== undefined,
  ],
  registration: [
    'the metadata names no registration_endpoint',
    (server: Metadata) => server.registration_endpoint !== undefined,
  ],
  'pushed requests': [
    'the metadata names no pushed_authorization_request_endpoint',
    (server: Metadata) => server.pushed_authorization_request_endpoint !== undefined,
  ],
  introspection: [
    'the metadata names no introspection_endpoint',
    (server: Metadata) => server.introspection_endpoint !== undefined,
  ],
  revocation: [
    'the metadata names no revocation_endpoint',
    (server: Metadata) => server.revocation_endpoint !== undefined,
  ],
  DPoP: [
    'the metadata has no dpop_signing_alg_values_supported',
    (server: Metadata) => server.dpop_signing_alg_values_supported !== undefined,
  ],
  private_key_jwt: [
    'token_endpoint_auth_methods_supported has no private_key_jwt',
    (server: Metadata) => server.token_endpoint_auth_methods_supported?.includes('private_key_jwt') ?? false,
  ],
  'request objects': [
    'the metadata does not say request_parameter_supported',
    (server: Metadata) => server.request_parameter_supported ?? false,
  ],
  'client ID documents': [
    'the metadata does not say client_id_metadata_document_supported',
    (server: Metadata) => server.client_id_metadata_document_supported ?? false,
  ],
  'authorization details': [
    'the metadata has no authorization_details_types_supported',
    (server: Metadata) => (server.authorization_details_types_supported ?? []).length > 0,
  ],
  resources: [
    'the metadata has no protected_resources',
    (server: Metadata) => (server.protected_resources ?? []).length > 0,
  ],
  'OpenID Connect': ['scopes_supported has no openid', speaksOpenId],
  userinfo: [
    'the metadata names no userinfo_endpoint',
    (server: Metadata) => server.userinfo_endpoint !== undefined,
  ],
  logout: [
    'the metadata names no end_session_endpoint',
    (server: Metadata) => server.end_session_endpoint !== undefined,
  ],
} as const

export type Need = keyof typeof needs

/** Why a check does not apply to a server; undefined when it does. */
export function unmetNeed(server: Metadata, wanted: readonly Need[] = []): string | undefined {
  const missing = wanted.find((need) => !needs[need][1](server))
  return missing && needs[missing][0]
}
