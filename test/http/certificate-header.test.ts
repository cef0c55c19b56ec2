import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { readCertificateHeader } from '../../src/http/certificate-header.ts'
import { makeSelfSigned } from '../support/certificates.ts'

const { cert } = makeSelfSigned('client')
const { raw, fingerprint256 } = new X509Certificate(cert)
const der = raw.toString('base64')
const escaped = encodeURIComponent(cert)
const other = encodeURIComponent(makeSelfSigned('other').cert)

test('RFC 9440 §2: a certificate is read as proxies write it', () => {
  const forms = {
    'nginx $ssl_client_escaped_cert': escaped,
    'nginx $ssl_client_cert, unfolded': cert.trim().replaceAll('\n', ' '),
    'tabs, as nginx folds it': cert.trim().replaceAll('\n', '\n\t'),
    'AWS, with + = / left alone': escaped
      .replaceAll('%2B', '+')
      .replaceAll('%3D', '=')
      .replaceAll('%2F', '/'),
    'RFC 9440': `:${der}:`,
    'Caddy and HAProxy': der,
    Traefik: encodeURIComponent(der),
    'Envoy, certificate alone': `Cert="${escaped}"`,
    'Envoy, everything': `By=spiffe://here/proxy;Hash=468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688;Cert="${escaped}";Chain="${escaped}${other}";Subject="CN=\\"a;b,c\\",O=x";URI=https://client.example;DNS=a;DNS=b`,
  }
  for (const [proxy, text] of Object.entries(forms)) {
    assert.equal(readCertificateHeader(text)?.fingerprint256, fingerprint256, proxy)
  }
})

test('RFC 8705 §6.3: anything else, and more than one certificate, is none', () => {
  const wrong = {
    nothing: '',
    '(null)': '(null)',
    'two headers joined': `${escaped}, ${other}`,
    'two bare ones joined': `${der}, ${der}`,
    'a chain': encodeURIComponent(cert + cert),
    'two elements of Envoy': `Cert="${other}",Cert="${escaped}"`,
    'two elements, one without a certificate': `Hash=aa,By=x;Cert="${escaped}"`,
    'two certificates in one element': `Cert="${other}";Cert="${escaped}"`,
    'a hash only': 'By=spiffe://here;Hash=468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688',
    'an open quote': `Cert="${escaped}`,
    'one colon': `:${der}`,
    'a broken escape': `${escaped}%`,
    'half a certificate': der.slice(0, 200),
    'a key': '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----',
    'other base64': 'aGVsbG8=',
    'text around it': `x${cert}`,
  }
  for (const [what, text] of Object.entries(wrong)) assert.equal(readCertificateHeader(text), undefined, what)
})
