import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Config, resolveConfig } from '../../src/config.ts'
import { makeAuthority, makeSelfSigned } from '../support/certificates.ts'
import { secret } from '../support/gatehouse.ts'

const resolve = (mutualTls: Config['mutualTls'], trustedProxies: string[] | undefined = ['10.0.0.0/8']) =>
  resolveConfig({ issuer: 'https://auth.example.com', secret, mutualTls, trustedProxies }).mutualTls

test('RFC 8705 §6.3: a certificate header needs a proxy that is trusted', () => {
  assert.equal(resolve(undefined), null)
  assert.deepEqual(resolve({ certificateHeader: 'x-client-cert' }), {
    certificateHeader: 'x-client-cert',
    authorities: [],
    origin: null,
  })
  for (const none of [[], undefined]) {
    const config = {
      issuer: 'https://auth.example.com',
      secret,
      mutualTls: { certificateHeader: 'x-client-cert' },
    }
    assert.throws(() => resolveConfig({ ...config, ...(none && { trustedProxies: none }) }), /trustedProxies/)
  }
})

test('RFC 8705 §2.1, §5: authorities are certificates of authorities, the origin is one', () => {
  const [one, two] = [makeAuthority('One'), makeAuthority('Two')]
  const settings = resolve({
    certificateHeader: 'x-client-cert',
    authorities: [one.cert, two.cert],
    origin: 'https://mtls.example.com:8443',
  })
  assert.deepEqual(
    settings?.authorities.map((authority) => authority.subject),
    ['CN=One', 'CN=Two'],
  )
  const wrong: [Partial<NonNullable<Config['mutualTls']>>, RegExp][] = [
    [{ certificateHeader: 'X-Client-Cert' }, /certificateHeader/],
    [{ certificateHeader: '' }, /certificateHeader/],
    [{ certificateHeader: 'x cert' }, /certificateHeader/],
    [{ authorities: 'nothing' }, /authorities/],
    [{ authorities: one.issue(['client']).cert }, /authorities/],
    [{ authorities: makeSelfSigned('client').cert }, /authorities/],
    [{ origin: 'http://mtls.example.com' }, /origin/],
    [{ origin: 'https://mtls.example.com/' }, /origin/],
    [{ origin: 'mtls.example.com' }, /origin/],
  ]
  for (const [part, message] of wrong) {
    assert.throws(() => resolve({ certificateHeader: 'x-client-cert', ...part }), message)
  }
})
