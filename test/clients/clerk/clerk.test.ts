import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { verifyToken } from '@clerk/backend'
import { verifyWebhook } from '@clerk/backend/webhooks'
import { Webhook } from 'svix'
import { type Accounts, UnverifiedWebhook } from '../../../src/accounts/account.ts'
import { clerkAccounts } from '../../../src/accounts/clerk.ts'
import { cookies, seconds, sign, testKey, versionOf, whoIs } from '../../accounts/asking.ts'

const ISSUER = 'https://clerk.example.com'
const authorizedParties = ['https://app.example.com']
const key = testKey('RS256', 'ins_1')

const adapter = clerkAccounts({
  issuer: ISSUER,
  jwtKey: key.pem,
  authorizedParties,
  signInUrl: 'https://app.example.com/sign-in',
})

function session(changes: Record<string, unknown> = {}, by = key, header = {}) {
  const claims = {
    iss: ISSUER,
    azp: 'https://app.example.com',
    sub: 'user_2abc',
    sid: 'sess_1',
    iat: seconds(),
    nbf: seconds(-10),
    exp: seconds(60),
    ...changes,
  }
  return sign(by, claims, header)
}

const theirs = (token: string) =>
  verifyToken(token, { jwtKey: key.pem, authorizedParties }).then(
    (claims) => claims.sub,
    () => undefined,
  )
const ours = async (token: string) => (await whoIs(adapter, cookies({ __session: token })))?.subject

describe('verifyToken of @clerk/backend as oracle', () => {
  test('prints its version', (t) => {
    t.diagnostic(`@clerk/backend ${versionOf('@clerk/backend', import.meta.url)}`)
    t.diagnostic(`svix ${versionOf('svix', import.meta.url)}`)
  })

  const agreed: [string, string | undefined, () => Promise<string>][] = [
    ['good', 'user_2abc', () => session()],
    ['expired ten seconds ago', undefined, () => session({ exp: seconds(-10) })],
    ['expired within five seconds', 'user_2abc', () => session({ exp: seconds(-2) })],
    ['not yet valid', undefined, () => session({ nbf: seconds(30) })],
    ['issued in the future', undefined, () => session({ iat: seconds(30) })],
    ['wrong azp', undefined, () => session({ azp: 'https://evil.example.com' })],
    ['azp with a slash', undefined, () => session({ azp: 'https://app.example.com/' })],
    ['missing azp', undefined, () => session({ azp: undefined })],
    ['missing sub', undefined, () => session({ sub: undefined })],
    ['wrong key', undefined, () => session({}, testKey('RS256', 'ins_1'))],
    ['another type', undefined, () => session({}, key, { typ: 'logout+jwt' })],
    ['no token', undefined, async () => 'not.a.token'],
  ]
  for (const [name, subject, token] of agreed) {
    test(`both say the same: ${name}`, async () => {
      const presented = await token()
      assert.equal(await theirs(presented), subject)
      assert.equal(await ours(presented), subject)
    })
  }

  const stricter: [string, Record<string, unknown>][] = [
    ['foreign issuer', { iss: 'https://clerk.evil.com' }],
    ['missing issuer', { iss: undefined }],
    ['pending session', { sts: 'pending' }],
    ['impersonated user', { act: { iss: 'https://dashboard.clerk.com', sub: 'user_admin' } }],
    ['token of a JWT template', { sid: undefined }],
  ]
  for (const [name, changes] of stricter) {
    test(`the adapter refuses what the library lets pass: ${name}`, async () => {
      const presented = await session(changes)
      assert.equal(await theirs(presented), 'user_2abc')
      assert.equal(await ours(presented), undefined)
    })
  }
})

describe('the user.deleted webhook, signed by svix', () => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
  const former = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'
  const body = JSON.stringify({
    type: 'user.deleted',
    object: 'event',
    data: { object: 'user', id: 'user_2abc', deleted: true },
  })
  const withSecret = (webhookSecret?: string | string[]): Accounts =>
    clerkAccounts({
      issuer: ISSUER,
      jwtKey: key.pem,
      authorizedParties,
      signInUrl: '/sign-in',
      webhookSecret,
    })

  function signed(
    changes: { body?: string; at?: Date; by?: string; id?: string } = {},
  ): Record<string, string> {
    const id = changes.id ?? 'msg_2abc'
    const at = changes.at ?? new Date()
    return {
      'svix-id': id,
      'svix-timestamp': String(Math.floor(at.getTime() / 1000)),
      'svix-signature': new Webhook(changes.by ?? secret).sign(id, at, changes.body ?? body),
    }
  }

  function delivery(headers: Record<string, string>, sent: string | Uint8Array<ArrayBuffer> = body): Request {
    return new Request('https://auth.example.com/webhooks/accounts', { method: 'POST', headers, body: sent })
  }

  const deleted = { deleted: { provider: 'clerk', issuer: ISSUER, subject: 'user_2abc' } }
  const accept = (request: Request, made = withSecret(secret)) => made.onWebhook?.(request)
  const refuse = (reason: string, request: Request, made = withSecret(secret)) =>
    assert.rejects(
      Promise.resolve(made.onWebhook?.(request)),
      (error) => error instanceof UnverifiedWebhook && error.message === reason,
    )

  test('says whose account is gone, and Clerk’s own verifier agrees', async () => {
    assert.deepEqual(await accept(delivery(signed())), deleted)
    const event = await verifyWebhook(delivery(signed()), { signingSecret: secret })
    assert.equal(event.type, 'user.deleted')
  })

  test('one byte changed, anywhere in the body, is refused', async () => {
    const headers = signed()
    for (let at = 0; at < body.length; at++) {
      const bytes = Uint8Array.from(Buffer.from(body))
      bytes[at] = bytes[at]! ^ 1
      await refuse('no_matching_signature', delivery(headers, bytes))
    }
  })

  test('the body is verified raw: the same JSON printed otherwise is refused', async () => {
    await refuse('no_matching_signature', delivery(signed(), JSON.stringify(JSON.parse(body), null, 1)))
  })

  test('bytes that are no UTF-8 are verified as bytes', async () => {
    await refuse('no_matching_signature', delivery(signed({ body: '\ufffd' }), Uint8Array.from([0xff])))
  })

  test('another id or another time under the same signature is refused', async () => {
    await refuse('no_matching_signature', delivery({ ...signed(), 'svix-id': 'msg_other' }))
    const later = String(seconds(1))
    await refuse('no_matching_signature', delivery({ ...signed(), 'svix-timestamp': later }))
  })

  test('more than 300 seconds away is refused, in both directions', async () => {
    for (const offset of [-295, 295]) {
      assert.deepEqual(await accept(delivery(signed({ at: new Date(Date.now() + offset * 1000) }))), deleted)
    }
    for (const offset of [-310, 310]) {
      await refuse('outside_tolerance', delivery(signed({ at: new Date(Date.now() + offset * 1000) })))
    }
  })

  test('several signatures: one that matches is enough', async () => {
    const good = signed()
    const bad = signed({ by: former })
    const several = `v1a,AAAA ${bad['svix-signature']} ${good['svix-signature']}`
    assert.deepEqual(await accept(delivery({ ...good, 'svix-signature': several })), deleted)
    await refuse('no_matching_signature', delivery({ ...good, 'svix-signature': bad['svix-signature']! }))
    const otherScheme = good['svix-signature']!.replace('v1,', 'v2,')
    await refuse('no_matching_signature', delivery({ ...good, 'svix-signature': otherScheme }))
  })

  test('several secrets: the new and the former one count while both are configured', async () => {
    const made = withSecret([secret, former])
    assert.deepEqual(await accept(delivery(signed({ by: former })), made), deleted)
    assert.deepEqual(await accept(delivery(signed()), made), deleted)
    await refuse('no_matching_signature', delivery(signed({ by: former })))
  })

  test('without a secret everything is refused', async () => {
    await refuse('no_secret', delivery(signed()), withSecret())
    await refuse('no_secret', delivery(signed()), withSecret([]))
  })

  test('without its headers, or with a mixture, it is refused', async () => {
    for (const name of ['svix-id', 'svix-timestamp', 'svix-signature']) {
      const headers = signed()
      delete headers[name]
      await refuse('missing_header', delivery(headers))
    }
    const { 'svix-id': id, ...others } = signed()
    await refuse('missing_header', delivery({ ...others, 'webhook-id': id! }))
  })

  test('the same webhook under Standard Webhooks names is accepted', async () => {
    const renamed = Object.fromEntries(
      Object.entries(signed()).map(([name, value]) => [name.replace('svix', 'webhook'), value]),
    )
    assert.deepEqual(await accept(delivery(renamed)), deleted)
  })

  test('another event concerns nobody', async () => {
    for (const other of [
      JSON.stringify({ type: 'user.updated', data: { id: 'user_2abc' } }),
      JSON.stringify({ type: 'user.deleted', data: { deleted: true } }),
      JSON.stringify(null),
      'not json',
    ]) {
      assert.equal(await accept(delivery(signed({ body: other }), other)), null)
    }
  })

  test('a body beyond 1 MiB is refused before it is verified', async () => {
    const long = 'x'.repeat(1_048_577)
    await refuse('body_too_large', delivery(signed({ body: long }), long))
  })
})
