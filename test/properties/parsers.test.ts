import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { makeToken, readToken, type TokenKind } from '../../src/crypto/tokens.ts'
import { networkOf } from '../../src/http/address.ts'
import { parseForm } from '../../src/http/forms.ts'
import type { Incoming } from '../../src/http/message.ts'
import { readCredentials } from '../../src/oauth/clients/client-authentication.ts'
import { isRefusal } from '../../src/protocol/refusals.ts'
import { basic } from '../support/gatehouse.ts'

/** Any text that a browser could send. */
const text = fc.string({ unit: 'binary' }).map((one) => one.toWellFormed())
const withoutNul = text.map((one) => one.replaceAll('\0', ''))

test('RFC 6749 Appendix B: a form reads as URLSearchParams reads it, but for parameters without a value', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(withoutNul, withoutNul)), (pairs) => {
      const query = new URLSearchParams(pairs)
      const form = parseForm(query.toString())!
      const withValue = pairs.filter(([, value]) => value !== '')
      const names = [...new Set(withValue.map(([name]) => name))]
      assert.deepEqual(form.names, names)
      for (const [name] of pairs) {
        const all = query.getAll(name).filter((value) => value !== '')
        assert.deepEqual(form.all(name), all)
        assert.equal(form.get(name), all[0])
        assert.equal(form.repeated.includes(name), all.length > 1)
      }
      assert.equal(new Set(form.repeated).size, form.repeated.length)
    }),
  )
})

test('RFC 6749 Appendix B: any text is a form or none, and never an exception', () => {
  const pieces = fc.constantFrom(
    '%',
    '%2',
    '%zz',
    '%ff',
    '%00',
    '%c3%a4',
    '+',
    '&',
    '=',
    'a',
    '__proto__',
    '\0',
    'ä',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        text,
        fc.array(pieces).map((all) => all.join('')),
      ),
      (any) => {
        const form = parseForm(any)
        const query = new URLSearchParams(any)
        if (form === undefined) {
          assert.match(any, /%|\0/)
          return
        }
        for (const name of form.names) {
          assert.deepEqual(
            form.all(name),
            query.getAll(name).filter((value) => value !== ''),
          )
          assert.ok(!name.includes('\0') && form.all(name).every((value) => !value.includes('\0')))
        }
        assert.deepEqual(
          new Set(form.names),
          new Set([...query].filter(([, value]) => value !== '').map(([name]) => name)),
        )
      },
    ),
    { numRuns: 2_000 },
  )
})

const incoming = (authorization: string | undefined): Incoming => ({
  method: 'POST',
  path: '/',
  search: '',
  address: '',
  viaTrustedProxy: false,
  header: (name) => (name === 'authorization' ? authorization : undefined),
  text: () => Promise.resolve(''),
  request: () => new Request('http://localhost/'),
})
const nothing = parseForm('')!

test('RFC 6749 §2.3.1: a Basic header is read or refused, never an exception', () => {
  const base64 = fc.oneof(
    fc.base64String(),
    text.map((one) => Buffer.from(one).toString('base64')),
    fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64')),
  )
  const header = fc.oneof(
    text,
    fc
      .tuple(
        fc.constantFrom('Basic ', 'basic ', 'Basic', 'Bearer ', ''),
        base64,
        fc.constantFrom('', ' ', '=', ','),
      )
      .map((all) => all.join('')),
  )
  fc.assert(
    fc.property(header, (value) => {
      const read = readCredentials(incoming(value), nothing)
      if (isRefusal(read)) return
      assert.ok(read.clientId.length > 0)
      assert.ok(!read.clientId.includes('\0') && !read.secret?.includes('\0'))
    }),
    { numRuns: 2_000 },
  )
})

test('RFC 6749 §2.3.1: what a client encodes comes back, whatever the characters', () => {
  const credential = withoutNul.filter((one) => one !== '')
  fc.assert(
    fc.property(credential, credential, (clientId, secret) => {
      assert.deepEqual(readCredentials(incoming(basic(clientId, secret)), nothing), { clientId, secret })
      const form = parseForm(new URLSearchParams({ client_id: clientId, client_secret: secret }).toString())!
      assert.deepEqual(readCredentials(incoming(undefined), form), { clientId, secret })
    }),
  )
})

const kinds: TokenKind[] = ['gh_at', 'gh_rt', 'gh_ac', 'gh_rq', 'gh_si']

test('RFC 6749 §10.10: a token reads back as it was made, and as no other kind', () => {
  fc.assert(
    fc.property(fc.constantFrom(...kinds), fc.integer({ min: 0, max: 2 ** 48 - 1 }), (kind, time) => {
      const { token, id, hash } = makeToken(kind, time)
      assert.deepEqual(readToken(kind, token), { id, hash })
      for (const other of kinds) if (other !== kind) assert.equal(readToken(other, token), undefined)
    }),
  )
})

test('RFC 6749 §10.10: a token that was cut, extended or altered never stands for the same row', () => {
  const edit = fc.oneof(
    fc.record({ kind: fc.constant('cut' as const), from: fc.nat(80), to: fc.nat(80) }),
    fc.record({
      kind: fc.constant('insert' as const),
      at: fc.nat(80),
      text: fc.string({ unit: 'binary', minLength: 1, maxLength: 4 }),
    }),
    fc.record({
      kind: fc.constant('replace' as const),
      at: fc.nat(80),
      text: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 2 }),
    }),
  )
  fc.assert(
    fc.property(fc.constantFrom(...kinds), fc.array(edit, { minLength: 1, maxLength: 3 }), (kind, edits) => {
      const made = makeToken(kind, 1_700_000_000_000)
      let token = made.token
      for (const one of edits) {
        if (one.kind === 'cut')
          token = token.slice(0, Math.min(one.from, one.to)) + token.slice(Math.max(one.from, one.to))
        else
          token =
            token.slice(0, one.at) +
            one.text +
            token.slice(one.kind === 'insert' ? one.at : one.at + one.text.length)
      }
      const read = readToken(kind, token)
      if (token === made.token) return
      assert.notEqual(read?.hash, made.hash)
      if (token.length !== made.token.length) assert.equal(read, undefined)
    }),
    { numRuns: 2_000 },
  )
})

test('RFC 6749 §10.10: any text is a token or none, and never an exception', () => {
  fc.assert(
    fc.property(fc.constantFrom(...kinds), text, (kind, any) => {
      assert.equal(readToken(kind, any), undefined)
    }),
  )
})

test('RFC 4291 §2.5.1: every spelling of an IPv6 address in one /64 is one network', () => {
  fc.assert(
    fc.property(fc.ipV6(), fc.uint16Array({ minLength: 4, maxLength: 4 }), (address, tail) => {
      const nameOf = (text: string) => networkOf(text, true).name
      const network = nameOf(address)
      if (!network.endsWith('::/64')) return
      const prefix = network.slice(0, -'::/64'.length)
      assert.equal(prefix.split(':').length, 4)
      const neighbour = `${prefix}:${[...tail].map((group) => group.toString(16).padStart(4, '0')).join(':')}`
      assert.equal(nameOf(neighbour), network)
      assert.equal(nameOf(neighbour.toUpperCase()), network)
    }),
  )
})
