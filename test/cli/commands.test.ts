// Every command: its help, what it does not understand, where it says what, how it exits; init and migrate.

import assert from 'node:assert/strict'
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { actionHelp, type Command, commandHelp } from '../../src/cli/command.ts'
import { readMigrations } from '../../src/db/migrate.ts'
import { onBothDatabases } from '../support/gatehouse.ts'
import { dropTestDatabase, testDatabaseUrl } from '../support/postgres.ts'
import { emptyFolder, run } from './command-line.ts'

const commands = [
  'dev',
  'serve',
  'init',
  'migrate',
  'clients',
  'keys',
  'users',
  'sessions',
  'events',
  'doctor',
]

describe('every command', () => {
  test('is listed by --help, on standard output', async () => {
    const help = await run(emptyFolder(), ['--help'])
    assert.equal(help.code, 0)
    assert.equal(help.stderr, '')
    for (const name of commands) assert.match(help.stdout, new RegExp(`^  ${name} +[A-Z]`, 'm'))
  })

  for (const name of commands) {
    test(`${name} --help says how it is used, and so does each of its actions`, async () => {
      const folder = emptyFolder()
      const help = await run(folder, [name, '--help'])
      assert.equal(help.code, 0)
      assert.match(help.stdout, new RegExp(`Usage: gatehouse-auth ${name} `))
      const { command } = (await import(`../../src/cli/${name}.ts`)) as { command: Command }
      assert.equal(
        help.stdout.trim(),
        'run' in command ? actionHelp(name, command) : commandHelp(name, command),
      )
      const actions = 'run' in command ? {} : command.actions
      for (const [action, one] of Object.entries(actions)) {
        const text = actionHelp(`${name} ${action}`, one)
        assert.ok(help.stdout.includes(one.summary))
        for (const option of [
          '--json',
          '--config',
          ...Object.keys(one.options ?? {}).map((it) => `--${it}`),
        ]) {
          assert.ok(text.includes(`  ${option} `), `${name} ${action} ${option}`)
        }
      }
      const first = Object.keys(actions)[0]
      if (first) assert.equal((await run(folder, [name, first, '--help'])).code, 0)
      assert.ok(!existsSync(join(folder, '.gatehouse')), 'help makes nothing')
    })
  }

  test('--version is the package’s', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    assert.equal((await run(emptyFolder(), ['--version'])).stdout.trim(), version)
  })

  const misunderstood: [string[], RegExp][] = [
    [[], /Usage: gatehouse-auth <command>/],
    [['clinets'], /there is no command clinets; did you mean clients\?/],
    [['clients', 'creat'], /there is no action creat; did you mean create\?/],
    [['clients', 'list', '--jsno'], /Unknown option '--jsno'; did you mean --json\?/],
    [['frob'], /there is no command frob; allowed: dev, serve/],
    [['clients'], /what to do is missing; allowed: list, create/],
    [['clients', 'frob'], /there is no action frob; allowed: list/],
    [['clients', 'list', '--frob'], /Unknown option '--frob'/],
    [['clients', 'show'], /<client> is missing/],
    [['clients', 'list', 'extra'], /extra is one too many/],
    [['clients', 'show', 'a', '--config='], /--config is empty/],
    [['migrate', 'down'], /--to must be given/],
    [['migrate', 'up', '--to', 'two'], /--to: two was given; allowed: a whole number from 0/],
    [['serve', '--port'], /--port/],
  ]
  for (const [args, message] of misunderstood) {
    test(`gatehouse ${args.join(' ')} is not understood: exit code 2, nothing on standard output`, async () => {
      const folder = emptyFolder()
      if (args[0] === 'migrate') await run(folder, ['migrate', 'up'])
      const result = await run(folder, args)
      assert.equal(result.code, 2)
      assert.equal(result.stdout, '')
      assert.match(result.stderr, message)
    })
  }

  test('says so when it runs in the wrong folder, and makes no database there', async () => {
    const folder = emptyFolder()
    for (const args of [
      ['clients', 'list'],
      ['keys', 'list'],
      ['users', 'list'],
      ['sessions', 'list'],
      ['events', 'list'],
    ]) {
      const result = await run(folder, args)
      assert.equal(result.code, 1)
      assert.match(result.stderr, /^gatehouse: there is no database .*: run node src\/cli\.ts migrate up/)
    }
    const json = await run(folder, ['clients', 'list', '--json'])
    assert.match(JSON.parse(json.stderr).error, /there is no database/)
    assert.ok(!existsSync(join(folder, '.gatehouse')))
  })
})

describe('init', () => {
  test('writes a configuration that works, ignores .gatehouse/, and never overwrites', async () => {
    const folder = emptyFolder()
    writeFileSync(join(folder, '.gitignore'), 'node_modules')
    const first = await run(folder, ['init'])
    assert.equal(first.code, 0, first.stderr)
    assert.match(first.stdout, /Next:\n {2}\S.* migrate up/)
    assert.equal(readFileSync(join(folder, '.gitignore'), 'utf8'), 'node_modules\n.gatehouse/\n')
    assert.equal((await run(folder, ['migrate', 'up'])).code, 0)
    const created = await run(folder, ['clients', 'create', '--name', 'A', '--json'])
    assert.equal(created.lines()[0]?.scope, 'applications:read applications:write jobs:read resume:read')

    appendFileSync(join(folder, 'gatehouse.config.mts'), '// mine')
    const second = await run(folder, ['init', '--json'])
    assert.equal(second.code, 1)
    assert.match(JSON.parse(second.stderr).error, /gatehouse\.config\.mts is there already/)
    assert.match(readFileSync(join(folder, 'gatehouse.config.mts'), 'utf8'), /\/\/ mine$/)
  })
})

onBothDatabases('migrate', (dialect) => {
  test('plans, applies, shows and takes back, and asks before data is lost', async () => {
    const folder = emptyFolder()
    const url = dialect === 'postgres' ? await testDatabaseUrl() : undefined
    const env: Record<string, string> = url === undefined ? {} : { GATEHOUSE_DATABASE_URL: url }
    const gatehouse = (...args: string[]) => run(folder, ['migrate', ...args], env)

    const plan = await gatehouse('plan')
    assert.equal(plan.code, 0, plan.stderr)
    assert.match(plan.stdout, /^-- 1 authorization_server, up\n[\s\S]*create table clients/)
    const up = await gatehouse('up', '--json')
    assert.deepEqual(
      up.lines(),
      readMigrations(dialect).map(({ version, name }) => ({ version, name, done: 'applied' })),
    )
    assert.equal((await gatehouse('up')).stdout, 'The schema is up to date.\n')
    const [status] = (await gatehouse('status', '--json')).lines<{ version: number; applied_at: string }>()
    assert.equal(status?.version, 1)
    assert.ok(Date.parse(status.applied_at) > 0)
    assert.match((await gatehouse('plan')).stderr, /Nothing would run/)
    assert.match((await gatehouse('plan', '--to', '0')).stdout, /, down\n[\s\S]*drop table/)

    const unsure = await gatehouse('down', '--to', '0')
    assert.equal(unsure.code, 2)
    assert.match(
      unsure.stderr,
      /All data of these steps is lost\. There is no terminal to answer on: add --yes/,
    )
    assert.equal((await gatehouse('status')).code, 0)
    const down = await gatehouse('down', '--to', '0', '--yes')
    assert.match(down.stdout, /taken back 2 whole_protocol\ntaken back 1/)
    assert.equal((await gatehouse('status')).code, 1)
    if (url) await dropTestDatabase(url)
  })
})
