import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { readConfig } from '../app.ts'
import { rootSecrets } from '../crypto/secrets.ts'
import type { Database } from '../db/database.ts'
import { answersRequests, databaseClock, tryWriting } from '../db/health.ts'
import { migrationStatus } from '../db/migrate.ts'
import { inspectSigningKeys } from '../oauth/keys/signing-keys.ts'
import type { Settings } from '../settings.ts'
import type { Call, Command } from './command.ts'
import { type Loaded, loadConfig } from './config-file.ts'
import { clockTolerance, type Finding, type Report } from './doctor/finding.ts'
import { checkIssuer } from './doctor/issuer.ts'
import { sayError } from './failures.ts'
import { withDatabase } from './house.ts'
import { printable } from './table.ts'

/** How far, before a server refuses to answer. */
const clockLimit = 30_000

export const command: Command = {
  summary: 'Checks clock, database, schema, keys, secret and issuer, and says what to do.',
  notes: 'It changes nothing. The exit code is 1 when anything failed; a warning is no failure.',
  async run(call) {
    const findings: Finding[] = []
    const report: Report = (finding) => {
      findings.push(finding)
      call.print(call.json ? JSON.stringify(finding) : say(finding))
    }
    const loaded = await loadConfig(call, 'look')
      .then((one) => ({ ...one, settings: readConfig(one.config) }))
      .catch((error) => {
        report({
          check: 'configuration',
          result: 'failed',
          found: sayError(error),
          todo: 'repair the configuration',
        })
        return undefined
      })
    if (loaded) {
      report({ check: 'configuration', result: 'ok', found: loaded.file ?? 'environment and defaults' })
      checkSecret(call, loaded, report)
      checkTransport(call, loaded.settings, report)
      checkProxies(loaded.settings, report)
    }
    const keys = await checkDatabase(call, loaded?.settings, report)
    if (loaded) await checkIssuer(call.program, loaded.settings, keys, report)
    const failed = findings.filter((one) => one.result === 'failed').length
    if (!call.json)
      call.print(failed === 0 ? '\nNothing failed.' : `\n${failed} of ${findings.length} checks failed.`)
    return failed === 0 ? 0 : 1
  },
}

function say({ check, result, found, todo }: Finding): string {
  const mark = { ok: 'ok     ', warning: 'warning', failed: 'FAILED ' }[result]
  return `${mark}  ${check.padEnd(13)}  ${printable(found)}${todo ? `\n${' '.repeat(24)}→ ${printable(todo)}` : ''}`
}

/** Never shows a secret, only how it looks from outside. */
function checkSecret(
  call: Call,
  { settings, secretFile, secretSource }: Loaded & { settings: Settings },
  report: Report,
) {
  const check = 'secret'
  const weak = settings.secrets.findIndex(
    (secret) => new Set(secret).size < 12 || /^(.{1,12}?)\1+$/.test(secret),
  )
  const from = secretFile ?? (secretSource === 'configuration' ? 'the configuration' : secretSource)
  const found = `${settings.secrets.length} from ${from}`
  if (weak >= 0) {
    report({
      check,
      result: settings.loopback ? 'warning' : 'failed',
      found: `secret ${weak + 1} of ${found} is easy to guess`,
      todo: 'put 32 random bytes in front of it: openssl rand -base64 32',
    })
  } else if (
    secretFile !== undefined &&
    process.platform !== 'win32' &&
    (statSync(secretFile).mode & 0o077) !== 0
  ) {
    const open = (statSync(secretFile).mode & 0o007) !== 0
    report({
      check,
      result: open ? 'failed' : 'warning',
      found: `${secretFile} can be read by ${open ? 'everybody' : 'its group'}`,
      todo: `chmod 600 ${secretFile}`,
    })
  } else if (secretSource === 'configuration' && call.env.NODE_ENV === 'production') {
    report({
      check,
      result: 'warning',
      found,
      todo: 'keep it out of the code: GATEHOUSE_SECRET, or a file that GATEHOUSE_SECRET_FILE names',
    })
  } else report({ check, result: 'ok', found })
}

function checkTransport(call: Call, { issuer, secure, loopback }: Settings, report: Report) {
  const check = 'transport'
  if (secure) report({ check, result: 'ok', found: 'the issuer is https: cookies are Secure' })
  else if (loopback && call.env.NODE_ENV !== 'production') {
    report({
      check,
      result: 'ok',
      found: `${issuer} is reachable from this machine only, which is right for development`,
    })
  } else {
    report({
      check,
      result: loopback ? 'failed' : 'warning',
      found: `${issuer} is not https`,
      todo: 'set GATEHOUSE_ISSUER to the public https address, and let a proxy end TLS before this server',
    })
  }
}

/** Whether limits can tell users apart: behind https there is a proxy, and it must be known. */
function checkProxies({ secure, trustedProxies, forwardedHeader }: Settings, report: Report): void {
  const check = 'proxies'
  if (!secure) return
  if (trustedProxies)
    report({ check, result: 'ok', found: `it is known whose ${forwardedHeader} is believed` })
  else {
    report({
      check,
      result: 'failed',
      found: 'the issuer is https, and no proxy is trusted: limits per network take all users for one',
      todo: 'set GATEHOUSE_TRUSTED_PROXIES (or trustedProxies) to the addresses of the proxies in front, e.g. 10.0.0.0/8; none, where the app in which this runs ends TLS itself',
    })
  }
}

/** Answers the ids of the keys this database publishes, where they could be read. */
async function checkDatabase(
  call: Call,
  settings: Settings | undefined,
  report: Report,
): Promise<string[] | undefined> {
  let keys: string[] | undefined
  await withDatabase(call, async (db) => {
    report({ check: 'database', result: 'ok', found: db.dialect === 'sqlite' ? 'SQLite' : 'PostgreSQL' })
    if (db.dialect === 'sqlite' && settings) checkFile(settings.database, report)
    await checkClock(db, report)
    if (!(await checkSchema(call, db, report))) return
    await checkRequests(db, report)
    await tryWriting(db).then(
      () => report({ check: 'writing', result: 'ok', found: 'a row could be written' }),
      (error) =>
        report({
          check: 'writing',
          result: 'failed',
          found: sayError(error),
          todo: 'give this user the right to write the database and its folder, and see whether the disk is full',
        }),
    )
    if (settings) keys = await checkKeys(call, db, settings, report)
  }).catch((error) =>
    report({
      check: 'database',
      result: 'failed',
      found: sayError(error),
      todo: 'set GATEHOUSE_DATABASE_URL, or database in the configuration, to one that can be reached',
    }),
  )
  return keys
}

/** What can read the file can read every hash and sealed key in it. */
function checkFile(database: string, report: Report): void {
  if (process.platform === 'win32') return
  const file = resolve(database.replace(/^sqlite:(\/\/)?/, ''))
  const readable = [file, `${file}-wal`].filter(
    (one) => ((statSync(one, { throwIfNoEntry: false })?.mode ?? 0) & 0o077) !== 0,
  )
  const open = readable.some((one) => (statSync(one).mode & 0o007) !== 0)
  if (readable.length > 0)
    report({
      check: 'file',
      result: open ? 'failed' : 'warning',
      found: `${readable.join(' and ')} can be read by ${open ? 'everybody' : 'its group'}`,
      todo: `chmod 600 ${readable.join(' ')}`,
    })
  else report({ check: 'file', result: 'ok', found: `${file} can be read by its user alone` })
}

/** Ahead is positive. The way there and back is no difference. */
async function checkClock(db: Database, report: Report): Promise<void> {
  const check = 'clock'
  const sent = Date.now()
  const there = await databaseClock(db)
  const received = Date.now()
  const ahead = there > received ? received - there : Math.max(0, sent - there)
  const way = received - sent
  const found = `this machine is ${Math.abs(ahead)} ms ${ahead < 0 ? 'behind' : 'ahead of'} the database, within ${way + 1} ms`
  const todo = 'let both follow NTP: tokens, codes and limits live by the database’s clock'
  if (new Date().getUTCFullYear() < 2025) {
    const now = new Date().toISOString()
    report({ check, result: 'failed', found: `it is ${now} here`, todo: 'set the clock (NTP)' })
  } else if (Math.abs(ahead) > clockLimit) {
    report({ check, result: 'failed', found, todo: `${todo}; a server here answers 503` })
  } else if (Math.abs(ahead) > clockTolerance) report({ check, result: 'warning', found, todo })
  else report({ check, result: 'ok', found })
}

/** The connections of requests are others than those of lists, and a pooler may take the one and refuse the other. */
async function checkRequests(db: Database, report: Report): Promise<void> {
  const check = 'requests'
  await answersRequests(db).then(
    () => report({ check, result: 'ok', found: 'the database answers as requests ask it' }),
    (error) =>
      report({
        check,
        result: 'failed',
        found: sayError(error),
        todo: 'behind a transaction pooler add pooler=transaction to the query of the URL',
      }),
  )
}

async function checkSchema(call: Call, db: Database, report: Report): Promise<boolean> {
  const check = 'schema'
  try {
    const steps = await migrationStatus(db)
    const missing = steps.filter((step) => step.appliedAt === null)
    if (missing.length === 0) {
      const ahead = steps.some((step) => step.ahead) ? ', of a newer release that lets this one serve' : ''
      report({ check, result: 'ok', found: `version ${steps.at(-1)?.version}${ahead}` })
      return true
    }
    const names = missing.map((step) => `${step.version} (${step.name})`).join(', ')
    report({
      check,
      result: 'failed',
      found: `version ${names} is missing`,
      todo: `${call.program} migrate up`,
    })
  } catch (error) {
    report({ check, result: 'failed', found: sayError(error), todo: 'run the release that made this schema' })
  }
  return false
}

async function checkKeys(call: Call, db: Database, settings: Settings, report: Report): Promise<string[]> {
  const check = 'keys'
  const secrets = rootSecrets(settings.secrets)
  const keys = await inspectSigningKeys({ db, secrets, now: Date.now })
  const closed = keys.find((key) => !key.opens)
  if (keys.length === 0) {
    report({ check, result: 'ok', found: 'none yet: the first start makes one' })
  } else if (closed) {
    report({
      check,
      result: 'failed',
      found: `signing key ${closed.kid} is sealed with secret ${closed.sealedWith}; known: ${secrets.ids.join(', ')}`,
      todo: 'put that secret back behind the newest one, until the server has sealed the key anew',
    })
  } else {
    const old = keys.filter((key) => key.sealedWith !== secrets.newestId).length
    report({
      check,
      result: old > 0 ? 'warning' : 'ok',
      found: `${keys.length} can be opened${old > 0 ? `, ${old} with an older secret` : ''}`,
      ...(old > 0
        ? { todo: `a running server seals them anew within seconds; otherwise: ${call.program} keys list` }
        : {}),
    })
  }
  return keys.map(({ kid }) => kid)
}
