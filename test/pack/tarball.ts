// The tarball as npm publishes it, and projects that install it as anybody does.

import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** Nothing of this run reaches the commands: neither npm's view of this project nor the test runner's. */
export const environment: NodeJS.ProcessEnv = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) =>
        !/^(npm_(package|lifecycle|config_local_prefix|command)|INIT_CWD|NODE_|GATEHOUSE_|TEST_)/.test(name),
    ),
  ),
  // The command runs on the Node that runs the tests.
  PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
}

export async function run(
  command: string,
  args: string[],
  cwd: string,
  env: Record<string, string> = {},
): Promise<string> {
  const options = { cwd, env: { ...environment, ...env }, maxBuffer: 2 ** 26 }
  const { stdout } = await promisify(execFile)(command, args, options)
  return stdout
}

export interface Packed {
  /** A folder of this test's own, with the tarball in it. */
  scratch: string
  tarball: string
  files: { path: string; mode: number }[]
  /** A folder with what `npm init -y` makes, and the tarball installed. */
  project(folder: string): Promise<string>
  /** A folder below this project with the unpacked tarball; other packages are those of this project. */
  unpacked(): Promise<string>
  remove(): Promise<void>
}

/** Builds and packs the project in a folder of its own, so that several may do so at once. */
export async function packProject(): Promise<Packed> {
  const scratch = await mkdtemp(join(tmpdir(), 'gatehouse-pack-'))
  const stage = join(scratch, 'package')
  const { files } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { files: string[] }
  for (const file of ['package.json', ...files.filter((file) => file !== 'dist')])
    await cp(join(root, file), join(stage, file), { recursive: true })
  await run(process.execPath, [join(root, 'scripts', 'build.ts'), join(stage, 'dist')], root)
  const options = ['--json', '--ignore-scripts', '--pack-destination', scratch]
  const [packed] = JSON.parse(await run('npm', ['pack', ...options], stage)) as [
    { filename: string; files: Packed['files'] },
  ]
  const tarball = join(scratch, packed.filename)
  const below: string[] = []
  return {
    scratch,
    tarball,
    files: packed.files,
    async project(folder) {
      const path = join(scratch, folder)
      await mkdir(path)
      await run('npm', ['init', '-y'], path)
      const install = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--save-exact']
      await run('npm', [...install, tarball], path)
      return path
    },
    async unpacked() {
      await mkdir(join(root, 'tmp'), { recursive: true })
      const path = await mkdtemp(join(root, 'tmp', 'unpacked-'))
      below.push(path)
      await writeFile(join(path, 'package.json'), '{ "name": "host", "private": true }')
      const installed = join(path, 'node_modules', 'gatehouse-auth')
      await mkdir(installed, { recursive: true })
      await run('tar', ['-xzf', tarball, '--strip-components=1', '-C', installed], path)
      return path
    },
    async remove() {
      for (const path of [scratch, ...below]) await rm(path, { recursive: true, force: true })
    },
  }
}
