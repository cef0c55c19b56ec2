// Writes the SQL of src/db/migrations/*/ into modules, src/db/migrations/sqlite.ts and postgres.ts, so that a host's bundle
// contains it and the code reads no files at run time:
//
//   node scripts/migrations.ts
//
// Edit the .sql files; test/db/migration-texts.test.ts compares them with the modules. `node scripts/dump-schema.ts` does this first.

import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('../src/db/migrations', import.meta.url))

export const dialects = ['sqlite', 'postgres'] as const

export function moduleFile(dialect: (typeof dialects)[number]): string {
  return `${folder}/${dialect}.ts`
}

/** The text of the module that holds the steps of a dialect. */
export function migrationModule(dialect: (typeof dialects)[number]): string {
  const steps = globSync(`*/${dialect}.up.sql`, { cwd: folder })
    .map((file) => basename(dirname(file)))
    .sort()
    .map((step) => {
      const read = (direction: string) => {
        const text = readFileSync(`${folder}/${step}/${dialect}.${direction}.sql`, 'utf8')
        return JSON.stringify(text)
      }
      return `  {\n    folder: '${step}',\n    up: ${read('up')},\n    down: ${read('down')},\n  },\n`
    })
  return [
    '// Written by `node scripts/migrations.ts` from the .sql files beside it, which are what is edited.\n\n',
    `export const ${dialect} = [\n`,
    ...steps,
    ']\n',
  ].join('')
}

/** Writes what differs. */
export function writeMigrationModules(): void {
  for (const dialect of dialects) writeFileSync(moduleFile(dialect), migrationModule(dialect))
}

if (import.meta.main) writeMigrationModules()
