// `npm run build`: writes dist/, the part of the project that is published: JavaScript, types, and the files beside
// them that the code reads when it runs.

import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')
const shebang = '#!/usr/bin/env node\n'

rmSync(dist, { recursive: true, force: true })

const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'))
const compiler = spawnSync(process.execPath, [join(typescript, 'bin', 'tsc'), '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
})
if (compiler.status !== 0) process.exit(compiler.status ?? 1)

for (const file of globSync('**/*.sql', { cwd: join(root, 'src') })) {
  mkdirSync(dirname(join(dist, file)), { recursive: true })
  copyFileSync(join(root, 'src', file), join(dist, file))
}

const command = join(dist, 'cli.js')
if (!existsSync(command))
  throw new Error('src/cli.ts is missing: package.json names dist/cli.js as the command')
const code = readFileSync(command, 'utf8')
if (!code.startsWith(shebang)) writeFileSync(command, shebang + code)
chmodSync(command, 0o755)
