// The SQL of the migrations is a module, so that a host's bundle holds it; the files are where it is written.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { dialects, migrationModule, moduleFile } from '../../scripts/migrations.ts'
import { newestStep } from '../../src/db/health.ts'
import { readMigrations } from '../../src/db/migrate.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

for (const dialect of dialects) {
  describe(`the migrations of ${dialect}`, () => {
    test('are in the module as scripts/migrations.ts writes them', () => {
      const written = readFileSync(moduleFile(dialect), 'utf8')
      assert.ok(written === migrationModule(dialect), 'run: node scripts/migrations.ts')
    })

    test('are byte for byte what the files hold, and so are their checksums', () => {
      const files = globSync(`src/db/migrations/*/${dialect}.up.sql`, { cwd: root }).sort()
      const steps = readMigrations(dialect)
      assert.ok(files.length >= 7)
      assert.deepEqual(
        steps.map(({ version, name, up, down, checksum }) => ({ version, name, up, down, checksum })),
        files.map((file) => {
          const up = readFileSync(`${root}/${file}`)
          const [, version, name] = /\/(\d{4})_(\w+)\//.exec(file)!
          return {
            version: Number(version),
            name,
            up: up.toString('utf8'),
            down: readFileSync(`${root}/${file.replace('.up.', '.down.')}`, 'utf8'),
            checksum: createHash('sha256').update(up).digest('base64url'),
          }
        }),
      )
      assert.equal(newestStep(), steps.at(-1)!.version)
    })
  })
}

test('no source looks for a file or a thread by where its module is', () => {
  const sources = globSync('src/**/*.ts', { cwd: root })
  const found = sources.filter((file) =>
    /import\.meta\.(?!main\b)|__dirname|__filename|require\.resolve/.test(
      readFileSync(`${root}/${file}`, 'utf8'),
    ),
  )
  assert.ok(sources.length > 200)
  assert.deepEqual(found, [])
})
