import { existsSync, readFileSync, unlinkSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isLoopback } from '../config/issuer.ts'
import { longestDrain } from '../config/options.ts'
import type { Config, FileConfig } from '../config.ts'
import type { LogLevel } from '../log.ts'
import type { Call } from './command.ts'
import { Failure } from './failures.ts'
import { createSecretFile, readSecretFile } from './secret-file.ts'

export const standardPort = 4400
/** The first is what `init` writes: a module in every package, whatever its `type`. */
export const configFiles = ['mts', 'ts', 'mjs', 'js', 'cts', 'cjs'].map(
  (ending) => `gatehouse.config.${ending}`,
)
const levels: readonly LogLevel[] = ['info', 'warn', 'error', 'silent']

/** What `dev` offers when there is no configuration file: an example's scopes, and clients that come by themselves. */
const example = {
  scopes: {
    'jobs:read': 'Search open jobs',
    'applications:read': 'See the applications you have sent',
    'applications:write': 'Send applications in your name',
    'resume:read': 'Read your résumé',
  },
  clientIdMetadata: {},
  registration: { policy: 'open' },
  // A developer who tries out their own machine, or runs `npx gatehouse-auth verify` all day, is no attacker.
  selfRegisteredClients: { perHour: 10_000, perNetworkPerHour: 10_000 },
  limits: { failuresPerNetwork: 10_000 },
} satisfies FileConfig

/** The configuration a command works with, and where its parts come from. */
export interface Loaded {
  config: Config
  /** Absent when there is no configuration file. */
  file?: string
  secretSource: 'GATEHOUSE_SECRET' | 'file' | 'configuration'
  secretFile?: string
  port: number
  host: string
}

/**
 * For whom it is read: `dev` stays on this machine, `serve` may be production, `admin` works beside either, `look` is the
 * same and makes nothing.
 */
export type Purpose = 'dev' | 'serve' | 'admin' | 'look'

/**
 * Reads the configuration file and lays the environment over it. On this machine, outside production, it makes what is
 * missing: an issuer on localhost, a secret in `.gatehouse/secret`.
 */
export async function loadConfig(call: Call, purpose: Purpose): Promise<Loaded> {
  const { env } = call
  const { file, given } = await readConfigFile(call)
  const production = purpose !== 'dev' && env.NODE_ENV === 'production'
  const asked = portFrom(call)
  const issuer = issuerFor(env, given, purpose, production, asked)
  const local = issuer !== undefined && URL.canParse(issuer) && isLoopback(new URL(issuer))
  const mayMake = purpose === 'dev' || (local && !production)
  const found = secretFor(call, given, mayMake && (purpose === 'look' ? 'read' : 'make'))
  if (issuer === undefined || found === undefined) {
    const missing = [
      issuer === undefined &&
        'there is no issuer: set GATEHOUSE_ISSUER, or issuer in gatehouse.config.mts, to the public address; for example https://auth.example.com',
      found === undefined &&
        'there is no secret: set GATEHOUSE_SECRET, or GATEHOUSE_SECRET_FILE to a file that holds it; openssl rand -base64 32 makes one',
    ]
    throw new Failure(missing.filter((one) => one !== false).join('; '))
  }
  const { secret, ...where } = found
  const config: Config = {
    ...given,
    ...(file === undefined && !production && purpose !== 'serve' ? example : {}),
    issuer,
    secret,
    ...(env.GATEHOUSE_DATABASE_URL ? { database: env.GATEHOUSE_DATABASE_URL } : {}),
    ...(env.GATEHOUSE_TRUSTED_PROXIES ? { trustedProxies: proxiesFrom(env.GATEHOUSE_TRUSTED_PROXIES) } : {}),
    ...drainFrom(env),
    log: logFor(env) ?? given.log ?? (purpose === 'serve' ? 'info' : 'warn'),
  }
  const ownPort = local ? Number(new URL(issuer).port) || undefined : undefined
  return {
    config,
    ...(file === undefined ? {} : { file }),
    ...where,
    port: asked ?? ownPort ?? standardPort,
    host: call.option('host') ?? (env.HOST || '127.0.0.1'),
  }
}

/** Only where the database is, for commands that need nothing else. */
export async function loadDatabaseUrl(call: Call): Promise<string> {
  const { given } = await readConfigFile(call)
  return call.env.GATEHOUSE_DATABASE_URL || given.database || '.gatehouse/gatehouse.db'
}

async function readConfigFile(call: Call): Promise<{ file?: string; given: FileConfig }> {
  const named = call.option('config')
  const file = named
    ? resolve(call.cwd, named)
    : configFiles.map((name) => resolve(call.cwd, name)).find(existsSync)
  if (file === undefined) return { given: {} }
  if (!existsSync(file))
    throw new Failure(`the configuration file ${named} does not exist: npx gatehouse-auth init writes one`)
  let module: Record<string, unknown>
  try {
    module = (await import(pathToFileURL(file).href)) as Record<string, unknown>
  } catch (error) {
    // Anything can be thrown.
    const { code, message } = (
      error instanceof Error ? error : new Error(String(error))
    ) as NodeJS.ErrnoException
    const why = `${code === undefined ? '' : `${code}: `}${message}`
    throw new Failure(`the configuration file ${file} cannot be loaded: ${why}${asModule(file, error)}`)
  }
  const given = module.default ?? module.config
  if (!isPlainObject(given)) {
    const waits = given instanceof Promise ? ', not a promise: await it in the file' : ''
    throw new Failure(
      `the configuration file ${file} must export an object, as default or as config${waits}; for example export default defineConfig({ … })`,
    )
  }
  return { file, given: given as FileConfig }
}

/** Of a promise, a map or an object that inherits its options, nothing would be read, and nothing said. */
function isPlainObject(given: unknown): boolean {
  if (typeof given !== 'object' || given === null) return false
  const prototype: unknown = Object.getPrototypeOf(given)
  return prototype === null || prototype === Object.prototype
}

/** Node takes `.ts` and `.js` of a package that is not `"type": "module"` for scripts, where `import` and `export` are errors. */
function asModule(file: string, error: unknown): string {
  const [, ending] = /\.([jt]s)$/.exec(file) ?? []
  if (!ending || !(error instanceof SyntaxError)) return ''
  if (!/^\s*(import|export)\b/m.test(readFileSync(file, 'utf8'))) return ''
  return `; rename it to ${basename(file, `.${ending}`)}.m${ending}, which is a module in every package`
}

function portFrom(call: Call): number | undefined {
  const [name, text] = call.option('port') ? ['--port', call.option('port')!] : ['PORT', call.env.PORT]
  if (!text) return undefined
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) {
    throw new Failure(
      `${name}: ${text} was given; allowed: a port from 0 to 65535; for example ${standardPort}`,
    )
  }
  return Number(text)
}

/** Addresses and subnets, separated by commas or spaces; `none` says that there is none. */
function proxiesFrom(text: string): string[] {
  return text === 'none' ? [] : text.split(/[\s,]+/).filter((one) => one !== '')
}

/** `dev` never speaks as the public issuer of the configuration: unless it is told, it stays on localhost. */
function issuerFor(
  env: Call['env'],
  given: FileConfig,
  purpose: Purpose,
  production: boolean,
  port: number | undefined,
): string | undefined {
  if (env.GATEHOUSE_ISSUER) return env.GATEHOUSE_ISSUER
  const { issuer } = given
  const here = `http://localhost:${port ?? standardPort}`
  if (purpose === 'dev' && issuer !== undefined && URL.canParse(issuer)) {
    const { pathname, port: own } = new URL(issuer)
    const stays = isLoopback(new URL(issuer)) && (port === undefined || own === String(port))
    return stays ? issuer : here + (pathname === '/' ? '' : pathname)
  }
  return issuer ?? (purpose === 'serve' || production ? undefined : here)
}

function secretFor(
  call: Call,
  given: FileConfig,
  own: 'make' | 'read' | false,
): (Pick<Loaded, 'secretSource' | 'secretFile'> & { secret: string[] }) | undefined {
  const { env, cwd } = call
  const listed = env.GATEHOUSE_SECRET?.split(/[\s,]+/).filter((one) => one !== '') ?? []
  if (listed.length > 0) return { secret: listed, secretSource: 'GATEHOUSE_SECRET' }
  if (env.GATEHOUSE_SECRET_FILE) {
    const secretFile = resolve(cwd, env.GATEHOUSE_SECRET_FILE)
    return { secret: readSecretFile(secretFile), secretSource: 'file', secretFile }
  }
  if (given.secret !== undefined) return { secret: [given.secret].flat(), secretSource: 'configuration' }
  const secretFile = resolve(cwd, '.gatehouse/secret')
  if (!own || (own === 'read' && !existsSync(secretFile))) return undefined
  if (!existsSync(secretFile) && createSecretFile(secretFile)) madeNow.add(secretFile)
  return { secret: readSecretFile(secretFile), secretSource: 'file', secretFile }
}

const madeNow = new Set<string>()

/** Takes back a secret this run made, when it turns out that the database was sealed with another one. */
export function forgetMadeSecret({ secretFile }: Loaded): void {
  if (secretFile !== undefined && madeNow.delete(secretFile)) unlinkSync(secretFile)
}

function drainFrom(env: Call['env']): Pick<Config, 'drain'> {
  const text = env.GATEHOUSE_DRAIN
  if (!text) return {}
  if (!/^\d{1,4}$/.test(text) || Number(text) > longestDrain) {
    throw new Failure(
      `GATEHOUSE_DRAIN: ${text} was given; allowed: seconds from 0 to ${longestDrain}; for example 5`,
    )
  }
  return { drain: Number(text) }
}

function logFor(env: Call['env']): LogLevel | undefined {
  const level = env.GATEHOUSE_LOG
  if (!level) return undefined
  if (!levels.includes(level as LogLevel)) {
    throw new Failure(`GATEHOUSE_LOG: ${level} was given; allowed: ${levels.join(', ')}`)
  }
  return level as LogLevel
}
