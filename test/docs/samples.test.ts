// Every TypeScript sample of the README and of docs/ compiles, against the package as it is.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const require = createRequire(import.meta.url)

/** What the text around a sample takes as given. */
const given: Record<string, string> = {
  auth: `declare const auth: import('gatehouse-auth').BetterAuthAccountsOptions['auth']`,
  planOf: 'declare function planOf(client: string): Promise<string>',
  rolesOf: 'declare function rolesOf(account: string): Promise<string[]>',
  log: 'declare const log: { warn(facts: unknown, message: string): void }',
  mySession:
    'declare function mySession(cookie: string | null): Promise<{ userId: string; signedInAt: number; name: string } | undefined>',
}

interface Sample {
  name: string
  code: string
}

function samplesOf(file: string): Sample[] {
  const blocks = readFileSync(join(root, file), 'utf8').matchAll(/^```ts\n([\s\S]*?)^```$/gm)
  return [...blocks].map((match, n) => ({
    name: `${file.replaceAll(/[/.]/g, '-')}-${n + 1}`,
    // From the place of the document to that of the sample.
    code: match[1]!.replace(/(?<=from ')\.[^']+/g, (path) => `../../${join(dirname(file), path)}`),
  }))
}

/** A sample as a module: what it uses of the package is imported if it does not say so, what it takes as given declared. */
function moduleOf(code: string): string {
  const body = /^\w+:/.test(code)
    ? `export const options: Partial<import('gatehouse-auth').JwtAccountsOptions> = {\n${code}}\n`
    : code
  const used = (name: string) => new RegExp(`(?<![.\\w'"\`])${name}\\b(?!:)`).test(body)
  const declared = (name: string) =>
    new RegExp(`\\b(const|let|function|type|class) ${name}\\b|import [^'"]*\\b${name}\\b`).test(body)
  const missing = exported().filter((name) => used(name) && !declared(name))
  const lines = Object.keys(given)
    .filter((name) => used(name) && !declared(name))
    .map((name) => given[name]!)
  const imports = missing.length > 0 ? `import { ${missing.join(', ')} } from 'gatehouse-auth'\n` : ''
  return `${imports}${lines.join('\n')}\n${body}\nexport {}\n`
}

/** Values the package exports. */
function exported(): string[] {
  const index = readFileSync(join(root, 'src/index.ts'), 'utf8')
  return [...index.matchAll(/export (type )?\{([^}]*)\}/g)]
    .filter((match) => match[1] === undefined)
    .flatMap((match) => match[2]!.split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '' && !name.startsWith('type '))
}

test('every ts sample of README.md and docs/ compiles', (t) => {
  const files = [...globSync('*.md', { cwd: root }), ...globSync('docs/**/*.md', { cwd: root })]
  const samples = files.flatMap(samplesOf)
  assert.ok(samples.length > 5)

  // Inside the project, so that `gatehouse` means this package; the folder is ignored by git.
  mkdirSync(join(root, 'tmp'), { recursive: true })
  const folder = mkdtempSync(join(root, 'tmp', 'samples-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  for (const { name, code } of samples) writeFileSync(join(folder, `${name}.ts`), moduleOf(code))
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: '../../tsconfig.json',
      compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
      include: ['*.ts'],
      exclude: [],
    }),
  )
  const compiler = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc')
  const { status, stdout, stderr } = spawnSync(process.execPath, [compiler, '-p', folder], {
    encoding: 'utf8',
  })
  assert.equal(status, 0, `${stdout}${stderr}`)
})

test('every sample that hands requests over tells where they come from', () => {
  const files = [...globSync('*.md', { cwd: root }), ...globSync('{docs,examples}/**/*.md', { cwd: root })]
  const samples = files.flatMap(samplesOf).filter(({ code }) => code.includes('auth.fetch('))
  assert.ok(samples.some(({ name }) => name.startsWith('README')))
  for (const { name, code } of samples) {
    for (const [call] of code.matchAll(/auth\.fetch\([^\n]*/g)) assert.match(call, /address|connection/, name)
  }
})
