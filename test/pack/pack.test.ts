// What is published, as a stranger gets it: packed, installed into an empty project, imported, compiled against, run.

import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../..', import.meta.url))
const project = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { files: string[] }

/** Nothing of this run reaches the commands: neither npm's view of this project nor the test runner's. */
const environment: NodeJS.ProcessEnv = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) =>
        !/^(npm_(package|lifecycle|config_local_prefix|command)|INIT_CWD|NODE_|GATEHOUSE_|TEST_)/.test(name),
    ),
  ),
  // The command runs on the Node that runs the tests.
  PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
}

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
      `import { gatehouse } from 'gatehouse-auth'
      const issuer = 'http://localhost:4400'
      const server = await gatehouse({ issuer, secret: 'x'.repeat(43), database: 'gatehouse.db', log: 'error' })
      const response = await server.fetch(new Request(issuer + '/.well-known/oauth-authorization-server'))
      console.log(JSON.stringify({ status: response.status, metadata: await response.json() }))
      await server.close()`,
    )
    const { status, metadata } = JSON.parse(await run(process.execPath, ['embed.js'], empty))
    assert.equal(status, 200)
    assert.equal(metadata.issuer, 'http://localhost:4400')
    assert.equal(metadata.token_endpoint, 'http://localhost:4400/oauth/token')
  })

  test('has types that a strict project compiles against, and that refuse what is wrong', async () => {
    await writeFile(
      join(empty, 'embed.ts'),
      `import { gatehouse, type Config } from 'gatehouse-auth'
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

  /** Starts `npx gatehouse-auth …` and answers every line of JSON it prints, until one fits. */
  async function start(
    folder: string,
    args: string[],
    last: string,
  ): Promise<{ lines: Record<string, unknown>[]; end(): Promise<void> }> {
    const command = ['--no-install', 'gatehouse-auth', ...args, '--json']
    const child: ChildProcessWithoutNullStreams = spawn('npx', command, { cwd: folder, env: environment })
    const lines: Record<string, unknown>[] = []
    let errors = ''
    child.stderr.setEncoding('utf8').on('data', (text) => (errors += text))
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(JSON.parse(line))
      if (last in lines.at(-1)!) break
    }
    assert.ok(lines.at(-1) && last in lines.at(-1)!, errors)
    return {
      lines,
      async end() {
        const ended = once(child, 'close')
        child.stdout.resume()
        process.kill(lines[0]!.pid as number, 'SIGTERM')
        await ended
      },
    }
  }

  test('init, migrate, clients create, serve: a token over HTTP', async () => {
    const folder = join(empty, 'server')
    await mkdir(folder)
    const npx = (...args: string[]) => run('npx', ['--no-install', 'gatehouse-auth', ...args], folder)
    assert.match(await npx('init'), /npx gatehouse-auth migrate up/)
    assert.match(await npx('migrate', 'up'), /^applied 1 /)
    const client = JSON.parse(await npx('clients', 'create', '--name', 'Stranger', '--json'))
    const server = await start(folder, ['serve', '--port', '0'], 'ready')
    try {
      const response = await fetch(`${server.lines[0]!.url}/oauth/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          client_id: client.client_id,
          client_secret: client.client_secret,
        }),
      })
      const token = (await response.json()) as { access_token: string; scope: string }
      assert.equal(response.status, 200, JSON.stringify(token))
      assert.equal(token.access_token.split('.').length, 3)
      assert.match(token.scope, /jobs:read/)
    } finally {
      await server.end()
    }
  })

  test('the configuration that init writes compiles in a strict project', async () => {
    const folder = join(empty, 'typed')
    await mkdir(folder)
    await run('npx', ['--no-install', 'gatehouse-auth', 'init'], folder)
    const options = { module: 'nodenext', strict: true, noEmit: true, verbatimModuleSyntax: true, types: [] }
    const lib = ['es2024', 'dom', 'esnext.disposable']
    const files = ['gatehouse.config.ts']
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: { ...options, lib, skipLibCheck: true }, files }),
    )
    const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'))
    assert.equal(await run(process.execPath, [join(typescript, 'bin', 'tsc'), '-p', '.'], folder), '')
  })

  test('dev shows its flow there too', async () => {
    const folder = join(empty, 'dev')
    await mkdir(folder)
    const probe = createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const { port } = probe.address() as { port: number }
    await new Promise((closed) => probe.close(closed))
    const server = await start(folder, ['dev', '--port', String(port)], 'connected_apps')
    await server.end()
    const steps = server.lines.flatMap((line) => (line.step === undefined ? [] : [line.step]))
    assert.equal(steps.at(0), 'Discover the server')
    assert.equal(steps.at(-1), 'Introspect it again')
    assert.equal(server.lines.at(-2)?.result, 'active: false')
  })
})
