import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  checkProof,
  type Proof,
  type ProofRules,
  proofAlgorithms,
  proofUrl,
} from '../../src/protocol/dpop.ts'
import { isRefusal, refusals } from '../../src/protocol/refusals.ts'
import { makeProof, makeProofKey, type ProofOptions } from '../support/dpop.ts'

const now = Date.UTC(2026, 0, 15, 12)
const url = 'https://auth.example.com/oauth/token'
const rules: ProofRules = { nonces: null, now: () => now }
const key = await makeProofKey()

function check(
  header: string,
  more: { accessToken?: string; rules?: ProofRules; urls?: [string, string] } = {},
) {
  const { rules: own = rules, urls = [url], ...rest } = more
  return checkProof(header, { method: 'POST', urls, ...rest }, own)
}

const proof = (options: ProofOptions = {}) => makeProof(key, { url, now, ...options })

function refused(outcome: Proof | ReturnType<typeof check>): string {
  assert.ok(isRefusal(outcome), 'refused')
  return `${outcome.refusal} ${refusals[outcome.refusal].error}`
}

function held(outcome: ReturnType<typeof check>): Proof {
  assert.ok(!isRefusal(outcome), JSON.stringify(outcome))
  return outcome
}

describe('RFC 9449 §4.3: what a proof must be', () => {
  for (const alg of ['ES256', 'RS256', 'PS256', 'EdDSA', 'Ed25519']) {
    test(`RFC 9449 §4.2: a proof by ${alg} proves the thumbprint of its key, the first time and later`, async () => {
      assert.ok(proofAlgorithms.includes(alg))
      const other = await makeProofKey(alg)
      for (let time = 0; time < 2; time++) {
        const { jkt, id, expiresAt } = held(check(await makeProof(other, { url, now, claims: { jti: 'x' } })))
        assert.equal(jkt, other.jkt)
        assert.deepEqual(id, [other.jkt, url, 'x'])
        assert.equal(expiresAt, now + 300_000)
      }
    })
  }

  test('RFC 9449 §4.3: what is no signed proof with a public key is invalid_dpop_proof (N96)', async () => {
    const good = await proof()
    const rsa = await makeProofKey('RS256')
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const [header, payload, signature] = good.split('.') as [string, string, string]
    const inputs: Record<string, string> = {
      'two headers': `${good}, ${await proof()}`,
      'one header and an empty one': `${good}, `,
      'an empty header': '',
      'no JWT': 'a proof',
      'a JWT of two parts': `${header}.${payload}`,
      'a header that is no JSON': `bm90IGpzb24.${payload}.${signature}`,
      'claims that are a list': `${header}.${part([1])}.${signature}`,
      'another type': await proof({ header: { typ: 'jwt' } }),
      'no type': await proof({ header: { typ: undefined } }),
      'a type that is no text': `${part({ typ: { toString: 1, valueOf: 1 } })}.${payload}.${signature}`,
      'an extension nobody here understands': `${part({ typ: 'dpop+jwt', alg: 'ES256', jwk: key.publicJwk, crit: ['x'], x: 1 })}.${payload}.${signature}`,
      'alg none': `${part({ typ: 'dpop+jwt', alg: 'none', jwk: key.publicJwk })}.${payload}.`,
      'alg none, with a signature': `${part({ typ: 'dpop+jwt', alg: 'none', jwk: key.publicJwk })}.${payload}.${signature}`,
      'a symmetric algorithm': `${part({ typ: 'dpop+jwt', alg: 'HS256', jwk: key.publicJwk })}.${payload}.${signature}`,
      'a symmetric key': await proof({ header: { jwk: { kty: 'oct', k: 'c2VjcmV0' } } }),
      'a private key': await proof({ header: { jwk: key.privateJwk } }),
      'no key': await proof({ header: { jwk: undefined } }),
      'a key of another kind than the algorithm': await proof({ header: { jwk: rsa.publicJwk } }),
      'an algorithm that is not spoken': await makeProof(await makeProofKey('ES384'), { url, now }),
      'the key of somebody else': await proof({ signedBy: await makeProofKey() }),
      'another payload under the signature': `${header}.${(await proof()).split('.')[1]}.${signature}`,
      'a signature cut short': good.slice(0, -4),
      'a proof longer than any honest one': await proof({ claims: { pad: 'x'.repeat(8_192) } }),
    }
    for (const [name, input] of Object.entries(inputs)) {
      assert.match(refused(check(input)), / invalid_dpop_proof$/, name)
    }
    assert.equal(held(check(good)).jkt, key.jkt)
  })

  test('RFC 9449 §4.3: another method or URL is invalid_dpop_proof (N97)', async () => {
    const wrong: ProofOptions['claims'][] = [
      { htm: 'GET' },
      { htm: 'post' },
      { htm: undefined },
      { htm: { toString: 1, valueOf: 1 } },
      { htu: undefined },
      { htu: 17 },
      { htu: 'https://auth.example.com/oauth/token/' },
      { htu: 'https://auth.example.com/oauth/Token' },
      { htu: 'https://auth.example.com/oauth%2Ftoken' },
      { htu: 'https://auth.example.com:8443/oauth/token' },
      { htu: 'http://auth.example.com/oauth/token' },
      { htu: 'https://auth.example.com.evil.example/oauth/token' },
      { htu: 'https://auth.example.com@evil.example/oauth/token' },
      { htu: 'https://somebody@auth.example.com/oauth/token' },
      { htu: 'https:\\\\auth.example.com\\oauth\\token' },
      { htu: 'https://auth.example.com/oauth/to\tken' },
      { htu: ' https://auth.example.com/oauth/token' },
      { htu: '/oauth/token' },
      { htu: 'token' },
    ]
    for (const claims of wrong) {
      const outcome = check(await proof({ claims }))
      assert.equal(refused(outcome), 'dpop_proof_request invalid_dpop_proof', JSON.stringify(claims))
    }
  })

  test('RFC 9449 §4.3: query, fragment and spellings that RFC 3986 calls the same do not matter (N97)', async () => {
    const same = [
      url,
      `${url}?a=b`,
      `${url}#there`,
      'HTTPS://Auth.Example.COM/oauth/token',
      'https://auth.example.com:443/oauth/token',
      'https://auth.example.com/oauth/./token',
      'https://auth.example.com/x/../oauth/token',
      'https://auth.example.com/oauth/%74oken',
    ]
    for (const htu of same) held(check(await proof({ claims: { htu } })))
    const second = 'https://mtls.example.com/oauth/token'
    const { id } = held(check(await proof({ claims: { htu: second } }), { urls: [url, second] }))
    assert.equal(id[1], url, 'one and the same endpoint, whatever its name')
  })

  test('RFC 9449 §4.3, §11.1: too old, too far ahead, or without iat or jti is invalid_dpop_proof (N98)', async () => {
    const seconds = now / 1_000
    const wrong: [string, ProofOptions['claims']][] = [
      ['dpop_proof_time', { iat: seconds - 300 }],
      ['dpop_proof_time', { iat: seconds + 31 }],
      ['dpop_proof_time', { iat: undefined }],
      ['dpop_proof_time', { iat: String(seconds) }],
      ['dpop_proof_time', { exp: seconds }],
      ['dpop_proof_time', { nbf: seconds + 31 }],
      ['dpop_proof_malformed', { jti: undefined }],
      ['dpop_proof_malformed', { jti: '' }],
      ['dpop_proof_malformed', { jti: 17 }],
      ['dpop_proof_malformed', { jti: 'x'.repeat(257) }],
    ]
    for (const [reason, claims] of wrong) {
      const outcome = check(await proof({ claims }))
      assert.equal(refused(outcome), `${reason} invalid_dpop_proof`, JSON.stringify(claims))
    }
    for (const claims of [
      { iat: seconds - 299 },
      { iat: seconds + 30 },
      { jti: 'x' },
      { exp: seconds + 1 },
    ]) {
      held(check(await proof({ claims })))
    }
  })

  test('RFC 9449 §4.3: beside an access token a proof names that token (N102)', async () => {
    const accessToken = 'an access token'
    for (const options of [{}, { accessToken: 'another' }, { claims: { ath: 17 } }]) {
      const outcome = check(await proof(options), { accessToken })
      assert.equal(refused(outcome), 'dpop_proof_token invalid_dpop_proof')
    }
    held(check(await proof({ accessToken }), { accessToken }))
  })

  test('RFC 9449 §4.3: a key is known by the whole header of a proof, so one that was seen lends itself to no other', async () => {
    const other = await makeProofKey()
    held(check(await proof()))
    const [, payload, signature] = (await makeProof(other, { url, now })).split('.')
    const [header] = (await proof()).split('.')
    assert.equal(
      refused(check(`${header}.${payload}.${signature}`)),
      'dpop_proof_signature invalid_dpop_proof',
    )
  })
})

describe('RFC 9449 §4.3: whatever is sent as a proof', () => {
  const json = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

  test('RFC 9449 §4.3: any text is refused, and never an exception (N96)', () => {
    const members = fc.dictionary(
      fc.constantFrom('typ', 'alg', 'jwk', 'htm', 'htu', 'iat', 'jti', 'nonce', 'ath', 'exp', 'crit'),
      fc.oneof(fc.jsonValue(), fc.constantFrom('dpop+jwt', 'ES256', url, 'POST', now / 1_000, key.publicJwk)),
    )
    const parts = fc.tuple(members, members).map(([header, claims]) => `${json(header)}.${json(claims)}.AAAA`)
    fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), parts), (text) => isRefusal(check(text))))
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.webUrl()), (text) => {
        const spelled = proofUrl(text)
        assert.equal(spelled === undefined ? undefined : proofUrl(spelled), spelled)
      }),
    )
  })

  test('RFC 9449 §4.3: a good proof with any one character changed is refused (N96)', async () => {
    const good = await proof()
    const change = fc.tuple(fc.nat(good.length - 1), fc.constantFrom(...'AZaz09-_.'))
    fc.assert(
      fc.property(change, ([at, character]) => {
        fc.pre(good[at] !== character)
        return isRefusal(check(good.slice(0, at) + character + good.slice(at + 1)))
      }),
    )
    held(check(good))
  })
})

describe('RFC 9449 §4.3: URLs as they are compared', () => {
  test('RFC 3986 §6.2: normalised by syntax and scheme', () => {
    const all: [string, string | undefined][] = [
      ['http://EXAMPLE.com:80/a/b', 'http://example.com/a/b'],
      ['https://example.com', 'https://example.com/'],
      ['https://example.com/a%2fb%7Ec%41', 'https://example.com/a%2Fb~cA'],
      ['https://example.com/a/../../b/./c', 'https://example.com/b/c'],
      ['https://[2001:DB8::1]/x', 'https://[2001:db8::1]/x'],
      ['https://example.com//x', 'https://example.com//x'],
      ['ftp://example.com/x', undefined],
      ['https://exämple.com/x', undefined],
      ['https://user:password@example.com/x', undefined],
      ['https:example.com/x', undefined],
      ['', undefined],
    ]
    for (const [text, expected] of all) assert.equal(proofUrl(text), expected, text)
  })
})
