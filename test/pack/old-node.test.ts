// A Node that is too old says so in one line, from the command and from both entries; whatever such Nodes this machine has.

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { nodeProblem } from '../../src/node-version.ts'
import { environment, type Packed, packProject } from './tarball.ts'

const found = spawnSync('which', ['-a', 'node'], { encoding: 'utf8' }).stdout ?? ''
const others = [...new Set([...found.split('\n'), '/usr/bin/node', '/usr/local/bin/node'])].filter(Boolean)

function versionOf(path: string): number {
  try {
    return Number.parseInt(execFileSync(path, ['-p', 'process.versions.node'], { encoding: 'utf8' }), 10)
  } catch {
    return Number.NaN
  }
}

const old = others.find((path) => versionOf(path) < 24)

test('an older Node is named with the version that is needed, a newer one and no Node at all are not', () => {
  for (const version of ['18.20.8', '20.20.2', '22.21.0', '23.11.1'])
    assert.match(
      nodeProblem(version, '/usr/bin/node')!,
      /^Gatehouse needs Node 24 .* Node \d+\.\d+\.\d+ [^\n]+$/,
    )
  for (const version of ['24.0.0', '25.1.0', undefined]) assert.equal(nodeProblem(version, ''), undefined)
})

describe('on an older Node', { skip: old ? false : 'there is no Node before 24 on this machine' }, () => {
  let packed: Packed
  let folder: string
  before(async () => {
    packed = await packProject()
    folder = await packed.unpacked()
  })
  after(() => packed.remove())

  test('the command says so in one line and fails', () => {
    const cli = join(folder, 'node_modules', 'gatehouse-auth', 'dist', 'cli.js')
    const ended = spawnSync(old!, [cli, 'serve'], { cwd: folder, env: environment, encoding: 'utf8' })
    assert.equal(ended.status, 1)
    assert.equal(ended.stdout, '')
    assert.match(ended.stderr, /^gatehouse: Gatehouse needs Node 24 or newer; this is Node [^\n]+\n$/)
  })

  for (const entry of ['gatehouse-auth', 'gatehouse-auth/api']) {
    test(`importing ${entry} throws it`, () => {
      const program = `import('${entry}').then(() => console.log('loaded'), (error) => console.log(String(error), error.stack === String(error)))`
      writeFileSync(join(folder, 'import.mjs'), program)
      const ended = spawnSync(old!, ['import.mjs'], { cwd: folder, env: environment, encoding: 'utf8' })
      assert.match(
        ended.stdout,
        /^Error: Gatehouse needs Node 24 or newer; this is Node [^\n]+ true\n$/,
        ended.stderr,
      )
    })
  }
})
