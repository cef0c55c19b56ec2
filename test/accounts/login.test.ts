import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalLogin, isLogin } from '../../src/accounts/local/login.ts'

const taken = (text: string) => isLogin(canonicalLogin(text))

test('RFC 8265 §3.3: one spelling a login, whatever the keyboard made of it', () => {
  for (const [given, kept] of [
    ['Ann@Example.COM', 'ann@example.com'],
    ['ａｎｎ@example.com', 'ann@example.com'],
    ['a\u030angstro\u0308m@example.se', 'ångström@example.se'],
    [' ann ', 'ann'],
  ] as const)
    assert.equal(canonicalLogin(given), kept)
})

test('RFC 8265 §3.1: letters and digits of any one script, and what e-mail addresses are written with', () => {
  for (const login of [
    'ann',
    'ann.example-1_2',
    'ann+jobs@example.com',
    "o'brien!#$%&*/=?^`{|}~@example.com",
    'zoë@example.com',
    'günther@bücher.example',
    'иван@пример.example',
    'ελένη@example.gr',
    '山田たろう@example.jp',
    'ヤマダ太郎@example.jp',
    'yamada山田@example.jp',
    '홍길동hong@example.kr',
    'محمد@example.eg',
    'นก@example.th',
  ])
    assert.equal(taken(login), true, login)
})

test('RFC 8264 §4.2.3: nothing invisible, no symbols, no controls', () => {
  const invisible = ['\u00ad', '\u034f', '\u061c', '\u115f', '\u180e', '\u200b', '\u200d', '\u202e', '\u2060']
  for (const one of [
    ...invisible,
    '\u3164',
    '\ufe0f',
    '\ufeff',
    '\u{e0041}',
    '\u0000',
    '\ufffd',
    '😀',
    '→',
    '–',
  ])
    assert.equal(taken(`an${one}n@example.com`), false, JSON.stringify(one))
  for (const login of [
    'a b@example.com',
    'a"b@example.com',
    'a,b@example.com',
    '<ann@example.com>',
    'ann@@x.com',
  ])
    assert.equal(taken(login), false, login)
})

test('UTS 39 §5.1: scripts are not mixed in one part of a login', () => {
  for (const login of [
    'аnn@example.com', // Cyrillic а
    'annο@example.com', // Greek ο
    'ann@exаmple.com', // Cyrillic а in the domain
    'аннaнн@example.com', // Latin a among Cyrillic
    'ann١@example.com', // an Arabic digit
    '1١@example.com',
  ])
    assert.equal(taken(login), false, login)
})

test('UTS 39 §4: a part of another script that looks like Latin, and Latin letters that look like others', () => {
  for (const login of [
    'сосо@example.com', // all Cyrillic
    'ορ@example.com', // all Greek
    'ann@соре.com',
    'ıan@example.com', // without its dot
    'i\u0307an@example.com',
    'ɑnn@example.com',
    'ᴀnn@example.com',
    'ann@xn--exmple-cua.com', // the other spelling of a domain
  ])
    assert.equal(taken(login), false, login)
})
