import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import type { Config } from '../../src/config.ts'
import { sql } from '../../src/db/sql.ts'
import {
  assertJson,
  assertPage,
  assertRedirectError,
  countGrants,
  grantsNothing,
  readAnswer,
} from '../oauth/answers.ts'
import { countPushed, push, pushed } from '../oauth/authorization/pushing.ts'
import { beginDevice, createDevice, decideDevice, enterCode, poll } from '../support/device.ts'
import {
  answerConsent,
  authorize,
  authorizeParameters,
  introspect,
  makePkce,
  obtainCode,
  readConsent,
  readTokens,
  redeem,
  refresh,
  type Tokens,
} from '../support/flow.ts'
import { onBothDatabases, openTestServer, scopes, testServerFor } from '../support/gatehouse.ts'

const types: NonNullable<Config['authorizationDetails']> = {
  payment: {
    schema: {
      type: 'object',
      properties: {
        amount: {
          type: 'object',
          properties: {
            currency: { type: 'string', pattern: '^[A-Z]{3}$' },
            value: { type: 'string', pattern: '^\\d{1,9}\\.\\d{2}$' },
          },
          required: ['currency', 'value'],
        },
        creditor: { type: 'string', minLength: 1, maxLength: 400 },
        urgent: { type: 'boolean' },
        priority: { type: 'integer', minimum: 1, maximum: 9 },
        rate: { type: 'number', enum: [0.5, 1] },
      },
      required: ['amount', 'creditor'],
    },
    describe: (detail) => {
      const { currency, value } = detail.amount as { currency: string; value: string }
      return [`Pay ${value} ${currency} to ${detail.creditor}`, ...(detail.urgent ? ['today'] : [])]
    },
  },
  account: {
    schema: {
      type: 'object',
      properties: {
        actions: {
          type: 'array',
          items: { type: 'string', enum: ['read', 'write', 'close'] },
          minItems: 1,
          maxItems: 3,
        },
        locations: { type: 'array', items: { type: 'string' } },
        iban: { type: 'string' },
      },
    },
    describe: ({ actions, iban }) => [`Account ${iban}: ${(actions as string[]).join(', ')}`],
  },
}

const payment = {
  type: 'payment',
  amount: { currency: 'EUR', value: '123.50' },
  creditor: 'Merchant A',
}
const account = {
  type: 'account',
  actions: ['read', 'write'],
  locations: ['https://bank.example/a', 'https://bank.example/b'],
  iban: 'DE02',
}
const asked = (...details: unknown[]) => ({ authorization_details: JSON.stringify(details) })

type Granted = Tokens & { authorization_details?: unknown }

/** What is no detail that may be asked for. */
const broken: [what: string, text: string][] = [
  ['no JSON', 'payment'],
  ['JSON cut short', JSON.stringify([payment]).slice(0, -1)],
  ['an object', JSON.stringify(payment)],
  ['a text', '"payment"'],
  ['null', 'null'],
  ['an empty list', '[]'],
  ['a list of texts', '["payment"]'],
  ['a list in a list', JSON.stringify([[payment]])],
  ['no type', JSON.stringify([{ ...payment, type: undefined }])],
  ['a type that is no text', JSON.stringify([{ ...payment, type: 1 }])],
  ['an unknown type', JSON.stringify([{ type: 'transfer' }])],
  ['a type every object has', JSON.stringify([{ type: 'constructor' }])],
  ['one good and one unknown', JSON.stringify([payment, { type: 'transfer' }])],
  ['an unknown field', JSON.stringify([{ ...payment, debtor: 'me' }])],
  ['a field every object has', JSON.stringify([payment]).replace('"creditor"', '"constructor":1,"creditor"')],
  ['a prototype', JSON.stringify([payment]).replace('"creditor"', '"__proto__":{},"creditor"')],
  ['an unknown field inside', JSON.stringify([{ ...payment, amount: { ...payment.amount, fee: '1' } }])],
  ['a field missing', JSON.stringify([{ type: 'payment', amount: payment.amount }])],
  ['a field missing inside', JSON.stringify([{ ...payment, amount: { currency: 'EUR' } }])],
  ['an object where a text should be', JSON.stringify([{ ...payment, creditor: {} }])],
  ['a text where an object should be', JSON.stringify([{ ...payment, amount: '1 EUR' }])],
  ['a list where an object should be', JSON.stringify([{ ...payment, amount: [] }])],
  ['null for a field', JSON.stringify([{ ...payment, creditor: null }])],
  ['an empty text', JSON.stringify([{ ...payment, creditor: '' }])],
  ['a text too long', JSON.stringify([{ ...payment, creditor: 'x'.repeat(401) }])],
  ['a NUL', JSON.stringify([{ ...payment, creditor: 'a\0b' }])],
  [
    'half a character',
    '[{"type":"payment","amount":{"currency":"EUR","value":"1.00"},"creditor":"\\ud800"}]',
  ],
  ['another pattern', JSON.stringify([{ ...payment, amount: { currency: 'eur', value: '1.00' } }])],
  ['a number as text', JSON.stringify([{ ...payment, urgent: 'true' }])],
  ['half a number', JSON.stringify([{ ...payment, priority: 1.5 }])],
  ['a number too small', JSON.stringify([{ ...payment, priority: 0 }])],
  ['a number too large', JSON.stringify([{ ...payment, priority: 10 }])],
  ['a number that is not listed', JSON.stringify([{ ...payment, rate: 2 }])],
  ['a value that is not listed', JSON.stringify([{ ...account, actions: ['read', 'delete'] }])],
  ['too few values', JSON.stringify([{ ...account, actions: [] }])],
  ['too many values', JSON.stringify([{ ...account, actions: ['read', 'read', 'read', 'read'] }])],
  ['too many details', JSON.stringify(Array.from({ length: 21 }, () => payment))],
  ['too much', JSON.stringify([{ ...account, iban: 'x'.repeat(9_000) }])],
  ['a line nobody reads to its end', JSON.stringify([{ ...payment, creditor: 'x'.repeat(390) }])],
]

onBothDatabases('authorization details', (dialect) => {
  const open = testServerFor(dialect, { authorizationDetails: types })

  test('RFC 9396 §7, §9: what is granted comes back with the tokens, by introspection and in the JWT, and through refresh', async () => {
    const testServer = await open()
    const created = await testServer.createClient({ tokenFormat: 'jwt' })
    const pkce = makePkce()
    const code = await obtainCode(testServer, created, pkce, asked(payment, account))
    let tokens = (await readTokens(await redeem(testServer, created, code, pkce))) as Granted
    for (const _ of [1, 2]) {
      assert.deepEqual(tokens.authorization_details, [payment, account])
      assert.deepEqual(decodeJwt(tokens.access_token)['authorization_details'], [payment, account])
      const known = await introspect(testServer, created, tokens.access_token)
      assert.deepEqual(known.authorization_details, [payment, account])
      tokens = (await readTokens(await refresh(testServer, created, tokens.refresh_token!))) as Granted
    }
    const plain = (await readTokens(
      await redeem(testServer, created, await obtainCode(testServer, created, pkce), pkce),
    )) as Granted
    assert.ok(!('authorization_details' in plain))
    assert.ok(!('authorization_details' in decodeJwt(plain.access_token)))
  })

  test('RFC 9396 §3: details without a scope ask for no scope; at a push, in a request and pushed in one', async () => {
    const testServer = await open()
    const created = await testServer.createClient()
    const pkce = makePkce()
    const parameters = authorizeParameters(created, pkce, { ...asked(payment), scope: undefined })
    for (const way of [parameters, await pushed(testServer, created, parameters)]) {
      const code = readAnswer(await authorize(testServer, way)).get('code')!
      const tokens = (await readTokens(await redeem(testServer, created, code, pkce))) as Granted
      assert.equal(tokens.scope, undefined)
      assert.deepEqual(tokens.authorization_details, [payment])
    }
  })

  test('RFC 9396 §5: malformed details, unknown types, unknown or missing fields and bad values are invalid_authorization_details (N40)', async () => {
    const testServer = await open()
    const created = await testServer.createClient()
    for (const [what, text] of broken) {
      const parameters = authorizeParameters(created, makePkce(), { authorization_details: text })
      const answer = await grantsNothing(testServer, () => authorize(testServer, parameters))
      const error = new URL(answer.headers.get('location') ?? 'about:blank').searchParams.get('error')
      assert.equal(error, 'invalid_authorization_details', what)
      assertRedirectError(answer, 'invalid_authorization_details')
      const before = await countPushed(testServer)
      await assertJson(await push(testServer, created, parameters), 400, 'invalid_authorization_details')
      assert.equal(await countPushed(testServer), before, what)
    }
    const good = { ...payment, urgent: true, priority: 9, rate: 0.5 }
    const parameters = authorizeParameters(created, makePkce(), asked(good))
    assert.ok(readAnswer(await authorize(testServer, parameters)).get('code'))
  })

  test('RFC 9396 §10: a client may ask for the types it is registered with, and a server without types knows none', async () => {
    const testServer = await open()
    const created = await testServer.createClient({ authorizationDetailsTypes: ['account'] })
    const refused = authorizeParameters(created, makePkce(), asked(payment))
    assertRedirectError(
      await grantsNothing(testServer, () => authorize(testServer, refused)),
      'invalid_authorization_details',
    )
    const allowed = authorizeParameters(created, makePkce(), asked(account))
    assert.ok(readAnswer(await authorize(testServer, allowed)).get('code'))
    await assert.rejects(
      testServer.createClient({ authorizationDetailsTypes: ['transfer'] }),
      /payment, account/,
    )
    const metadata = await testServer.request('/.well-known/oauth-authorization-server')
    const { authorization_details_types_supported } = (await metadata.json()) as Record<string, unknown>
    assert.deepEqual(authorization_details_types_supported, ['payment', 'account'])

    const without = await openTestServer(dialect)
    try {
      const plain = await without.createClient()
      const any = authorizeParameters(plain, makePkce(), asked(payment))
      assertRedirectError(await authorize(without, any), 'invalid_authorization_details')
      const own = await (await without.request('/.well-known/oauth-authorization-server')).text()
      assert.doesNotMatch(own, /authorization_details/)
    } finally {
      await without.close()
    }
  })

  test('RFC 9396 §11.2: the user reads each detail and is asked every time, whatever was allowed before', async () => {
    const testServer = await open()
    const created = await testServer.createClient()
    const hostile = { ...payment, creditor: '<b>Evil</b> \u202Ecorp\u200B', urgent: true }
    for (const _ of [1, 2]) {
      const parameters = authorizeParameters(created, makePkce(), asked(hostile, account))
      const shown = await readConsent(await testServer.request(`/oauth/authorize?${parameters}`))
      assert.match(shown.html, /Pay 123\.50 EUR to &lt;b&gt;Evil&lt;\/b&gt; corp</)
      assert.match(shown.html, />today</)
      assert.match(shown.html, /Account DE02: read, write/)
      assert.doesNotMatch(shown.html, /<b>Evil|\u202E|\u200B/)
      const answer = await answerConsent(testServer, shown, { decision: 'allow' })
      assert.ok(readAnswer(answer).get('code'))
    }
    const silent = authorizeParameters(created, makePkce(), { ...asked(account), prompt: 'none' })
    assertRedirectError(
      await grantsNothing(testServer, () => authorize(testServer, silent)),
      'consent_required',
    )
    const plain = authorizeParameters(created, makePkce(), { prompt: 'none' })
    assert.ok(
      readAnswer(await authorize(testServer, plain)).get('code'),
      'what was allowed besides is remembered',
    )
    const alone = authorizeParameters(created, makePkce(), { ...asked(payment), scope: undefined })
    const only = await readConsent(await testServer.request(`/oauth/authorize?${alone}`))
    assert.doesNotMatch(only.html, /only wants to know that you signed in/)
  })

  test('RFC 9396 §5: a form cannot change the details it was shown with, nor carry others', async () => {
    const testServer = await open()
    const created = await testServer.createClient()
    const pkce = makePkce()
    const parameters = authorizeParameters(created, pkce, asked(payment))
    const shown = await readConsent(await testServer.request(`/oauth/authorize?${parameters}`))
    const more = asked({ ...payment, amount: { currency: 'EUR', value: '999.00' } })
    const answer = await answerConsent(testServer, shown, { decision: 'allow', ...more })
    const code = readAnswer(answer).get('code')!
    const tokens = (await readTokens(await redeem(testServer, created, code, pkce))) as Granted
    assert.deepEqual(tokens.authorization_details, [payment])
  })

  test('RFC 9396 §6: a token request narrows, and what exceeds the grant is invalid_authorization_details and spends nothing', async () => {
    const testServer = await open()
    const created = await testServer.createClient({ tokenFormat: 'jwt' })
    const pkce = makePkce()
    const code = await obtainCode(testServer, created, pkce, asked(payment, account))
    const exceeding = [
      [{ ...payment, amount: { currency: 'EUR', value: '124.00' } }],
      [{ ...payment, urgent: true }],
      [{ type: 'payment', amount: payment.amount }],
      [payment, { ...account, actions: ['read', 'close'] }],
      [{ ...account, actions: [] }],
      [{ type: 'account', actions: ['read'], iban: 'DE02' }],
      [{ ...account, iban: 'DE03' }],
      [{ type: 'transfer' }],
      [],
    ]
    for (const details of exceeding) {
      const answer = await grantsNothing(testServer, () =>
        redeem(testServer, created, code, pkce, asked(...details)),
      )
      await assertJson(answer, 400, 'invalid_authorization_details')
    }
    const [good, endless] = [JSON.stringify([payment]), `${'['.repeat(4_000)}${']'.repeat(4_000)}`]
    const nested = good.replace('"Merchant A"', endless)
    const tooDeep = { authorization_details: nested }
    await assertJson(
      await redeem(testServer, created, code, pkce, tooDeep),
      400,
      'invalid_authorization_details',
    )
    const less = { iban: 'DE02', locations: ['https://bank.example/b'], actions: ['read'], type: 'account' }
    const tokens = (await readTokens(await redeem(testServer, created, code, pkce, asked(less)))) as Granted
    assert.deepEqual(tokens.authorization_details, [less])
    assert.deepEqual(decodeJwt(tokens.access_token)['authorization_details'], [less])

    for (const details of exceeding) {
      const answer = await grantsNothing(testServer, () =>
        refresh(testServer, created, tokens.refresh_token!, asked(...details)),
      )
      await assertJson(answer, 400, 'invalid_authorization_details')
    }
    const second = (await readTokens(
      await refresh(testServer, created, tokens.refresh_token!, asked(account)),
    )) as Granted
    assert.deepEqual(second.authorization_details, [account], 'what one request leaves out the session keeps')
    const third = (await readTokens(await refresh(testServer, created, second.refresh_token!))) as Granted
    assert.deepEqual(third.authorization_details, [payment, account])
    // The same request again is a retry, with other details it is another request.
    const once = asked(payment)
    const first = await readTokens(await refresh(testServer, created, third.refresh_token!, once))
    const retried = (await readTokens(
      await refresh(testServer, created, third.refresh_token!, once),
    )) as Granted
    assert.equal(retried.refresh_token, first.refresh_token)
    assert.deepEqual(retried.authorization_details, [payment])
    const other = await refresh(testServer, created, third.refresh_token!, asked(account))
    await assertJson(other, 400, 'invalid_grant')
  })

  test('RFC 9396 §3, §6: a device asks for details alone, the user reads them, and its tokens narrow them', async () => {
    const testServer = await openTestServer(dialect, { authorizationDetails: types, device: {} })
    try {
      const created = await createDevice(testServer)
      const device = await beginDevice(testServer, created, { scope: '', ...asked(payment, account) })
      const shown = await enterCode(testServer, device.user_code)
      assert.match(shown.html, /Pay 123\.50 EUR to Merchant A/)
      assert.ok(!shown.html.includes(scopes['jobs:read']), 'no scope besides')
      assert.equal((await decideDevice(testServer, shown, 'allow')).status, 200)
      const wider = asked({ ...account, iban: 'DE03' })
      const refused = await grantsNothing(testServer, () =>
        poll(testServer, created, device.device_code, wider),
      )
      await assertJson(refused, 400, 'invalid_authorization_details')
      const less = { ...account, actions: ['read'] }
      const narrowed = await poll(testServer, created, device.device_code, asked(less))
      const tokens = (await readTokens(narrowed)) as Granted
      assert.deepEqual([tokens.scope, tokens.authorization_details], [undefined, [less]])
      const next = (await readTokens(await refresh(testServer, created, tokens.refresh_token!))) as Granted
      assert.deepEqual([next.scope, next.authorization_details], [undefined, [payment, account]])
    } finally {
      await testServer.close()
    }
  })

  test('RFC 9396 §6: what no user granted cannot be asked for at the token endpoint', async () => {
    const testServer = await open()
    const created = await testServer.createClient({
      grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'],
    })
    const pkce = makePkce()
    const code = await obtainCode(testServer, created, pkce)
    const refused = await grantsNothing(testServer, () =>
      redeem(testServer, created, code, pkce, asked(payment)),
    )
    await assertJson(refused, 400, 'invalid_authorization_details')
    const { refresh_token } = await readTokens(await redeem(testServer, created, code, pkce))
    await assertJson(
      await refresh(testServer, created, refresh_token!, asked(payment)),
      400,
      'invalid_authorization_details',
    )
    const { client, secret } = created
    const credentials = { grant_type: 'client_credentials', client_id: client.id, client_secret: secret! }
    await assertJson(
      await grantsNothing(testServer, () =>
        testServer.post('/oauth/token', { ...credentials, ...asked(payment) }),
      ),
      400,
      'invalid_authorization_details',
    )
    await readTokens(await testServer.post('/oauth/token', credentials))
    await readTokens(await refresh(testServer, created, refresh_token!))
  })

  test('RFC 9396 §5: a detail that cannot be described is trouble of our own: nothing is granted unseen', async () => {
    const testServer = await openTestServer(dialect, {
      authorizationDetails: {
        ...types,
        account: {
          ...types.account!,
          describe: () => {
            throw new Error('not reached by a good one')
          },
        },
      },
    })
    try {
      const created = await testServer.createClient()
      const before = await countGrants(testServer)
      const bad = authorizeParameters(created, makePkce(), asked(account))
      await assertPage(await authorize(testServer, bad), 500)
      assert.deepEqual(await countGrants(testServer), before)
      const good = authorizeParameters(created, makePkce(), asked(payment))
      assert.ok(readAnswer(await authorize(testServer, good)).get('code'))
      const rows = await testServer.app.server.db.query(
        sql<{ authorization_details: string | null }>`select authorization_details from codes`,
      )
      assert.deepEqual(
        rows.map((row) => row.authorization_details),
        [JSON.stringify([payment])],
      )
    } finally {
      await testServer.close()
    }
  })
})
