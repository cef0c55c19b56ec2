import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { decodeJwt } from 'jose'
import { ConfigError } from '../../../src/config-error.ts'
import { sql } from '../../../src/db/sql.ts'
import type { ClientInput } from '../../../src/oauth/clients/client-input.ts'
import { type Documents, openDocuments } from '../../support/documents.ts'
import {
  authorize,
  authorizeParameters,
  introspect,
  makePkce,
  obtainTokens,
  readTokens,
  refresh,
  type Tokens,
} from '../../support/flow.ts'
import {
  alice,
  bob,
  onBothDatabases,
  openTestServer,
  secret,
  type TestServer,
} from '../../support/gatehouse.ts'
import { assertRedirectError, grantsNothing, readAnswer } from '../answers.ts'

type OpenidTokens = Tokens & { id_token: string }

onBothDatabases('pairwise subjects', (dialect) => {
  let sectors: Documents
  let server: TestServer
  before(async () => {
    sectors = await openDocuments()
    server = await openTestServer(dialect, { outbound: { ca: sectors.ca } })
  })
  after(async () => {
    await server.close()
    await sectors.close()
  })

  const pairwise = (input: Partial<ClientInput> = {}) =>
    server.createClient({ subjectType: 'pairwise', ...input })
  async function subjectAt(client: Awaited<ReturnType<typeof pairwise>>, account = alice): Promise<string> {
    server.signedIn.account = { ...account, authTime: server.clock.now() }
    const tokens = (await obtainTokens(server, client, { scope: 'openid' })) as OpenidTokens
    return decodeJwt(tokens.id_token).sub!
  }

  test('OpenID Connect Core §8.1: clients of one sector know a user by one name, others by another, and users differ', async () => {
    const [one, other] = [
      await pairwise(),
      await pairwise({ redirectUris: ['https://client.example:8443/elsewhere'] }),
    ]
    const elsewhere = await pairwise({ redirectUris: ['https://elsewhere.example/callback'] })
    const name = await subjectAt(one)
    assert.match(name, /^[\w-]{43}$/)
    assert.equal(await subjectAt(one), name, 'the same every time')
    assert.equal(await subjectAt(other), name)
    assert.notEqual(await subjectAt(elsewhere), name)
    assert.notEqual(await subjectAt(one, bob), name)
    assert.equal(await subjectAt(await server.createClient()), 'alice', 'public is the default')
  })

  test('OpenID Connect Core §8: the name is the same in every token and answer, and survives other root secrets', async () => {
    const client = await pairwise()
    const name = await subjectAt(client)
    server.signedIn.account = { ...alice, authTime: server.clock.now() }
    const tokens = (await obtainTokens(server, client, { scope: 'openid email' })) as OpenidTokens
    const subjectIn = async (given: OpenidTokens) => {
      const answer = await server.request('/oauth/userinfo', {
        headers: { authorization: `Bearer ${given.access_token}` },
      })
      const claims = (await answer.json()) as { sub: string; email: string }
      assert.equal(claims.email, 'alice@example.com')
      return [
        decodeJwt(given.id_token).sub,
        decodeJwt(given.access_token).sub,
        claims.sub,
        (await introspect(server, client, given.access_token)).sub,
        (await introspect(server, client, given.refresh_token!)).sub,
      ]
    }
    assert.deepEqual([...new Set(await subjectIn(tokens))], [name])
    await server.app.replaceSecrets(['another root secret that is long enough', secret], 0)
    await server.app.replaceSecrets(['another root secret that is long enough'], 0)
    const later = (await readTokens(await refresh(server, client, tokens.refresh_token!))) as OpenidTokens
    assert.deepEqual([...new Set(await subjectIn(later))], [name])
    assert.equal(await subjectAt(client), name)
    await server.app.replaceSecrets([secret], 0)
  })

  test('OpenID Connect Core §3.1.2.2: a hint and an asked sub are the name the client knows', async () => {
    const client = await pairwise()
    const name = await subjectAt(client)
    const { id_token } = (await obtainTokens(server, client, { scope: 'openid' })) as OpenidTokens
    for (const more of [
      { id_token_hint: id_token },
      { claims: JSON.stringify({ id_token: { sub: { value: name } } }) },
    ]) {
      const asked = authorizeParameters(client, makePkce(), { scope: 'openid', prompt: 'none', ...more })
      server.signedIn.account = { ...alice, authTime: server.clock.now() }
      assert.ok(readAnswer(await authorize(server, asked)).get('code'))
      await subjectAt(client, bob)
      assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'login_required')
    }
    server.signedIn.account = { ...alice, authTime: server.clock.now() }
    const claims = JSON.stringify({ id_token: { sub: { value: 'alice' } } })
    const asked = authorizeParameters(client, makePkce(), { scope: 'openid', prompt: 'none', claims })
    assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'login_required')
  })

  test('OpenID Connect Core §8.1: of many first requests at once, in two processes, one makes the name', async () => {
    const client = await pairwise({ redirectUris: ['https://busy.example/callback'] })
    const twin = await server.twin()
    server.signedIn.account = { ...alice, authTime: server.clock.now() }
    const asked = authorizeParameters(client, makePkce(), { scope: 'openid' })
    await authorize(server, asked)
    await server.app.server.db.query(sql`delete from pairwise_subjects`)
    await server.app.server.db.query(sql`delete from codes`)
    const url = `http://localhost:4400/oauth/authorize?${asked}`
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        (n % 2 ? twin.g : server.g).fetch(new Request(url, { redirect: 'manual' })),
      ),
    )
    for (const answer of answers) assert.ok(readAnswer(answer, 'https://busy.example/callback').get('code'))
    const codes = await server.app.server.db.query(
      sql<{ subject: string }>`select distinct subject from codes`,
    )
    assert.equal(codes.length, 1)
  })

  test('OpenID Connect Core §8.1: programs on the user’s own computer share no sector', async () => {
    const redirectUris = ['http://127.0.0.1/callback']
    const [one, other] = [await pairwise({ redirectUris }), await pairwise({ redirectUris })]
    assert.notEqual(await subjectAt(one), await subjectAt(other))
    const mixed = ['https://client.example/callback', 'com.example.app://client.example/callback']
    await assert.rejects(pairwise({ redirectUris: mixed }), ConfigError)
  })

  test('OpenID Connect Registration §5: a sector must list every redirect URI of its clients', async () => {
    const redirectUris = ['https://one.example/callback', 'https://two.example/callback']
    const sectorIdentifierUri = `${sectors.origin}/sector`
    const refused = (input: Partial<ClientInput>, path = 'sectorIdentifierUri') =>
      assert.rejects(pairwise({ redirectUris, ...input }), (error: ConfigError) => {
        assert.ok(error instanceof ConfigError)
        assert.deepEqual([...new Set(error.problems.map((one) => one.path))], [path])
        return true
      })
    await refused({}, 'sectorIdentifierUri')
    await refused({ sectorIdentifierUri })
    sectors.serve('/sector', redirectUris.slice(0, 1))
    await refused({ sectorIdentifierUri })
    sectors.serve('/sector', { redirectUris })
    await refused({ sectorIdentifierUri })
    await refused({ sectorIdentifierUri: 'http://localhost:1/sector' })
    sectors.serve('/sector', [...redirectUris, 'https://three.example/callback'])
    const client = await pairwise({ redirectUris, sectorIdentifierUri })
    const neighbour = await pairwise({
      redirectUris: ['https://three.example/callback'],
      sectorIdentifierUri,
    })
    assert.equal(await subjectAt(client), await subjectAt(neighbour))
    await assert.rejects(
      server.g.clients.change(client.client.id, { redirectUris: [...redirectUris, 'https://four.example/'] }),
      ConfigError,
    )
  })
})
