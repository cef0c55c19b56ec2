import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { sha256 } from '../../src/crypto/tokens.ts'
import { withQuery } from '../../src/oauth/authorization/authorization-response.ts'
import { checkVerifier, readChallenge } from '../../src/protocol/pkce.ts'
import { matchRedirectUri, redirectUriMatches, redirectUriProblem } from '../../src/protocol/redirect-uri.ts'
import { isRefusal } from '../../src/protocol/refusals.ts'
import {
  canonicalScope,
  narrowedScope,
  parseScope,
  requestedScope,
  scopeCovers,
  scopeSet,
  scopesMissing,
} from '../../src/protocol/scope.ts'

const scopeName = fc.string({
  unit: fc
    .integer({ min: 0x21, max: 0x7e })
    .map((code) => String.fromCharCode(code))
    .filter((one) => one !== '"' && one !== '\\'),
  minLength: 1,
  maxLength: 6,
})
const scopeList = fc.array(scopeName, { maxLength: 6 })

test('RFC 6749 §3.3: the canonical text of a scope is one for a set, whatever its order and repetitions', () => {
  fc.assert(
    fc.property(scopeList, fc.infiniteStream(fc.nat()), (names, order) => {
      const shuffled = [...names, ...names.slice(0, 2)]
        .map((name) => ({ name, at: order.next().value }))
        .sort((a, b) => a.at - b.at)
      const canonical = canonicalScope(names)
      assert.equal(canonicalScope(shuffled.map(({ name }) => name)), canonical)
      assert.equal(canonicalScope(scopeSet(canonical)), canonical)
      assert.deepEqual(new Set(scopeSet(canonical)), new Set(names))
      if (names.length > 0) assert.deepEqual(parseScope(names.join(' ')), [...new Set(names)])
    }),
  )
})

test('RFC 6749 §3.3: covering, missing and union agree with the sets they stand for', () => {
  fc.assert(
    fc.property(scopeList, scopeList, scopeList, (a, b, c) => {
      const union = scopeSet(canonicalScope([...a, ...b]))
      assert.ok(scopeCovers(union, a) && scopeCovers(union, b))
      assert.equal(canonicalScope([...b, ...a]), canonicalScope([...a, ...b]))
      assert.equal(
        canonicalScope([...scopeSet(canonicalScope([...a, ...b])), ...c]),
        canonicalScope([...a, ...scopeSet(canonicalScope([...b, ...c]))]),
      )
      assert.equal(scopesMissing(a, b).length === 0, scopeCovers(a, b))
      assert.ok(scopeCovers([...a, ...scopesMissing(a, b)], b))
      if (scopeCovers(a, b) && scopeCovers(b, c)) assert.ok(scopeCovers(a, c))
      if (scopeCovers(a, b) && scopeCovers(b, a)) assert.equal(canonicalScope(a), canonicalScope(b))
    }),
  )
})

test('RFC 6749 §6: nothing that is asked ever grants more than there is', () => {
  const any = fc.option(
    fc.oneof(
      scopeList.map((names) => names.join(' ')),
      fc.string({ unit: 'binary' }),
    ),
    { nil: undefined },
  )
  fc.assert(
    fc.property(any, scopeList, scopeList, (asked, granted, allowed) => {
      const narrowed = narrowedScope(asked, granted, {})
      if (!isRefusal(narrowed)) {
        assert.ok(scopeCovers(granted, narrowed))
        if (asked === undefined) assert.equal(canonicalScope(narrowed), canonicalScope(granted))
      }
      const settings = {
        scopes: Object.fromEntries(granted.map((name) => [name, name])),
        impliedScopes: {},
      }
      const requested = requestedScope(asked, settings, { scope: allowed, registered: {} })
      if (!isRefusal(requested)) assert.ok(scopeCovers(allowed, requested) && scopeCovers(granted, requested))
    }),
    { numRuns: 1_000 },
  )
})

const loopbackHost = fc.constantFrom('127.0.0.1', '[::1]', 'localhost')
const path = fc.constantFrom('', '/', '/callback', '/callback/', '/a/b', '/callback?x=1', '?x=1')
const port = fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined })
const loopbackUri = fc
  .tuple(loopbackHost, port, path)
  .map(([host, number, rest]) => `http://${host}${number === undefined ? '' : `:${number}`}${rest}`)
const uri = fc.oneof(
  loopbackUri,
  fc.webUrl({ withQueryParameters: true }),
  fc.webUrl().map((url) => `${url}#x`),
  fc.constantFrom(
    'com.example.app:/callback',
    'https://ok.example/cb',
    'https://ok.example:8443/cb',
    'https://localhost/cb',
  ),
)

test('RFC 9700 §4.1.3: a redirect URI matches only itself, or a loopback URI with another port', () => {
  fc.assert(
    fc.property(uri, uri, (registered, requested) => {
      if (!redirectUriMatches(registered, requested)) return assert.notEqual(registered, requested)
      if (registered === requested) return
      const [a, b] = [new URL(registered), new URL(requested)]
      assert.deepEqual(
        [a.protocol, a.hostname, a.pathname, a.search, a.hash],
        [b.protocol, b.hostname, b.pathname, b.search, b.hash],
      )
      assert.equal(a.protocol, 'http:')
      assert.ok(['127.0.0.1', '[::1]', 'localhost'].includes(a.hostname))
      assert.ok(redirectUriMatches(requested, registered), 'both ways')
    }),
    { numRuns: 2_000 },
  )
})

test('RFC 9700 §4.1.3: whatever is changed in a registered URI, it never leads elsewhere', () => {
  const noise = fc.oneof(
    fc.constantFrom(
      '.',
      '..',
      '/',
      '//',
      '\\',
      '@',
      '#',
      '?',
      '%2e',
      '%2f',
      '%00',
      '\0',
      '\t',
      '\n',
      ' ',
      ':',
      ':80',
      'evil.example',
      '.evil.example',
      ';',
      'A',
      'ä',
      '。',
    ),
    fc.string({ unit: 'binary', maxLength: 3 }),
  )
  fc.assert(
    fc.property(
      uri,
      fc.array(fc.tuple(fc.nat(60), noise), { minLength: 1, maxLength: 3 }),
      (registered, edits) => {
        let requested = registered
        for (const [at, piece] of edits) requested = requested.slice(0, at) + piece + requested.slice(at)
        const matched = matchRedirectUri([registered], requested)
        if (matched === undefined || requested === registered) return
        const [a, b] = [new URL(registered), new URL(requested)]
        assert.equal(a.hostname, b.hostname)
        assert.equal(a.pathname + a.search + a.hash, b.pathname + b.search + b.hash)
        assert.equal(b.username + b.password, '')
        assert.equal(a.protocol, 'http:')
      },
    ),
    { numRuns: 3_000 },
  )
})

test('RFC 6749 §3.1.2: what may be registered is ASCII, absolute, without fragment, and any text is judged', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        uri,
        fc.string({ unit: 'binary' }),
        fc.webUrl({ withFragments: true, withQueryParameters: true }),
      ),
      (text) => {
        if (redirectUriProblem(text) !== undefined) return
        const url = new URL(text)
        assert.match(text, /^[\x21-\x7e]+$/)
        assert.ok(!text.includes('#'))
        assert.equal(url.username + url.password, '')
        assert.ok(!['javascript:', 'data:', 'file:', 'blob:', 'vbscript:'].includes(url.protocol))
        // The answer keeps the registered text and adds to its query alone.
        const answered = withQuery(text, { code: 'a&b=c#d', state: '?' })
        assert.ok(answered.startsWith(text))
        assert.equal(new URL(answered).host, url.host)
        assert.equal(new URL(answered).searchParams.getAll('code').at(-1), 'a&b=c#d')
      },
    ),
    { numRuns: 2_000 },
  )
})

test('RFC 7636 §4.6: a verifier fits its own challenge and no other', () => {
  const character = fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~')
  const verifier = fc.string({ unit: character, minLength: 43, maxLength: 128 })
  fc.assert(
    fc.property(verifier, fc.oneof(verifier, fc.string({ unit: 'binary' })), (own, other) => {
      const challenge = readChallenge(sha256(own), 'S256', true)
      assert.ok(typeof challenge === 'string')
      assert.equal(checkVerifier(challenge, own), undefined)
      if (other !== own) assert.ok(checkVerifier(challenge, other))
      assert.ok(checkVerifier(challenge, undefined))
      assert.ok(checkVerifier(challenge, challenge))
      assert.ok(checkVerifier(null, own))
    }),
  )
})
