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
    lines += `${JSON.stringify({ time: isoTime(Date.now()), level: name, message, ...facts })}\n`
  }
  return { info: write('info'), warn: write('warn'), error: write('error') }
}

function writeToStderr(text: string) {
  process.stderr.write(text)
}

export function told(value: unknown): string | undefined {
  return value as string | undefined
}

export function toldUrl(value: string | undefined): string | undefined {
  return value
}
