// src/oauth/clients/members/members.ts as a test: each member has its column, its doors, and one way there and back.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ConfigError } from '../../../src/config-error.ts'
import { sql } from '../../../src/db/sql.ts'
import { type ClientInput, columnsFrom, inputFrom } from '../../../src/oauth/clients/client-input.ts'
import {
  columnMembers,
  type Member,
  type MemberName,
  members,
} from '../../../src/oauth/clients/members/members.ts'
import { shownClient } from '../../../src/oauth/clients/shown-client.ts'
import { type ClientRow, editable } from '../../../src/oauth/records/clients.ts'
import { isUnfit, readDescription } from '../../../src/oauth/registration/client-metadata-rules.ts'
import { onBothDatabases, testServerFor } from '../../support/gatehouse.ts'

/** Columns of the server's own; no client and no administrator says them. */
const internal = [
  'id',
  'source',
  'secret_hash',
  'previous_secret_hash',
  'previous_secret_expires_at',
  'suspended_at',
  'suspended_reason',
  'revoked_at',
  'revoked_reason',
  'total_authorizations',
  'total_tokens_issued',
  'last_used_at',
  'created_at',
  'updated_at',
  'response_types',
  'registration_token_hash',
  'metadata_expires_at',
  'invited_at',
]

/** The compiler refuses a member of the input without a row. */
const complete: Readonly<Record<Exclude<keyof ClientInput, 'id' | 'bcryptSecretHash'>, Member>> = members
const table = Object.entries(complete) as [MemberName, Member][]

/** A value of no member's type. */
function wrong({ form }: Member): unknown {
  return form.kind === 'seconds' || form.kind === 'count' || form.kind === 'flag' ? 'x' : 5
}

/** Values that fit a member by themselves. */
function valuesOf(name: MemberName, { form }: Member): fc.Arbitrary<unknown> {
  const token = fc.stringMatching(/^[a-z0-9:]{1,12}$/)
  const special: Partial<Record<MemberName, fc.Arbitrary<unknown>>> = {
    tokenEndpointAuthMethod: fc.constantFrom('none', 'client_secret_post', 'private_key_jwt'),
    tlsClientAuthSubjectDn: token.map((one) => `CN=${one.replaceAll(':', 'x')}`),
    tlsClientAuthSanIp: fc.ipV4(),
    jwks: fc.constant({ keys: [{ kty: 'EC', crv: 'P-256' }] }),
    metadata: fc.dictionary(token, fc.oneof(token, fc.integer()), { noNullPrototype: true }),
    reuseWindow: fc.integer({ min: 0, max: 86_400 }),
    codeLifetime: fc.integer({ min: 30, max: 600 }),
  }
  if (special[name]) return special[name]
  if (form.kind === 'flag') return fc.boolean()
  if (form.kind === 'seconds' || form.kind === 'count') return fc.integer({ min: 60, max: 86_400 })
  if (form.kind === 'list') return fc.uniqueArray(token.map((one) => `https://client.example/${one}`))
  if (form.kind === 'words') return fc.uniqueArray(token, { minLength: 1 }).map((all) => all.sort())
  const words = form.allowed.split(/, | or /)
  return fc.oneof(
    ...words.filter((one) => form.fits(one)).map((one) => fc.constant(one)),
    ...(form.fits('https://client.example/a') ? [token.map((one) => `https://client.example/${one}`)] : []),
  )
}

onBothDatabases('members of a client', (dialect) => {
  const open = testServerFor(dialect)

  test('RFC 7591 §2: each member has a column, and each other column of clients is internal', async () => {
    const { app, createClient } = await open()
    const { client } = await createClient()
    const row = await app.server.db.query(sql<ClientRow>`select * from clients where id = ${client.id}`)
    const named = [...new Set(table.map(([, { column }]) => column))]
    assert.deepEqual(Object.keys(row[0]!).sort(), [...named, ...internal].sort())
    const written = [...named, 'response_types', 'secret_hash']
    assert.deepEqual(Object.keys(editable).sort(), written.sort())
  })

  test('RFC 7591 §2: no two members share a name on the wire, an option or a column of their own', () => {
    for (const names of [
      table.map(([, { wire }]) => wire),
      table.flatMap(([, { option }]) => option?.[0] ?? []),
      columnMembers.map(([, { column }]) => column),
    ])
      assert.equal(new Set(names).size, names.length)
  })

  test('RFC 7591 §2: a member of a wrong type is refused to an administrator, by its name', async () => {
    const { createClient } = await open()
    for (const [name, member] of table) {
      const input = { [name]: wrong(member) } as Partial<ClientInput>
      await assert.rejects(createClient(input), (error) => {
        assert.ok(error instanceof ConfigError, `${name}: ${error}`)
        assert.match(error.message, new RegExp(name))
        return true
      })
    }
  })

  test('RFC 7591 §3.2.1: a client that names a member in a wrong type hears of it where it may name it; elsewhere it counts for nothing', async () => {
    const { settings } = (await open()).app
    const said = { client_name: 'App', redirect_uris: ['https://client.example/callback'] }
    for (const method of ['client_secret_basic', 'none'] as const) {
      const read = (more: object) =>
        readDescription(settings, { ...said, ...more }, { method, name: 'x' }, {})
      const plain = read({})
      for (const [name, member] of table) {
        const described = read({ [member.wire]: wrong(member) })
        if (!member.self) assert.deepEqual(described, plain, name)
        else if (isUnfit(described)) assert.equal(described.member, member.wire)
        else {
          assert.ok(!member.essential, `${name} was left out`)
          assert.deepEqual(
            described.leftOut.map((one) => one.member),
            [member.wire],
          )
        }
      }
    }
  })

  test('RFC 7591 §2: what an administrator says of a client is what is shown of it, and says the same again', async () => {
    const { app, createClient } = await open()
    const { client } = await createClient()
    const [row] = await app.server.db.query(sql<ClientRow>`select * from clients where id = ${client.id}`)
    const kept = (input: ClientInput): ClientRow => ({ ...row!, ...columnsFrom(app.settings, input).columns })
    const arbitrary = fc.record(
      Object.fromEntries(table.map(([name, member]) => [name, valuesOf(name, member)])),
      { requiredKeys: ['name'] },
    ) as unknown as fc.Arbitrary<ClientInput>
    fc.assert(
      fc.property(arbitrary, (input) => {
        const shown = shownClient(kept(input)) as unknown as Record<string, unknown>
        for (const [name, value] of Object.entries(input)) assert.deepEqual(shown[name], value, name)
        const again = inputFrom(kept(input))
        assert.deepEqual(inputFrom(kept(again)), again)
      }),
    )
  })
})
