// RFC 8414 §2, §3; RFC 9207 §3; RFC 9449 §5.1: what this server offers. It advertises only what has a route.

import { algorithms } from '../crypto/jws.ts'
import { type Answer, json } from '../http/message.ts'
import { spokenMethods } from './client-authentication.ts'
import { proofAlgorithms } from './dpop.ts'
import { paths } from './paths.ts'
import type { Server } from './server.ts'
import { spokenGrantTypes } from './token.ts'

export const responseModes = ['query', 'form_post'] as const

export function serverMetadata(server: Server): Answer {
  const { issuer, scopes, resources } = server.settings
  return json(
    200,
    {
      issuer,
      authorization_endpoint: issuer + paths.authorization,
      token_endpoint: issuer + paths.token,
      introspection_endpoint: issuer + paths.introspection,
      revocation_endpoint: issuer + paths.revocation,
      jwks_uri: issuer + paths.jwks,
      scopes_supported: Object.keys(scopes),
      response_types_supported: ['code'],
      response_modes_supported: responseModes,
      grant_types_supported: spokenGrantTypes(server.settings).map((one) => one.name),
      token_endpoint_auth_methods_supported: spokenMethods,
      token_endpoint_auth_signing_alg_values_supported: algorithms,
      introspection_endpoint_auth_methods_supported: spokenMethods.filter((one) => one !== 'none'),
      introspection_endpoint_auth_signing_alg_values_supported: algorithms,
      revocation_endpoint_auth_methods_supported: spokenMethods,
      revocation_endpoint_auth_signing_alg_values_supported: algorithms,
      code_challenge_methods_supported: ['S256'],
      dpop_signing_alg_values_supported: proofAlgorithms,
      authorization_response_iss_parameter_supported: true,
      ...(Object.keys(resources).length > 0 ? { protected_resources: Object.keys(resources) } : {}),
    },
    { 'cache-control': 'public, max-age=300' },
  )
}
