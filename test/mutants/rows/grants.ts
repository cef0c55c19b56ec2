// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the places are templates of SQL
// The token endpoint: codes, refresh tokens, devices, exchanges, assertions as grants; and the ends of tokens.

import { hidden, type Mutant, off, too, visible } from '../mutant.ts'

const token = 'oauth/token-endpoint.ts'
const code = 'oauth/grants/authorization-code.ts'
const refresh = 'oauth/grants/refresh-token.ts'
const device = 'oauth/grants/device-code.ts'
const exchange = 'oauth/grants/token-exchange.ts'
const bearer = 'oauth/grants/jwt-bearer.ts'
const ofDevices = 'test/oauth/device/device-authorization.test.ts'
const ofExchange = 'test/oauth/grants/token-exchange.test.ts'
const ofBearer = 'test/oauth/grants/jwt-bearer.test.ts'
const longLife = 'it lives for longer than a run takes'
const noKey = 'only a trusted issuer could make an assertion that comes this far'
const byRules = 'the rules of the operator decide it, and a run does not know them'

export const grantMutants: readonly Mutant[] = [
  off('grant_type_missing', token, 'name === undefined', 'N57'),
  off('grant_type_unsupported', token, '!grantType', 'N57'),
  off('grant_type_unauthorized', token, '!client.grantTypes.includes(name)', 'N58'),
  visible(
    'grant_type_confidential',
    'protocol/refusals.ts',
    "grant_type_confidential: row(400, 'unauthorized_client',",
    "grant_type_confidential: row(500, 'server_error',",
    'N88',
  ),
  visible(
    'client credentials have no refresh token',
    token,
    '...(refresh === undefined ? {} : { refresh_token: refresh }),',
    "refresh_token: refresh ?? 'a-refresh-token-for-everybody',",
    'N88',
  ),

  off('code_unknown', code, '!row', 'N71'),
  too(
    hidden(
      'code_expired',
      code,
      "if (row.expires_at <= now) return refuse('code_expired', { client: client.id })",
      '',
      longLife,
      'test/oauth/grants/authorization-code.test.ts',
    ),
    'oauth/records/codes.ts',
    ' and codes.expires_at > ${i.now}',
    '',
  ),
  too(
    too(
      off('code_foreign', code, 'row.client_id !== client.id', 'N74'),
      'oauth/records/codes.ts',
      ' and codes.client_id = ${i.client_id}',
      '',
    ),
    'oauth/records/codes.ts',
    'and ${consentCovers(sql`codes.user_id`, i)} ${more}',
    '${more}',
  ),
  too(
    visible(
      'code_replayed',
      code,
      'if (row.used_at !== null) return replayed(server, row, request)',
      '',
      'N72',
    ),
    'oauth/records/codes.ts',
    'and codes.used_at is null and codes.expires_at',
    'and codes.expires_at',
  ),
  visible(
    'codes are spent once',
    'oauth/records/codes.ts',
    'and codes.used_at is null and codes.expires_at',
    'and codes.expires_at',
    'N73',
  ),
  off('a code sent again ends what it began', code, 'holds && row.session_id !== null', 'N72'),
  off(
    'code_redirect_uri_mismatch',
    code,
    'redirectUri === undefined ? row.code_challenge === null : redirectUri !== row.redirect_uri',
    'N75',
  ),
  visible(
    'code_verifier_wrong',
    'protocol/pkce.ts',
    'return equalInConstantTime(sha256(verifier), challenge) ?',
    'return true ?',
    'N76',
  ),
  visible(
    'code_verifier_wrong',
    'protocol/pkce.ts',
    "if (verifier === undefined || !verifierShape.test(verifier)) return refuse('code_verifier_wrong')",
    'if (verifier === undefined) return undefined',
    'N76',
  ),
  visible(
    'code_verifier_unexpected',
    'protocol/pkce.ts',
    "return verifier === undefined ? undefined : refuse('code_verifier_unexpected')",
    'return undefined',
    'N77',
  ),
  off('code_binding_mismatch', code, 'row.binding !== null && row.binding !== binding', 'N53'),
  too(
    hidden(
      'code_user_disabled',
      code,
      'if (row.user_disabled_at !== null)',
      'if (false)',
      'only the operator disables an account',
      'test/oauth/grants/authorization-code.test.ts',
    ),
    'oauth/records/consent-covers.ts',
    'and ${livingUser(user)} ${forShare}',
    '${forShare}',
  ),
  hidden(
    'code_consent_ended',
    'oauth/records/codes.ts',
    'and ${consentCovers(sql`codes.user_id`, i)} ${more}',
    '${more}',
    'a consent ends on a page of the user, or by the operator, and a run finds neither',
    'test/oauth/authorization/consent-hosts.test.ts',
  ),
  hidden(
    'code_quota_full',
    'oauth/records/codes.ts',
    'guard: spendCode(i, sql`and ${fewerSessionsThan(i)}`),',
    'guard: spendCode(i),',
    'what happens when a quota is full is an option, and by itself the oldest session ends',
    'test/sessions/sessions.test.ts',
  ),

  off('refresh_token_unknown', refresh, '!stored || !row', 'N80'),
  too(
    hidden(
      'refresh_token_expired',
      refresh,
      'return row.expires_at <= now && row.rotated_at === null',
      'return false',
      longLife,
      'test/oauth/grants/refresh-token.test.ts',
    ),
    'oauth/records/refresh-tokens.ts',
    'and refresh_tokens.rotated_at is null and refresh_tokens.expires_at > ${i.now}',
    'and refresh_tokens.rotated_at is null',
  ),
  too(
    off('refresh_token_foreign', refresh, 'row.client_id !== client.id', 'N81'),
    'oauth/records/refresh-tokens.ts',
    'where s.id = ${i.session_id} and s.client_id = ${i.client_id}\n          and s.revoked_at is null',
    'where s.id = ${i.session_id}\n          and s.revoked_at is null',
  ),
  too(
    visible(
      'refresh_token_reused',
      refresh,
      'if (row.rotated_at !== null) return retryOrReuse(server, presented, row, request)',
      '',
      'N83',
    ),
    'oauth/records/refresh-tokens.ts',
    'and refresh_tokens.rotated_at is null and refresh_tokens.expires_at',
    'and refresh_tokens.expires_at',
  ),
  visible(
    'old refresh tokens end their session',
    refresh,
    "  await endSession(server, row.session_id, 'reuse_detected', { event: 'reuse_detected', ...context })\n  return refuse(",
    '  return refuse(',
    'N83',
  ),
  off('refresh_token_binding_mismatch', refresh, 'row.jkt !== null && row.jkt !== request.binding', 'N87'),
  visible(
    'refresh tokens are rotated',
    refresh,
    'if (!request.client.rules.rotatesRefreshTokens)',
    'if (true)',
    'N83',
  ),
  visible(
    'a refresh makes one successor',
    'oauth/records/refresh-tokens.ts',
    'and refresh_tokens.rotated_at is null and refresh_tokens.expires_at',
    'and refresh_tokens.expires_at',
    'N85',
  ),
  too(
    off(
      'session_ended',
      refresh,
      'row.session_revoked_at !== null || row.session_expires_at <= now || row.user_disabled_at !== null',
      'N80',
    ),
    'oauth/records/refresh-tokens.ts',
    '\n          and s.revoked_at is null and s.expires_at > ${i.now})\n      ${returning} refresh_tokens.id`,\n    effects: [\n      insert',
    ')\n      ${returning} refresh_tokens.id`,\n    effects: [\n      insert',
  ),

  visible(
    'device_pending',
    device,
    'return row.decision === null ? pending(server, row) : redeem(',
    'return redeem(',
    'N94',
  ),
  hidden(
    'device_too_fast',
    device,
    'if ((await server.db.write(pacePoll, { id: row.id, now })).length > 0)',
    'if (true)',
    'RFC 8628 §3.5 leaves slow_down to the server; that it does not come is noted',
    ofDevices,
  ),
  visible('device_denied', device, "if (row.decision === 'denied') return", 'if (false) return', 'N95'),
  hidden(
    'device_code_expired',
    device,
    'if (row.expires_at <= now) return',
    'if (false) return',
    longLife,
    ofDevices,
  ),
  off('device_code_unknown', device, '!row || row.hash !== stored.hash', 'N95'),
  off('device_code_foreign', device, 'row.client_id !== client.id', 'N95'),
  too(
    visible('device_code_replayed', device, 'if (row.used_at !== null) return', 'if (false) return', 'N95'),
    'oauth/records/device-codes.ts',
    "device_codes.decision = 'approved' and device_codes.used_at is null",
    "device_codes.decision = 'approved'",
  ),
  visible(
    'device codes are spent once',
    'oauth/records/device-codes.ts',
    "device_codes.decision = 'approved' and device_codes.used_at is null",
    "device_codes.decision = 'approved'",
    'N95',
  ),
  hidden(
    'too_many_devices',
    'oauth/device/device-authorization.ts',
    "return { limit, full: 'too_many_devices' }",
    "return { limit: { ...limit, most: Infinity }, full: 'too_many_devices' }",
    'a run never sends enough requests to reach the limit',
    ofDevices,
  ),

  off('token_type_invalid', exchange, 'asked !== tokenTypes.accessToken && asked !== tokenTypes.jwt', 'N91'),
  off('subject_token_invalid', 'oauth/grants/exchanged-token.ts', '!row', 'N90'),
  visible(
    'actor_token_invalid',
    exchange,
    "return showAccessToken(server, client, { token, type, binding }, 'actor_token_invalid')",
    'return undefined',
    'N90',
  ),
  hidden(
    'exchange_not_allowed',
    exchange,
    'if (rules.length === 0) return',
    'if (false) return',
    byRules,
    ofExchange,
  ),
  hidden(
    'exchange_target_refused',
    exchange,
    'return rule ?',
    'return rules[0] ? { rule: rules[0], resources: [...targets] } : rule ?',
    byRules,
    ofExchange,
  ),

  off('assertion_invalid', bearer, '!jwt', 'N93'),
  off('assertion_untrusted', bearer, '!issuer', 'N93'),
  hidden('assertion_signature', bearer, 'if (!signed) return', 'if (false) return', noKey, ofBearer),
  hidden('assertion_replayed', bearer, 'if (!fresh) return', 'if (false) return', noKey, ofBearer),
  hidden(
    'assertion_user',
    bearer,
    "if (!user) return refuse('assertion_user', { client: client.id, issuer: id, known: false })",
    '',
    noKey,
    ofBearer,
  ),

  off('token_foreign', 'oauth/token/revocation.ts', 'row.client_id !== client.id', 'N113'),
  hidden(
    'token_type_unsupported',
    'oauth/token/revocation.ts',
    'if (unrevocable.some((kind) => readToken(kind, token))) {',
    'if (false) {',
    'the server then treats a code as an unknown token, for which RFC 7009 §2.2 has a 200',
    'test/oauth/token/revocation.test.ts',
  ),
  visible(
    'revocation ends tokens',
    'oauth/token/revocation.ts',
    "    await endSession(server, row.session_id, 'token_revoked', { event: 'token_revoke', ...context })\n",
    '',
    'N112',
  ),
  visible(
    'inactive tokens are inactive',
    'oauth/token/introspection.ts',
    'if (!alive) return undefined',
    '',
    'N111',
  ),
]
