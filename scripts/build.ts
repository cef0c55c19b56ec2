// `npm run build`: writes dist/, the part of the project that is published. `node scripts/build.ts <directory>` writes there
// instead.
//
//   index.js            the server, in server.js, which the command shares, so that both use the same classes
//   cli.js              the command; it loads each of its actions only when that action runs
//   api.js              only the API's side, one file that loads nothing of the server
//   types/              the types of both entries
//
// Other packages are not bundled: the native ones cannot be, and a host's audit sees the versions of all.

import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type OutputOptions, rolldown } from 'rolldown'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = resolve(process.argv[2] ?? join(root, 'dist'))
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  name: string
  dependencies: Record<string, string>
}

const source = (file: string) => join(root, 'src', file)
const external = [/^node:/, ...[manifest.name, ...Object.keys(manifest.dependencies)].map(startsWith)]

function startsWith(name: string): RegExp {
  return new RegExp(`^${name.replaceAll(/[/.]/g, '\\$&')}(/|$)`)
}

/**
 * A name that a built-in module of an older Node lacks is an error before any code runs; a member of the module is not, so that
 * such a Node comes as far as the line that says what it lacks.
 */
const forEveryNode = {
  name: 'for every Node',
  renderChunk(code: string) {
    const named = /^import \{ (.+) \} from "(node:[^"]+)";$/gm
    let n = 0
    return {
      code: code.replace(named, (_, names: string, module: string) => {
        const whole = `builtin$${n++}`
        return `import * as ${whole} from "${module}"; const { ${names.replaceAll(' as ', ': ')} } = ${whole};`
      }),
      map: null,
    }
  },
}

/** What a start of the server reads of the command, beside the server itself. */
const ofStart =
  /\/src\/cli\/(main|command|config-file|failures|house|running|secret-file|serve|table|process\/[\w-]+)\.ts$/

async function bundle(input: Record<string, string>, more: OutputOptions): Promise<void> {
  const bundled = await rolldown({
    input,
    external,
    platform: 'node',
    treeshake: true,
    cwd: root,
    plugins: [forEveryNode],
  })
  const { output } = await bundled.write({
    dir: dist,
    format: 'esm',
    sourcemap: true,
    comments: false,
    chunkFileNames: '[name].js',
    ...more,
  })
  await bundled.close()
  for (const one of output) {
    if (one.type !== 'chunk') continue
    writeFileSync(join(dist, one.fileName), inAscii(one.code))
    console.log(`${one.fileName} ${Math.round(one.code.length / 1_024)} KiB`)
  }
}

/** A text in ASCII is half as long in memory as one with a single other letter, and read faster. */
function inAscii(code: string): string {
  const escaped = (letter: string) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`
  return code.replaceAll(/[^\n\r\t\x20-\x7e]/g, escaped)
}

/** The modules `entry` loads, itself aside. */
function modulesOf(entry: string, known = new Set<string>()): Set<string> {
  const statements = /^(?:import|export)\b(?!\s+type\b)[^'"`;]*?from\s*['"](\.[^'"]+)['"]/gm
  for (const [, specifier] of readFileSync(entry, 'utf8').matchAll(statements)) {
    const file = join(dirname(entry), specifier!)
    if (known.has(file)) continue
    known.add(file)
    modulesOf(file, known)
  }
  return known
}

/** Only the types that the entries lead to are published. */
function writeTypes(entries: string[]): void {
  const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'))
  const types = join(dist, 'types')
  const compile = [join(typescript, 'bin', 'tsc'), '-p', 'tsconfig.build.json', '--outDir', types]
  const compiler = spawnSync(process.execPath, compile, { cwd: root, stdio: 'inherit' })
  if (compiler.status !== 0) process.exit(compiler.status ?? 1)
  // A domain merges its options into `Config` in a file that nothing else leads to.
  const index = join(types, 'index.d.ts')
  const merges = globSync('*/config.d.ts', { cwd: types })
    .filter((file) => /^declare module /m.test(readFileSync(join(types, file), 'utf8')))
    .map((file) => `import './${file.replace(/\.d\.ts$/, '.js')}';\n`)
  writeFileSync(index, merges.join('') + readFileSync(index, 'utf8'))
  const reached = new Set<string>()
  const visit = (file: string): void => {
    if (reached.has(file)) return
    reached.add(file)
    for (const [, specifier] of readFileSync(file, 'utf8').matchAll(/['"](\.{1,2}\/[^'"]+)\.[jt]s['"]/g))
      visit(join(dirname(file), `${specifier}.d.ts`))
  }
  for (const entry of entries) visit(join(types, entry))
  for (const file of globSync('**/*.d.ts', { cwd: types }))
    if (!reached.has(join(types, file))) rmSync(join(types, file))
}

rmSync(dist, { recursive: true, force: true })
writeTypes(['index.d.ts', 'api.d.ts'])
const server = modulesOf(source('index.ts'))
server.add(source('required-node.ts'))
await bundle(
  { index: source('index.ts'), cli: source('cli.ts') },
  {
    codeSplitting: {
      groups: [
        // The command asks it before it loads anything else.
        { name: 'node-version', test: /\/src\/node-version\.ts$/, priority: 3 },
        { name: 'server', test: (id) => server.has(id), priority: 2 },
        { name: 'commands', test: ofStart, priority: 1 },
      ],
    },
  },
)
await bundle({ api: source('api.ts') }, { codeSplitting: false })

const command = join(dist, 'cli.js')
if (!existsSync(command))
  throw new Error('src/cli.ts is missing: package.json names dist/cli.js as the command')
if (!readFileSync(command, 'utf8').startsWith('#!'))
  throw new Error('src/cli.ts must begin with #! and what runs it: dist/cli.js is executed directly')
chmodSync(command, 0o755)
