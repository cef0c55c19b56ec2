import { type ParseArgsConfig, parseArgs } from 'node:util'
import { didYouMean } from '../spelling.ts'
import { Usage } from './failures.ts'

/** One option of an action. `value` names what a text option takes: `<url>`. */
export interface Option {
  type: 'string' | 'boolean'
  /** May be given several times. */
  multiple?: true
  value?: string
  text: string
}

/** Something a command does. */
export interface Action {
  summary: string
  /** Positional arguments: `<id>` must be given, `[id]` may be. */
  arguments?: readonly string[]
  options?: Record<string, Option>
  /** More than the summary says, shown by `--help`. */
  notes?: string
  /** Answers the exit code, 0 when it answers nothing. */
  run(call: Call): Promise<number | void> | number | void
}

/** One word after `gatehouse`: an action itself, or several. */
export type Command = Action | { summary: string; actions: Record<string, Action>; notes?: string }

/** One run of one action. */
export interface Call {
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  readonly json: boolean
  /** How this program was called, for advice that can be pasted: `npx gatehouse-auth`. */
  readonly program: string
  positionals: readonly string[]
  option(name: string): string | undefined
  list(name: string): string[] | undefined
  flag(name: string): boolean
  /** The answer, on standard output. */
  print(text: string): void
  /** Everything else, on standard error. */
  note(text: string): void
}

const common: Record<string, Option> = {
  config: {
    type: 'string',
    value: '<file>',
    text: 'Configuration file. Default: gatehouse.config.mts, .ts, .mjs or .js',
  },
  json: { type: 'boolean', text: 'Print JSON, one value a line' },
  help: { type: 'boolean', text: 'Show this' },
}

/** Reads what follows the action's name. Throws `Usage` for anything that is not on its list. */
export function readCall(
  path: string,
  action: Action,
  rest: string[],
  surroundings: Omit<Call, keyof Read>,
): Call {
  return { ...surroundings, ...read(path, action, rest) }
}

type Read = Pick<Call, 'json' | 'positionals' | 'option' | 'list' | 'flag'>

function read(path: string, action: Action, rest: string[]): Read {
  const options: NonNullable<ParseArgsConfig['options']> = Object.fromEntries(
    Object.entries({ ...common, ...action.options }).map(([name, { type, multiple }]) => [
      name,
      { type, ...(multiple ? { multiple } : {}) },
    ]),
  )
  let parsed: { values: Record<string, unknown>; positionals: string[] }
  try {
    parsed = parseArgs({ args: rest, options, allowPositionals: true, strict: true }) as typeof parsed
  } catch (error) {
    const message = (error as Error).message.split('. To specify')[0]!
    const [, unknown] = /^Unknown option '(--[^']+)'/.exec(message) ?? []
    const known = Object.keys(options).map((name) => `--${name}`)
    throw new Usage(message + (unknown ? didYouMean(unknown, known) : ''), path)
  }
  const { values, positionals } = parsed
  const wanted = action.arguments ?? []
  const missing = wanted.slice(positionals.length).find((one) => one.startsWith('<'))
  if (missing) throw new Usage(`${missing} is missing`, path)
  if (positionals.length > wanted.length)
    throw new Usage(`${positionals[wanted.length]} is one too many`, path)
  for (const [name, value] of Object.entries(values)) {
    if (value === '' || (Array.isArray(value) && value.includes('')))
      throw new Usage(`--${name} is empty`, path)
  }
  return {
    json: values.json === true,
    positionals,
    option: (name) => values[name] as string | undefined,
    list: (name) => values[name] as string[] | undefined,
    flag: (name) => values[name] === true,
  }
}

/** A whole number an option gives. Throws `Usage`. */
export function wholeNumber(call: Call, name: string, least: number, most: number): number | undefined {
  const text = call.option(name)
  if (text === undefined) return undefined
  const number = Number(text)
  if (!/^\d+$/.test(text) || number < least || number > most) {
    throw new Usage(`--${name}: ${text} was given; allowed: a whole number from ${least} to ${most}`)
  }
  return number
}

/** A moment an option gives: an ISO date, or how long ago: `90s`, `15m`, `36h`, `7d`. Epoch milliseconds. Throws `Usage`. */
export function moment(call: Call, name: string, now = Date.now()): number | undefined {
  const text = call.option(name)
  if (text === undefined) return undefined
  const ago = /^(\d{1,9})([smhd])$/.exec(text)
  if (ago)
    return now - Number(ago[1]) * { s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7 }[ago[2] as 's' | 'm' | 'h' | 'd']
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time)) {
    throw new Usage(
      `--${name}: ${text} was given; allowed: a time such as 2026-01-31T12:00Z, or how long ago, such as 90s, 15m, 36h, 7d`,
    )
  }
  return time
}

/** The help of one action. */
export function actionHelp(path: string, action: Action): string {
  const words = ['gatehouse-auth', path, ...(action.arguments ?? []), '[options]']
  const options = Object.entries({ ...action.options, ...common }).map(([name, option]) => [
    `--${name}${option.value ? ` ${option.value}` : ''}`,
    option.text + (option.multiple ? ' (may be repeated)' : ''),
  ])
  return [
    action.summary,
    '',
    `Usage: ${words.join(' ')}`,
    ...(action.notes ? ['', action.notes] : []),
    '',
    'Options:',
    ...columns(options),
  ].join('\n')
}

/** The help of a command with several actions. */
export function commandHelp(name: string, command: Extract<Command, { actions: unknown }>): string {
  return [
    command.summary,
    '',
    `Usage: gatehouse-auth ${name} <action> [options]`,
    ...(command.notes ? ['', command.notes] : []),
    '',
    'Actions:',
    ...columns(
      Object.entries(command.actions).map(([action, { summary, arguments: wanted = [] }]) => [
        [action, ...wanted].join(' '),
        summary,
      ]),
    ),
    '',
    `gatehouse-auth ${name} <action> --help says more.`,
  ].join('\n')
}

/** Two columns of text, indented. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const width = Math.max(0, ...rows.map(([first]) => first!.length))
  return rows.map(([first, second]) => `  ${first!.padEnd(width)}  ${second}`)
}
