// Pushed requests, request objects, and what is asked for: scope, resources, authorization details.

import { hidden, type Mutant, off, too, visible } from '../mutant.ts'

const request = 'oauth/authorization/authorization-request.ts'
const source = 'oauth/authorization/request-source.ts'
const pushed = 'oauth/authorization/pushed-authorization.ts'
const object = 'oauth/authorization/request-object.ts'
const scope = 'protocol/scope.ts'
const resource = 'protocol/resource-indicators.ts'
const details = 'protocol/authorization-details.ts'
const ofDetails = 'test/protocol/authorization-details.test.ts'
const ofPushed = 'test/oauth/authorization/pushed-authorization.test.ts'
const ofResources = 'test/protocol/resource-indicators.test.ts'
const typesUnknown =
  'what the details of a type must be is the server’s own matter, and a run does not know it'

export const requestedMutants: readonly Mutant[] = [
  hidden(
    'request_object_unsupported',
    object,
    'if (client.jwks === null && client.jwksUri === null) return',
    'if (false) return',
    'a client without keys signs nothing, so its object is refused for the signature then',
    'test/oauth/authorization/request-object.test.ts',
  ),
  hidden(
    'request_uri_unsupported',
    pushed,
    'if (server.settings.pushedRequests === null) return',
    'if (false) return',
    'nothing can have been pushed then, so the request_uri is refused as an unknown one',
    'test/oauth/authorization/authorization.test.ts',
  ),
  hidden(
    'request_uri_unknown',
    pushed,
    'if (!uri.startsWith(namePrefix)) return',
    'if (false) return',
    'it is refused as a pushed request that is unknown then, which keeps the rule as well',
    'test/oauth/authorization/authorization.test.ts',
  ),
  off('request_object_malformed', object, '!jwt', 'N34'),
  off('request_object_claims', object, 'wrong !== undefined', 'N34'),
  visible('request_object_claims', object, "if (client_id !== client.id) return 'client_id'", '', 'N35'),
  visible('request_object_signature', object, 'if (!signed) return', 'if (false) return', 'N34'),
  visible(
    'request_object_missing',
    request,
    'if ((registered.requireSignedRequestObject || messageSigning) && !signed)',
    'if (false)',
    'N34',
  ),
  hidden(
    'response_mode_unsigned',
    request,
    'if (messageSigning && !isSigned(responseMode))',
    'if (false)',
    'the profile that asks for signed responses is given by the operator',
    'test/oauth/fapi2.test.ts',
  ),
  hidden(
    'nonce_missing',
    request,
    "if (registered.requireNonce && scope.includes('openid') && form.get('nonce') === undefined)",
    'if (false)',
    'that a client must send a nonce is its own policy, for which no section has a name',
    'test/oauth/authorization/authorization-faults.test.ts',
  ),
  visible('pushed_request_missing', request, 'if (pushedOnly && !pushed) return', 'if (false) return', 'N38'),
  off('request_object_ambiguous', source, 'object !== undefined && uri !== undefined', 'N33'),
  visible(
    'registration_unsupported',
    request,
    "if (form.get('registration') !== undefined) return",
    'if (false) return',
    'N32',
  ),
  visible(
    'a request object is not overruled',
    source,
    '{ form: signed, pushed: null, signed: true }',
    '{ form: { ...signed, get: (name) => form.get(name) ?? signed.get(name) }, pushed: null, signed: true }',
    'N36',
  ),
  visible(
    'a pushed request is not overruled',
    source,
    'if (!isRefusal(found)) return found',
    'if (!isRefusal(found)) return { ...found, form: { ...found.form, get: (name) => form.get(name) ?? found.form.get(name) } }',
    'N36',
  ),

  visible('pushed_request_unknown', pushed, 'if (!row || state) return', 'if (!row) return', 'N13'),
  too(
    visible('pushed requests are spent once', pushed, ': row.used_at !== null', ': false', 'N14'),
    'oauth/records/pushed-requests.ts',
    ' and pushed_authorization_requests.used_at is null',
    '',
  ),
  hidden(
    'pushed_request_unaccepted',
    pushed,
    "if (pushedRequests === null) return refuse('pushed_request_unaccepted')",
    '',
    'where nothing may be pushed the metadata names no endpoint for it',
    ofPushed,
  ),
  visible(
    'pushed_request_nested',
    pushed,
    "if (form.get('request_uri') !== undefined) return",
    'if (false) return',
    'N49',
  ),
  visible('pushed_request_key', pushed, 'return named === proof.jkt ?', 'return true ?', 'N53'),
  visible(
    'pushed_response_mode_unsupported',
    pushed,
    "return page.refusal === 'response_mode_unsupported'",
    'return false',
    'N52',
  ),
  hidden(
    'too_many_pushed_requests',
    pushed,
    'if (!client.confidential)\n    return { limit: networkLimit(',
    'if (false)\n    return { limit: networkLimit(',
    'a run never sends enough requests to reach the limit',
    ofPushed,
  ),

  hidden(
    'scope_malformed',
    scope,
    "if (!syntax.test(text)) return refuse('scope_malformed')",
    '',
    'no scope has such a name, so it is refused or left out as an unknown one then',
    'test/protocol/scope.test.ts',
  ),
  too(
    visible(
      'scope_unknown',
      scope,
      "return refuse('scope_unknown', { scope: told(asked.find((scope) => !known.includes(scope))) })",
      'return asked',
      'N22',
    ),
    'oauth/token/access-token.ts',
    'given.scope.filter((one) => allowed.includes(one))',
    'given.scope',
  ),
  too(
    visible('scope_not_allowed', scope, 'return foreign === undefined ?', 'return true ?', 'N89'),
    'oauth/token/access-token.ts',
    'given.scope.filter((one) => allowed.includes(one))',
    'given.scope',
  ),
  hidden(
    'scope_without_user',
    'oauth/grants/client-credentials.ts',
    'if (personal !== undefined) return',
    'if (false) return',
    'no section says what a scope about a user means where there is none, and userinfo refuses the token',
    'test/protocol/scope.test.ts',
  ),
  visible(
    'scope_exceeded',
    scope,
    "if (!scopeCovers(granted, asked)) return refuse('scope_exceeded', { asked: told(canonicalScope(asked)) })",
    'if (!scopeCovers(granted, asked)) return asked',
    'N82',
  ),
  visible(
    'resource_malformed',
    'protocol/refusals.ts',
    "resource_malformed: row(400, 'invalid_target',",
    "resource_malformed: row(400, 'invalid_request',",
    'N39',
  ),
  visible(
    'resource_unknown',
    resource,
    'return unknown(resource, Object.keys(known.resources))',
    'return [...new Set(asked)]',
    'N39',
  ),
  hidden(
    'resource_not_allowed',
    resource,
    'if (!available.includes(resource)) return',
    'if (false) return',
    'only the operator keeps a client to some APIs',
    ofResources,
  ),
  visible(
    'resource_exceeded',
    resource,
    'if (!granted.includes(resource)) return',
    'if (false) return',
    'N79',
  ),

  visible(
    'authorization_details_malformed',
    details,
    'catch {\n    return malformed',
    'catch {\n    return []',
    'N40',
  ),
  visible('authorization_details_type', details, 'if (!known) return', 'if (false) return', 'N40'),
  hidden(
    'authorization_details_not_allowed',
    details,
    'if (mine !== undefined && !mine.includes(type)) return',
    'if (false) return',
    typesUnknown,
    ofDetails,
  ),
  hidden(
    'authorization_details_invalid',
    details,
    'if (problem !== undefined) {',
    'if (false) {',
    typesUnknown,
    ofDetails,
  ),
  hidden(
    'authorization_details_unreadable',
    details,
    'if (!isReadable(known.describe(detail))) return',
    'if (false) return',
    typesUnknown,
    ofDetails,
  ),
  visible('authorization_details_exceeded', details, 'return within ?', 'return true ?', 'N40'),
  hidden(
    'authorization_details_misplaced',
    'oauth/token-endpoint.ts',
    "if (form.get('authorization_details') !== undefined && !grantType.narrowsDetails)",
    'if (false)',
    'the parameter is ignored then, as RFC 6749 §3.2 has it for what a server does not know',
    ofDetails,
  ),
]
