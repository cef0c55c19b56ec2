// What a new domain costs: a folder, its migration, its entry in the list of src/app.ts and its line on the plan of
// test/structure.test.ts. A toy with one route, one option, one table, one job and one refusal is added to a copy of the
// project, and works.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type * as AppModule from '../src/app.ts'
import type { Config } from '../src/config.ts'
import type * as GatehouseModule from '../src/gatehouse.ts'
import type * as SchedulerModule from '../src/jobs/scheduler.ts'
import { dialects, freshDatabase, issuer, secret } from './support/gatehouse.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

const folder = {
  'config.ts': `import { type Given, section, seconds, text, type Value } from '../config/section.ts'

const toy = section({
  /** What a greeting begins with. Default \`Hello\`. */
  greeting: text('a text that is not empty', undefined, { standard: 'Hello' }),
  /** Seconds a greeting is remembered. Default 60. */
  keep: seconds(60, 1, 3_600),
})

export const toyOptions = {
  /** Greetings. */
  toy,
}

declare module '../config.ts' {
  interface Config {
    toy?: Given<typeof toy>
  }
}
declare module '../settings.ts' {
  interface DomainSettings {
    toy: Value<typeof toy>
  }
}
`,
  'refusals.ts': `import { refuser, requestRefusals, row } from '../http/refusal.ts'

export const refusals = {
  ...requestRefusals,
  toy_nameless: row(400, 'invalid_request', 'Say who is to be greeted'),
}

export const refuse = refuser(refusals)
`,
  'records/toys.ts': `import { deletion } from '../../db/deletion.ts'
import { insert, select, sql, write } from '../../db/sql.ts'

export const insertToy = write('insert_toy', { id: 'text', now: 'int', expires_at: 'int' }, (i) => ({
  effects: [insert('toys', { id: i.id, created_at: i.now, expires_at: i.expires_at })],
}))

export const countToys = select('count_toys', { now: 'int' }, (i) =>
  sql<{ toys: number }>\`select count(*) as toys from toys where created_at <= \${i.now}\`,
)

export const oldToys = deletion('toys')
`,
  'routes.ts': `import type { Core } from '../core.ts'
import { parseForm } from '../http/forms.ts'
import { json } from '../http/message.ts'
import { jsonRefusal } from '../http/refusal.ts'
import type { Route } from '../http/route.ts'
import { insertToy } from './records/toys.ts'
import { refuse } from './refusals.ts'

export function toyRoutes({ db, now, settings }: Core): Route[] {
  return [
    {
      path: '/toy/greet',
      methods: ['POST'],
      cors: true,
      refused: (_, refusal) => jsonRefusal(refusal),
      async run(request) {
        const name = parseForm(request.search)?.get('name')
        if (name === undefined) return refuse('toy_nameless', { name: 'missing' })
        const { greeting, keep } = settings.toy
        await db.write(insertToy, { id: name, now: now(), expires_at: now() + keep })
        return json(200, { said: \`\${greeting} \${name}\` })
      },
    },
  ]
}
`,
  'domain.ts': `import type { Core } from '../core.ts'
import { deleteBefore } from '../db/deletion.ts'
import type { Job } from '../jobs/job.ts'
import { toyOptions } from './config.ts'
import { countToys, oldToys } from './records/toys.ts'
import { toyRoutes } from './routes.ts'

export const toy = {
  options: toyOptions,
  routes: toyRoutes,
  jobs: ({ db, now }: Core): Job[] => [
    {
      name: 'count_toys',
      every: 60_000,
      async run() {
        const found = await db.one(countToys, { now: now() })
        return { toys: Number(found!.toys) }
      },
    },
  ],
  cleanUp: ({ db, now }: Core) => ({ toys: deleteBefore(db, oldToys, now, now) }),
}
`,
}

const table = (dialect: 'sqlite' | 'postgres') => {
  const [id, time] = dialect === 'sqlite' ? ['text', 'integer'] : ['text collate "C"', 'bigint']
  const end = dialect === 'sqlite' ? ') strict, without rowid;' : ');'
  return `-- Greetings. Removed after expires_at.
create table toys (
  id ${id} primary key,
  created_at ${time} not null,
  expires_at ${time} not null
${end}
create index toys_expiry on toys (expires_at);
`
}

/** A new line behind one that stands there once. */
function withLine(text: string, behind: string, line: string): string {
  assert.equal(text.split(behind).length, 2, behind)
  return text.replace(behind, `${behind}${line}\n`)
}

describe('a toy domain', () => {
  let copy = ''
  let app: typeof AppModule
  let face: typeof GatehouseModule
  const file = (path: string) => join(copy, path)
  const edit = (path: string, change: (text: string) => string) =>
    writeFileSync(file(path), change(readFileSync(file(path), 'utf8')))

  before(async () => {
    copy = mkdtempSync(join(tmpdir(), 'gatehouse-toy-'))
    for (const path of ['src', 'scripts', 'test/structure.test.ts', 'package.json', 'tsconfig.json'])
      cpSync(join(root, path), file(path), { recursive: true })
    symlinkSync(join(root, 'node_modules'), file('node_modules'))

    for (const [name, text] of Object.entries(folder)) {
      mkdirSync(dirname(file(`src/toy/${name}`)), { recursive: true })
      writeFileSync(file(`src/toy/${name}`), text)
    }
    const last = globSync('src/db/migrations/*/', { cwd: copy }).length
    const step = `src/db/migrations/${String(last + 1).padStart(4, '0')}_toys`
    mkdirSync(file(step))
    for (const dialect of dialects) {
      writeFileSync(file(`${step}/${dialect}.up.sql`), table(dialect))
      writeFileSync(file(`${step}/${dialect}.down.sql`), 'drop table toys;\n')
    }
    edit('src/app.ts', (text) =>
      withLine(
        withLine(
          text,
          "import type { Settings } from './settings.ts'\n",
          "import { toy } from './toy/domain.ts'",
        ),
        '  { cleanUp: cleanUpEvents },\n',
        '  toy,',
      ),
    )
    edit('test/structure.test.ts', (text) => withLine(text, '  webhooks: [],\n', '  toy: [],'))
    execFileSync(process.execPath, ['scripts/migrations.ts'], { cwd: copy })
    app = await import(file('src/app.ts'))
    face = await import(file('src/gatehouse.ts'))
  })
  after(() => rmSync(copy, { recursive: true, force: true }))

  const config = (database: string, toy: unknown): Config => ({
    issuer,
    secret,
    database,
    migrate: true,
    jobs: false,
    log: 'silent',
    ...({ toy } as object),
  })

  test('takes one folder, its migration, one entry in app.ts and one line on the plan', () => {
    const changed = globSync('{src,test}/**/*', {
      cwd: copy,
      exclude: (path) => path.includes('node_modules'),
    })
      .filter((path) => /\.\w+$/.test(path))
      .filter((path) => {
        try {
          return readFileSync(file(path), 'utf8') !== readFileSync(join(root, path), 'utf8')
        } catch {
          return true
        }
      })
      .filter((path) => !path.startsWith('src/toy/') && !/migrations\/\d+_toys\//.test(path))
      .sort()
    assert.deepEqual(changed, [
      'src/app.ts',
      // Written by a script.
      'src/db/migrations/postgres.ts',
      'src/db/migrations/sqlite.ts',
      'test/structure.test.ts',
    ])
  })

  test('stands on the plan of who may import whom', () => {
    execFileSync('git', ['init', '--quiet'], { cwd: copy })
    const options = ['--test', '--test-reporter=tap', '--test-name-pattern=^imports']
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    const told = execFileSync(process.execPath, [...options, 'test/structure.test.ts'], {
      cwd: copy,
      encoding: 'utf8',
      env,
    })
    assert.match(told, /^# fail 0$/m)
    assert.match(told, /^ +ok \d+ - go downwards/m)
  })

  test('compiles, and its option is one of `Config`', () => {
    const asked = "import { gatehouse } from './index.ts'\nvoid gatehouse({ issuer: '', secret: '', toy: "
    writeFileSync(
      file('src/asked.ts'),
      `${asked}{ keep: 5 } })\n// @ts-expect-error: a text\n${asked.split('\n')[1]}{ keep: '5' } })\n`,
    )
    writeFileSync(file('tsconfig.toy.json'), '{ "extends": "./tsconfig.json", "include": ["src"] }')
    const compiler = join(root, 'node_modules/typescript/bin/tsc')
    execFileSync(process.execPath, [compiler, '-p', 'tsconfig.toy.json'], { cwd: copy })
    rmSync(file('src/asked.ts'))
  })

  test('has its option on the page of options and its refusal on the page of errors', () => {
    const print = (expression: string) =>
      execFileSync(process.execPath, ['--input-type=module', '--eval', expression], {
        cwd: copy,
        encoding: 'utf8',
      })
    assert.match(
      print("import { errorsDocument } from './scripts/errors.ts'; console.log(errorsDocument())"),
      /\| `toy_nameless` \| 400 \| Say who is to be greeted \|/,
    )
    const options = JSON.parse(
      print(
        "import { documentedOptions } from './scripts/configuration.ts'; console.log(JSON.stringify(documentedOptions()))",
      ),
    ) as { path: string; text: string }[]
    assert.match(options.find(({ path }) => path === 'toy.keep')!.text, /Seconds a greeting is remembered/)
  })

  test('has its option checked with every other, and told what was meant', async () => {
    const problems = async (config: Config) => {
      try {
        await app.openApp(config)
      } catch (error) {
        return (error as { problems: { path: string; allowed: string }[] }).problems.map(
          ({ path, allowed }) => `${path}: ${allowed}`,
        )
      }
      return []
    }
    const wrong = { greting: 'Hi', keep: 'long' }
    assert.deepEqual(await problems({ ...config('x.db', wrong), issuer: 'here' }), [
      'issuer: an absolute URL',
      'toy.greting: no option of this name; did you mean toy.greeting?',
      'toy.keep: a whole number of seconds from 1 to 3600',
    ])
    const unknown = { ...config('x.db', undefined), ...({ toi: {} } as object) }
    assert.deepEqual(await problems(unknown), ['toi: no option of this name; did you mean toy?'])
  })

  for (const dialect of dialects) {
    test(`answers, refuses, runs its job and is cleaned up (${dialect})`, async () => {
      const database = await freshDatabase(dialect)
      const lines: Record<string, unknown>[] = []
      const note = (message: string, facts: object = {}) => void lines.push({ message, ...facts })
      let time = Date.UTC(2026, 0, 15, 12)
      const opened = await app.openApp(
        { ...config(database.url, { greeting: 'Good day' }), log: { info: note, warn: note, error: note } },
        { now: () => time },
      )
      try {
        const { fetch } = face.embed(opened)
        const greet = (query: string, method = 'POST') =>
          fetch(
            new Request(`${issuer}/toy/greet${query}`, {
              method,
              headers: { origin: 'https://app.example' },
            }),
            {
              address: '203.0.113.7',
            },
          )
        const answer = await greet('?name=Ann')
        assert.deepEqual([answer.status, await answer.json()], [200, { said: 'Good day Ann' }])
        assert.equal(answer.headers.get('access-control-allow-origin'), '*')

        const refused = await greet('')
        assert.deepEqual(
          [refused.status, await refused.json()],
          [400, { error: 'invalid_request', error_description: 'Say who is to be greeted' }],
        )
        const line = lines.findLast(({ message }) => message === 'request')
        assert.deepEqual([line?.path, line?.reason, line?.name], ['/toy/greet', 'toy_nameless', 'missing'])
        const other = await greet('', 'GET')
        assert.deepEqual([other.status, other.headers.get('allow')], [405, 'POST'])
        const again = await greet('?name=Ann')
        assert.equal(again.status, 500, 'a throw in it is a fault as anywhere')

        const jobs = app.jobsOf(opened.server)
        const run = async (name: string) =>
          jobs.find((job) => job.name === name)!.run({ previous: null, pause: async () => {} })
        assert.deepEqual(await run('count_toys'), { toys: 1 })
        const { runJob } = (await import(file('src/jobs/scheduler.ts'))) as typeof SchedulerModule
        assert.equal(await runJob(opened.server, jobs.find(({ name }) => name === 'count_toys')!), true)
        assert.deepEqual(await run('clean_up'), {})
        time += 61_000
        assert.deepEqual(await run('clean_up'), { toys: 1 })
        assert.deepEqual(await run('count_toys'), { toys: 0 })
      } finally {
        await opened.close()
        await database.remove()
      }
    })
  }
})
