// Every table has one owner: the folder whose files name it in SQL. A new table is one row of `owners`.

import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

const owners: Record<string, string> = {
  access_tokens: 'oauth/records',
  authorization_requests: 'oauth/records',
  clients: 'oauth/records',
  codes: 'oauth/records',
  consents: 'oauth/records',
  device_codes: 'oauth/records',
  initial_access_tokens: 'oauth/records',
  logout_deliveries: 'oauth/records',
  pairwise_subjects: 'oauth/records',
  pushed_authorization_requests: 'oauth/records',
  refresh_tokens: 'oauth/records',
  signing_keys: 'oauth/records',
  used_jtis: 'oauth/records',
  sessions: 'sessions',
  users: 'accounts',
  identities: 'accounts',
  local_accounts: 'accounts',
  password_links: 'accounts',
  sign_ins: 'accounts',
  events: 'events',
  jobs: 'jobs',
  rate_limits: 'db',
  schema_migrations: 'db',
}

const tables = Object.keys(owners).sort()

/** What names a table that another folder owns, and why that is right. `folder` may be one file. */
const exceptions: { folder: string; tables: string[]; why: string }[] = [
  {
    folder: 'sessions',
    tables: ['codes', 'device_codes', 'authorization_requests', 'logout_deliveries'],
    why: 'the one list of what ends with a session',
  },
  {
    folder: 'sessions',
    tables: ['users', 'clients'],
    why: 'the lock of an ending; the name beside a session',
  },
  { folder: 'accounts', tables: ['consents'], why: 'a deleted user: the consents go in the same statement' },
  {
    folder: 'db/living.ts',
    tables: ['users', 'clients', 'sign_ins'],
    why: 'what a beginning locks, for every domain (decision 37)',
  },
  {
    folder: 'db/clock.ts',
    tables: ['jobs'],
    why: 'the last clean-up tells a clock that jumped; db is below jobs',
  },
  {
    folder: 'oauth/records',
    tables: ['sessions', 'users'],
    why: 'a token or code is looked up with its session and user in one round trip; endings lock the user',
  },
  {
    folder: 'oauth/clients/client-operations.ts',
    tables: ['clients'],
    why: 'pages of an administrator’s list, composed for each question',
  },
  {
    folder: 'oauth/registration/initial-access-tokens.ts',
    tables: ['initial_access_tokens'],
    why: 'pages of an administrator’s list, composed for each question',
  },
]

/** The source without comments. */
const code = (file: string): string =>
  readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '')

const inSql = new RegExp(
  `\\b(?:from|join|update|into|table:|(?:insert|lockRows|deletion)\\()\\s*['"]?(${tables.join('|')})\\b(?!/)`,
  'g',
)

/** The tables that a file names in SQL. */
const namedIn = (file: string): string[] => [
  ...new Set([...code(file).matchAll(inSql)].map((found) => found[1]!)),
]

const within = (file: string, folder: string): boolean =>
  file === `src/${folder}` || file.startsWith(`src/${folder}/`)

const sources = globSync('src/**/*.ts', { cwd: root })
  .filter((file) => !file.startsWith('src/db/migrations/'))
  .sort()

const foreign = sources.flatMap((file) =>
  namedIn(file)
    .filter((table) => !within(file, owners[table]!))
    .map((table) => ({ file, table })),
)

/** What changes a row: no exception covers it but these. */
const changes = new RegExp(
  `(?:\\bupdate|\\binsert into|\\bdelete from|\\binsert\\(|\\bdeletion\\()\\s*['"]?(${tables.join('|')})\\b`,
  'g',
)
const mayChange: Record<string, string[]> = {
  'src/sessions/logout-notices.ts': ['logout_deliveries'],
  'src/accounts/records/users.ts': ['consents'],
}

describe('tables', () => {
  test('of both schemas have an owner, and every owner a table', () => {
    for (const dialect of ['sqlite', 'postgres']) {
      const schema = readFileSync(join(root, `src/db/schema/${dialect}.sql`), 'utf8')
      const found = [...schema.matchAll(/^create table "?(?:public\.)?(\w+)"?/gim)].map((one) => one[1]!)
      assert.deepEqual(found.sort(), tables, dialect)
    }
  })

  test('are named in SQL by their owner alone, but for the exceptions', () => {
    const wrong = foreign.filter(
      ({ file, table }) => !exceptions.some((one) => within(file, one.folder) && one.tables.includes(table)),
    )
    assert.deepEqual(
      wrong.map(({ file, table }) => `${file} names ${table}, which is of src/${owners[table]}`),
      [],
    )
  })

  test('are changed by their owner alone, but for what ends together', () => {
    const wrong = sources.flatMap((file) =>
      [...code(file).matchAll(changes)]
        .map((found) => found[1]!)
        .filter((table) => !within(file, owners[table]!) && !mayChange[file]?.includes(table))
        .map((table) => `${file} changes ${table}, which is of src/${owners[table]}`),
    )
    assert.deepEqual(wrong, [])
  })

  test('have no exception that nothing needs', () => {
    const idle = exceptions.flatMap((one) =>
      one.tables
        .filter((table) => !foreign.some((found) => found.table === table && within(found.file, one.folder)))
        .map((table) => `${one.folder}: ${table}`),
    )
    assert.deepEqual(idle, [])
  })

  test('have no column that names a tenant: one database is one tenant', () => {
    for (const dialect of ['sqlite', 'postgres']) {
      const schema = readFileSync(join(root, `src/db/schema/${dialect}.sql`), 'utf8')
      assert.doesNotMatch(schema, /\btenant\w*\b/i, dialect)
    }
  })
})
