// `npm run build`: writes dist/, the part of the project that is published: JavaScript, types, and the files beside
// them that the code reads when it runs. `node scripts/build.ts <directory>` writes there instead.

import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, globSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = resolve(process.argv[2] ?? join(root, 'dist'))

rmSync(dist, { recursive: true, force: true })

const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'))
const compile = [join(typescript, 'bin', 'tsc'), '-p', 'tsconfig.build.json', '--outDir', dist]
const compiler = spawnSync(process.execPath, compile, { cwd: root, stdio: 'inherit' })
if (compiler.status !== 0) process.exit(compiler.status ?? 1)

for (const file of globSync('**/*.sql', { cwd: join(root, 'src') })) {
  mkdirSync(dirname(join(dist, file)), { recursive: true })
  copyFileSync(join(root, 'src', file), join(dist, file))
}

const command = join(dist, 'cli.js')
if (!existsSync(command))
  throw new Error('src/cli.ts is missing: package.json names dist/cli.js as the command')
if (!readFileSync(command, 'utf8').startsWith('#!'))
  throw new Error('src/cli.ts must begin with #! and what runs it: dist/cli.js is executed directly')
chmodSync(command, 0o755)
