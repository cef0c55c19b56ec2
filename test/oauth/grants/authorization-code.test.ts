import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseJwt } from '../../../src/crypto/jws.ts'
import { sql } from '../../../src/db/sql.ts'
import {
  credentials,
  introspect,
  makePkce,
  obtainCode,
  obtainTokens,
  type Pkce,
  readTokens,
  redeem,
  refresh,
} from '../../support/flow.ts'
import { alice, formText, issuer, onBothDatabases, testServerFor } from '../../support/gatehouse.ts'
import { assertJson, eventsOf, grantsNothing } from '../answers.ts'

onBothDatabases('authorization code', (dialect) => {
  const open = testServerFor(dialect)

  test('RFC 6749 §5.2: an unknown or expired code is invalid_grant (N71)', async () => {
    const server = await open()
    const client = await server.createClient()
    const pkce = makePkce()
    const texts = new Set<string>()
    const code = await obtainCode(server, client, pkce)
    const unknown = `${code.slice(0, -4)}AAAA`
    server.clock.advance(299_999)
    const alive = await obtainCode(server, client, pkce)
    server.clock.advance(1)
    for (const wrong of [
      code,
      unknown,
      'x',
      'gh_ac_',
      '\u00e4',
      alive.replace('gh_ac', 'gh_rt'),
      'x'.repeat(50_000),
    ]) {
      const answer = await grantsNothing(server, () => redeem(server, client, wrong, pkce))
      texts.add(await answer.clone().text())
      await assertJson(answer, 400, 'invalid_grant')
    }
    assert.equal(texts.size, 1, 'one text for all of them')
    const { headers } = credentials(client)
    await assertJson(
      await server.post('/oauth/token', { grant_type: 'authorization_code' }, headers),
      400,
      'invalid_request',
    )
    await readTokens(await redeem(server, client, alive, pkce))
  })

  test('RFC 6749 §4.1.2; RFC 7636 §4.6: a spent code in the hands of somebody who could not have redeemed it ends nothing', async () => {
    const server = await open()
    const client = await server.createClient({ tokenEndpointAuthMethod: 'none' })
    const pkce = makePkce()
    const code = await obtainCode(server, client, pkce)
    const tokens = await readTokens(await redeem(server, client, code, pkce))
    server.clock.advance(60_000)
    const wrong: [Pkce | null, Record<string, string>][] = [
      [null, {}],
      [makePkce(), {}],
      [pkce, { redirect_uri: 'https://client.example/elsewhere' }],
    ]
    for (const [verifier, more] of wrong)
      await assertJson(await redeem(server, client, code, verifier, more), 400, 'invalid_grant')
    const refreshed = await readTokens(await refresh(server, client, tokens.refresh_token!))
    await assertJson(await redeem(server, client, code, pkce), 400, 'invalid_grant')
    await assertJson(await refresh(server, client, refreshed.refresh_token!), 400, 'invalid_grant')
  })

  test('RFC 6749 §4.1.2: a code redeemed twice ends the one session it began (N72)', async () => {
    const server = await open()
    const client = await server.createClient()
    const other = await obtainTokens(server, client)
    const pkce = makePkce()
    const code = await obtainCode(server, client, pkce)
    const first = await readTokens(await redeem(server, client, code, pkce))
    const second = await readTokens(await refresh(server, client, first.refresh_token!))
    server.clock.advance(400_000)
    // Even long after it expired.
    const answer = await grantsNothing(server, () => redeem(server, client, code, pkce))
    await assertJson(answer, 400, 'invalid_grant')
    for (const token of [first.access_token, second.access_token, second.refresh_token!]) {
      assert.deepEqual(await introspect(server, client, token), { active: false })
    }
    await assertJson(await refresh(server, client, second.refresh_token!), 400, 'invalid_grant')
    assert.equal(
      (await introspect(server, client, other.access_token)).active,
      true,
      'the other session lives',
    )
    await readTokens(await refresh(server, client, other.refresh_token!))
    const events = await eventsOf(server, client.client.id, 'code_replayed')
    assert.equal(events.length, 1)
    assert.ok(events[0]!.session_id && events[0]!.user_id)
    await assertJson(await redeem(server, client, code, pkce), 400, 'invalid_grant')
    assert.equal((await eventsOf(server, client.client.id, 'code_replayed')).length, 1, 'said once')
  })

  test('RFC 6749 §4.1.2: of many redemptions at once, on two processes, one is answered and then revoked (N73)', async () => {
    const server = await open()
    const client = await server.createClient()
    const { g: twin } = await server.twin()
    const { headers, form } = credentials(client)
    const pkce = makePkce()
    const code = await obtainCode(server, client, pkce)
    const body = formText({
      grant_type: 'authorization_code',
      code,
      redirect_uri: 'https://client.example/callback',
      code_verifier: pkce.verifier,
      ...form,
    })
    const before = await countSessions(client.client.id)
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, n) =>
        (n % 2 ? twin : server.g).fetch(
          new Request(`${issuer}/oauth/token`, {
            method: 'POST',
            headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
            body,
          }),
        ),
      ),
    )
    const winners = answers.filter((answer) => answer.status === 200)
    assert.equal(winners.length, 1)
    for (const answer of answers) if (answer !== winners[0]) await assertJson(answer, 400, 'invalid_grant')
    assert.equal(await countSessions(client.client.id), before + 1)
    const tokens = await readTokens(winners[0]!)
    await assertJson(await refresh(server, client, tokens.refresh_token!), 400, 'invalid_grant')
    assert.equal((await eventsOf(server, client.client.id, 'code_replayed')).length, 1)

    async function countSessions(clientId: string): Promise<number> {
      const [row] = await server.app.server.db.query(
        sql<{ count: number }>`select count(*) as count from sessions where client_id = ${clientId}`,
      )
      return Number(row!.count)
    }
  })

  test('RFC 6749 §4.1.3: another client’s code is invalid_grant and stays usable by its owner (N74)', async () => {
    const server = await open()
    const owner = await server.createClient()
    const pkce = makePkce()
    const code = await obtainCode(server, owner, pkce)
    for (const thief of [
      await server.createClient(),
      await server.createClient({ tokenEndpointAuthMethod: 'none' }),
    ]) {
      const answer = await grantsNothing(server, () => redeem(server, thief, code, pkce))
      await assertJson(answer, 400, 'invalid_grant')
    }
    const tokens = await readTokens(await redeem(server, owner, code, pkce))
    for (const thief of [await server.createClient()]) {
      await assertJson(await redeem(server, thief, code, pkce), 400, 'invalid_grant')
    }
    assert.equal(
      (await introspect(server, owner, tokens.access_token)).active,
      true,
      'nobody else ends the session',
    )
  })

  test('RFC 6749 §4.1.3: another redirect_uri, or none where PKCE does not bind, is invalid_grant (N75)', async () => {
    const server = await open()
    const client = await server.createClient({
      redirectUris: ['https://client.example/callback', 'https://client.example/other'],
    })
    const pkce = makePkce()
    const code = await obtainCode(server, client, pkce)
    for (const redirect_uri of [
      'https://client.example/other',
      'https://client.example/callback/',
      'https://client.example/callback?',
      'https://evil.example/callback',
      'x',
    ]) {
      const answer = await grantsNothing(server, () => redeem(server, client, code, pkce, { redirect_uri }))
      await assertJson(answer, 400, 'invalid_grant')
    }
    await readTokens(await redeem(server, client, code, pkce, { redirect_uri: '' }))

    const lifted = await server.createClient({ requirePkce: false })
    const unbound = await obtainCode(server, lifted, null)
    const answer = await grantsNothing(server, () =>
      redeem(server, lifted, unbound, null, { redirect_uri: '' }),
    )
    await assertJson(answer, 400, 'invalid_grant')
    await readTokens(await redeem(server, lifted, unbound, null))

    const native = await server.createClient({
      redirectUris: ['http://127.0.0.1/cb'],
      tokenEndpointAuthMethod: 'none',
    })
    const redirect_uri = 'http://127.0.0.1:51234/cb'
    const floating = await obtainCode(server, native, pkce, { redirect_uri })
    await assertJson(await redeem(server, native, floating, pkce), 400, 'invalid_grant')
    await readTokens(await redeem(server, native, floating, pkce, { redirect_uri }))
  })

  test('RFC 6749 §5.2: a code or token that is cut short, extended or altered is not the token (N78)', async () => {
    const server = await open()
    for (const tokenFormat of ['jwt', 'opaque'] as const) {
      const client = await server.createClient({ tokenFormat })
      const pkce = makePkce()
      const code = await obtainCode(server, client, pkce)
      for (const wrong of spoiled(code)) {
        const answer = await grantsNothing(server, () => redeem(server, client, wrong, pkce))
        await assertJson(answer, 400, 'invalid_grant')
      }
      const tokens = await readTokens(await redeem(server, client, code, pkce))
      for (const wrong of spoiled(tokens.refresh_token!)) {
        await assertJson(await refresh(server, client, wrong), 400, 'invalid_grant')
      }
      for (const token of [tokens.access_token, tokens.refresh_token!]) {
        assert.equal((await introspect(server, client, token)).active, true)
        for (const wrong of spoiled(token)) {
          assert.deepEqual(await introspect(server, client, wrong), { active: false }, wrong)
        }
      }
      await readTokens(await refresh(server, client, tokens.refresh_token!))
    }
  })

  test('RFC 6749 §5.2: a code of a user who was disabled meanwhile is invalid_grant', async () => {
    const server = await open()
    const { db, now } = server.app.server
    const client = await server.createClient()
    const subject = `code-disabled-${dialect}`
    server.signedIn.account = { ...alice, subject }
    const pkce = makePkce()
    const code = await obtainCode(server, client, pkce)
    await db.query(sql`update users set disabled_at = ${now()} where subject = ${subject}`)
    await assertJson(
      await grantsNothing(server, () => redeem(server, client, code, pkce)),
      400,
      'invalid_grant',
    )
    await db.query(sql`update users set disabled_at = null where subject = ${subject}`)
    await readTokens(await redeem(server, client, code, pkce))
    server.signedIn.account = { ...alice, authTime: now() }
  })

  test('RFC 9068 §2.2: what a JWT access token says', async () => {
    const server = await open()
    const client = await server.createClient({ accessTokenLifetime: 120 })
    const tokens = await obtainTokens(server, client)
    const { header, claims } = parseJwt(tokens.access_token)!
    const now = Math.floor(server.clock.now() / 1_000)
    assert.deepEqual(Object.keys(header).sort(), ['alg', 'kid', 'typ'])
    assert.equal(header.typ, 'at+jwt')
    assert.equal(header.alg, 'ES256')
    const { jti, ...rest } = claims
    assert.match(String(jti), /^[0-9a-z]{26}$/)
    assert.deepEqual(rest, {
      iss: issuer,
      sub: 'alice',
      aud: issuer,
      client_id: client.client.id,
      scope: 'jobs:read',
      iat: now,
      exp: now + 120,
      auth_time: Math.floor(server.signedIn.account!.authTime! / 1_000),
    })
    assert.equal(tokens.expires_in, 120)
    assert.equal((await introspect(server, client, tokens.access_token)).jti, jti)
  })

  test('RFC 6749 §4.1.2: a code lives as long as its client’s setting says', async () => {
    const server = await open()
    const client = await server.createClient({ codeLifetime: 30 })
    const pkce = makePkce()
    const [first, second] = [await obtainCode(server, client, pkce), await obtainCode(server, client, pkce)]
    server.clock.advance(29_999)
    await readTokens(await redeem(server, client, first, pkce))
    server.clock.advance(1)
    await assertJson(await redeem(server, client, second, pkce), 400, 'invalid_grant')
  })
})

/** The same token one character shorter, longer, altered, or dressed up. */
function spoiled(token: string): string[] {
  const last = token.at(-1) === 'A' ? 'B' : 'A'
  const middle = Math.floor(token.length / 2)
  const other = token[middle] === 'a' ? 'b' : 'a'
  return [
    token.slice(0, -1),
    token.slice(1),
    `${token}A`,
    `${token}=`,
    `${token}.`,
    `${token}\n`,
    ` ${token}`,
    `A${token}`,
    token.slice(0, -1) + last,
    token.slice(0, middle) + other + token.slice(middle + 1),
    token.slice(0, -10),
    token + token,
    token.toUpperCase(),
  ]
}
