// What a remembered consent answers for: the scopes, APIs and hosts it was given for, as long as it lives.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Database } from '../../../src/db/database.ts'
import { openDatabase } from '../../../src/db/open.ts'
import { sql } from '../../../src/db/sql.ts'
import { visit } from '../../accounts/visitor.ts'
import { beginDevice, decideDevice, deviceGrant, enterCode, poll } from '../../support/device.ts'
import {
  authorizeParameters,
  makePkce,
  obtainCode,
  obtainTokens,
  readTokens,
  redeem,
} from '../../support/flow.ts'
import {
  onBothDatabases,
  openTestServer,
  scopes,
  type TestServer,
  testServerFor,
} from '../../support/gatehouse.ts'
import { assertJson, assertRedirectError, grantsNothing } from '../answers.ts'

const [trusted, evil] = ['https://trusted.example/callback', 'https://evil.example/callback']
const wide = 'applications:read applications:write jobs:read'

/** A client that came by itself, with answers at two hosts and on devices. */
async function stranger(server: TestServer) {
  const created = await server.createClient({
    name: 'Stranger',
    redirectUris: [trusted, evil],
    grantTypes: ['authorization_code', 'refresh_token', deviceGrant],
  })
  await server.app.server.db.query(sql`update clients set source = 'dcr' where id = ${created.client.id}`)
  return created
}
type Created = Awaited<ReturnType<typeof stranger>>

const silently = (server: TestServer, created: Created, redirect_uri: string, scope = wide) =>
  server.request(
    `/oauth/authorize?${authorizeParameters(created, makePkce(), { redirect_uri, scope, prompt: 'none' })}`,
  )

/** The code of an answer; a client that came by itself is told of errors on a page, in front of the user. */
const codeOf = (answer: Response) => {
  const location = answer.headers.get('location')
  return location === null ? null : new URL(location).searchParams.get('code')
}

const consentsOf = (server: TestServer, { client }: Created) =>
  server.app.server.db.query(
    sql<{
      redirect_host: string
      scope: string
    }>`select redirect_host, scope from consents where client_id = ${client.id} order by redirect_host`,
  )

/** A server whose writes can be preceded by something else, as another process might do it. */
async function openMeddled(dialect: 'sqlite' | 'postgres') {
  const before: Record<string, (db: Database) => Promise<unknown>> = {}
  let opened: Database | undefined
  const server = await openTestServer(dialect, { pushedRequests: {} }, async (url) => {
    const db = (opened = await openDatabase(url))
    return {
      ...db,
      async write(operation, input) {
        const meddle = before[operation.name]
        delete before[operation.name]
        await meddle?.(db)
        return db.write(operation, input)
      },
    }
  })
  return { server, before, db: opened! }
}

onBothDatabases('a remembered consent', (dialect) => {
  const open = testServerFor(dialect, {
    device: {},
    resources: { 'https://jobs.example': {}, 'https://mail.example': {} },
    scopes: {
      ...scopes,
      'applications:write': { description: scopes['applications:write'], implies: ['applications:read'] },
    },
  })

  test('answers for the host it was given to, and its scopes come to no other host', async () => {
    const server = await open()
    const created = await stranger(server)
    await obtainTokens(server, created, { scope: wide, redirect_uri: trusted }).catch(() => {})
    await obtainCode(server, created, makePkce(), { scope: 'jobs:read', redirect_uri: evil })
    const stolen = await grantsNothing(server, () => silently(server, created, evil))
    assert.equal(codeOf(stolen), null)
    for (const [uri, scope] of [
      [trusted, wide],
      [evil, 'jobs:read'],
    ] as const) {
      const given = await silently(server, created, uri, scope)
      assert.ok(
        new URL(given.headers.get('location')!).searchParams.get('code'),
        'each is remembered for itself',
      )
    }
    const rows = await consentsOf(server, created)
    assert.deepEqual(
      rows.map((row) => ({ ...row })),
      [
        { redirect_host: 'evil.example', scope: 'jobs:read' },
        { redirect_host: 'trusted.example', scope: wide },
      ],
    )
  })

  test('RFC 8628 §3.3: what a device was allowed answers for no host', async () => {
    const server = await open()
    const created = await stranger(server)
    const device = await beginDevice(server, created, { scope: wide })
    await decideDevice(server, await enterCode(server, device.user_code), 'allow')
    await readTokens(await poll(server, created, device.device_code))
    const stolen = await grantsNothing(server, () => silently(server, created, trusted))
    assert.equal(codeOf(stolen), null)
    await obtainCode(server, created, makePkce(), { redirect_uri: evil, scope: 'jobs:read' })
    assert.deepEqual(
      (await consentsOf(server, created)).map((row) => row.redirect_host),
      ['', 'evil.example'],
    )
  })

  test('answers for every host of a client that an administrator registered', async () => {
    const server = await open()
    const created = await server.createClient({ redirectUris: [trusted, evil] })
    await obtainCode(server, created, makePkce(), { scope: wide })
    const given = await silently(server, created, evil)
    assert.ok(codeOf(given))
    assert.equal((await consentsOf(server, created)).length, 1)
  })

  test('does not grow with the ports of a program on the own computer', async () => {
    const server = await open()
    const created = await server.createClient({ redirectUris: ['http://127.0.0.1/callback'] })
    await server.app.server.db.query(sql`update clients set source = 'dcr' where id = ${created.client.id}`)
    for (const port of [4_001, 4_002, 4_003])
      await obtainCode(server, created, makePkce(), { redirect_uri: `http://127.0.0.1:${port}/callback` })
    assert.deepEqual(
      (await consentsOf(server, created)).map((row) => row.redirect_host),
      ['127.0.0.1'],
    )
  })

  test('is one app on the page, with its hosts, and disconnecting ends them all', async () => {
    const server = await open()
    const created = await stranger(server)
    await obtainCode(server, created, makePkce(), { scope: wide, redirect_uri: trusted })
    await obtainCode(server, created, makePkce(), { scope: 'resume:read', redirect_uri: evil })
    const visitor = visit(server)
    const page = await visitor.get('/account/apps')
    const cards = page.html.split('<article').filter((one) => one.includes(created.client.id))
    assert.equal(cards.length, 1)
    for (const text of [
      'trusted.example',
      'evil.example',
      'Send applications in your name',
      'Read your résumé',
    ])
      assert.ok(cards[0]!.includes(text), text)
    const fields = Object.fromEntries(
      [...cards[0]!.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)].map(
        ([, name, value]) => [name!, value!],
      ),
    )
    assert.equal((await visitor.post('/account/apps', fields)).status, 303)
    assert.deepEqual(await consentsOf(server, created), [])
    for (const uri of [trusted, evil]) {
      const asked = await silently(server, created, uri, 'jobs:read')
      assert.equal(codeOf(asked), null)
    }
  })

  const narrowed: Record<string, ReturnType<typeof sql>> = {
    'other scopes': sql`update consents set scope = 'jobs:read'`,
    'a scope without what it implied': sql`update consents set scope = 'applications:write jobs:read'`,
    'another API': sql`update consents set resources = 'https://mail.example'`,
    'another host': sql`update consents set redirect_host = 'elsewhere.example'`,
    'nothing any more': sql`delete from consents`,
  }
  for (const [what, change] of Object.entries(narrowed)) {
    test(`RFC 6749 §4.1.3: a code redeems no more than is still allowed: not where the consent is for ${what}`, async () => {
      const server = await open()
      const created = await stranger(server)
      const pkce = makePkce()
      const wanted = { scope: 'applications:write jobs:read', resource: 'https://jobs.example' }
      const code = await obtainCode(server, created, pkce, wanted)
      const device = await beginDevice(server, created, wanted)
      await decideDevice(server, await enterCode(server, device.user_code), 'allow')
      const before = await consentsOf(server, created)
      assert.equal(before.length, 2)
      await server.app.server.db.query(
        sql`${change} ${sql`where client_id = ${created.client.id}`}${
          what === 'another host' ? sql` and redirect_host <> ''` : sql``
        }`,
      )
      await grantsNothing(server, async () =>
        assertJson(await redeem(server, created, code, pkce), 400, 'invalid_grant'),
      )
      if (what !== 'another host')
        await grantsNothing(server, async () =>
          assertJson(await poll(server, created, device.device_code), 400, 'invalid_grant'),
        )
    })
  }

  test('that is withdrawn while it answers gives no code, and is asked for again', async () => {
    const { server, before } = await openMeddled(dialect)
    try {
      const created = await server.createClient()
      await obtainCode(server, created)
      for (const name of ['issue_code', 'issue_pushed_code']) {
        const parameters = authorizeParameters(created, makePkce(), { prompt: 'none' })
        let query = parameters
        if (name === 'issue_pushed_code') {
          const { pushed } = await import('./pushing.ts')
          query = await pushed(server, created, parameters)
        }
        before[name] = (db) => db.query(sql`delete from consents`)
        const answer = await server.request(`/oauth/authorize?${query}`)
        assertRedirectError(answer, 'consent_required')
        assert.equal(before[name], undefined, 'it was withdrawn in that moment')
        await obtainCode(server, created)
      }
      before.issue_code = (db) => db.query(sql`delete from consents`)
      const shown = await server.request(`/oauth/authorize?${authorizeParameters(created, makePkce())}`)
      assert.equal(shown.status, 200)
      assert.match(await shown.text(), /name="decision"/)
    } finally {
      await server.close()
    }
  })
})
