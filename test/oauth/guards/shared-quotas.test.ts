// A quota counts what one party can be blamed for: what a stranger does uses up nobody else's.

import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { hash } from '@node-rs/bcrypt'
import type { Config } from '../../../src/config.ts'
import { callback, described } from '../../support/described-clients.ts'
import { type Documents, openDocuments } from '../../support/documents.ts'
import { authorizeParameters, makePkce } from '../../support/flow.ts'
import { basic, onBothDatabases, openTestServer, type TestServer } from '../../support/gatehouse.ts'
import { publicMetadata, type Registration, register, registered } from '../../support/registration.ts'

onBothDatabases('shared quotas', (dialect) => {
  async function withTestServer(
    work: (server: TestServer) => Promise<void>,
    more: Partial<Config> = {},
    resolve?: Parameters<typeof openTestServer>[3],
  ): Promise<void> {
    const server = await openTestServer(dialect, more, undefined, resolve)
    try {
      await work(server)
    } finally {
      await server.close()
    }
  }

  async function registerFrom(server: TestServer, address: string, times: number): Promise<number> {
    let made = 0
    for (let n = 0; n < times; n++) {
      if ((await register(server, publicMetadata, { address })).status === 201) made++
    }
    return made
  }

  test('RFC 7591 §5: 19 addresses do not use up the registrations of an hour', () =>
    withTestServer(
      async (server) => {
        const made: number[] = []
        for (let n = 0; n < 19; n++) made.push(await registerFrom(server, `198.18.${n}.1`, 20))
        assert.equal(made[0], 20, 'a network alone has all it may')
        assert.equal(await registerFrom(server, '203.0.113.1', 1), 1)
        assert.equal(made.reduce((sum, one) => sum + one) < 40, true, String(made))
      },
      { registration: { policy: 'open' }, selfRegisteredClients: { perNetworkPerHour: 20, perHour: 40 } },
    ))

  test('RFC 7591 §5: the addresses of one IPv6 /48 are one party among those that share the hour', () =>
    withTestServer(
      async (server) => {
        for (let n = 0; n < 60; n++) await registerFrom(server, `2001:db8:7:${n.toString(16)}::1`, 1)
        assert.equal(await registerFrom(server, '2001:db8:8::1', 1), 1)
      },
      { registration: { policy: 'open' }, selfRegisteredClients: { perHour: 40 } },
    ))

  test('RFC 7591 §5: networks that are named have their own quota, whatever strangers use up', () =>
    withTestServer(
      async (server) => {
        for (let n = 0; n < 8; n++) await registerFrom(server, `198.18.${n}.1`, 1)
        assert.equal(await registerFrom(server, '203.0.113.1', 1), 0, 'the hour is full')
        assert.equal(await registerFrom(server, '160.79.104.1', 6), 5)
      },
      {
        registration: { policy: 'open' },
        selfRegisteredClients: { perHour: 8, networks: { '160.79.104.0/21': 5 } },
      },
    ))

  test('RFC 7592 §2.2: a stranger’s changes do not use up those of everybody', () =>
    withTestServer(
      async (server) => {
        const change = async (of: Registration, address: string) => {
          const { pathname, search } = new URL(of.registration_client_uri)
          const answer = await server.request(pathname + search, {
            method: 'PUT',
            headers: {
              authorization: `Bearer ${of.registration_access_token}`,
              'content-type': 'application/json',
            },
            body: JSON.stringify({ ...publicMetadata, client_id: of.client_id }),
            address,
          })
          return answer.status
        }
        const strange = [await registered(server, {}, { address: '198.51.100.1' })]
        strange.push(await registered(server, {}, { address: '198.51.100.2' }))
        const honest = await registered(server, {}, { address: '203.0.113.1' })
        for (let n = 0; n < 12; n++) await change(strange[n % 2]!, '198.51.100.1')
        assert.equal(await change(honest, '203.0.113.1'), 200)
      },
      { registration: { policy: 'open' }, selfRegisteredClients: { perHour: 8 } },
    ))

  test('CIMD §5: a stranger’s documents that change all the time keep no honest client out', async () => {
    const hosts = ['a.evil.example', 'b.evil.example', 'honest.example']
    const documents = await openDocuments('127.0.0.1', { names: hosts })
    try {
      let version = 0
      const shown = async (server: TestServer, host: string, path: string) => {
        const id = `https://${host}:${documents.port}${path}`
        serve(documents, path, id, `Version ${version++}`)
        server.clock.advance(61_000)
        const client = described(id, [callback])
        const answer = await server.request(`/oauth/authorize?${authorizeParameters(client, makePkce())}`)
        await answer.body?.cancel()
        return answer.status
      }
      await withTestServer(
        async (server) => {
          assert.equal(await shown(server, 'honest.example', '/client'), 200)
          assert.equal(await shown(server, 'a.evil.example', '/1'), 200)
          assert.equal(await shown(server, 'b.evil.example', '/2'), 200)
          for (let n = 0; n < 14; n++)
            await shown(server, n % 2 === 0 ? 'a.evil.example' : 'b.evil.example', n % 2 === 0 ? '/1' : '/2')
          assert.equal(await shown(server, 'honest.example', '/client'), 200)
        },
        {
          clientIdMetadata: {},
          selfRegisteredClients: { perHour: 10 },
          outbound: { ca: documents.ca, allow: hosts.map((host) => `${host}:${documents.port}`) },
        },
        async () => ['127.0.0.1'],
      )
    } finally {
      await documents.close()
    }
  })

  test('RFC 6585 §4: requests in the name of a public client use up only their own network’s quota of it', () =>
    withTestServer(async (server) => {
      const { client } = await server.createClient({ tokenEndpointAuthMethod: 'none', requestsPerHour: 6 })
      const ask = (address: string) =>
        server
          .request('/oauth/revoke', {
            method: 'POST',
            headers: { 'content-type': 'application/x-www-form-urlencoded' },
            body: `client_id=${client.id}&token=x`,
            address,
          })
          .then(({ status }) => status)
      const stranger = []
      for (let n = 0; n < 8; n++) stranger.push(await ask('192.0.2.1'))
      assert.deepEqual(stranger, [200, 200, 200, 200, 200, 200, 429, 429])
      assert.equal(await ask('203.0.113.7'), 200)
    }))

  test('RFC 6749 §2.3.1: wrong secrets from elsewhere do not lock out an imported one where it was right before', () =>
    withTestServer(
      async (server) => {
        const client = await server.createClient({ bcryptSecretHash: await hash('an imported secret', 4) })
        const ask = (secret: string, address: string) =>
          server
            .request('/oauth/revoke', {
              method: 'POST',
              headers: {
                'content-type': 'application/x-www-form-urlencoded',
                authorization: basic(client.client.id, secret),
              },
              body: 'token=x',
              address,
            })
            .then(({ status }) => status)
        assert.equal(await ask('an imported secret', '203.0.113.7'), 200)
        for (let n = 0; n < 5; n++) assert.equal(await ask('wrong', `192.0.2.${n}`), 401)
        server.clock.advance(61_000)
        assert.equal(await ask('an imported secret', '192.0.2.99'), 429, 'where it never was')
        assert.equal(await ask('an imported secret', '203.0.113.7'), 200)
      },
      { limits: { clientAuthenticationFailures: 5 } },
    ))

  test('RFC 6819 §5.1.4.2.3: without an address failures count together', () =>
    withTestServer(
      async (server) => {
        const client = await server.createClient()
        const ask = async (secret: string) => {
          const other = secret === 'wrong' ? await server.createClient() : client
          const answer = await server.request('/oauth/revoke', {
            method: 'POST',
            headers: {
              'content-type': 'application/x-www-form-urlencoded',
              authorization: basic(other.client.id, secret),
            },
            body: 'token=x',
            address: '',
          })
          return answer.status
        }
        const statuses = []
        for (let n = 0; n < 21; n++) statuses.push(await ask('wrong'))
        assert.deepEqual(statuses, [...Array(20).fill(401), 429])
        assert.equal(await ask(client.secret!), 200)
      },
      { limits: { failuresPerNetwork: 2 } },
    ))

  test('an embedding host that tells no address is told so once', () => {
    const warnings: string[] = []
    const log = { info() {}, warn: (message: string) => void warnings.push(message), error() {} }
    return withTestServer(
      async (server) => {
        await server.request('/', { address: '203.0.113.1' })
        assert.deepEqual(warnings, [])
        for (let n = 0; n < 3; n++) await server.request('/', { address: '' })
        assert.equal(warnings.length, 1)
        assert.match(warnings[0]!, /address/)
      },
      { log },
    )
  })
})

/** A document that is fresh for a minute. */
function serve(documents: Documents, path: string, id: string, name: string): void {
  const document = { client_id: id, client_name: name, redirect_uris: [callback] }
  const headers = { 'content-type': 'application/json', 'cache-control': 'max-age=60' }
  documents.serve(path, (response: ServerResponse) =>
    response.writeHead(200, headers).end(JSON.stringify(document)),
  )
}
