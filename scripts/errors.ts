// `node scripts/errors.ts` writes docs/errors.md from the tables of refusals, src/*/refusals.ts.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { allRefusals, refusalTables } from './refusal-tables.ts'

export const errorsFile = join(fileURLToPath(new URL('..', import.meta.url)), 'docs/errors.md')

/** What an error code asks of the one who receives it. */
const advice: Record<string, string> = {
  '': 'The specifications give these answers no code.',
  invalid_request: 'The request is wrong in itself. Repeating it changes nothing.',
  invalid_client:
    'The client could not be authenticated, or is not active. After the `Authorization` header the answer carries `WWW-Authenticate: Basic`. Check id and secret; a client that registered itself registers again.',
  invalid_grant:
    'The code or refresh token is spent, expired, revoked or not this client’s; which of them is not said. Send the user through authorization again.',
  unauthorized_client: 'The client is known and may not do this. An administrator decides.',
  unsupported_grant_type: 'Ask the metadata document which grant types there are.',
  unsupported_response_type: 'Only the code flow is spoken.',
  invalid_scope: 'Ask for scopes of `scopes_supported` that the client was given.',
  invalid_target: 'Ask for a resource as the metadata spells it, with or without trailing slash.',
  access_denied: 'The user, or a rule about the user, said no.',
  login_required: 'Without a page nobody could be signed in: ask again without `prompt=none`.',
  consent_required: 'Without a page nobody could be asked: ask again without `prompt=none`.',
  invalid_token: 'The API does not accept the access token: refresh it.',
  insufficient_scope: 'The API needs a scope that the token lacks: ask the user for it.',
  insufficient_user_authentication: 'The API needs a fresher sign-in: authorize again with `max_age`.',
  unsupported_token_type: 'Only access and refresh tokens can be revoked.',
  temporarily_unavailable: 'Nothing was spent. Try again after `Retry-After` seconds.',
  unverified_webhook:
    'The webhook of the account provider is not signed with the secret that is configured here.',
  server_error: 'A bug of ours; the log has it under the request id.',
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

Every refusal has a reason. The reason goes to the log (\`reason\`, with its facts); the wire carries the specification’s
\`error\` and a description, and several reasons share one answer where telling them apart would help a thief.

At the authorization endpoint the status is that of the page; where the redirect URI is trusted, the error goes there
instead, with \`state\` and \`iss\`. Back-channel endpoints answer in JSON, APIs with \`WWW-Authenticate\`. An answer of 429 or
503 carries \`Retry-After\`, one of 405 \`Allow\`.

This page is generated from ${tables}: \`node scripts/errors.ts\`.
Which test proves which refusal stands in [refusals.md](refusals.md).

${sections.join('\n').trimEnd()}
`
}

if (import.meta.main) writeFileSync(errorsFile, errorsDocument())
