import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rootSecrets } from '../../src/crypto/secrets.ts'
import { browserOf, formToken, formTokenIsValid } from '../../src/http/csrf.ts'
import type { Incoming } from '../../src/http/message.ts'

const secrets = rootSecrets(['a root secret that is long enough'])
const withCookies = (...cookies: string[]) =>
  ({ header: (name: string) => (name === 'cookie' ? cookies.join('; ') : undefined) }) as Incoming
const pairOf = (setCookie: string) => setCookie.split(';')[0]!

for (const scope of [
  { secure: true, base: '' },
  { secure: true, base: '/auth' },
  { secure: false, base: '' },
]) {
  test(`pages that a new browser loads at once: every form token is good (${JSON.stringify(scope)})`, () => {
    const browsers = [1, 2, 3].map(() => browserOf(withCookies(), scope))
    const tokens = browsers.map((browser) => formToken(secrets, browser, 'a purpose'))
    const jar = new Map(browsers.map(({ setCookie }) => pairOf(setCookie!).split('=') as [string, string]))
    assert.equal(jar.size, 3, 'none replaces another')
    const request = withCookies(...[...jar].map((pair) => pair.join('=')))
    for (const token of tokens) assert.ok(formTokenIsValid(secrets, request, scope, 'a purpose', token))
    assert.ok(!formTokenIsValid(secrets, request, scope, 'another purpose', tokens[0]))
    const again = browserOf(request, scope)
    assert.equal(again.setCookie, undefined, 'and no more are set')
    assert.ok(formTokenIsValid(secrets, request, scope, 'a purpose', formToken(secrets, again, 'a purpose')))
  })
}

test('a token is good in no other browser, and a cookie by a similar name is none of ours', () => {
  const scope = { secure: false, base: '' }
  const [one, other] = [browserOf(withCookies(), scope), browserOf(withCookies(), scope)]
  const token = formToken(secrets, one, 'a purpose')
  const [, value] = pairOf(one.setCookie!).split('=')
  for (const cookie of [
    '',
    pairOf(other.setCookie!),
    `gh_browsers=${value}`,
    `gh=${value}`,
    `x.gh_browser=${value}`,
  ])
    assert.ok(!formTokenIsValid(secrets, withCookies(cookie), scope, 'a purpose', token), cookie)
})

test('of very many cookies the first few count', () => {
  const scope = { secure: false, base: '' }
  const browsers = Array.from({ length: 40 }, () => browserOf(withCookies(), scope))
  const request = withCookies(...browsers.map(({ setCookie }) => pairOf(setCookie!)))
  const good = browsers.filter((browser) =>
    formTokenIsValid(secrets, request, scope, 'a purpose', formToken(secrets, browser, 'a purpose')),
  )
  assert.deepEqual(good, browsers.slice(0, 10))
})

test('the cookie of a release before this one stays good', () => {
  const scope = { secure: true, base: '' }
  const request = withCookies(`__Host-gh_browser=${'A'.repeat(22)}`)
  const browser = browserOf(request, scope)
  assert.deepEqual([browser.id, browser.setCookie], ['A'.repeat(22), undefined])
  const token = formToken(secrets, browser, 'a purpose')
  assert.ok(formTokenIsValid(secrets, request, scope, 'a purpose', token))
})
