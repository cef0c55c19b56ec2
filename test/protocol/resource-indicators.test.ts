import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { parseJwt } from '../../src/crypto/jws.ts'
import { assertJson, assertRedirectError, grantsNothing, readAnswer } from '../oauth/answers.ts'
import {
  assertError,
  authorize,
  authorizeParameters,
  makePkce,
  obtainCode,
  obtainTokens,
  readTokens,
  redeem,
  refresh,
} from '../support/flow.ts'
import { issuer, onBothDatabases, openTestServer, testServerFor } from '../support/gatehouse.ts'

const jobs = 'https://jobs.example'
const mail = 'https://mail.example/v1'

onBothDatabases('resource indicators', (dialect) => {
  const open = testServerFor(dialect, {
    resources: { [jobs]: { name: 'Jobs' }, [mail]: { name: 'Mail', tokenFormat: 'opaque' } },
  })

  test('RFC 8707 §2: a relative, fragmented, unknown or forbidden resource is invalid_target (N39)', async () => {
    const server = await open()
    const client = await server.createClient()
    const narrow = await server.createClient({ resources: [jobs] })
    for (const resource of [
      'jobs',
      '/jobs',
      '//jobs.example',
      `${jobs}#`,
      `${jobs}#part`,
      'https://unknown.example',
      `${mail}/`,
      'HTTPS://jobs.example',
      'https://jobs.example:443',
      'https://jobs.example ',
      [jobs, 'https://unknown.example'],
      '__proto__:x',
    ]) {
      const asked = authorizeParameters(client, makePkce(), { resource })
      const parameters = assertRedirectError(
        await grantsNothing(server, () => authorize(server, asked)),
        'invalid_target',
      )
      if (resource === `${mail}/`)
        assert.match(parameters.get('error_description')!, /did you mean https:\/\/mail\.example\/v1$/)
    }
    const forbidden = authorizeParameters(narrow, makePkce(), { resource: mail })
    assertRedirectError(await grantsNothing(server, () => authorize(server, forbidden)), 'invalid_target')
    for (const resource of [jobs, mail, issuer, [jobs, mail], '']) {
      const asked = authorizeParameters(client, makePkce(), { resource })
      assert.ok(readAnswer(await authorize(server, asked)).get('code'))
    }
  })

  test('RFC 8707 §2.2: a client that may not have an API any more gets no further token for it, and spends nothing', async () => {
    const server = await open()
    const client = await server.createClient()
    const [both, one] = [
      await obtainTokens(server, client, { resource: [jobs, mail] }),
      await obtainTokens(server, client, { resource: mail }),
    ]
    const change = async (resources: string[]) => {
      await server.g.clients.change(client.client.id, { resources })
      server.clock.advance(2_000)
    }
    await change([jobs])
    const later = await readTokens(await refresh(server, client, both.refresh_token!))
    assert.equal(parseJwt(later.access_token)!.claims['aud'], jobs)
    const asked = await refresh(server, client, later.refresh_token!, { resource: mail })
    await assertError(asked, 400, 'invalid_target')
    await assertError(await refresh(server, client, one.refresh_token!), 400, 'invalid_target')
    await change([])
    assert.ok(await readTokens(await refresh(server, client, one.refresh_token!)), 'nothing was spent')
  })

  test('RFC 3986 §6.2.3: an empty path and a slash are one resource, wherever it is named', async () => {
    const bare = 'https://bare.example.com'
    const slashed = 'https://slashed.example.com/'
    const server = await openTestServer(dialect, { resources: { [bare]: {}, [slashed]: {} } })
    try {
      const client = await server.createClient({
        grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'],
      })
      for (const [known, other] of [
        [bare, `${bare}/`],
        [slashed, slashed.slice(0, -1)],
      ] as const) {
        const pkce = makePkce()
        const code = await obtainCode(server, client, pkce, { resource: [other, known] })
        const tokens = await readTokens(await redeem(server, client, code, pkce, { resource: other }))
        assert.equal(decodeJwt(tokens.access_token).aud, known)
        const next = await readTokens(
          await refresh(server, client, tokens.refresh_token!, { resource: other }),
        )
        assert.equal(decodeJwt(next.access_token).aud, known)
        const request = new Request(known, { headers: { authorization: `Bearer ${next.access_token}` } })
        for (const resource of [known, other]) {
          assert.ok((await server.g.authenticate(request, { resource })).ok, resource)
        }
      }
      const more = authorizeParameters(client, makePkce(), { resource: `${bare}/?x` })
      assertRedirectError(await grantsNothing(server, () => authorize(server, more)), 'invalid_target')
    } finally {
      await server.close()
    }
  })

  test('RFC 8707 §2: a resource outside the grant is invalid_target at the token endpoint and spends nothing (N79)', async () => {
    const server = await open()
    const client = await server.createClient()
    const pkce = makePkce()
    const code = await obtainCode(server, client, pkce, { resource: jobs })
    for (const resource of [mail, issuer, [jobs, mail], 'https://unknown.example', 'jobs', `${jobs}#x`]) {
      const answer = await grantsNothing(server, () => redeem(server, client, code, pkce, { resource }))
      await assertJson(answer, 400, 'invalid_target')
    }
    await readTokens(await redeem(server, client, code, pkce, { resource: jobs }))
  })

  test('RFC 8707 §2.2: tokens are for what was asked, and each request may narrow it', async () => {
    const server = await open()
    const client = await server.createClient()
    const audience = (token: string) => parseJwt(token)?.claims.aud
    assert.equal(
      audience((await obtainTokens(server, client)).access_token),
      jobs,
      'the first is the default',
    )
    const both = await obtainTokens(server, client, { resource: [jobs, mail] })
    assert.deepEqual(audience(both.access_token), [jobs, mail])
    const one = await readTokens(await refresh(server, client, both.refresh_token!, { resource: mail }))
    assert.match(one.access_token, /^gh_at_/, 'the format the resource asks for')
    const again = await readTokens(await refresh(server, client, one.refresh_token!))
    assert.deepEqual(audience(again.access_token), [jobs, mail], 'narrowing is for one token')
  })
})
