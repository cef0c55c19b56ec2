// gatehouse-auth clients, beside a running server, on both databases.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ShownClient } from '../../src/oauth/clients/shown-client.ts'
import { assertion, clientKeys } from '../support/assertions.ts'
import { onBothDatabases } from '../support/gatehouse.ts'
import { besideServer } from './beside.ts'
import { type App, redirectUri } from './person.ts'

onBothDatabases('gatehouse clients', (dialect) => {
  const { folder, gatehouse, json, makeApp, server, token, until } = besideServer(dialect)

  test('a secret is printed once, on standard output, and never again', async () => {
    const made = await gatehouse('clients', 'create', '--name', 'Nightly import', '--scope', 'jobs:read')
    assert.equal(made.code, 0, made.stderr)
    const [, id] = /^client_id +(cl_\S+)$/m.exec(made.stdout) ?? []
    const [, secret] = /^client_secret +(gh_cs_\S+)$/m.exec(made.stdout) ?? []
    assert.ok(id && secret)
    assert.doesNotMatch(made.stderr, /gh_cs_/)
    assert.equal(await token({ client_id: id, client_secret: secret }), 200)
    for (const args of [
      ['clients', 'show', id],
      ['clients', 'list'],
      ['events', 'list'],
    ]) {
      for (const more of [[], ['--json']]) {
        const { stdout, stderr } = await gatehouse(...args, ...more)
        assert.match(stdout, new RegExp(id))
        assert.ok(!(stdout + stderr).includes(secret) && !/sha256\$/.test(stdout))
      }
    }
  })

  test('RFC 7591 §5: no name steers the terminal, in tables and in JSON, and JSON still means it', async () => {
    const name = 'An app\u009b31m\u061c\u200e\u200f\u202eppa nA\u2066\u2028'
    const [made] = await json<{ client_id: string }>(
      'clients',
      'create',
      '--name',
      name,
      '--scope',
      'jobs:read',
    )
    for (const args of [
      ['clients', 'show', made!.client_id],
      ['clients', 'list'],
      ['events', 'list'],
    ]) {
      for (const more of [[], ['--json']]) {
        const { stdout } = await gatehouse(...args, ...more)
        assert.match(stdout, new RegExp(made!.client_id))
        assert.doesNotMatch(stdout, /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/)
      }
    }
    const [shown] = await json<{ client_name: string }>('clients', 'show', made!.client_id)
    assert.equal(shown!.client_name, name)
  })

  test('every problem of an input is named', async () => {
    const result = await gatehouse(
      'clients',
      'create',
      '--name',
      'X',
      '--redirect-uri',
      'http://a.example/',
      '--scope',
      'nope',
    )
    assert.equal(result.code, 1)
    assert.match(result.stderr, /^gatehouse: redirectUris\[0\]: .*; scope: "nope" was given; allowed: .*\n$/)
    assert.equal((await gatehouse('clients', 'show', 'cl_nobody')).code, 1)
    assert.equal((await gatehouse('clients', 'change', 'cl_nobody')).code, 2)
  })

  test('change keeps what is not given; a GPT’s new id goes into both redirect URIs', async () => {
    const [gpt] = await json<App>(
      'clients',
      'create',
      '--name',
      'GPT',
      '--profile',
      'gpt_action',
      '--gpt',
      'g-old1',
    )
    const id = gpt!.client_id
    const [changed] = await json(
      'clients',
      'change',
      id,
      '--name',
      'Renamed',
      '--access-token-lifetime',
      '600',
    )
    assert.deepEqual(
      [changed?.client_name, changed?.access_token_lifetime, changed?.profile, changed?.require_pkce],
      ['Renamed', 600, 'gpt_action', false],
    )
    const [swapped] = await json('clients', 'replace-gpt-id', id, 'g-old1', 'g-new2')
    assert.deepEqual(swapped?.redirect_uris, [
      'https://chat.openai.com/aip/g-new2/oauth/callback',
      'https://chatgpt.com/aip/g-new2/oauth/callback',
    ])
    assert.match(
      (await gatehouse('clients', 'replace-gpt-id', id, 'g-old1', 'g-new2')).stderr,
      /a GPT id that a redirect URI/,
    )
  })

  test('RP-Initiated Logout §3.1: where people may go once they are signed out is an option, too', async () => {
    const uris = ['https://app.example.com/', 'https://app.example.com/goodbye']
    const [made] = await json<App>(
      ...['clients', 'create', '--name', 'App', '--redirect-uri', redirectUri, '--public'],
      ...uris.flatMap((uri) => ['--post-logout-redirect-uri', uri]),
    )
    const shown = () => json<{ post_logout_redirect_uris: string[] }>('clients', 'show', made!.client_id)
    assert.deepEqual((await shown())[0]!.post_logout_redirect_uris, uris)
    const one = ['--post-logout-redirect-uri', uris[1]!]
    assert.equal((await gatehouse('clients', 'change', made!.client_id, ...one)).code, 0)
    assert.deepEqual((await shown())[0]!.post_logout_redirect_uris, [uris[1]])
    const bad = ['--post-logout-redirect-uri', 'http://app.example.com/']
    assert.match(
      (await gatehouse('clients', 'change', made!.client_id, ...bad)).stderr,
      /postLogoutRedirectUris/,
    )
  })

  test('a rotated secret works beside the old one, or alone', async () => {
    const app = await makeApp('--grant-type', 'client_credentials')
    const [rotated] = await json<App>('clients', 'rotate-secret', app.client_id)
    await until(200, () => token(rotated!))
    assert.equal(await token(app), 200)
    const alone = await gatehouse('clients', 'rotate-secret', app.client_id, '--overlap', '0')
    assert.match(alone.stdout, /^gh_cs_\S+\n$/)
    await until(401, () => token(app))
    assert.equal(await token({ ...app, client_secret: alone.stdout.trim() }), 200)
    const open = await gatehouse(
      'clients',
      'create',
      '--name',
      'SPA',
      '--redirect-uri',
      redirectUri,
      '--public',
      '--json',
    )
    const { client_id, client_secret } = open.lines<Partial<App>>()[0]!
    assert.equal(client_secret, undefined)
    assert.match((await gatehouse('clients', 'rotate-secret', client_id!)).stderr, /has no secret/)
  })

  test('suspended, restored and revoked ones are refused, accepted and refused for good', async () => {
    const app = await makeApp('--grant-type', 'client_credentials')
    const id = app.client_id
    assert.equal((await json('clients', 'suspend', id, '--reason', 'looks odd'))[0]?.state, 'suspended')
    await until(401, () => token(app))
    assert.equal((await json('clients', 'restore', id))[0]?.state, 'active')
    assert.match((await gatehouse('clients', 'restore', id)).stderr, /is active, not suspended/)
    await until(200, () => token(app))
    assert.match((await gatehouse('clients', 'revoke', id)).stdout, /^state +revoked$/m)
    await until(401, () => token(app))
    const again = await gatehouse('clients', 'revoke', id)
    assert.equal(again.code, 1)
    assert.match(again.stderr, /is revoked and cannot be revoked/)
  })

  test('a bcrypt hash is imported from a file, never from the command line', async () => {
    const { hash } = await import('@node-rs/bcrypt')
    const file = join(folder, 'hash.txt')
    writeFileSync(file, `${await hash('an imported secret', 4)}\n`)
    const [made] = await json<App>(
      'clients',
      'create',
      '--name',
      'Old',
      '--id',
      'old-client',
      '--bcrypt-file',
      file,
    )
    assert.deepEqual([made?.client_id, made?.client_secret], ['old-client', undefined])
    assert.equal(await token({ client_id: 'old-client', client_secret: 'an imported secret' }), 200)
    assert.match(
      (await gatehouse('clients', 'create', '--name', 'Old', '--id', 'old-client')).stderr,
      /id: "old-client" was given/,
    )
  })

  test('a client that signs its assertions is made from a file of metadata, in the words of RFC 7591', async () => {
    const file = join(folder, 'client.json')
    const key = clientKeys.RS256
    const metadata = {
      client_name: 'Signs by itself',
      grant_types: ['client_credentials'],
      scope: 'jobs:read',
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'RS256',
      jwks: { keys: [key.publicJwk] },
    }
    writeFileSync(file, JSON.stringify(metadata))
    const [made] = await json<App>('clients', 'create', '--metadata-file', file)
    assert.deepEqual([made?.client_secret, { ...made, ...metadata }], [undefined, made])
    const client = { id: made!.client_id } as ShownClient
    const signed = assertion({ client }, key, Date, { aud: server().issuer })
    const answer = await fetch(`${server().url}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'client_credentials', ...signed }),
    })
    assert.equal(answer.status, 200, await answer.text())
    const [changed] = await json('clients', 'change', client.id, '--name', 'Renamed')
    assert.deepEqual([changed?.client_name, changed?.jwks], ['Renamed', metadata.jwks])
    for (const [text, message] of [
      [
        '{"client_name":"x","token_endpoint_auth_methods":["none"]}',
        /token_endpoint_auth_methods is no client metadata/,
      ],
      ['{"client_name":"x","jwks":{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}}', /jwks\.keys\[0\].*symmetric/],
      ['[]', /no JSON object/],
      ['{', /cannot be read as JSON/],
    ] as const) {
      writeFileSync(file, text)
      const wrong = await gatehouse('clients', 'create', '--metadata-file', file)
      assert.equal(wrong.code, 1)
      assert.match(wrong.stderr, message)
      assert.doesNotMatch(wrong.stderr, /c2VjcmV0/)
    }
  })
})
