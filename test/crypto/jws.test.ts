import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { calculateJwkThumbprint, type JWK, jwtVerify, SignJWT } from 'jose'
import {
  type Algorithm,
  algorithms,
  generateRsaSigningKey,
  generateSigningKey,
  parseJwt,
  publicKeyFrom,
  publicKeyFromJwk,
  signingKeyFromBase64,
  signJwt,
  thumbprint,
  verifySignature,
} from '../../src/crypto/jws.ts'

const keys = {
  ES256: generateSigningKey(),
  RS256: await generateRsaSigningKey('RS256'),
  PS256: await generateRsaSigningKey('PS256'),
  EdDSA: generateSigningKey('EdDSA'),
}

test('RFC 7515 §3.1, RFC 7518 §3.4: 2,000 ES256 signatures of every shape verify with jose, and jose’s verify here', async () => {
  const key = generateSigningKey()
  const publicKey = publicKeyFrom(key.publicJwk)
  for (let n = 0; n < 2_000; n++) {
    const token = signJwt(key, 'at+jwt', { n })
    const parsed = parseJwt(token)!
    assert.ok(verifySignature('ES256', publicKey, parsed.input, parsed.signature))
    if (n % 20 === 0) {
      assert.equal((await jwtVerify(token, publicKey)).payload.n, n)
      const theirs = parseJwt(
        await new SignJWT({ n }).setProtectedHeader({ alg: 'ES256' }).sign(key.privateKey),
      )!
      assert.ok(verifySignature('ES256', publicKey, theirs.input, theirs.signature))
    }
  }
})

test('RFC 7515 §5.2: a changed input, a changed or cut signature and a foreign key are refused', () => {
  const key = generateSigningKey()
  const publicKey = publicKeyFrom(key.publicJwk)
  const { input, signature } = parseJwt(signJwt(key, 'at+jwt', { sub: 'alice' }))!
  assert.ok(verifySignature('ES256', publicKey, input, signature))
  assert.equal(verifySignature('ES256', publicKey, `${input}A`, signature), false)
  assert.equal(verifySignature('ES256', publicKey, input, signature.subarray(0, 63)), false)
  assert.equal(verifySignature('ES256', publicKey, input, Buffer.alloc(64)), false)
  assert.equal(verifySignature('ES256', publicKey, input, Buffer.alloc(64, 0xff)), false)
  const changed = Buffer.from(signature)
  changed[5]! ^= 1
  assert.equal(verifySignature('ES256', publicKey, input, changed), false)
  assert.equal(
    verifySignature('ES256', publicKeyFrom(generateSigningKey().publicJwk), input, signature),
    false,
  )
})

test('RFC 7518 §3.1, RFC 8037 §3.1: every algorithm signs what jose verifies and verifies what jose signs', async () => {
  for (const alg of algorithms) {
    const key = keys[alg]
    const publicKey = publicKeyFrom(key.publicJwk)
    const token = signJwt(key, 'JWT', { sub: 'alice' }, { cty: 'test' })
    const { protectedHeader } = await jwtVerify(token, publicKey, { algorithms: [alg] })
    assert.deepEqual(protectedHeader, { alg, typ: 'JWT', kid: key.kid, cty: 'test' })
    assert.deepEqual((await jwtVerify(signJwt(key, 'JWT', {}), publicKey)).protectedHeader, {
      alg,
      typ: 'JWT',
      kid: key.kid,
    })
    const theirs = parseJwt(await new SignJWT({}).setProtectedHeader({ alg }).sign(key.privateKey))!
    assert.ok(verifySignature(alg, publicKey, theirs.input, theirs.signature))
    const changed = Buffer.from(theirs.signature)
    changed[5]! ^= 1
    for (const wrong of [changed, theirs.signature.subarray(1), Buffer.alloc(theirs.signature.length)]) {
      assert.equal(verifySignature(alg, publicKey, theirs.input, wrong), false)
    }
    assert.equal(verifySignature(alg, publicKey, `${theirs.input}A`, theirs.signature), false)
  }
})

test('RFC 8725 §3.1: a signature counts only under the algorithm that is expected, with a key of its kind', () => {
  for (const alg of algorithms) {
    const { input, signature } = parseJwt(signJwt(keys[alg], 'JWT', {}))!
    for (const expected of algorithms) {
      for (const owner of algorithms) {
        const held = verifySignature(expected, publicKeyFrom(keys[owner].publicJwk), input, signature)
        assert.equal(held, expected === alg && owner === alg, `${alg} as ${expected} with ${owner}`)
      }
    }
  }
})

test('RFC 7515 §2: a signature has one spelling', () => {
  const token = signJwt(keys.ES256, 'JWT', {})
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const twin = token.slice(0, -1) + alphabet[alphabet.indexOf(token.at(-1)!) ^ 1]!
  const bytes = (text: string) => Buffer.from(text.split('.')[2]!, 'base64url').toString('hex')
  assert.equal(bytes(twin), bytes(token))
  assert.ok(parseJwt(token))
  assert.equal(parseJwt(twin), undefined)
})

test('RFC 7638 §3: thumbprints are those of jose and of the RFC', async () => {
  for (const alg of algorithms) {
    const { publicJwk, kid } = keys[alg]
    assert.equal(kid, await calculateJwkThumbprint(publicJwk as JWK))
    const read = publicKeyFromJwk(publicJwk)
    assert.ok(!('problem' in read))
    assert.equal(thumbprint(read.members), kid)
    assert.deepEqual(read.algorithms, [alg])
  }
  const example = {
    kty: 'RSA',
    n: '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw',
    e: 'AQAB',
  } as const
  assert.equal(thumbprint(example), 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs')
})

test('RFC 7517 §4: a public key from outside is read in its one spelling, and may do what its kind and alg allow', () => {
  const bare = (alg: Algorithm, more: object = {}) => {
    const { alg: _alg, kid: _kid, use: _use, ...members } = keys[alg].publicJwk
    return { ...members, ...more }
  }
  const able = (jwk: unknown) => {
    const read = publicKeyFromJwk(jwk)
    return 'problem' in read ? read.problem : read.algorithms.join(' ')
  }
  assert.equal(able(bare('ES256')), 'ES256')
  assert.equal(able(bare('RS256')), 'RS256 PS256')
  assert.equal(able(bare('RS256', { alg: 'PS256' })), 'PS256')
  assert.equal(able(bare('EdDSA')), 'EdDSA')
  assert.equal(able(bare('ES256', { use: 'sig', key_ops: ['verify'], kid: 'one', x5t: 'x' })), 'ES256')
  const { n, e } = keys.RS256.publicJwk as unknown as { n: string; e: string }
  const padded = Buffer.concat([Buffer.from([0]), Buffer.from(n, 'base64url')]).toString('base64url')
  const read = publicKeyFromJwk({ kty: 'RSA', n: padded, e })
  assert.ok(!('problem' in read))
  assert.deepEqual(read.members, { kty: 'RSA', n, e })
})

test('RFC 9864 §2.2: a key as Web Crypto exports it may name Ed25519 by its newer name', async () => {
  const pair = (await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify'])) as CryptoKeyPair
  const jwk = await crypto.subtle.exportKey('jwk', pair.publicKey)
  const read = publicKeyFromJwk(jwk)
  assert.ok('key' in read, JSON.stringify(read))
  assert.deepEqual(read.algorithms, ['EdDSA'])
  assert.ok('problem' in publicKeyFromJwk({ ...jwk, alg: 'Ed448' }))
})

test('RFC 7518 §3.3: private, symmetric, weak and foreign keys are no keys to verify with', () => {
  const { publicJwk, privateKey } = keys.ES256
  const rsa = keys.RS256.publicJwk as unknown as { kty: 'RSA'; n: string; e: string }
  const weak = generateKeyPairSync('rsa', { modulusLength: 1_024 }).publicKey.export({ format: 'jwk' })
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ format: 'jwk' })
  const x25519 = generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' })
  const cases: [unknown, RegExp][] = [
    [undefined, /JSON object/],
    ['key', /JSON object/],
    [[], /JSON object/],
    [{}, /read/],
    [{ kty: 'oct', k: 'c2VjcmV0' }, /symmetric/],
    [{ ...publicJwk, k: 'c2VjcmV0' }, /symmetric/],
    [privateKey.export({ format: 'jwk' }), /private/],
    [keys.RS256.privateKey.export({ format: 'jwk' }), /private/],
    [keys.EdDSA.privateKey.export({ format: 'jwk' }), /private/],
    [{ ...publicJwk, use: 'enc' }, /use/],
    [{ ...publicJwk, key_ops: ['sign'] }, /key_ops/],
    [{ ...publicJwk, key_ops: 'verify' }, /key_ops/],
    [{ ...publicJwk, kid: 1 }, /kid/],
    [{ ...publicJwk, x: publicJwk.kid }, /read/],
    [{ ...publicJwk, crv: 'P-384' }, /read/],
    [{ ...publicJwk, alg: 'RS256' }, /alg/],
    [{ ...publicJwk, alg: 'none' }, /alg/],
    [weak, /1024 bits/],
    [p384, /P-256/],
    [x25519, /P-256/],
    [{ ...rsa, e: 'AQ' }, /exponent|read/],
    [{ ...rsa, e: rsa.n }, /exponent|read/],
  ]
  for (const [jwk, problem] of cases) {
    const read = publicKeyFromJwk(jwk)
    assert.match('problem' in read ? read.problem : 'good', problem, JSON.stringify(jwk))
  }
})

test('R12: an EC private key comes in base64 as PKCS #8, SEC 1 or PEM; anything else is refused with a reason', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const forms = [
    privateKey.export({ type: 'pkcs8', format: 'der' }),
    privateKey.export({ type: 'sec1', format: 'der' }),
    Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    Buffer.from(privateKey.export({ type: 'sec1', format: 'pem' })),
  ]
  const kids = forms.map((form) => signingKeyFromBase64(form.toString('base64')).kid)
  assert.equal(new Set(kids).size, 1)
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export({
    type: 'pkcs8',
    format: 'der',
  })
  assert.throws(() => signingKeyFromBase64(p384.toString('base64')), /P-256/)
  assert.throws(() => signingKeyFromBase64('bm90IGEga2V5'), /not an EC private key/)
})
