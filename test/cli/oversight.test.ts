// gatehouse-auth sessions, users, events, keys and doctor, beside a running server, on both databases.

import assert from 'node:assert/strict'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { onBothDatabases } from '../support/gatehouse.ts'
import { besideServer } from './beside.ts'
import { freePort, run, stay } from './command-line.ts'
import { send, signUp } from './person.ts'

onBothDatabases('beside a running server', (dialect) => {
  const { folder, env, server, gatehouse, json, makeApp, token } = besideServer(dialect)

  test('sessions: listed by user and client, and revoked at once with their tokens', async () => {
    const app = await makeApp()
    const other = await makeApp()
    const person = await signUp(server(), app, 'sessions@example.com')
    const [user] = await json<{ id: string; subject: string }>('users', 'show', 'sessions@example.com')
    const [session, ...more] = await json<{ id: string }>('sessions', 'list', '--client', app.client_id)
    assert.ok(session && more.length === 0)
    assert.deepEqual(await json('sessions', 'list', '--user', user!.subject), [session])
    assert.deepEqual(await json('users', 'sessions', user!.id), [session])
    assert.deepEqual(await json('sessions', 'list', '--client', other.client_id), [])
    assert.match((await gatehouse('sessions', 'list', '--user', user!.id)).stdout, /^session +user +client/)

    const active = async () => {
      const response = await send(server().url, '/oauth/introspect', app, {
        token: person.tokens.access_token,
      })
      return ((await response.json()) as { active: boolean }).active
    }
    assert.equal(await active(), true)
    assert.match((await gatehouse('sessions', 'revoke', session.id)).stdout, /^revoked ses_/)
    assert.equal(await active(), false)
    assert.equal(
      await token(app, { grant_type: 'refresh_token', refresh_token: person.tokens.refresh_token }),
      400,
    )
    assert.match((await gatehouse('sessions', 'revoke', session.id)).stderr, /has ended already \(admin\)/)
    assert.deepEqual(await json('sessions', 'list', '--client', app.client_id), [])
    const [ended] = await json('sessions', 'list', '--client', app.client_id, '--all')
    assert.deepEqual([ended?.state, ended?.revoked_reason], ['revoked', 'admin'])

    await signUp(server(), app, 'sessions-2@example.com')
    await signUp(server(), other, 'sessions-3@example.com')
    assert.deepEqual(
      await json('sessions', 'revoke', '--client', app.client_id, '--reason', 'spring clean'),
      [{ revoked: 1 }],
    )
    assert.equal((await json('sessions', 'list', '--client', other.client_id)).length, 1)
    assert.equal((await gatehouse('sessions', 'revoke')).code, 2)
    assert.equal((await gatehouse('sessions', 'revoke', session.id, '--client', app.client_id)).code, 2)
    assert.match(
      (await gatehouse('sessions', 'revoke', '--user', 'nobody')).stderr,
      /there is no user nobody/,
    )
  })

  test('users: shown by id, subject and login; disabled, enabled, deleted', async () => {
    const app = await makeApp()
    const person = await signUp(server(), app, 'users@example.com')
    const [user] = await json<{ id: string; subject: string; state: string }>(
      'users',
      'show',
      'Users@Example.com',
    )
    assert.equal(user?.state, 'active')
    assert.deepEqual(await json('users', 'show', user.id), [user])
    assert.deepEqual(await json('users', 'show', user.subject), [user])
    assert.ok((await json('users', 'list')).some((one) => one.id === user.id))
    assert.match((await gatehouse('users', 'list')).stdout, /users@example\.com/)

    const refresh = { grant_type: 'refresh_token', refresh_token: person.tokens.refresh_token }
    const [disabled] = await json('users', 'disable', user.id, '--reason', 'left')
    assert.deepEqual([disabled?.state, disabled?.disabled_reason], ['disabled', 'left'])
    assert.equal(await token(app, refresh), 400)
    assert.equal((await gatehouse('users', 'disable', user.id)).code, 1)
    assert.equal((await json('users', 'enable', user.id))[0]?.state, 'active')
    assert.equal((await gatehouse('users', 'enable', user.id)).code, 1)

    assert.equal((await gatehouse('users', 'delete', user.id)).code, 2)
    assert.deepEqual(await json('users', 'delete', user.id, '--yes'), [{ deleted: user.id }])
    assert.match((await gatehouse('users', 'show', user.id)).stderr, /there is no user/)
    const kept = await json('events', 'list', '--user', user.id)
    assert.equal(kept[0]?.type, 'user_deleted')
  })

  test('events: listed by type, client, user and time, newest first', async () => {
    const app = await makeApp()
    const person = await signUp(server(), app, 'events@example.com')
    // Where there is more, the last line says how to go on.
    const types = async (...args: string[]) =>
      (await json('events', 'list', ...args)).filter((one) => !('next' in one)).map((one) => one.type)
    assert.deepEqual(await types('--client', app.client_id), [
      'token_exchange',
      'authorize',
      'client_created',
    ])
    assert.deepEqual(await types('--client', app.client_id, '--type', 'authorize'), ['authorize'])
    assert.deepEqual(await types('--client', app.client_id, '--limit', '1'), ['token_exchange'])
    const of = await types('--user', person.login)
    assert.ok(of.includes('sign_up') && of.includes('token_exchange') && !of.includes('client_created'))
    assert.deepEqual(await types('--client', app.client_id, '--until', '2020-01-01'), [])
    assert.equal((await types('--client', app.client_id, '--since', '1h')).length, 3)
    const [newest] = await json<{ id: string }>('events', 'list', '--client', app.client_id)
    assert.deepEqual(await types('--client', app.client_id, '--before', newest!.id), [
      'authorize',
      'client_created',
    ])
    const text = await gatehouse('events', 'list', '--client', app.client_id)
    assert.match(text.stdout, /^\d{4}-\d\d-\d\dT\S+ {2}token_exchange .*client=cl_/)
    assert.equal((await gatehouse('events', 'list', '--since', 'banana')).code, 2)
  })

  test('events follow: shows what other processes do as it happens, once', async () => {
    const app = await makeApp('--grant-type', 'client_credentials')
    const following = stay(
      folder,
      ['events', 'follow', '--client', app.client_id, '--since', '1m', '--json'],
      env,
    )
    await following.line('stdout', /"type":"client_created"/)
    assert.equal(await token(app), 200)
    await following.line('stdout', /"type":"client_credentials"/)
    await gatehouse('clients', 'suspend', app.client_id)
    await following.line('stdout', /"type":"client_suspended"/)
    let seen = ''
    following.child.stdout.on('data', (text) => (seen += text))
    await gatehouse('clients', 'restore', app.client_id)
    await following.line('stdout', /"type":"client_restored"/)
    assert.equal(await following.end('SIGINT'), 0)
    assert.deepEqual(
      seen
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).type),
      ['client_restored'],
    )
  })

  test('keys: a rotated key is published ahead; one that must work now signs at once', async () => {
    const states = async () =>
      (await json('keys', 'list')).filter((key) => key.alg === 'ES256').map((key) => key.state)
    assert.deepEqual(await states(), ['signs'])
    const early = await gatehouse('keys', 'rotate')
    assert.match(early.stdout, /^created \S+, signs from \d{4}-/)
    assert.deepEqual(await states(), ['published ahead', 'signs'])
    const [now] = await json<{ created: string[]; retired: string[] }>('keys', 'rotate', '--now')
    // One for each of the four algorithms.
    assert.deepEqual([now?.created.length, now?.retired.length], [4, 4])
    assert.deepEqual((await states()).sort(), ['published ahead', 'retired', 'signs'])
    assert.match((await gatehouse('keys', 'list')).stdout, /^kid +alg +state/)
  })

  test('doctor: all is well, and each thing that is not has advice', async () => {
    const well = await gatehouse('doctor')
    assert.equal(well.code, 0, well.stdout)
    const checks = [
      'configuration',
      'secret',
      'transport',
      'database',
      ...(dialect === 'sqlite' ? ['file'] : []),
      'clock',
      'schema',
      'requests',
      'writing',
      'keys',
      'issuer',
    ]
    assert.deepEqual(
      (await json('doctor')).map((one) => [one.check, one.result]),
      checks.map((check) => [check, 'ok']),
    )
    const failing = async (more: Record<string, string>) => {
      const result = await run(folder, ['doctor', '--json'], { ...env, ...more })
      assert.equal(result.code, 1)
      const bad = result
        .lines<{ check: string; result: string; todo: string }>()
        .filter((one) => one.result === 'failed')
      for (const one of bad) assert.ok(one.todo.length > 10)
      return bad.map((one) => one.check)
    }
    const stranger = `http://127.0.0.1:${new URL(server().issuer).port}`
    assert.deepEqual(await failing({ GATEHOUSE_ISSUER: stranger }), ['issuer'])
    assert.deepEqual(await failing({ GATEHOUSE_ISSUER: `http://localhost:${await freePort()}` }), ['issuer'])
    // It calls itself as this one does, and yet is another: it signs with keys that are not of this database.
    const elsewhere = { GATEHOUSE_DATABASE_URL: join(folder, 'elsewhere.db') }
    assert.equal((await run(folder, ['migrate', 'up'], { ...env, ...elsewhere })).code, 0)
    assert.deepEqual(await failing(elsewhere), ['issuer'])
    const told = await run(folder, ['doctor'], { ...env, ...elsewhere })
    assert.match(told.stdout, /another server answers .* none of the \d+ keys it publishes is among the 0 of/)
    const behind = { GATEHOUSE_ISSUER: `https://localhost:${await freePort()}` }
    assert.deepEqual(await failing(behind), ['proxies', 'issuer'])
    for (const said of ['127.0.0.1, 10.0.0.0/8', 'none']) {
      assert.deepEqual(await failing({ ...behind, GATEHOUSE_TRUSTED_PROXIES: said }), ['issuer'])
    }
    assert.deepEqual(await failing({ GATEHOUSE_TRUSTED_PROXIES: 'the balancer' }), ['configuration'])
    assert.deepEqual(await failing({ GATEHOUSE_SECRET: 'another-secret-than-the-one-of-the-keys-0123' }), [
      'keys',
    ])
    assert.deepEqual(await failing({ GATEHOUSE_SECRET: 'short' }), ['configuration'])
    const nowhere =
      dialect === 'sqlite'
        ? join(folder, 'nowhere.db')
        : `postgres://nobody:hunter2@127.0.0.1:${await freePort()}/x`
    assert.deepEqual(await failing({ GATEHOUSE_DATABASE_URL: nowhere }), ['database'])
    chmodSync(join(folder, '.gatehouse/secret'), 0o644)
    assert.deepEqual(await failing({}), ['secret'])
    chmodSync(join(folder, '.gatehouse/secret'), 0o600)
    assert.deepEqual(await failing({ NODE_ENV: 'production', GATEHOUSE_SECRET_FILE: '.gatehouse/secret' }), [
      'transport',
    ])
  })
})
