// docs/architecture.md as a test: who may import whom, how large files and folders may grow, what no file may hold.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { globSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

// cli → app → {admin, oauth, accounts, vault, bridge, webhooks, jobs} → {sessions, events} → {protocol, config, db, crypto, http}
//
// Each area lists every area it may import from, itself aside. An area is a folder of src/ or a single file beside the folders.
// `ground` lies below everything. `options` are the files that declare options, a domain's `config.ts` or `config/`: values
// that import nothing but what options are made of, so that `config` can join them all and everybody may name their types.
// `config` knows one file above it, the seam that says what accounts are.
const ground = ['config-error', 'deadline', 'exact-text', 'iso-time', 'log', 'spelling', 'unavailable']
const foundation = [...ground, 'db', 'crypto', 'http']
const core = [...foundation, 'settings', 'config', 'options', 'core', 'protocol']
// What a job is, every domain may know; who runs it, none.
const domain = [...core, 'events', 'sessions', 'jobs/job.ts']
/** Each domain, and what it may import beside that. */
const domains: Record<string, string[]> = {
  accounts: ['pages'],
  bridge: [],
  jobs: [],
  oauth: ['pages', 'accounts', 'api'],
  vault: [],
  webhooks: [],
}
const underApp = [...domain, ...Object.keys(domains), 'api', 'health', 'open-core', 'pages', 'admin']

const mayImport: Record<string, string[]> = {
  'config-error': [],
  deadline: [],
  'exact-text': [],
  'iso-time': [],
  spelling: [],
  unavailable: [],
  'node-version': [],
  'required-node': ['node-version'],
  log: ['iso-time'],
  http: [...ground, 'crypto'],
  crypto: ground,
  db: [...ground, 'crypto'],
  options: [...foundation, 'config/section.ts'],
  settings: [...foundation, 'config'],
  config: [...foundation, 'settings', 'options', 'accounts/account.ts'],
  core: [...foundation, 'settings'],
  protocol: [...ground, 'crypto', 'http', 'settings', 'options'],
  api: [...ground, 'crypto', 'http', 'db/database.ts', 'settings', 'config', 'options', 'protocol'],
  health: core,
  'open-core': core,
  events: core,
  sessions: [...core, 'events'],
  pages: [...ground, 'http'],
  ...Object.fromEntries(Object.entries(domains).map(([name, more]) => [name, [...domain, ...more]])),
  admin: [...domain, 'pages', ...Object.keys(domains)],
  // It is a client of any server, and knows none from inside.
  verify: [],
  app: underApp,
  administration: [...underApp, 'app'],
  gatehouse: [...underApp, 'app', 'administration'],
  index: [...underApp, 'app', 'administration', 'gatehouse', 'required-node'],
  cli: [...underApp, 'node-version', 'app', 'gatehouse', 'index', 'verify'],
}

/** The package's entries pass on what others export; a file of its name is the entry of a folder. */
const entries = ['src/index.ts', 'src/api.ts']

/** Inside a domain, too, imports go one way: each folder may import those before it. The root stands last, over all. */
const inside: Record<string, readonly string[]> = {
  oauth: [
    'config',
    'server.ts',
    'records',
    'guards',
    'clients',
    'registration',
    'keys',
    'token',
    'openid',
    'grants',
    'authorization',
    'device',
    'logout',
  ],
}
/** What `server.ts` holds has types, and these say them. */
const typesOnly = ['src/oauth/server.ts']

type Import = { from: string; to: string }

const sources = globSync('src/**/*.ts', { cwd: root }).sort()
const text = new Map(sources.map((file) => [file, readFileSync(join(root, file), 'utf8')]))

/** What a file imports, as it is written. Types count: to name an area's types is to know the area. */
function specifiers(source: string): string[] {
  const statements = /^(?:import|export)\b[^'"`;]*?from\s*['"]([^'"]+)['"]|^import\s*['"]([^'"]+)['"]/gm
  const calls = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g
  return [...source.matchAll(statements), ...source.matchAll(calls)].map(
    (found) => found[1] ?? found[2] ?? '',
  )
}

const imports: Import[] = sources.flatMap((from) =>
  specifiers(text.get(from)!)
    .filter((to) => to.startsWith('.'))
    .map((to) => ({ from, to: join(dirname(from), to) })),
)

/** `src/oauth/grants/x.ts` is in area oauth, `src/app.ts` in area app. */
function areaOf(file: string): string {
  const [, first = '', ...rest] = file.split('/')
  if (first !== 'config' && (rest[0] === 'config.ts' || rest[0] === 'config')) return 'options'
  return basename(first, '.ts')
}

function show(found: Import[]): string[] {
  return found.map(({ from, to }) => `${from} imports ${to}`)
}

describe('imports', () => {
  test('every area is on the plan', () => {
    assert.deepEqual(
      [...new Set(sources.map(areaOf))].filter((area) => !(area in mayImport)),
      [],
    )
  })

  test('go downwards, and from domain to domain only where the plan names it', () => {
    const wrong = imports.filter(({ from, to }) => {
      const [area, other] = [areaOf(from), areaOf(to)]
      return (
        area !== other &&
        !entries.includes(from) &&
        !mayImport[area]?.some((allowed) => allowed === other || `src/${allowed}` === to)
      )
    })
    assert.deepEqual(show(wrong), [])
  })

  test('inside a domain go from folder to folder in one direction', () => {
    const wrong = imports.filter(({ from, to }) => {
      const domain = areaOf(from)
      const order = inside[domain]
      if (!order || areaOf(to) !== domain || typesOnly.includes(from)) return false
      const rank = (file: string) => {
        const place = order.indexOf(file.split('/')[2]!)
        return place < 0 ? order.length : place
      }
      return rank(from) < rank(to)
    })
    assert.deepEqual(show(wrong), [])
  })

  test('of files that only say types are types', () => {
    for (const file of typesOnly) assert.doesNotMatch(text.get(file)!, /^import (?!type\b)/m, file)
  })

  test('of records come from their own domain alone', () => {
    const wrong = imports.filter(({ from, to }) => to.includes('/records/') && areaOf(from) !== areaOf(to))
    assert.deepEqual(show(wrong), [])
  })

  test('stay inside src', () => {
    assert.deepEqual(show(imports.filter(({ to }) => !text.has(to))), [])
  })

  test('have no cycle', () => {
    const cycles: string[] = []
    const done = new Set<string>()
    const visit = (file: string, path: string[]): void => {
      const at = path.indexOf(file)
      if (at >= 0) cycles.push([...path.slice(at), file].join(' → '))
      if (at >= 0 || done.has(file)) return
      for (const { from, to } of imports) if (from === file) visit(to, [...path, file])
      done.add(file)
    }
    for (const file of sources) visit(file, [])
    assert.deepEqual(cycles, [])
  })

  test('of node:sqlite and pg are in db/sqlite and db/postgres alone', () => {
    const owners = { 'node:sqlite': 'src/db/sqlite', pg: 'src/db/postgres' }
    for (const [name, owner] of Object.entries(owners)) {
      const users = sources.filter((file) => specifiers(text.get(file)!).includes(name))
      assert.deepEqual(
        users.filter((file) => !file.startsWith(owner)),
        [],
        name,
      )
    }
  })
})

describe('files', () => {
  test('have no default export, and only the package’s two entries pass on what others export', () => {
    const wrong = sources.filter((file) => {
      const source = text.get(file)!.replace(/`[^`]*`/g, '``')
      const passesOn = /^export\b[^'"`;=()]*?from\s*['"]/m.test(source)
      return (
        /^export (default\b|\{[^}]*\bas default\b)/m.test(source) || (passesOn && !entries.includes(file))
      )
    })
    assert.deepEqual(wrong, [])
  })

  test('have at most 400 lines, and folders at most 20 files; a test file may list more cases', (t) => {
    const tests = globSync('test/**/*.ts', { cwd: root, exclude: (path) => path.endsWith('node_modules') })
    const others = globSync('{scripts,bench}/**/*.ts', {
      cwd: root,
      exclude: (path) => path.endsWith('node_modules'),
    })
    const long = [...sources, ...others, ...tests]
      .map((file) => ({ file, lines: readFileSync(join(root, file), 'utf8').split('\n').length - 1 }))
      .filter(({ lines }) => lines > 300)
    for (const { file, lines } of long) t.diagnostic(`${file} has ${lines} lines`)
    assert.deepEqual(
      long.filter(({ file, lines }) => lines > 400 && !file.endsWith('.test.ts')),
      [],
    )

    const folders = Object.entries(Object.groupBy(sources, dirname))
    assert.deepEqual(
      folders.filter(([, files]) => files!.length > 20).map(([folder]) => folder),
      [],
    )
  })

  test('app.ts only wires: at most 150 lines', () => {
    assert.ok(text.get('src/app.ts')!.split('\n').length - 1 <= 150)
  })

  test('no statement of dispatch stands outside its fault boundary', () => {
    const dispatch = text.get('src/http/dispatch.ts')!
    const answers = /^ {2}return async \(request\) => \{\n([\s\S]*?)^ {2}\}\n/m.exec(dispatch)?.[1] ?? ''
    assert.match(answers, /^ {4}try \{\n/)
    // The last line of what catches everything is a call that cannot throw.
    assert.match(answers, /\n {4}\} catch \(error\) \{\n {6}return lastAnswer\(error\)\n {4}\}\n$/)
    const outside = answers.split('\n').filter((line) => /^ {4}\S/.test(line))
    assert.deepEqual(outside, ['    try {', '    } catch (error) {', '    }'])
    // What the app answers is that function itself, with nothing around it.
    assert.match(text.get('src/app.ts')!, /\banswer: openDispatch\(/)
  })

  test('are named by the field’s own words', () => {
    const empty = /(^|[-/])(manager|service|helper|util|shared|handler|data|info|common|misc)s?(?=[-./]|$)/
    assert.deepEqual(
      sources.filter((file) => empty.test(file)),
      [],
    )
  })

  test('of the protocol begin with the specification they follow; records are tables, not protocol', () => {
    const wrong = sources.filter((file) => {
      const comment = /^(?:\/\/.*\n?)+|^\/\*[\s\S]*?\*\//.exec(text.get(file)!)?.[0] ?? ''
      return (
        ['oauth', 'protocol', 'api'].includes(areaOf(file)) &&
        !entries.includes(file) &&
        !file.includes('/records/') &&
        !/\bRFC \d{4}\b|\bdraft-ietf-|\bOAuth 2\.1\b|\bOpenID Connect\b/.test(comment)
      )
    })
    assert.deepEqual(wrong, [])
  })
})

describe('what git tracks', () => {
  const tracked = execFileSync('git', ['-c', `safe.directory=${root.replace(/\/$/, '')}`, 'ls-files', '-z'], {
    cwd: root,
    encoding: 'utf8',
  })
    .split('\0')
    .filter((file) => file !== '' && statSync(join(root, file), { throwIfNoEntry: false })?.isFile())

  const linesWith = (pattern: RegExp): string[] =>
    tracked.flatMap((file) => {
      const content = readFileSync(join(root, file))
      if (content.includes(0)) return []
      const lines = content.toString('utf8').split('\n')
      return lines.flatMap((line, at) =>
        pattern.test(line) ? [`${file}:${at + 1}: ${line.trim().slice(0, 120)}`] : [],
      )
    })

  test('names no developer’s folder', () => {
    assert.ok(tracked.includes('package.json'))
    const here = root.replace(/\/$/, '').replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
    assert.deepEqual(
      linesWith(new RegExp(`(?<![\\w.~/-])(${here}|/(home|Users|root|work|workspace)/[\\w.-])`)),
      [],
    )
  })

  test('names no package registry’s host', () => {
    const hosts = [
      ['registry', 'npmjs', 'org'],
      ['registry', 'yarnpkg', 'com'],
      ['registry', 'npmmirror', 'com'],
      ['npm', 'pkg', 'github', 'com'],
      ['deb', 'debian', 'org'],
    ].map((labels) => labels.join('\\.'))
    assert.deepEqual(linesWith(new RegExp(`${hosts.join('|')}|"resolved": "https?:`)), [])
  })
})
