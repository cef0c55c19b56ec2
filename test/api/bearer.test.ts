import assert from 'node:assert/strict'
import { createSign, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { describe, test } from 'node:test'
import {
  type AccessToken,
  type BearerRequest,
  checkDemands,
  demandsOf,
  readAccessToken,
  readJwt,
  rememberVerified,
  tokenFromClaims,
  verifyJwt,
} from '../../src/api/bearer.ts'
import { refusedAccess } from '../../src/api/challenge.ts'
import { generateSigningKey, publicKeyFrom, signJwt } from '../../src/crypto/jws.ts'
import { isRefusal, refuse } from '../../src/protocol/refusals.ts'

const issuer = 'https://auth.example.com'
const resource = 'https://api.example.com'
const claims = {
  iss: issuer,
  sub: 'alice',
  aud: resource,
  client_id: 'cl_1',
  scope: 'jobs:read',
  iat: 1_700_000_000,
  exp: 1_700_000_900,
  jti: 'token',
}
const now = 1_700_000_000_000

function request(headers: Record<string, string>, url = 'https://api.example.com/jobs', init = {}): Request {
  return new Request(url, { headers, ...init })
}

async function reasonOf(given: BearerRequest): Promise<string> {
  const read = await readAccessToken(given)
  return isRefusal(read)
    ? read.refusal
    : `${read.scheme === 'Bearer' ? '' : `${read.scheme} `}token ${read.token}`
}

describe('RFC 6750 §2: where the token stands', () => {
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  const withBody = (body: string, headers: Record<string, string> = {}) =>
    request({ ...form, ...headers }, undefined, { method: 'POST', body })

  test('RFC 6750 §2.1: in the Authorization header, the scheme in any case', async () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER', 'Bearer  ']) {
      assert.equal(
        await reasonOf(request({ authorization: `${scheme} abc.DEF-_~+/==` })),
        'token abc.DEF-_~+/==',
      )
    }
  })

  test('RFC 6750 §3.1: no token, or another scheme, is no error', async () => {
    assert.equal(await reasonOf(request({})), 'token_missing')
    assert.equal(await reasonOf(request({ authorization: 'Basic YTpi' })), 'token_missing')
    assert.equal(await reasonOf(request({ authorization: 'DPoPabc' })), 'token_missing')
    assert.equal(await reasonOf(request({ authorization: 'Bearerabc' })), 'token_missing')
  })

  test('RFC 6750 §3.1 (N117): malformed credentials are invalid_request', async () => {
    for (const value of [
      'Bearer',
      'Bearer ',
      'Bearer a b',
      'Bearer a, Bearer b',
      'Bearer "a"',
      'Bearer a=b',
      'Bearer é',
    ]) {
      assert.equal(await reasonOf(request({ authorization: value })), 'bearer_malformed', value)
    }
    assert.equal(
      await reasonOf(request({ authorization: `Bearer ${'a'.repeat(16_385)}` })),
      'access_token_invalid',
    )
  })

  test('RFC 9700 §4.3.2 (N117): a token in the query is refused, however its name is spelled', async () => {
    for (const query of ['access_token=a', 'x=1&access_token=', 'access%5Ftoken=a']) {
      assert.equal(
        await reasonOf(request({}, `https://api.example.com/jobs?${query}`)),
        'bearer_in_query',
        query,
      )
    }
    assert.equal(
      await reasonOf({ headers: { authorization: 'Bearer a' }, url: '/jobs?q=access_token' }),
      'token a',
    )
  })

  test('RFC 6750 §2 (N117): a token by two methods is refused', async () => {
    const authorization = 'Bearer a'
    assert.equal(
      await reasonOf(request({ authorization }, 'https://api.example.com/?access_token=a')),
      'bearer_twice',
    )
    assert.equal(await reasonOf(withBody('access_token=a', { authorization })), 'bearer_twice')
    assert.equal(await reasonOf(withBody('access_token=a')), 'bearer_in_query')
    const parsed = { headers: { ...form, authorization }, url: '/', body: { access_token: 'a' } }
    assert.equal(await reasonOf(parsed), 'bearer_twice')
  })

  test('RFC 6750 §2 (N117): a second Authorization header is refused, which Node would drop', async () => {
    const rawHeaders = ['Host', 'x', 'authorization', 'Bearer a', 'Authorization', 'Bearer b']
    assert.equal(await reasonOf({ headers: { authorization: 'Bearer a' }, rawHeaders }), 'bearer_malformed')
    assert.equal(
      await reasonOf({ headers: { authorization: 'Bearer a' }, rawHeaders: rawHeaders.slice(0, 4) }),
      'token a',
    )
    const twice = new Headers([
      ['authorization', 'Bearer a'],
      ['authorization', 'Bearer b'],
    ])
    assert.equal(await reasonOf({ headers: twice }), 'bearer_malformed')
  })

  test('the form is left for the API to read', async () => {
    const given = withBody('note=hello', { authorization: 'Bearer a' })
    assert.equal(await reasonOf(given), 'token a')
    assert.equal(await given.text(), 'note=hello')
    const large = withBody(`note=${'x'.repeat(300_000)}`, { authorization: 'Bearer a' })
    assert.equal(await reasonOf(large), 'token a')
    assert.equal((await large.text()).length, 300_005)
  })
})

describe('RFC 9068 §4: a JWT as access token', () => {
  const key = generateSigningKey()
  const publicKey = publicKeyFrom(key.publicJwk)

  function outcome(token: string, verifier: KeyObject | undefined = publicKey): string {
    const jwt = readJwt(token)
    if (!jwt) return 'no JWT'
    if (isRefusal(jwt)) return jwt.refusal
    const verified = verifyJwt(jwt, verifier, issuer)
    return isRefusal(verified) ? verified.refusal : verified.subject
  }
  const withHeader = (header: object, body: object = claims) => {
    const input = [header, body]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.')
    const signature = createSign('sha256')
      .update(input)
      .sign({ key: key.privateKey, dsaEncoding: 'ieee-p1363' })
    return `${input}.${signature.toString('base64url')}`
  }
  const good = { alg: 'ES256', typ: 'at+jwt', kid: key.kid }

  test('holds with the right type, algorithm, key, issuer and claims', () => {
    assert.equal(outcome(signJwt(key, 'at+jwt', claims)), 'alice')
    assert.equal(outcome(withHeader({ ...good, typ: 'application/AT+JWT' })), 'alice')
  })

  test('RFC 9068 §4 (N119): an ID token, or any JWT of another type, is refused', () => {
    for (const typ of ['JWT', 'id+jwt', 'dpop+jwt', '', undefined, 1]) {
      assert.equal(outcome(withHeader({ ...good, typ })), 'access_token_type', String(typ))
    }
  })

  test('RFC 8725 §3.1: the algorithm is pinned', () => {
    for (const alg of ['none', 'HS256', 'ES384', 'RS256', undefined, { toString: 1, valueOf: 1 }]) {
      assert.equal(outcome(withHeader({ ...good, alg })), 'access_token_invalid', JSON.stringify(alg))
    }
    assert.equal(outcome(withHeader({ ...good, crit: ['exp'] })), 'access_token_invalid')
    assert.equal(outcome(withHeader({ ...good, kid: undefined })), 'access_token_invalid')
  })

  test('RFC 9068 §4: another key, another issuer, and a missing claim are refused', () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey
    const token = signJwt(key, 'at+jwt', claims)
    assert.equal(outcome(token, other), 'access_token_invalid')
    const jwt = readJwt(token)
    assert.ok(jwt && !isRefusal(jwt))
    assert.ok(isRefusal(verifyJwt(jwt, undefined, issuer)))
    for (const iss of [`${issuer}/`, issuer.toUpperCase(), '', undefined]) {
      assert.equal(outcome(signJwt(key, 'at+jwt', { ...claims, iss })), 'access_token_invalid', String(iss))
    }
    for (const name of ['sub', 'aud', 'client_id', 'exp']) {
      assert.equal(
        outcome(signJwt(key, 'at+jwt', { ...claims, [name]: undefined })),
        'access_token_invalid',
        name,
      )
    }
  })

  test('RFC 6750 §3.1 (N78): a token cut short, extended or spelled otherwise is refused', () => {
    const token = signJwt(key, 'at+jwt', claims)
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const twin = alphabet[alphabet.indexOf(token.at(-1)!) ^ 1]!
    for (const wrong of [token.slice(0, -1), `${token}A`, token.slice(1), `${token.slice(0, -1)}${twin}`]) {
      assert.notEqual(outcome(wrong), 'alice')
    }
    const decoded = (text: string) => Buffer.from(text.split('.')[2]!, 'base64url').toString('hex')
    assert.equal(
      decoded(`${token.slice(0, -1)}${twin}`),
      decoded(token),
      'the same bytes in another spelling',
    )
    assert.equal(outcome(token), 'alice')
    assert.equal(outcome('gh_at_opaque'), 'no JWT')
  })
})

describe('what an operation demands', () => {
  const order = ['low', 'middle', 'high']
  const token: AccessToken = { ...tokenFromClaims({ ...claims, auth_time: 1_699_999_990, acr: 'middle' })! }
  const reason = (demands: Parameters<typeof demandsOf>[0], of = resource, at = now) =>
    checkDemands(token, demandsOf(demands, of), { now: at, acrOrder: order })?.refusal

  test('RFC 6750 §3.1: expiry, audience, scope', () => {
    assert.equal(reason({ scope: 'jobs:read' }), undefined)
    assert.equal(reason({}), undefined)
    assert.equal(reason({}, resource, claims.exp * 1_000), 'access_token_expired')
    assert.equal(reason({}, `${resource}/`), undefined, 'an empty path and a slash are one (RFC 3986 §6.2.3)')
    assert.equal(reason({}, `${resource}/other`), 'access_token_audience')
    assert.equal(reason({ scope: 'jobs:read applications:write' }), 'scope_insufficient')
    assert.equal(reason({ scope: ['jobs'] }), 'scope_insufficient')
  })

  test('RFC 9470 §3 (N121): an authentication too old, or of unknown age, is not enough', () => {
    assert.equal(reason({ maxAge: 10 }), undefined)
    assert.equal(reason({ maxAge: 9 }), 'authentication_insufficient')
    const { authTime: _, ...unknown } = token
    assert.equal(
      checkDemands(unknown, demandsOf({ maxAge: 3_600 }, resource), { now, acrOrder: order })?.refusal,
      'authentication_insufficient',
    )
  })

  test('RFC 9470 §3: a class that is demanded, or a stronger one that is known, is enough (N121)', () => {
    for (const acrValues of ['middle', 'other middle', ['low'], 'low high']) {
      assert.equal(reason({ acrValues }), undefined, String(acrValues))
    }
    for (const acrValues of ['high', 'other', ['mid']]) {
      assert.equal(reason({ acrValues }), 'authentication_too_weak', String(acrValues))
    }
    assert.equal(reason({ acrValues: 'high', scope: 'applications:write' }), 'authentication_too_weak')
    const { acr: _, ...unknown } = token
    const demands = demandsOf({ acrValues: 'low' }, resource)
    const found = checkDemands(unknown, demands, { now, acrOrder: order })
    assert.equal(found?.refusal, 'authentication_too_weak')
  })

  test('an operation that is described wrongly is the API’s own mistake', () => {
    assert.throws(() => demandsOf({ scope: ['jobs"read'] }, resource), TypeError)
    assert.throws(() => demandsOf({ maxAge: -1 }, resource), TypeError)
    assert.throws(() => demandsOf({ acrValues: ['a"b'] }, resource), TypeError)
    assert.throws(() => demandsOf({ acrValues: ['a b'] }, resource), TypeError)
  })

  test('RFC 6750 §3: challenges are quoted, complete and never cached', async () => {
    const demands = demandsOf({ scope: 'jobs:read offline_access applications:write', maxAge: 60 }, resource)
    const metadata = 'https://api.example.com/.well-known/oauth-protected-resource'
    const asked = { request: request({}), metadataUrl: metadata, required: false }
    const challenge = (of: Parameters<typeof refuse>[0]) => {
      const { response } = refusedAccess(refuse(of), demands, asked)
      assert.equal(response.headers.get('cache-control'), 'no-store')
      return `${response.status} ${response.headers.get('www-authenticate')}`
    }
    const scope = 'scope="jobs:read applications:write"'
    const at = `resource_metadata="${metadata}"`
    assert.equal(challenge('token_missing'), `401 Bearer ${scope}, ${at}`)
    assert.equal(
      challenge('bearer_malformed'),
      `400 Bearer error="invalid_request", error_description="The Authorization header is malformed", ${at}`,
    )
    assert.equal(
      challenge('access_token_expired'),
      `401 Bearer error="invalid_token", error_description="The access token has expired", ${scope}, ${at}`,
    )
    assert.equal(
      challenge('scope_insufficient'),
      `403 Bearer error="insufficient_scope", error_description="The access token lacks a scope", ${scope}, ${at}`,
    )
    assert.equal(
      challenge('authentication_insufficient'),
      `401 Bearer error="insufficient_user_authentication", error_description="A more recent authentication is required", ${scope}, max_age="60", ${at}`,
    )
    const quiet = refusedAccess(refuse('token_missing'), demandsOf({}, 'urn:jobs'), {
      ...asked,
      metadataUrl: undefined,
    }).response
    assert.equal(quiet.headers.get('www-authenticate'), 'Bearer realm="urn:jobs"')
    assert.equal(await quiet.text(), '')
  })

  test('trouble of our own is 503 with Retry-After and no challenge', async () => {
    const { response } = refusedAccess(
      refuse('unavailable', {}, { retryAfter: 7 }),
      demandsOf({}, resource),
      { request: request({}), metadataUrl: 'x', required: false },
    )
    assert.equal(response.status, 503)
    assert.equal(response.headers.get('retry-after'), '7')
    assert.equal(response.headers.get('www-authenticate'), null)
    assert.equal(((await response.json()) as { error: string }).error, 'temporarily_unavailable')
  })
})

test('a verification is remembered for a minute and no longer', () => {
  let time = 0
  const remembered = rememberVerified(() => time)
  const token = tokenFromClaims(claims)!
  remembered.set('hash', token)
  time = 59_999
  assert.equal(remembered.get('hash'), token)
  time = 60_000
  assert.equal(remembered.get('hash'), undefined)
  assert.equal(remembered.get('another'), undefined)
})
