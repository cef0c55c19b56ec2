import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  alternativeNames,
  canonicalAddress,
  parseDistinguishedName,
  subjectOf,
} from '../../src/crypto/certificate.ts'
import { makeAuthority, type Subject } from '../support/certificates.ts'

const authority = makeAuthority()
const certified = (names: readonly string[], subject?: Subject) =>
  new X509Certificate(authority.issue(names, subject).cert)

test('RFC 4514 §2: a name in any spelling is the subject of its certificate, the most specific part first', () => {
  const subject = subjectOf(
    certified(
      [],
      [
        ['2.5.4.6', 'DE'],
        ['2.5.4.10', 'Example, Inc.'],
        ['2.5.4.11', 'Payments + Cards'],
        ['2.5.4.97', 'PSDDE-BAFIN-123456'],
        ['0.9.2342.19200300.100.1.25', 'example'],
        ['1.2.840.113549.1.9.1', 'ops@example.com'],
        ['2.5.4.3', 'Zoë "the" client'],
      ],
    ),
  )
  for (const spelling of [
    'CN=Zoë \\"the\\" client,emailAddress=ops@example.com,DC=example,organizationIdentifier=PSDDE-BAFIN-123456,OU=Payments \\+ Cards,O=Example\\, Inc.,C=DE',
    'cn=Zo\\C3\\AB \\22the\\22 client, E=ops@example.com, dc=example, 2.5.4.97=#0c1250534444452d424146494e2d313233343536, ou=Payments \\2b Cards, o=Example\\2c Inc., c=DE',
    'OID.2.5.4.3=Zoë \\"the\\" client , 1.2.840.113549.1.9.1=ops@example.com ,DC=example,2.5.4.97=PSDDE-BAFIN-123456,OU=Payments \\+ Cards,O=Example\\, Inc.,2.5.4.6=DE',
  ]) {
    assert.deepEqual(parseDistinguishedName(spelling), subject, spelling)
  }
  for (const other of [
    'CN=Zoë \\"the\\" client',
    'C=DE,O=Example\\, Inc.,OU=Payments \\+ Cards,organizationIdentifier=PSDDE-BAFIN-123456,DC=example,emailAddress=ops@example.com,CN=Zoë \\"the\\" client',
    'CN=zoë \\"the\\" client,emailAddress=ops@example.com,DC=example,organizationIdentifier=PSDDE-BAFIN-123456,OU=Payments \\+ Cards,O=Example\\, Inc.,C=DE',
  ]) {
    assert.notDeepEqual(parseDistinguishedName(other), subject, other)
  }
})

test('RFC 4514 §2: what is no name is none, and equals nothing', () => {
  for (const text of [
    '',
    'client',
    '=x',
    'CN',
    'CN=a,',
    ',CN=a',
    'CN=a,,O=b',
    'CN=a\\',
    '1=x',
    'CN=#0c',
    'CN=#zz',
  ])
    assert.equal(parseDistinguishedName(text), undefined, text)
})

test('RFC 4514 §2.4: whatever a subject holds, only its own name is equal to it', () => {
  // A string of X.500 has at least one character, and OpenSSL none that is NUL.
  const value = fc.string({ unit: fc.constantFrom(...'ab,+"\\<>;=#\n\t 1ä€/:'), minLength: 1, maxLength: 12 })
  const written = (text: string) =>
    [...text]
      .map((one, at, all) => {
        if (/[\n\t]/.test(one)) return `\\0${one.charCodeAt(0).toString(16)}`
        const isAtAnEnd = at === 0 || at === all.length - 1
        return /[,+"\\<>;=]/.test(one) || (one === '#' && at === 0) || (one === ' ' && isAtAnEnd)
          ? `\\${one}`
          : one
      })
      .join('')
  fc.assert(
    fc.property(value, value, value, (organization, name, other) => {
      const subject = subjectOf(
        certified(
          [],
          [
            ['2.5.4.10', organization],
            ['2.5.4.3', name],
          ],
        ),
      )
      assert.deepEqual(parseDistinguishedName(`CN=${written(name)},O=${written(organization)}`), subject)
      if (other !== name)
        assert.notDeepEqual(
          parseDistinguishedName(`CN=${written(other)},O=${written(organization)}`),
          subject,
        )
    }),
    { numRuns: 300 },
  )
})

test('RFC 5280 §4.2.1.6: alternative names are read by their kind, and a name cannot hold another one', () => {
  const certificate = certified([
    'client.example',
    '192.0.2.7',
    '2001:db8::7',
    'https://client.example/a,b',
    'ops@client.example',
    'evil.example, DNS:victim.example',
    'quoted".example',
  ])
  assert.deepEqual(alternativeNames(certificate, 'DNS'), [
    'client.example',
    'evil.example, DNS:victim.example',
    'quoted".example',
  ])
  assert.deepEqual(alternativeNames(certificate, 'URI'), ['https://client.example/a,b'])
  assert.deepEqual(alternativeNames(certificate, 'email'), ['ops@client.example'])
  assert.deepEqual(alternativeNames(certificate, 'IP Address').map(canonicalAddress), [
    '192.0.2.7',
    '[2001:db8::7]',
  ])
  assert.deepEqual(alternativeNames(certified([]), 'DNS'), [])
  assert.equal(canonicalAddress('2001:0DB8:0:0:0:0:0:7'), '[2001:db8::7]')
  assert.equal(canonicalAddress('client.example'), undefined)
})
