import { randomBytes } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  unwatchFile,
  watchFile,
  writeFileSync,
} from 'node:fs'
import { dirname, relative } from 'node:path'
import { shortestSecret } from '../crypto/secrets.ts'
import { Failure } from './failures.ts'

/** How often a running server looks whether the file changed, in milliseconds. */
const lookEvery = 1_000

export function makeSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** The root secrets of a file: one a line, newest first; blank lines and lines that begin with # do not count. Throws `Failure`. */
export function readSecretFile(file: string): string[] {
  const shown = relative('.', file)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new Failure(
      code === 'ENOENT'
        ? `the secret file ${shown} does not exist: (umask 077; openssl rand -base64 32 > ${shown}) makes one`
        : `the secret file ${shown} cannot be read (${code}): make it readable for this user`,
    )
  }
  const lines = text.split(/\r?\n/)
  const secrets: string[] = []
  for (const [n, line] of lines.entries()) {
    const secret = line.trim()
    if (secret === '' || secret.startsWith('#')) continue
    if (secret.length < shortestSecret || !/^[\x21-\x7e]+$/.test(secret)) {
      throw new Failure(
        `the secret file ${shown} is damaged: line ${n + 1} is not a text of at least ${shortestSecret} visible ASCII characters; restore the file from a backup (without its secret the signing keys in the database cannot be opened)`,
      )
    }
    secrets.push(secret)
  }
  if (secrets.length === 0) {
    throw new Failure(
      `the secret file ${shown} is damaged: it holds no secret; restore it from a backup, or remove it to begin anew with an empty database`,
    )
  }
  return secrets
}

/** Makes a secret file, readable by its owner only, unless there is one. Answers whether it did. */
export function createSecretFile(file: string): boolean {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const draft = writeDraft(file, [makeSecret()])
  try {
    linkSync(draft, file)
    return true
  } catch (error) {
    // Another process that starts at the same moment made it.
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    unlinkSync(draft)
  }
}

/** Puts another list in place of the file's, whole or not at all; owner and mode stay where the user may keep them. */
export function writeSecretFile(file: string, secrets: readonly string[]): void {
  renameSync(writeDraft(file, secrets, statSync(file).mode & 0o777), file)
}

function writeDraft(file: string, secrets: readonly string[], mode = 0o600): string {
  const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`
  const descriptor = openSync(draft, 'wx', mode)
  try {
    writeFileSync(descriptor, `${secrets.join('\n')}\n`)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  return draft
}

/** Calls back whenever the file may hold other secrets. Answers what ends that. */
export function followSecretFile(file: string, changed: () => void): () => void {
  watchFile(file, { interval: lookEvery, persistent: false }, changed)
  return () => unwatchFile(file, changed)
}
