import type { Database } from '../db/database.ts'
import { othersConnected } from '../db/health.ts'
import {
  type Migration,
  type MigrationStatus,
  migrateDown,
  migrateUp,
  migrationStatus,
  readMigrations,
} from '../db/migrate.ts'
import { type Call, type Command, columns, wholeNumber } from './command.ts'
import { confirm } from './confirm.ts'
import { Failure, Usage } from './failures.ts'
import { databaseExists, isOpenElsewhere, withDatabase } from './house.ts'

const to = {
  type: 'string',
  value: '<version>',
  text: 'The version to end at; 0 is an empty database. Default: the newest',
} as const

export const command: Command = {
  summary: 'Brings the schema of the database up or down. Each step is a transaction of its own.',
  actions: {
    up: {
      summary: 'Apply what is missing',
      options: { to },
      run: (call) =>
        withDatabase(
          call,
          async (db) => {
            const progress = progressOf(call)
            const done = await migrateUp(db, {
              to: wholeNumber(call, 'to', 0, 9999),
              onStep: progress,
              onWait: call.note,
            })
            report(call, 'applied', done, 'The schema is up to date.')
          },
          { create: true },
        ),
    },
    down: {
      summary: 'Take steps back, with the data they hold; asks first',
      options: {
        to: { ...to, text: 'The version to end at; 0 is an empty database. Must be given' },
        yes: { type: 'boolean', text: 'Do not ask' },
        force: { type: 'boolean', text: 'Even while other processes have the database open' },
      },
      run: down,
    },
    status: {
      summary: 'Show every step and when it was applied; exit code 1 when one is missing',
      run: (call) => withDatabase(call, (db) => status(call, db)),
    },
    plan: {
      summary: 'Print the SQL that would run, and run nothing',
      options: { to },
      run: plan,
    },
  },
}

async function status(call: Call, db: Database): Promise<number> {
  const steps = await migrationStatus(db)
  if (call.json) {
    for (const { version, name, appliedAt, ahead } of steps) {
      const applied_at = appliedAt && new Date(appliedAt).toISOString()
      call.print(JSON.stringify({ version, name, applied_at, ...(ahead ? { ahead } : {}) }))
    }
  } else {
    const lines = steps.map(({ version, name, appliedAt, ahead }) => [
      `${version}  ${name}`,
      appliedAt
        ? `applied ${new Date(appliedAt).toISOString()}${ahead ? ' by a newer release' : ''}`
        : 'missing',
    ])
    call.print(columns(lines).join('\n'))
  }
  return steps.every((step) => step.appliedAt) ? 0 : 1
}

const inUse =
  'another process has the database open: a server fails without the steps it knows. Stop it first, or say --force'

async function down(call: Call): Promise<void> {
  const target = wholeNumber(call, 'to', 0, 9999)
  if (target === undefined) throw new Usage('--to must be given: the version to end at', 'migrate down')
  const force = call.flag('force')
  if (!force && (await isOpenElsewhere(call))) throw new Failure(inUse)
  await withDatabase(call, async (db) => {
    if (!force && (await othersConnected(db)) > 0) throw new Failure(inUse)
    const surplus = (await migrationStatus(db)).filter((step) => step.appliedAt && step.version > target)
    if (surplus.length > 0 && !call.flag('yes')) {
      const names = surplus.map((step) => `${step.version} (${step.name})`).join(', ')
      await confirm(`Take back ${names}? All data of these steps is lost.`)
    }
    const done = await migrateDown(db, {
      to: target,
      onStep: progressOf(call),
      onWait: call.note,
    })
    report(call, 'taken back', done, `The schema is at version ${target} or below already.`)
  })
}

/** Both directions: what lacks below the version, or what lies above it. */
async function plan(call: Call): Promise<void> {
  const target = wholeNumber(call, 'to', 0, 9999) ?? Number.POSITIVE_INFINITY
  const { dialect, steps } = (await databaseExists(call))
    ? await withDatabase(call, async (db) => ({ dialect: db.dialect, steps: await migrationStatus(db) }))
    : {
        dialect: 'sqlite' as const,
        steps: readMigrations('sqlite').map((step): MigrationStatus => ({ ...step, appliedAt: null })),
      }
  const ahead = steps.find((step) => step.ahead && step.version > target)
  if (ahead)
    throw new Failure(`${ahead.version} (${ahead.name}) is taken back by the newer release that brought it`)
  const texts = new Map(readMigrations(dialect).map((step) => [step.version, step]))
  const up = steps.filter((step) => !step.appliedAt && step.version <= target)
  const surplus = steps.filter((step) => step.appliedAt && step.version > target).reverse()
  const planned = [
    ...surplus.map((step) => ({ direction: 'down' as const, step: texts.get(step.version)! })),
    ...up.map((step) => ({ direction: 'up' as const, step: texts.get(step.version)! })),
  ]
  for (const { direction, step } of planned) {
    const { version, name } = step
    if (call.json) call.print(JSON.stringify({ version, name, direction, sql: step[direction] }))
    else call.print(`-- ${version} ${name}, ${direction}\n${step[direction].trim()}\n`)
  }
  if (planned.length === 0 && !call.json) call.note('Nothing would run.')
}

function progressOf(call: Call): (step: Migration) => void {
  return (step) => {
    if (process.stderr.isTTY) call.note(`${step.version} ${step.name} …`)
  }
}

function report(call: Call, word: string, steps: Migration[], nothing: string): void {
  for (const { version, name } of steps) {
    call.print(call.json ? JSON.stringify({ version, name, done: word }) : `${word} ${version} ${name}`)
  }
  if (steps.length === 0 && !call.json) call.print(nothing)
}
