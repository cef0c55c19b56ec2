// What a report shows: every request and answer that fell short, and nothing worth stealing.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openMask } from '../../src/verify/mask.ts'
import { exitCode, sayResult, saySummary } from '../../src/verify/report.ts'
import { type Report, type Result, verify } from '../../src/verify/run.ts'
import type { Answer, Outgoing } from '../../src/verify/wire.ts'
import { openToy } from './toy.ts'

function exchange(
  request: Partial<Outgoing>,
  answer: { headers?: Record<string, string>; text?: string } = {},
): Answer {
  const { headers = {}, text = '' } = answer
  return {
    status: 200,
    headers: new Headers(headers),
    text,
    json: text.startsWith('{') ? JSON.parse(text) : {},
    request: { method: 'POST', url: 'https://server.example/token', ...request },
  }
}

describe('gatehouse verify, the report', () => {
  test('credentials, codes, tokens, cookies and proofs are named, never shown', () => {
    const mask = openMask()
    const shown = mask.show(
      exchange(
        {
          headers: {
            authorization: 'Basic Y2xpZW50OnNlY3JldA==',
            cookie: 'session=cookie-value-1; theme=dark',
            dpop: ['proof.one.xyz', 'proof.two.xyz'],
          },
          body: 'grant_type=authorization_code&code=code-value-1&code_verifier=verifier-value-1&client_secret=secret-value-1',
        },
        {
          headers: {
            location: 'https://client.example/cb?code=code-value-2&state=kept',
            'content-type': 'application/json',
          },
          text: '{"access_token":"access-value-1","scope":"jobs:read","error":"invalid_request","code":"a-word-of-theirs"}',
        },
      ),
    )
    const text = JSON.stringify(shown)
    for (const secret of [
      'Y2xpZW50',
      'cookie-value',
      'proof.',
      'code-value',
      'verifier-value',
      'secret-value',
      'access-value',
    ]) {
      assert.ok(!text.includes(secret), secret)
    }
    assert.equal(shown.request.headers['cookie'], 'session=[cookie, 14 characters]; theme=dark')
    assert.match(
      shown.request.body!,
      /code=\[code, 12 characters\]&code_verifier=\[code_verifier, 16 characters\]/,
    )
    assert.match(shown.answer.headers['location']!, /state=kept$/)
    assert.match(
      shown.answer.body!,
      /"scope":"jobs:read","error":"invalid_request","code":"a-word-of-theirs"/,
    )
  })

  test('a secret seen once is hidden wherever it comes up again, also with a character more', () => {
    const mask = openMask()
    mask.learn(exchange({ body: 'code=code-value-1' }))
    const later = mask.show(
      exchange({ body: 'anything=code-value-1&other=code-value-1A' }, { text: 'was code-value-1' }),
    )
    assert.ok(!JSON.stringify(later).includes('code-value'))
  })

  test('a page is shown as its words, cut short', () => {
    const mask = openMask()
    const page = `<html><head><title>x</title></head><p>It&#39;s wrong<input name=form_token value=form-token-1>${'!'.repeat(999)}`
    const { answer } = mask.show(exchange({}, { headers: { 'content-type': 'text/html' }, text: page }))
    assert.match(answer.body!, /^It's wrong !+… \(\d+ characters\)$/)
  })

  test('one line a rule, and under it what fell short; control characters cannot steer the terminal', () => {
    const result: Result = {
      id: 'N60',
      section: 'RFC 6749 §5.2',
      title: 'a wrong secret is invalid_client',
      result: 'fell_short',
      accepts: '400',
      notes: ['a note'],
      findings: [
        {
          what: 'a wrong secret: 401 was expected, 200 came',
          request: {
            method: 'POST',
            url: 'https://server.example/token',
            headers: { dpop: ['one', 'two'] },
            body: 'a=b',
          },
          answer: { status: 200, headers: { 'cache-control': 'no-store' }, body: 'text\u001b[31m' },
        },
      ],
    }
    assert.equal(
      sayResult(result),
      [
        'N60   fell short      RFC 6749 §5.2: a wrong secret is invalid_client',
        '      note: a note',
        '      accepted as well: 400',
        '      a wrong secret: 401 was expected, 200 came',
        '        POST https://server.example/token',
        '          dpop: one',
        '          dpop: two',
        '          a=b',
        '        200',
        '          cache-control: no-store',
        '          text·[31m',
      ].join('\n'),
    )
  })

  test('the exit code is 0, 1 when something fell short, 2 when a limit was met, 3 when a rule is not shown', () => {
    const report = (fell_short: number, complete: boolean, not_shown = 0): Report => ({
      issuer: 'https://server.example',
      began: '2026-01-01T00:00:00.000Z',
      requests: 5,
      complete,
      summary: { held: 1, fell_short, not_applicable: 2, not_shown },
      checks: [],
    })
    assert.deepEqual(
      [
        report(0, true),
        report(1, true),
        report(1, false),
        report(1, true, 1),
        report(0, false),
        report(0, false, 1),
        report(0, true, 1),
      ].map(exitCode),
      [0, 1, 1, 1, 2, 2, 3],
    )
    assert.equal(
      saySummary(report(0, true)),
      'https://server.example: 1 held, 0 fell short, 2 not applicable, 0 not shown, in 5 requests.',
    )
    assert.match(saySummary(report(0, false)), /Not every rule could be tried/)
  })

  test('rules can be chosen by id and by the beginning of a section', async () => {
    const toy = await openToy()
    try {
      const { checks } = await verify({ issuer: toy.issuer, only: ['n61', 'RFC 7636'] })
      assert.deepEqual(
        checks.map(({ id }) => id),
        ['N24', 'N25', 'N26', 'N61', 'N76'],
      )
      await assert.rejects(verify({ issuer: toy.issuer, only: ['N999'] }), /no rule fits N999/)
    } finally {
      await toy.close()
    }
  })
})
