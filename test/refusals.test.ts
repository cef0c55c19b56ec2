// docs/refusals.md and docs/errors.md are generated; here they are held to the tests and to the code.

import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { errorsDocument, errorsFile } from '../scripts/errors.ts'
import { allRefusals, refusalTables } from '../scripts/refusal-tables.ts'
import { areas, proofsIn, readProofs, refusalsDocument, refusalsFile } from '../scripts/refusals.ts'
import { requestRefusals, wireError } from '../src/http/refusal.ts'
import { refusals } from '../src/protocol/refusals.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

describe('docs/refusals.md', () => {
  const proofs = readProofs()
  const rows = Object.values(areas).flat()

  test('is what scripts/refusals.ts writes', () => {
    assert.equal(
      readFileSync(refusalsFile, 'utf8'),
      refusalsDocument(proofs),
      'run: node scripts/refusals.ts',
    )
  })

  test('has a proof for every row', () => {
    const proved = new Set(proofs.map((proof) => proof.row))
    assert.deepEqual(
      rows.filter((row) => !proved.has(row)).map((row) => `N${row}`),
      [],
    )
  })

  test('leaves no row of the catalogue out and counts none twice', () => {
    assert.deepEqual(
      rows.toSorted((a, b) => a - b),
      Array.from({ length: 125 }, (_, n) => n + 1),
    )
  })

  test('reads every name that has a row', () => {
    for (const file of globSync('test/oauth/**/*.ts', { cwd: root })) {
      const text = readFileSync(join(root, file), 'utf8')
      const written = [...text.matchAll(/['"`][^'"`\n]*\(N\d+(?:, N\d+)*\)/g)].length
      const read = new Set(proofsIn(file, text).map((proof) => proof.rule)).size
      assert.equal(read, written, `${file}: a name must begin with its section`)
    }
  })

  test('finds a row in a name, in a table of names, and nowhere else', () => {
    const text = `
      test('RFC 6749 §5.2: one (N60)', () => {})
      test("RFC 6749 §5.2: two (N61, N62)", async () => {})
      test('RFC 6750 §3 (N116): four', () => {})
      const names = { 'OpenID Connect Core §3.1.2.1: three (N30)': [] }
      test('no section (N1)', () => {}) // RFC 6749 (N2)`
    assert.deepEqual(
      proofsIn('x', text).map(({ row, rule }) => [row, rule]),
      [
        [60, 'RFC 6749 §5.2: one'],
        [61, 'RFC 6749 §5.2: two'],
        [62, 'RFC 6749 §5.2: two'],
        [116, 'RFC 6750 §3: four'],
        [30, 'OpenID Connect Core §3.1.2.1: three'],
      ],
    )
  })
})

describe('docs/errors.md', () => {
  const reasons = Object.keys(allRefusals)

  test('is what scripts/errors.ts writes', () => {
    assert.equal(readFileSync(errorsFile, 'utf8'), errorsDocument(), 'run: node scripts/errors.ts')
  })

  test('names every reason, and each one is used', () => {
    const page = errorsDocument()
    const sources = globSync('src/**/*.ts', { cwd: root })
      .filter((file) => !file.endsWith('/refusals.ts'))
      .map((file) => readFileSync(join(root, file), 'utf8'))
    for (const reason of reasons) {
      assert.ok(page.includes(`\`${reason}\``), reason)
      assert.ok(
        sources.some((source) => source.includes(`'${reason}'`)),
        `nothing refuses with ${reason}`,
      )
    }
  })

  test('a reason has one row: only those of any request stand in several tables', () => {
    const seen = new Map<string, string>()
    for (const [file, table] of Object.entries(refusalTables)) {
      for (const reason of Object.keys(table)) {
        if (reason in requestRefusals)
          assert.equal(table[reason], requestRefusals[reason as keyof typeof requestRefusals])
        else assert.equal(seen.get(reason), undefined, `${reason} is in ${file} and ${seen.get(reason)}`)
        seen.set(reason, file)
      }
    }
  })

  test('RFC 6749 §5.2: what goes over the wire is ASCII without quote or backslash', () => {
    for (const reason of reasons) {
      const row = allRefusals[reason]!
      const { error, error_description } = wireError({ wire: row, description: 'a "b" \\c ä\n😀' })
      assert.match(error, /^[a-z_]*$/)
      assert.match(error_description, /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/)
      assert.match(row.description, /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/)
      const { status } = row
      assert.ok(status >= 400 && status <= 503)
      assert.equal(status === 401 && error === 'invalid_grant', false)
    }
  })

  test('RFC 6749 §4.1.2.1: no code is used that the specifications do not have', () => {
    // One of them is no code: an answer whose RFC gives none.
    const known = [
      '',
      ...'invalid_request unauthorized_client access_denied unsupported_response_type invalid_scope server_error'.split(
        ' ',
      ),
      ...'temporarily_unavailable login_required consent_required interaction_required account_selection_required'.split(
        ' ',
      ),
      ...'unmet_authentication_requirements invalid_request_object invalid_request_uri request_not_supported'.split(
        ' ',
      ),
      ...'request_uri_not_supported registration_not_supported invalid_target invalid_authorization_details invalid_client'.split(
        ' ',
      ),
      ...'invalid_grant unsupported_grant_type authorization_pending slow_down expired_token invalid_dpop_proof use_dpop_nonce'.split(
        ' ',
      ),
      ...'invalid_redirect_uri invalid_client_metadata invalid_software_statement unapproved_software_statement'.split(
        ' ',
      ),
      ...'unsupported_token_type invalid_token insufficient_scope insufficient_user_authentication'.split(
        ' ',
      ),
    ]
    assert.deepEqual(
      Object.values(refusals).filter((row) => !known.includes(row.error)),
      [],
    )
  })

  test('links to files that exist', () => {
    for (const file of [errorsFile, refusalsFile]) {
      const links = [...readFileSync(file, 'utf8').matchAll(/\]\(([^)#]+)\)/g)].map((match) => match[1]!)
      assert.ok(links.length > 1)
      assert.deepEqual(
        links.filter((link) => !existsSync(join(root, 'docs', link))),
        [],
      )
    }
  })
})
