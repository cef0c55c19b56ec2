// `node scripts/errors.ts` writes docs/errors.md from the tables of refusals, src/*/refusals.ts.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { allRefusals, refusalTables } from './refusal-tables.ts'

export const errorsFile = join(fileURLToPath(new URL('..', import.meta.url)), 'docs/errors.md')

/** What a client should do about an error code. */
const advice: Record<string, string> = {
  '': 'The specifications define no code for these responses.',
  invalid_request: 'The request is malformed or not allowed. Repeating it does not help.',
  invalid_client:
    'The client could not be authenticated, or is not active. If the request used the `Authorization` header, the response has `WWW-Authenticate: Basic`. Check id and secret; a self-registered client registers again.',
  invalid_grant:
    'The code or refresh token is used, expired, revoked or another client’s; the response does not say which. Start a new authorization.',
  unauthorized_client: 'The client may not do this. An administrator can change that.',
  unsupported_grant_type: 'The metadata document lists the supported grant types.',
  unsupported_response_type: 'Only the code flow is supported.',
  invalid_scope: 'Ask for scopes of `scopes_supported` that the client may have.',
  invalid_target: 'Spell the resource exactly as in the metadata, with or without trailing slash.',
  access_denied: 'The user, or a rule about the user, denied the request.',
  login_required: 'No user is signed in, and no page may be shown: ask again without `prompt=none`.',
  consent_required: 'Consent is needed, and no page may be shown: ask again without `prompt=none`.',
  invalid_token: 'The API does not accept the access token: refresh it.',
  insufficient_scope: 'The API needs a scope that the token lacks: start an authorization that asks for it.',
  insufficient_user_authentication:
    'The API needs a more recent or stronger sign-in: authorize again with the `max_age` and `acr_values` of the challenge.',
  unsupported_token_type: 'Only access and refresh tokens can be revoked.',
  temporarily_unavailable: 'Nothing was spent. Try again after `Retry-After` seconds.',
  unverified_webhook:
    'The webhook of the account provider is not signed with the secret that is configured here.',
  server_error: 'A fault of the server; the log has it under the request id.',
}

/** The whole of docs/errors.md. */
export function errorsDocument(): string {
  const codes = [...new Set(Object.values(allRefusals).map((row) => row.error))].sort()
  const sections = codes.map((code) => {
    const rows = Object.entries(allRefusals)
      .filter(([, row]) => row.error === code)
      .map(
        ([reason, row]) =>
          `| \`${reason}\` | ${row.status} | ${row.description.replaceAll('|', '\\|') || '(nothing)'} |`,
      )
    const heading = code === '' ? 'No code' : `\`${code}\``
    return [
      `## ${heading}`,
      '',
      ...(advice[code] ? [advice[code], ''] : []),
      '| Reason in the log | Status | What the client reads |',
      '|---|---|---|',
      ...rows,
      '',
    ].join('\n')
  })
  const tables = ['src/http/refusal.ts', ...Object.keys(refusalTables)]
    .map((file) => `[${file}](../${file})`)
    .join(', ')
  return `# Errors

Every refusal has a reason. The log contains the reason (\`reason\`, with its facts). The response contains the \`error\` of the
specification and a description. Several reasons share one response where the difference would help an attacker.

At the authorization endpoint the status is that of the page. If the redirect URI is validated, the error goes there instead,
with \`state\` and \`iss\`. Other endpoints respond with JSON, APIs with \`WWW-Authenticate\`. A response with 429 or 503 has
\`Retry-After\`, one with 405 has \`Allow\`.

This page is generated from ${tables}: \`node scripts/errors.ts\`.
[Refusals](refusals.md) lists the test that proves each refusal.

${sections.join('\n').trimEnd()}
`
}

if (import.meta.main) writeFileSync(errorsFile, errorsDocument())
