import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { jwtVerify, SignJWT } from 'jose'
import {
  generateSigningKey,
  parseJwt,
  publicKeyFrom,
  signingKeyFromBase64,
  signJwt,
  verifyJws,
} from '../../src/crypto/jws.ts'

test('RFC 7515 §3.1, RFC 7518 §3.4: 2,000 ES256 signatures of every shape verify with jose, and jose’s verify here', async () => {
  const key = generateSigningKey()
  const publicKey = publicKeyFrom(key.publicJwk)
  for (let n = 0; n < 2_000; n++) {
    const token = signJwt(key, 'at+jwt', { n })
    const parsed = parseJwt(token)!
    assert.ok(verifyJws(publicKey, parsed.input, parsed.signature))
    if (n % 20 === 0) {
      assert.equal((await jwtVerify(token, publicKey)).payload.n, n)
      const theirs = parseJwt(
        await new SignJWT({ n }).setProtectedHeader({ alg: 'ES256' }).sign(key.privateKey),
      )!
      assert.ok(verifyJws(publicKey, theirs.input, theirs.signature))
    }
  }
})

test('RFC 7515 §5.2: a changed input, a changed or cut signature and a foreign key are refused', () => {
  const key = generateSigningKey()
  const publicKey = publicKeyFrom(key.publicJwk)
  const { input, signature } = parseJwt(signJwt(key, 'at+jwt', { sub: 'alice' }))!
  assert.ok(verifyJws(publicKey, input, signature))
  assert.equal(verifyJws(publicKey, `${input}A`, signature), false)
  assert.equal(verifyJws(publicKey, input, signature.subarray(0, 63)), false)
  assert.equal(verifyJws(publicKey, input, Buffer.alloc(64)), false)
  assert.equal(verifyJws(publicKey, input, Buffer.alloc(64, 0xff)), false)
  const changed = Buffer.from(signature)
  changed[5]! ^= 1
  assert.equal(verifyJws(publicKey, input, changed), false)
  assert.equal(verifyJws(publicKeyFrom(generateSigningKey().publicJwk), input, signature), false)
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
