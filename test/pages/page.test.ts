import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { formPostPage } from '../../src/pages/form-post.ts'
import { answerPage } from '../../src/pages/page.ts'
import { signInPage } from '../../src/pages/sign-in.ts'
import { error, formPost, frame, gallery, signIn } from './samples.ts'

function directives(answer: { headers: Record<string, string | string[]> }): Record<string, string> {
  const policy = answer.headers['content-security-policy'] as string
  return Object.fromEntries(
    policy.split('; ').map((it) => [it.split(' ')[0]!, it.slice(it.indexOf(' ') + 1)]),
  )
}

test('RFC 6749 §10.13, RFC 9700 §4.16, §4.2.4: every page carries its security headers (N46, N48)', () => {
  for (const [name, page] of Object.entries(gallery)) {
    const answer = answerPage(page())
    const policy = directives(answer)
    assert.equal(policy['default-src'], "'none'", name)
    assert.equal(policy['frame-ancestors'], "'none'", name)
    assert.equal(policy['base-uri'], "'none'", name)
    assert.equal(policy['img-src'], "'self' https: data:", name)
    assert.equal(answer.headers['x-frame-options'], 'DENY', name)
    assert.equal(answer.headers['referrer-policy'], 'no-referrer', name)
    assert.equal(answer.headers['x-content-type-options'], 'nosniff', name)
    assert.equal(answer.headers['cache-control'], 'no-store', name)
    assert.equal(answer.headers['content-type'], 'text/html; charset=utf-8', name)
    assert.doesNotMatch(answer.headers['content-security-policy'] as string, /unsafe|\*(?!;|$| )/, name)
  }
})

test('the policy allows exactly the stylesheet and the script that stand in the page', () => {
  for (const [name, page] of Object.entries(gallery)) {
    const answer = answerPage(page())
    const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
    const inline = (tag: string) => new RegExp(`<${tag}>(.*?)</${tag}>`, 's').exec(answer.body)?.[1]
    assert.equal(directives(answer)['style-src'], hash(inline('style')!), name)
    const script = inline('script')
    assert.equal(directives(answer)['script-src'], script && hash(script), name)
    assert.doesNotMatch(answer.body, /\sstyle=|\son\w+=|<link rel="stylesheet"/, name)
  }
})

test('pages of an authorization flow keep the opener of a popup, the others cut it off', () => {
  const opener = (name: string) => answerPage(gallery[name]!()).headers['cross-origin-opener-policy']
  for (const name of ['sign-in', 'sign-up', 'development-sign-in', 'consent', 'form-post', 'error']) {
    assert.equal(opener(name), 'unsafe-none', name)
  }
  for (const name of ['account', 'connected-apps', 'signed-out', 'home'])
    assert.equal(opener(name), 'same-origin', name)
})

test('a form that may end up at another site is held against no list of sites, every other one leads back here', () => {
  const formAction = (page: Parameters<typeof answerPage>[0]) => directives(answerPage(page))['form-action']
  const leaving = [
    'sign-in',
    'sign-up',
    'development-sign-in',
    'consent',
    'device-code',
    'sign-out',
    'form-post',
  ]
  for (const name of leaving) assert.equal(formAction(gallery[name]!()), undefined, name)
  assert.equal(formAction(signInPage(frame, { ...signIn, leaves: false })), "'self'")
  for (const name of ['account', 'device-consent', 'error', 'home', 'signed-out'])
    assert.equal(formAction(gallery[name]!()), "'self'", name)
})

test('an error page answers with the status of its error, and further headers are kept', () => {
  const answer = answerPage(gallery['error']!(), { 'retry-after': '30' })
  assert.equal(answer.status, error.status)
  assert.equal(answer.headers['retry-after'], '30')
})

test('Form Post Response Mode §2: only http and https targets are posted to', () => {
  assert.throws(
    () => formPostPage(frame, { ...formPost, action: 'javascript:alert(1)' }),
    /needs an http or https/,
  )
  assert.throws(
    () => formPostPage(frame, { ...formPost, action: 'com.example.app:/cb' }),
    /needs an http or https/,
  )
})
