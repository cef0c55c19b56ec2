// Proves for every prepared statement, on both databases, that it goes through indexes and that its work does not grow
// with the tables. Nothing here is timed: SQLite's page reads and PostgreSQL's buffers are counted.

import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import pg from 'pg'
import { deleteBetween } from '../../src/db/deletion.ts'
import { migrateUp } from '../../src/db/migrate.ts'
import { openPostgres } from '../../src/db/postgres.ts'
import { hotSettings } from '../../src/db/postgres-connections.ts'
import { renderQuery } from '../../src/db/sql.ts'
import { openSqlite } from '../../src/db/sqlite.ts'
import { dropTestDatabase, testDatabaseUrl } from '../support/postgres.ts'
import { fill, firstRowAt, growingTables, rowId } from './rows.ts'
import { collectStatements, inputFor, lists, preparedIn, type Statement } from './statements.ts'

const [few, many] = [1_000, 40_000]
const k = 500

/** What a statement may read whole, because it does not grow with use. */
const mayScan: Record<string, string[]> = {}

const { statements, named, deletions } = await collectStatements()
/** What is due in all tables but that of the signing keys, which holds a handful. */
const clearing = deletions.filter(({ table }) => table !== 'signing_keys')
const bounds = ({ first }: (typeof clearing)[number]): [number | string, number | string] =>
  typeof first === 'string' ? [rowId(k), rowId(1_000_000)] : [firstRowAt + k, firstRowAt + 1_000_000]

/** Index look-ups grow by a level of the tree now and then, never with the rows. */
/** `slack` are pages more that are no growth: on a busy server dead entries wait for vacuum, which a scan exceeds by far. */
function isBounded(small: number, large: number, slack = 6): boolean {
  return large <= 1.5 * small + slack
}

describe('statements', () => {
  test('are exported, so that these proofs reach them, and their names are unique', () => {
    const names = statements.map((statement) => statement.name)
    assert.deepEqual(
      named.filter((name) => !names.includes(name)),
      [],
      'named in src but not exported',
    )
    assert.deepEqual(
      names.filter((name, at) => names.indexOf(name) !== at),
      [],
      'two statements of one name',
    )
    assert.ok(names.length > 40)
  })
})

describe('on SQLite', () => {
  const directory = mkdtempSync(join(tmpdir(), 'gatehouse-plans-'))
  const file = join(directory, 'gatehouse.db')
  const reads = new Map<Statement, { few: number; many: number }>()
  const counted = existsSync('/proc/thread-self/io')

  before(async () => {
    const db = openSqlite(file)
    await migrateUp(db)
    await fill(db, few)
    if (counted)
      for (const statement of statements) reads.set(statement, { few: await pagesOf(statement), many: 0 })
    await fill(db, many, few)
    if (counted) for (const statement of statements) reads.get(statement)!.many = await pagesOf(statement)
    await db.close()
  })
  after(() => rmSync(directory, { recursive: true, force: true }))

  /** Pages that a statement reads with nothing in the cache, its effects included; it is rolled back. */
  async function pagesOf(statement: Statement): Promise<number> {
    const db = new DatabaseSync(file)
    db.exec('pragma foreign_keys = on')
    const input = inputFor(statement, k)
    const texts = preparedIn(statement).map((prepared) => ({
      run: db.prepare(prepared.text),
      values: prepared.columns.map((column) => input[column] ?? null),
    }))
    db.exec('begin immediate')
    db.exec('pragma shrink_memory')
    const first = readCalls()
    for (const { run, values } of texts) run.all(...values)
    const pages = readCalls() - first
    db.exec('rollback')
    db.close()
    return pages
  }

  /** System calls of this thread that read. */
  function readCalls(): number {
    return Number(/syscr: (\d+)/.exec(readFileSync('/proc/thread-self/io', 'utf8'))![1])
  }

  for (const statement of statements) {
    test(`${statement.name} goes through indexes`, () => {
      for (const { text } of preparedIn(statement)) {
        const { scans, plan } = scansOf(text)
        assert.deepEqual(
          scans.filter((table) => !mayScan[statement.name]?.includes(table)),
          [],
          plan,
        )
      }
    })
  }

  for (const [name, query] of lists) {
    test(`D: a list of ${name} goes through an index`, () => {
      const { scans, plan } = scansOf(renderQuery(query, 'sqlite').text)
      assert.deepEqual(scans, [], plan)
    })
  }

  for (const of of clearing) {
    test(`what is due in ${of.table} by ${of.column} is found in an index`, () => {
      const query = deleteBetween({ dialect: 'sqlite' }, of, ...bounds(of))
      const { scans, plan } = scansOf(renderQuery(query, 'sqlite').text)
      assert.deepEqual(scans, [], plan)
      assert.match(plan, new RegExp(`SEARCH ${of.table} USING .*\\b${of.column}>`), plan)
    })
  }

  /** Tables that SQLite would go through whole. */
  function scansOf(text: string): { scans: string[]; plan: string } {
    const db = new DatabaseSync(file, { readOnly: true })
    const details = db.prepare(`explain query plan ${text}`).all() as { detail: string }[]
    db.close()
    const scans = details.flatMap(({ detail }) => /^SCAN (\w+)/.exec(detail)?.[1] ?? [])
    return {
      scans: scans.filter((table) => !['CONSTANT', 'found', 'json_each', 'word'].includes(table)),
      plan: `${text}\n${details.map(({ detail }) => detail).join('\n')}`,
    }
  }

  test('no statement reads more pages of larger tables', (t) => {
    if (!counted) return t.skip('this system does not count the reads of a thread')
    const grown = [...reads].filter(
      ([{ name }, pages]) => !mayScan[name] && !isBounded(pages.few, pages.many),
    )
    assert.deepEqual(
      grown.map(
        ([{ name }, pages]) => `${name}: ${pages.few} pages of ${few} rows, ${pages.many} of ${many}`,
      ),
      [],
    )
    assert.ok(
      [...reads.values()].every((pages) => pages.many >= 1),
      'the count counts',
    )
  })

  test('a statement that did scan would be found', () => {
    assert.deepEqual(scansOf("select * from sessions where scope = 'x'").scans, ['sessions'])
    assert.deepEqual(scansOf('select count(*) from sessions').scans, ['sessions'])
  })
})

interface Plan {
  'Node Type': string
  'Relation Name'?: string
  'Index Name'?: string
  'Index Cond'?: string
  'Actual Rows'?: number
  'Shared Hit Blocks'?: number
  'Shared Read Blocks'?: number
  Plans?: Plan[]
}

describe('on PostgreSQL', () => {
  let url: string
  let client: pg.Client
  const blocks = new Map<Statement, { few: number; many: number }>()
  /** Plans made while the tables were small and unknown, and with the hot pool's and the default settings once they are large. */
  const plans = new Map<string, Map<Statement, Plan>>()

  before(async () => {
    url = await testDatabaseUrl()
    const db = await openPostgres({ url })
    await migrateUp(db)
    client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query(hotSettings)
    for (const statement of statements) {
      await client.query(`prepare ${statement.name} as ${statement.postgres}`)
      const lock = lockOf(statement)
      if (lock) await client.query(`prepare ${statement.name}_lock as ${lock}`)
    }

    await fill(db, few)
    plans.set('the hot pool’s settings, before the first analyze', await all((one) => explain(one, false)))
    await client.query('vacuum analyze')
    for (const statement of statements) blocks.set(statement, { few: await blocksOf(statement), many: 0 })
    await fill(db, many, few)
    await client.query('vacuum analyze')
    for (const statement of statements) blocks.get(statement)!.many = await blocksOf(statement)
    plans.set('the hot pool’s settings', await all((one) => explain(one, false)))
    await client.query('reset all')
    await client.query('set plan_cache_mode = force_custom_plan')
    plans.set('default settings', await all((one) => explain(one, false)))
    await db.close()
  })
  after(async () => {
    await client.end()
    await dropTestDatabase(url)
  })

  async function all(plan: (statement: Statement) => Promise<Plan>): Promise<Map<Statement, Plan>> {
    const made = new Map<Statement, Plan>()
    for (const statement of statements) made.set(statement, await plan(statement))
    return made
  }

  async function explain(statement: Statement, run: boolean): Promise<Plan> {
    const input = inputFor(statement, k)
    const names = Object.keys(statement.columns)
    const values = names.map((name) => {
      const type = statement.columns[name]!.startsWith('int') ? 'bigint' : 'text'
      const value = input[name] ?? null
      return `array[${value === null ? 'null' : pg.escapeLiteral(String(value))}]::${type}[]`
    })
    const { rows } = await client.query(
      `explain (${run ? 'analyze, buffers, timing off, ' : ''}format json) execute ${statement.name}(${values.join(', ')})`,
    )
    return rows[0]['QUERY PLAN'][0].Plan
  }

  /** Buffers that one request touches, its effects included; it is rolled back. */
  async function blocksOf(statement: Statement): Promise<number> {
    await client.query('begin')
    const plan = await explain(statement, true)
    await client.query('rollback')
    // What an operation changes runs after its root has answered, and is counted by itself.
    const counted = [plan, ...nodesOf(plan).filter((node) => node['Node Type'] === 'ModifyTable')]
    return counted.reduce(
      (sum, node) => sum + (node['Shared Hit Blocks'] ?? 0) + (node['Shared Read Blocks'] ?? 0),
      0,
    )
  }

  const lockOf = (statement: Statement) => (statement.kind === 'write' ? statement.postgresLock : undefined)

  test('what an operation locks first it finds through an index', async () => {
    const locking = statements.filter(lockOf)
    assert.ok(locking.length > 8)
    for (const statement of locking) {
      const nulls = Object.keys(statement.columns).map(() => 'null')
      const { rows } = await client.query(
        `explain (format json) execute ${statement.name}_lock(${nulls.join(', ')})`,
      )
      const nodes = nodesOf(rows[0]['QUERY PLAN'][0].Plan)
      assert.ok(
        nodes.some((node) => node['Node Type'] === 'LockRows'),
        statement.name,
      )
      assert.deepEqual(
        nodes.filter((node) => node['Node Type'] === 'Seq Scan').map((node) => node['Relation Name']),
        [],
        statement.name,
      )
    }
  })

  function nodesOf(plan: Plan): Plan[] {
    return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)]
  }

  /** Nodes that go through a whole table: in its own order, or in that of an index without a condition. */
  function scansOf(plan: Plan): string[] {
    return nodesOf(plan).flatMap((node) => {
      const whole =
        node['Node Type'] === 'Seq Scan' ||
        (/^(Bitmap )?Index/.test(node['Node Type']) && node['Index Cond'] === undefined)
      const table = node['Relation Name'] ?? node['Index Name'] ?? ''
      return whole && (growingTables as readonly string[]).some((name) => table.startsWith(name))
        ? [table]
        : []
    })
  }

  for (const statement of statements) {
    test(`${statement.name} goes through indexes`, () => {
      for (const [settings, made] of plans) {
        const plan = made.get(statement)!
        const scans = scansOf(plan).filter(
          (table) => !mayScan[statement.name]?.some((name) => table.startsWith(name)),
        )
        assert.deepEqual(scans, [], `with ${settings}:\n${JSON.stringify(plan, null, 1)}`)
      }
    })
  }

  for (const [name, query] of lists) {
    test(`D: a list of ${name} goes through an index`, async () => {
      const { text, values } = renderQuery(query, 'postgres')
      const { rows } = await client.query(`explain (format json) ${text}`, values)
      const plan: Plan = rows[0]['QUERY PLAN'][0].Plan
      assert.deepEqual(scansOf(plan), [], JSON.stringify(plan, null, 1))
    })
  }

  for (const of of clearing) {
    test(`what is due in ${of.table} by ${of.column} is found in an index`, async () => {
      const { text, values } = renderQuery(
        deleteBetween({ dialect: 'postgres' }, of, ...bounds(of)),
        'postgres',
      )
      const { rows } = await client.query(`explain (format json) ${text}`, values)
      const plan: Plan = rows[0]['QUERY PLAN'][0].Plan
      assert.deepEqual(scansOf(plan), [], JSON.stringify(plan, null, 1))
      assert.ok(
        nodesOf(plan).some((node) => node['Index Cond']?.includes(of.column)),
        JSON.stringify(plan, null, 1),
      )
    })
  }

  test('no statement touches more buffers of larger tables', () => {
    const grown = [...blocks].filter(
      ([{ name }, count]) => !mayScan[name] && !isBounded(count.few, count.many, 30),
    )
    assert.deepEqual(
      grown.map(
        ([{ name }, count]) => `${name}: ${count.few} blocks of ${few} rows, ${count.many} of ${many}`,
      ),
      [],
    )
  })

  test('every statement touches some buffer, so the count counts', () => {
    assert.deepEqual(
      [...blocks].filter(([{ name }, count]) => count.many === 0 && !mayScan[name]).map(([{ name }]) => name),
      [],
    )
  })

  test('a statement that did scan would be found', async () => {
    const { rows } = await client.query("explain (format json) select * from sessions where scope = 'x'")
    assert.deepEqual(scansOf(rows[0]['QUERY PLAN'][0].Plan), ['sessions'])
  })
})
