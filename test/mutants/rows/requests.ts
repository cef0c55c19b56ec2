// The request itself, and who the client is (RFC 6749 §2.3, §3.2, §5.2).

import { hidden, type Mutant, off, too, visible } from '../mutant.ts'

const authentication = 'oauth/clients/client-authentication.ts'
const assertion = 'oauth/clients/client-assertion.ts'
const backChannel = 'protocol/form-endpoint.ts'
const fault = 'http/refusal.ts'
const room = 'oauth/guards/pending-limits.ts'
const certificates = 'oauth/clients/mutual-tls.ts'
const ofCertificates = 'test/oauth/clients/mutual-tls.test.ts'
const ofLimits = 'test/oauth/guards/limits.test.ts'
const noFlood = 'a run never sends enough requests to reach the limit'
const atProxy = 'only the proxy in front sees a certificate, and a run has none'
const documents = 'oauth/registration/client-id-metadata.ts'
const noDocument = 'a document needs an https address that the server can reach, and a run has none'
const ofWithdrawn = 'test/oauth/clients/withdrawn-keys.test.ts'
const ofBounds = 'test/oauth/guards/storage-bounds.test.ts'
const keysElsewhere =
  'the keys stand behind an address that the server must be able to reach, and a run has none'

export const requestMutants: readonly Mutant[] = [
  off('malformed_form', backChannel, '!form', 'N55'),
  off('wrong_content_type', backChannel, '!/^application\\/x-www-form-urlencoded *(;|$)/i.test(type)', 'N55'),
  too(
    visible('repeated_parameter', backChannel, 'return repeated === undefined ?', 'return true ?', 'N56'),
    'oauth/token-endpoint.ts',
    'if (repeated !== undefined) return',
    'if (false) return',
  ),
  off('repeated_parameter', 'oauth/authorization/authorization-request.ts', 'repeated !== undefined', 'N18'),
  off('missing_parameter', 'oauth/token/introspection.ts', 'token === undefined', 'N110'),
  hidden(
    'parameters_in_query',
    backChannel,
    "if (request.search !== '' && hasBodyParameter(request.search))",
    'if (false)',
    'the query is ignored then, as RFC 6749 §3.2 has it for what a server does not know',
    'test/oauth/token-endpoint.test.ts',
  ),
  hidden(
    'body_cut_off',
    fault,
    "if (error instanceof BodyCutOff) return refuseRequest('body_cut_off')",
    '',
    'a client that cut the request off reads no response',
    'test/oauth/token-endpoint.test.ts',
  ),
  hidden(
    'body_not_utf8',
    fault,
    "if (error instanceof BodyNotText) return refuseRequest('body_not_utf8')",
    '',
    'it is refused as an error of the server then, and no section says what it is told',
    'test/protocol/exact-text.test.ts',
  ),
  off('body_too_large', 'protocol/request-body.ts', 'error instanceof BodyTooLarge', 'N51'),
  visible(
    'method_not_allowed',
    'http/dispatch.ts',
    'if (route && !route.methods.includes(request.method)) {',
    'if (false) {',
    'N51',
  ),

  visible(
    'client_unknown',
    'protocol/refusals.ts',
    'client_unknown: invalidClient(',
    'client_unknown: invalidGrant(',
    'N61',
  ),
  hidden(
    'client_inactive',
    authentication,
    "if (!client.active) return refuse('client_inactive', facts)",
    '',
    'only the operator suspends a client',
    'test/oauth/clients/client-authentication.test.ts',
  ),
  visible(
    'client_secret_wrong',
    authentication,
    "return refuse('client_secret_wrong', { client: client.id })",
    'return client',
    'N60',
  ),
  visible(
    'client_authentication_missing',
    authentication,
    "    const reason = presented === 'nothing' ?",
    "    if (presented === 'nothing') return client\n    const reason = presented === 'nothing' ?",
    'N62',
  ),
  visible(
    'client_method_wrong',
    authentication,
    "    const reason = presented === 'nothing' ?",
    "    if (presented !== 'nothing') return client\n    const reason = presented === 'nothing' ?",
    'N65',
  ),
  off('client_authentication_malformed', authentication, '!match', 'N63'),
  visible(
    'client_authentication_ambiguous',
    authentication,
    "  if (bodySecret !== undefined) return refuse('client_authentication_ambiguous')",
    '',
    'N59',
  ),
  off(
    'client_assertion_ambiguous',
    authentication,
    'header !== undefined || bodySecret !== undefined',
    'N59',
  ),
  off('client_assertion_type_unknown', assertion, 'type !== assertionType', 'N70'),
  off('client_assertion_malformed', assertion, "!jwt || typeof subject !== 'string'", 'N65'),
  off('client_assertion_claims', assertion, 'wrong !== undefined', 'N66'),
  visible('client_assertion_claims', assertion, 'exp > now &&', '', 'N67'),
  visible('client_assertion_claims', assertion, "if (!isForUs(server, client, aud)) return 'aud'", '', 'N66'),
  visible(
    'assertions are claims of one client',
    assertion,
    "if (iss !== client.id || sub !== client.id) return 'iss'",
    '',
    'N68',
  ),
  off('client_assertion_signature', assertion, '!signed', 'N65'),
  visible('client_assertion_replayed', assertion, 'return fresh ? client :', 'return true ? client :', 'N69'),
  hidden(
    'client_certificate_malformed',
    certificates,
    "readCertificateHeader(text) ?? refuse('client_certificate_malformed')",
    'readCertificateHeader(text)',
    atProxy,
    ofCertificates,
  ),
  hidden(
    'client_certificate_wrong',
    certificates,
    "return found ? client : refuse('client_certificate_wrong', { ...facts, wrong: 'key' })",
    'return client',
    atProxy,
    ofCertificates,
  ),
  hidden(
    'client_certificate_missing',
    certificates,
    "return demanded ? refuse('client_certificate_missing', { client: client.id }) : null",
    'return null',
    atProxy,
    ofCertificates,
  ),
  hidden(
    'client_keys_forbidden',
    'oauth/clients/client-keys.ts',
    "? refuse('client_keys_forbidden', { failed, detail })",
    '? unavailable({ failed, detail })',
    keysElsewhere,
    'test/oauth/clients/client-keys.test.ts',
  ),
  hidden(
    'client_keys_unavailable',
    'oauth/clients/client-keys.ts',
    "refuse('client_keys_unavailable', facts,",
    "refuse('client_keys_forbidden', facts,",
    keysElsewhere,
    'test/oauth/clients/client-keys.test.ts',
  ),
  hidden(
    'client_document_withdrawn',
    documents,
    "if (refusal.retryAfter === undefined) return refuse('client_document_withdrawn', facts)",
    '',
    noDocument,
    ofWithdrawn,
  ),
  hidden(
    'client_document_stale',
    documents,
    'return now <= (metadataExpiresAt ?? 0) + staleFor',
    'return true',
    noDocument,
    ofWithdrawn,
  ),
  hidden('user_limit_reached', room, 'perUser), full })', 'Infinity), full })', noFlood, ofBounds),
  hidden('no_room', room, 'if (full > 0) return shed(', 'if (false) return shed(', noFlood, ofBounds),
  hidden('too_many_failures', authentication, 'if (retryAfter > 0) {', 'if (false) {', noFlood, ofLimits),
  hidden('too_many_requests', authentication, 'if (wait > 0) {', 'if (false) {', noFlood, ofLimits),

  visible(
    'a 401 has a challenge',
    'protocol/error-answer.ts',
    "if (status === 401 && request.header('authorization') !== undefined) {",
    'if (false) {',
    'N60',
  ),
  too(
    too(
      visible(
        'answers with tokens are not kept',
        'oauth/token-endpoint.ts',
        '{ ...uncached, ...nextNonce(proof) }',
        'nextNonce(proof)',
        'N64',
      ),
      'protocol/error-answer.ts',
      "export const uncached = { 'cache-control': 'no-store', pragma: 'no-cache' }",
      'export const uncached = {}',
    ),
    'http/message.ts',
    "const noStore = { 'cache-control': 'no-store' }",
    'const noStore = {}',
  ),
]
