import { UnknownSecret } from '../crypto/secrets.ts'

/** The command was typed wrongly. Exit code 2. */
export class Usage extends Error {
  override name = 'Usage'
  /** Whose `--help` tells more. */
  readonly path: string | undefined
  constructor(message: string, path?: string) {
    super(message)
    this.path = path
  }
}

/** The command could not do what it was told, and the message says why and what helps. Exit code 1. */
export class Failure extends Error {
  override name = 'Failure'
}

const expected = new Set([
  'Usage',
  'Failure',
  'ConfigError',
  'SchemaMismatch',
  'Unavailable',
  'AccountsUnavailable',
])

/** What went wrong, for a person: one line for what can happen to anybody, everything for a fault of our own. */
export function sayError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof UnknownSecret) {
    return `the signing keys in the database were ${error.message}: put that secret back (.gatehouse/secret, GATEHOUSE_SECRET_FILE or GATEHOUSE_SECRET); if it is lost for good, delete every row of signing_keys and start again: issued JWTs then fail to verify, refresh tokens stay good`
  }
  const cause = error.cause instanceof Error ? `: ${oneLine(error.cause.message)}` : ''
  if (expected.has(error.name)) return oneLine(error.message + cause)
  return saySystemError(error) ?? error.stack ?? error.message
}

/** Errors of the operating system and of the databases, each in one line; undefined for any other. */
function saySystemError(error: Error): string | undefined {
  const { code, path, port, address, errcode } = error as NodeJS.ErrnoException & {
    port?: number
    address?: string
    errcode?: number
  }
  if (code === 'EADDRINUSE') {
    return `port ${port} on ${address} is in use by another program: end that one, or choose another port with PORT=${(port ?? 4400) + 1}`
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return `cannot listen on ${address ?? 'this host'}: ${error.message}`
  if (code === 'EACCES' && port !== undefined)
    return `port ${port} on ${address} needs more rights: choose one above 1023`
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return `no right to write ${path}: ${code}`
  if (code === 'ENOSPC') return `no space left on the disk${path ? ` for ${path}` : ''}`
  if ((code === 'ENOTDIR' || code === 'EEXIST') && path)
    return `${path} cannot be made: a file stands where a folder is needed`
  if (code === 'ERR_SQLITE_ERROR') {
    if (errcode === 8) return 'the database file is read-only for this user: give it the right to write it'
    if (errcode === 14)
      return 'the database file cannot be opened: its folder must exist and be writable for this user'
    if (errcode === 26 || errcode === 11)
      return 'the database file is damaged or no SQLite database: restore it from a backup'
    if (errcode === 5) return 'the database is locked by another program: try again'
    // Full, or no space for the index of the log beside it.
    if (errcode === 13 || errcode === 4874 || errcode === 778)
      return 'no space left on the disk for the database'
  }
  if (code === '3D000' || code === '28P01' || code === '28000' || code === '42501')
    return `PostgreSQL: ${oneLine(error.message)}`
  return undefined
}

export function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, '; ')
}
