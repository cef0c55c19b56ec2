import { type Call, type Option, wholeNumber } from './command.ts'

/** Rows under headings, as wide as they need to be. What came from outside cannot steer the terminal. */
export function table(headings: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const cells = [headings, ...rows.map((row) => row.map((cell) => printable(cell ?? '')))]
  const widths = headings.map((_, n) => Math.max(...cells.map((row) => row[n]!.length)))
  return cells
    .map((row) =>
      row
        .map((cell, n) => cell.padEnd(widths[n]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Name and value, one a line; what is absent is left out. */
export function facts(pairs: Record<string, unknown>): string {
  const rows = Object.entries(pairs).filter(
    ([, value]) => value !== null && value !== undefined && value !== '',
  )
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${printable(value)}`).join('\n')
}

export function printable(value: unknown): string {
  const text = Array.isArray(value)
    ? value.join(' ')
    : typeof value === 'object'
      ? JSON.stringify(value)
      : String(value)
  return text.replace(steering, '·')
}

/** Controls of terminals, and what changes the direction of text. */
const steering = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** Lines of JSON, written so that nothing in their texts can steer the terminal; they mean what they meant. */
export function steadyJson(lines: string): string {
  return lines.replace(steering, (one) =>
    one === '\n' ? one : `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** An ISO time, or null for none. */
export function time(milliseconds: number | null | undefined): string | null {
  return milliseconds === null || milliseconds === undefined ? null : new Date(milliseconds).toISOString()
}

/** Options of every list: it is shown a page at a time. */
export const paging: Record<string, Option> = {
  limit: { type: 'string', value: '<count>', text: 'How many, 1 to 10000. Default: 50' },
  after: { type: 'string', value: '<id>', text: 'Go on after this one, the last of the page before' },
}

/** The name the option had in lists that begin with the newest. */
export const formerly: Record<string, Option> = {
  before: { type: 'string', value: '<id>', text: 'The same as --after' },
}

/** What a list is asked for. */
export interface Page {
  limit: number
  /** Begins after the row with this id, in the order of the list. */
  after?: string
}

/** Shows one page of what `find` lists: each row as a line of JSON, or all of them as `show` does. Says when there is more. */
export async function printPage<Row>(
  call: Call,
  find: (page: Page) => Promise<Row[]>,
  of: { id(row: Row): string; json(row: Row): string; show(rows: Row[]): string },
): Promise<void> {
  const limit = wholeNumber(call, 'limit', 1, 10_000) ?? 50
  const after = call.option('after') ?? call.option('before')
  const found = await find({ limit: limit + 1, ...(after === undefined ? {} : { after }) })
  const rows = found.slice(0, limit)
  const next = found.length > limit ? of.id(rows.at(-1)!) : undefined
  if (call.json) {
    for (const row of rows) call.print(of.json(row))
    if (next !== undefined) call.print(JSON.stringify({ next }))
  } else {
    call.print(of.show(rows))
    if (next !== undefined) call.note(`There are more: --after ${next}`)
  }
}
