// What is published, as a stranger gets it: packed, installed into an empty project, imported, compiled against.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { globSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../..', import.meta.url))
const project = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { files: string[] }

/** Nothing of this run reaches the commands: neither npm's view of this project nor the test runner's. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) =>
      !/^(npm_(package|lifecycle|config_local_prefix|command)|INIT_CWD|NODE_|GATEHOUSE_|TEST_)/.test(name),
  ),
)

async function run(command: string, args: string[], cwd: string): Promise<string> {
  const { stdout } = await promisify(execFile)(command, args, { cwd, env: environment, maxBuffer: 2 ** 26 })
  return stdout
}

describe('the packed tarball', { timeout: 300_000 }, () => {
  let scratch: string
  let empty: string
  let packed: { filename: string; files: { path: string; mode: number }[] }

  before(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'gatehouse-pack-'))
    empty = join(scratch, 'project')
    await mkdir(empty)
    await run('npm', ['run', 'build'], root)
    const report = await run(
      'npm',
      ['pack', '--json', '--ignore-scripts', '--pack-destination', scratch],
      root,
    )
    packed = (JSON.parse(report) as [typeof packed])[0]
    await writeFile(join(empty, 'package.json'), '{ "name": "empty", "private": true, "type": "module" }')
    const tarball = join(scratch, packed.filename)
    await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], empty)
  })
  after(() => rm(scratch, { recursive: true, force: true }))

  test('holds what package.json names and nothing of tests, benchmarks, examples or sources', () => {
    const paths = packed.files.map(({ path }) => path)
    for (const named of [...project.files, 'package.json']) {
      assert.ok(
        paths.some((path) => path === named || path.startsWith(`${named}/`)),
        `${named} is missing`,
      )
    }
    const belongs = /^(dist\/.+\.(js|d\.ts|sql)|LICENSE|README\.md|CHANGELOG\.md|SECURITY\.md|package\.json)$/
    assert.deepEqual(
      paths.filter((path) => !belongs.test(path)),
      [],
    )
  })

  test('holds every migration', () => {
    const written = globSync('**/*.sql', { cwd: join(root, 'src') }).sort()
    const held = packed.files
      .map(({ path }) => path)
      .filter((path) => path.endsWith('.sql'))
      .sort()
    assert.ok(written.length > 0)
    assert.deepEqual(
      held,
      written.map((file) => `dist/${file}`),
    )
  })

  test('has an executable command', () => {
    const command = packed.files.find(({ path }) => path === 'dist/cli.js')
    assert.equal(command && command.mode & 0o111, 0o111)
  })

  test('brings no install script into the project', async () => {
    const lock = JSON.parse(await readFile(join(empty, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { hasInstallScript?: boolean }>
    }
    const scripted = Object.entries(lock.packages).filter(([, entry]) => entry.hasInstallScript)
    assert.deepEqual(
      scripted.map(([path]) => path),
      [],
    )
  })

  test('can be imported and answers requests', async () => {
    await writeFile(
      join(empty, 'embed.js'),
      `import { gatehouse } from 'gatehouse'
      const issuer = 'http://localhost:4400'
      const server = await gatehouse({ issuer, secret: 'x'.repeat(43), database: 'gatehouse.db', log: 'error' })
      const response = await server.fetch(new Request(issuer + '/.well-known/oauth-authorization-server'))
      console.log(JSON.stringify({ status: response.status, metadata: await response.json() }))
      await server.close()`,
    )
    const { status, metadata } = JSON.parse(await run(process.execPath, ['embed.js'], empty))
    assert.equal(status, 200)
    assert.equal(metadata.issuer, 'http://localhost:4400')
    assert.equal(metadata.token_endpoint, 'http://localhost:4400/token')
  })

  test('has types that a strict project compiles against, and that refuse what is wrong', async () => {
    await writeFile(
      join(empty, 'embed.ts'),
      `import { gatehouse, type Config } from 'gatehouse'
      const config: Config = { issuer: 'http://localhost:4400', secret: 'x'.repeat(43) }
      const server = await gatehouse(config)
      const response: Response = await server.fetch(new Request('http://localhost:4400/token', { method: 'POST' }))
      console.log(response.status)
      await server.close()
      // @ts-expect-error an issuer is required
      await gatehouse({ secret: 'x'.repeat(43) })`,
    )
    await writeFile(
      join(empty, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          target: 'es2024',
          lib: ['es2024', 'dom', 'esnext.disposable'],
          module: 'nodenext',
          strict: true,
          noEmit: true,
          skipLibCheck: false,
          typeRoots: [join(root, 'node_modules/@types')],
          types: ['node'],
        },
        files: ['embed.ts'],
      }),
    )
    const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'))
    assert.equal(await run(process.execPath, [join(typescript, 'bin', 'tsc'), '-p', '.'], empty), '')
  })
})
