import { isoTime } from './iso-time.ts'

/** One line of JSON an entry, on standard error. Nothing secret may be passed in. */
export interface Log {
  info(message: string, facts?: Facts): void
  warn(message: string, facts?: Facts): void
  error(message: string, facts?: Facts): void
}

export type Facts = Record<string, string | number | boolean | null | undefined>

export type LogLevel = 'info' | 'warn' | 'error' | 'silent'

const rank: Record<LogLevel, number> = { info: 0, warn: 1, error: 2, silent: 3 }

/** Collects the lines of one turn of the event loop and writes them at once. */
export function jsonLog(level: LogLevel, sink: (text: string) => void = writeToStderr): Log {
  let lines = ''
  const flush = () => {
    const text = lines
    lines = ''
    sink(text)
  }
  const write = (name: LogLevel) => (message: string, facts?: Facts) => {
    if (rank[name] < rank[level]) return
    if (lines === '') setImmediate(flush)
    // Whatever was passed in, an error's own text for one: no token is written down.
    const line = besideFixed({ time: isoTime(Date.now()), level: name, message }, facts)
    lines += `${withoutTokens(JSON.stringify(line))}\n`
  }
  return { info: write('info'), warn: write('warn'), error: write('error') }
}

/** What is always told, and facts of the case beside it: one that has the name of another is told as `fact_…`. */
export function besideFixed(fixed: Facts, facts: Facts = {}): Facts {
  const line: Facts = { ...fixed }
  for (const [name, value] of Object.entries(facts))
    line[Object.hasOwn(fixed, name) ? `fact_${name}` : name] = value
  return line
}

function writeToStderr(text: string) {
  process.stderr.write(text)
}

/** Longest text that is told as it is. */
const longestTold = 120
/** Words of protocols and people, and the few that mix letters and digits: nothing a secret is made of. */
const word =
  /^(?:[a-z]{1,24}|[A-Z]{1,10}|[A-Za-z][a-z]{1,16}(?:[A-Z][a-z]{1,16}){0,3}|\d{1,4}|[A-Z]{1,2}\d{3}|v\d)$/
const separators = /[-_.:/+;=, ]{1,2}/
/** Ids of this server, which are no secrets. */
const ownId = /^(?:cl|usr|ses|evt)_[0-9a-hjkmnp-tv-z]{26}$/
const token = /\b(?:gh_[a-z]{2}|whsec|[sr]k_live|gh[opsu]|xox[a-z])_[A-Za-z0-9_-]{8,}/
const jwt = /\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*)?/

/**
 * What somebody sent, for log and events: as it is where its shape is harmless, otherwise by its length and kind. A secret may
 * have come in any field. `isKnown` says of a text that it names something here.
 */
export function told(value: unknown, isKnown?: (text: string) => boolean): string | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'string') return `(${value === null ? 'null' : typeof value})`
  return isKnown?.(value) || isHarmless(value) ? value : described(value)
}

function described(value: string): string {
  const kind = token.test(value) ? ', like a token' : jwt.test(value) ? ', like a JWT' : ''
  return `(${value.length} characters${kind})`
}

/** A URL somebody sent, without user, query and fragment, and with every part of its path that may be a secret left out. */
export function toldUrl(value: string | undefined): string | undefined {
  if (value === undefined) return undefined
  if (value.length > 2_048) return described(value)
  const [, scheme = '', authority, path = '', rest = ''] =
    /^([a-z][a-z0-9+.-]*:)(?:\/\/([^/?#\\]*))?([^?#\\]*)(.*)$/is.exec(value) ?? []
  const host = authority?.slice(authority.lastIndexOf('@') + 1)
  if (!isHarmless(scheme.slice(0, -1)) || (host !== undefined && !isHost(host))) return described(value)
  return `${scheme}${host === undefined ? '' : `//${host}`}${toldPath(path)}${rest === '' ? '' : '?…'}`
}

/** A path somebody asked for, with every part that may be a secret left out. */
export function toldPath(path: string): string {
  const segments = path.slice(0, 2_048).split('/')
  return segments.map((one) => (one === '' || isHarmless(one) ? one : '…')).join('/')
}

function isHarmless(text: string): boolean {
  return (
    text.length <= longestTold &&
    (isWords(text) || ownId.test(text) || (/^https?:\/\//.test(text) && toldUrl(text) === text))
  )
}

/** Word by word: one expression for them all would try each word in several ways, and every combination of them. */
function isWords(text: string): boolean {
  return !token.test(text) && !jwt.test(text) && text.split(separators).every((one) => word.test(one))
}

/** Labels shorter than any token of worth. */
function isHost(text: string): boolean {
  return /^(?:\[[0-9a-f:.]{2,45}\]|[a-z0-9-]{0,30}(?:\.[a-z0-9-]{1,30}){0,9})(?::\d{1,5})?$/i.test(text)
}

const tokens = new RegExp(`${token.source}|${jwt.source}`, 'g')

/** A text with every token in it cut out. */
export function withoutTokens(text: string): string {
  return text.includes('_') || text.includes('eyJ') ? text.replace(tokens, '(token)') : text
}
