// Writes the schema that the migrations create in an empty database, as each database describes it:
//
//   node scripts/dump-schema.ts          src/db/schema/sqlite.sql and src/db/schema/postgres.sql
//
// It first writes the modules with the SQL of the migrations, and runs those.
//
// The dumps are for readers and for the tests, which compare them. No database is created from them.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Database, Run } from '../src/db/database.ts'
import { openDatabase } from '../src/db/open.ts'
import { startPostgres } from '../test/support/postgres.ts'
import { writeMigrationModules } from './migrations.ts'

/** Where the dump of a dialect is committed. */
export function dumpFile(dialect: Database['dialect']): string {
  return fileURLToPath(new URL(`../src/db/schema/${dialect}.sql`, import.meta.url))
}

/** The schema of a database as SQL text; the same schema gives the same text. */
export function dumpSchema(db: Database): Promise<string> {
  return db.connection(db.dialect === 'sqlite' ? dumpSqlite : dumpPostgres)
}

async function dumpSqlite(run: Run): Promise<string> {
  const rows = await run<{ sql: string }>(
    `select sql from sqlite_master where sql is not null and name not like 'sqlite_%'
     order by case type when 'table' then 1 when 'index' then 1 else 2 end, tbl_name, type desc, name`,
    [],
  )
  return `${rows.map(({ sql }) => `${sql.replace(/^CREATE (TABLE|INDEX|VIEW)/, (word) => word.toLowerCase())};`).join('\n\n')}\n`
}

async function dumpPostgres(run: Run): Promise<string> {
  const tables = await run<{ oid: number; name: string; comment: string | null }>(
    `select oid::int, relname as name, obj_description(oid) as comment from pg_class
     where relkind = 'r' and relnamespace = 'public'::regnamespace order by relname`,
    [],
  )
  const parts: string[] = []
  for (const { oid, name, comment } of tables) {
    const columns = await run<{ line: string; name: string; comment: string | null }>(
      `select format('%s %s%s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
          case when a.attcollation <> t.typcollation then format(' collate %I', c.collname) else '' end,
          case when a.attnotnull then ' not null' else '' end,
          ' default ' || pg_get_expr(d.adbin, d.adrelid)) as line,
        a.attname as name, col_description(a.attrelid, a.attnum) as comment
      from pg_attribute a join pg_type t on t.oid = a.atttypid
        left join pg_collation c on c.oid = a.attcollation
        left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped order by a.attnum`,
      [oid],
    )
    const constraints = await run<{ line: string }>(
      `select format('constraint %s %s', conname, pg_get_constraintdef(oid)) as line from pg_constraint
       where conrelid = $1 and contype <> 'n' order by contype = 'p' desc, conname`,
      [oid],
    )
    const indexes = await run<{ line: string }>(
      `select pg_get_indexdef(indexrelid) as line from pg_index i
       where indrelid = $1 and not exists (select 1 from pg_constraint c where c.conindid = i.indexrelid)
       order by indexrelid::regclass::text`,
      [oid],
    )
    const lines = [...columns, ...constraints].map(({ line }) => `  ${line}`)
    parts.push(
      [
        `create table ${name} (\n${lines.join(',\n')}\n);`,
        ...indexes.map(
          ({ line }) => `${line.replace('CREATE INDEX', 'create index').replace('public.', '')};`,
        ),
        ...(comment === null ? [] : [`comment on table ${name} is '${comment}';`]),
        ...columns.flatMap((column) =>
          column.comment === null ? [] : [`comment on column ${name}.${column.name} is '${column.comment}';`],
        ),
      ].join('\n'),
    )
  }
  const views = await run<{ name: string; text: string }>(
    `select viewname as name, definition as text from pg_views where schemaname = 'public' order by viewname`,
    [],
  )
  parts.push(...views.map(({ name, text }) => `create view ${name} as\n${text.trim()}`))
  return `${parts.join('\n\n')}\n`
}

async function write(url: string): Promise<void> {
  const { migrateUp } = await import('../src/db/migrate.ts')
  const db = await openDatabase(url)
  try {
    await migrateUp(db)
    const file = dumpFile(db.dialect)
    mkdirSync(join(file, '..'), { recursive: true })
    writeFileSync(file, await dumpSchema(db))
    console.log(file)
  } finally {
    await db.close()
  }
}

if (import.meta.main) {
  writeMigrationModules()
  const directory = mkdtempSync(join(tmpdir(), 'gatehouse-schema-'))
  await write(join(directory, 'gatehouse.db')).finally(() => rmSync(directory, { recursive: true }))
  const server = await startPostgres({ fsync: false })
  await write(server.url).finally(() => server.stop())
}
