// What is published, as a stranger gets it: packed, installed into an empty project, imported, compiled against, run.

import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, readFileSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, test } from 'node:test'
import { environment, type Packed, packProject, root, run } from './tarball.ts'

const project = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { files: string[] }

/** What the compiler has to say about a project; it is on standard output. */
async function tsc(folder: string): Promise<string> {
  const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'))
  return run(process.execPath, [join(typescript, 'bin', 'tsc'), '-p', '.'], folder).catch(
    (error: { stdout: string }) => error.stdout,
  )
}

describe('the packed tarball', { timeout: 300_000 }, () => {
  let packed: Packed
  /** Exactly what `npm init -y` makes: a commonjs package. */
  let empty: string

  before(async () => {
    packed = await packProject()
    empty = await packed.project('project')
    const { type } = JSON.parse(await readFile(join(empty, 'package.json'), 'utf8')) as { type?: string }
    assert.equal(type, 'commonjs')
  })
  after(() => packed.remove())

  test('holds what package.json names and nothing of tests, benchmarks, examples or sources', () => {
    const paths = packed.files.map(({ path }) => path)
    for (const named of [...project.files, 'package.json']) {
      assert.ok(
        paths.some((path) => path === named || path.startsWith(`${named}/`)),
        `${named} is missing`,
      )
    }
    const belongs =
      /^(dist\/.+\.(js|js\.map|d\.ts)|LICENSE|README\.md|CHANGELOG\.md|SECURITY\.md|package\.json)$/
    assert.deepEqual(
      paths.filter((path) => !belongs.test(path)),
      [],
    )
  })

  test('holds the text of every migration', async () => {
    const folder = join(empty, 'plan')
    await mkdir(folder)
    const plan = await run('npx', ['--no-install', 'gatehouse-auth', 'migrate', 'plan', '--json'], folder)
    const written = globSync('src/db/migrations/*/sqlite.up.sql', { cwd: root }).sort()
    assert.ok(written.length > 0)
    assert.deepEqual(
      plan
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { sql: string }).sql),
      written.map((file) => readFileSync(join(root, file), 'utf8')),
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
      join(empty, 'embed.mjs'),
      `import { gatehouse } from 'gatehouse-auth'
      const issuer = 'http://localhost:4400'
      const server = await gatehouse({ issuer, secret: 'x'.repeat(43), database: 'gatehouse.db', log: 'error' })
      const response = await server.fetch(new Request(issuer + '/.well-known/oauth-authorization-server'))
      console.log(JSON.stringify({ status: response.status, metadata: await response.json() }))
      await server.close()`,
    )
    const { status, metadata } = JSON.parse(await run(process.execPath, ['embed.mjs'], empty))
    assert.equal(status, 200)
    assert.equal(metadata.issuer, 'http://localhost:4400')
    assert.equal(metadata.token_endpoint, 'http://localhost:4400/oauth/token')
  })

  test('has types that a strict project compiles against, and that refuse what is wrong', async () => {
    await writeFile(
      join(empty, 'embed.mts'),
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
        files: ['embed.mts'],
      }),
    )
    assert.equal(await tsc(empty), '')
  })

  test('can be required by a commonjs module', async () => {
    await writeFile(
      join(empty, 'embed.js'),
      `const { gatehouse } = require('gatehouse-auth')
      console.log(typeof gatehouse)`,
    )
    assert.equal(await run(process.execPath, ['embed.js'], empty), 'function\n')
  })

  test('has an entry for the API’s side that is one file and loads nothing of the server', async () => {
    const installed = join(empty, 'node_modules', 'gatehouse-auth', 'dist')
    const text = await readFile(join(installed, 'api.js'), 'utf8')
    const imported = [...text.matchAll(/^import [^"]*"([^"]+)"/gm)].map((match) => match[1]!)
    assert.deepEqual(
      imported.filter((name) => !name.startsWith('node:')),
      [],
    )
    assert.doesNotMatch(text, /create table|node:sqlite|<!doctype/i)
    await writeFile(
      join(empty, 'api.mjs'),
      `import { ConfigError, resourceServer } from 'gatehouse-auth/api'
      const api = resourceServer({ issuer: 'https://auth.example.com', resource: 'https://api.example.com/jobs' })
      const access = await api.authenticate(new Request('https://api.example.com/jobs'))
      console.log(access.ok, access.response.status, api.metadataPath)
      const server = await import('gatehouse-auth')
      try { resourceServer({ issuer: 'x', resource: 'y' }) } catch (error) {
        console.log(error instanceof ConfigError, error instanceof server.ConfigError, new Error() instanceof ConfigError)
      }`,
    )
    const printed = await run(process.execPath, ['api.mjs'], empty)
    assert.equal(printed, 'false 401 /.well-known/oauth-protected-resource/jobs\ntrue true false\n')
  })

  test('a configuration that imports an adapter is served by the same copy of the server', async () => {
    const folder = join(empty, 'adapter')
    await mkdir(folder)
    await writeFile(
      join(folder, 'gatehouse.config.mjs'),
      `import { localAccounts } from 'gatehouse-auth'
      export default { issuer: 'http://localhost:0', accounts: localAccounts() }`,
    )
    const server = await start(folder, ['serve', '--port', '0'], 'ready')
    const page = await fetch(`${server.lines[0]!.url}/sign-up`)
    assert.equal(page.status, 200)
    const body = new URLSearchParams({ login: 'a@example.com', password: 'x' })
    const refused = await fetch(`${server.lines[0]!.url}/sign-up`, { method: 'POST', body })
    assert.ok(refused.status >= 400 && refused.status < 500, String(refused.status))
    await server.end()
  })

  test('results narrow in a project that is not strict', async () => {
    const folder = join(empty, 'loose')
    await mkdir(folder)
    await writeFile(
      join(folder, 'loose.ts'),
      `import { gatehouse, protectTools, resourceServer, type Access } from 'gatehouse-auth'
      const auth = await gatehouse({ issuer: 'http://localhost:4400', secret: 'x'.repeat(43) })
      export async function beside(request: Request): Promise<Response> {
        const access = await auth.authenticate(request, { scope: 'jobs:read' })
        if (!access.ok) return access.response
        return Response.json({ for: access.subject, scope: access.scope.join(' '), nonce: access.dpopNonce })
      }
      const api = resourceServer({ issuer: 'http://localhost:4400', resource: 'http://localhost:3000' })
      export async function apart(request: Request): Promise<Response> {
        const access: Access = await api.authenticate(request)
        if (access.ok) return new Response(access.clientId)
        console.log(access.reason)
        return access.response
      }
      const tools = protectTools(auth, { tools: {} })
      export async function mcp(request: Request): Promise<Response> {
        const call = await tools.authenticate(request)
        if (!call.ok) return call.response
        return Response.json({ message: call.message, who: call.access?.subject })
      }`,
    )
    for (const strict of [false, true]) {
      const options = { target: 'es2024', lib: ['es2024', 'dom', 'esnext.disposable'], module: 'nodenext' }
      const compilerOptions = { ...options, strict, noEmit: true, skipLibCheck: true, types: [] }
      await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
      await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['loose.ts'] }))
      assert.equal(await tsc(folder), '', `strict: ${strict}`)
    }
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

  for (const type of ['commonjs', 'module']) {
    test(`in a ${type} package: init, migrate, clients create, serve: a token over HTTP`, async () => {
      const folder = join(empty, type)
      await mkdir(folder)
      await writeFile(join(folder, 'package.json'), JSON.stringify({ name: type, version: '1.0.0', type }))
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
        // A scope of the file that init wrote: it was loaded.
        assert.match(token.scope, /jobs:read/)
      } finally {
        await server.end()
      }
    })

    test(`in a ${type} package the configuration that init writes compiles`, async () => {
      const folder = join(empty, `typed-${type}`)
      await mkdir(folder)
      await writeFile(join(folder, 'package.json'), JSON.stringify({ name: type, version: '1.0.0', type }))
      await run('npx', ['--no-install', 'gatehouse-auth', 'init'], folder)
      const [file] = globSync('gatehouse.config.*', { cwd: folder })
      const lib = ['es2024', 'dom', 'esnext.disposable']
      const common = { lib, strict: true, noEmit: true, skipLibCheck: true, types: [] }
      for (const options of [
        { module: 'nodenext', verbatimModuleSyntax: true },
        { module: 'esnext', moduleResolution: 'bundler', isolatedModules: true },
      ]) {
        await writeFile(
          join(folder, 'tsconfig.json'),
          JSON.stringify({ compilerOptions: { ...common, ...options }, files: [file] }),
        )
        assert.equal(await tsc(folder), '')
      }
    })
  }

  test('a configuration of a commonjs package in a file that Node takes for a script is explained', async () => {
    const folder = join(empty, 'script')
    await mkdir(folder)
    for (const [file, other] of [
      ['gatehouse.config.ts', 'gatehouse.config.mts'],
      ['gatehouse.config.js', 'gatehouse.config.mjs'],
    ] as const) {
      await writeFile(join(folder, file), "export default { issuer: 'http://localhost:4400' }\n")
      await writeFile(join(folder, 'package.json'), '{ "type": "commonjs" }')
      const failed = await run('npx', ['--no-install', 'gatehouse-auth', 'migrate', 'up'], folder).then(
        () => '',
        (error: { stderr: string }) => error.stderr,
      )
      assert.match(failed, new RegExp(`rename it to ${other.replaceAll('.', '\\.')}`))
      await rename(join(folder, file), join(folder, other))
      await run('npx', ['--no-install', 'gatehouse-auth', 'migrate', 'up'], folder)
      await rm(join(folder, other))
    }
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
