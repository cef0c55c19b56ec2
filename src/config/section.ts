// What the configuration is made of. An option says once what may be given, what stands where nothing is given, and what is
// checked. The types of input and settings, every message and the reference page follow from it.

import type { ConfigProblem } from '../config-error.ts'
import { closest } from '../spelling.ts'

/** One value of the configuration. */
export interface Option<in out Given, out Value> {
  /** Reads what was given. A problem is told to `place`, and something of the right shape is answered all the same. */
  read(given: unknown, place: Place): Value
  /** What may be given, as TypeScript writes it. */
  readonly type: string
  /** What stands where nothing is given. */
  readonly standard?: number | boolean | string
  /** It cannot be left out. */
  readonly required?: boolean
  /** The options of a section, or of each section in a record or list. */
  readonly inside?: { readonly options: Options; readonly each?: 'key' | 'entry' }
  /** Only for the compiler. */
  readonly given?: (given: Given) => Given
}
// biome-ignore lint/suspicious/noExplicitAny: any option
type AnyOption = Option<any, unknown>
export type Options = Readonly<Record<string, AnyOption>>

/** What may be given for an option. */
export type Given<O> = O extends Option<infer G, unknown> ? G : never
/** What is read from it. */
export type Value<O> = O extends { read(given: unknown, place: Place): infer V } ? V : never

type RequiredKeys<S> = { [K in keyof S]: S[K] extends { readonly required: true } ? K : never }[keyof S]
type GivenOf<S> = { [K in RequiredKeys<S>]: Given<S[K]> } & {
  [K in Exclude<keyof S, RequiredKeys<S>>]?: Given<S[K]>
}
type ValueOf<S> = { [K in keyof S]: Value<S[K]> }

/** Where a value stands, and what is wrong so far. */
export class Place {
  readonly path: string
  readonly problems: ConfigProblem[]

  constructor(path = '', problems: ConfigProblem[] = []) {
    this.path = path
    this.problems = problems
  }

  at(key: string | number): Place {
    const path =
      typeof key === 'number' ? `${this.path}[${key}]` : this.path === '' ? key : `${this.path}.${key}`
    return new Place(path, this.problems)
  }

  /** `allowed` ends a sentence that begins with "allowed:". Without `given` the value is not shown. */
  problem(allowed: string, given?: unknown, example?: string): void {
    const shown = given === undefined ? {} : { given }
    this.problems.push({ path: this.path, allowed, ...shown, ...(example === undefined ? {} : { example }) })
  }
}

/** Options by name, each with its own comment. Unknown names are problems. */
export function section<const S extends Options>(options: S): Option<GivenOf<S>, ValueOf<S>> {
  return {
    type: 'an object',
    inside: { options },
    read(given, place) {
      const is = given === undefined || isObject(given)
      if (!is) place.problem(`an object with ${Object.keys(options).join(', ')}`, given)
      const fields: Record<string, unknown> = isObject(given) ? given : {}
      for (const name of Object.keys(fields)) {
        if (!Object.hasOwn(options, name)) unknown(name, Object.keys(options), place)
      }
      // Of what is no section at all, nothing more is said.
      const inner = is ? place : new Place(place.path)
      const read = ([name, option]: [string, AnyOption]) => [name, option.read(fields[name], inner.at(name))]
      return Object.fromEntries(Object.entries(options).map(read)) as ValueOf<S>
    },
  }
}

function unknown(name: string, known: readonly string[], place: Place): void {
  const meant = closest(name, known)
  place
    .at(name)
    .problem(
      meant === undefined
        ? `no option of this name; there are ${known.join(', ')}`
        : `no option of this name; did you mean ${place.at(meant).path}?`,
    )
}

/** Entries by a key of their own; `key` says what is wrong with one. */
export function record<G, V>(
  entry: Option<G, V>,
  key?: (name: string) => { allowed: string; example?: string } | undefined,
): Option<Readonly<Record<string, G>>, Record<string, V>> {
  return {
    type: entry.inside ? 'an object by key' : `Record<string, ${entry.type}>`,
    ...(entry.inside ? { inside: { options: entry.inside.options, each: 'key' as const } } : {}),
    read(given, place) {
      const entries = isObject(given) ? Object.entries(given) : []
      if (given !== undefined && !isObject(given)) place.problem('an object, one entry a name', given)
      for (const [name] of entries) {
        const wrong = key?.(name)
        if (wrong) place.at(name).problem(wrong.allowed, name, wrong.example)
      }
      return Object.fromEntries(entries.map(([name, value]) => [name, entry.read(value, place.at(name))]))
    },
  }
}

/** A list. */
export function list<G, V>(
  entry: Option<G, V>,
  { standard = [], least = 0 }: { standard?: readonly NoInfer<V>[]; least?: number } = {},
): Option<readonly G[], readonly V[]> {
  return {
    type: entry.inside
      ? 'a list of objects'
      : `${/[ |]/.test(entry.type) ? `(${entry.type})` : entry.type}[]`,
    ...(entry.inside ? { inside: { options: entry.inside.options, each: 'entry' as const } } : {}),
    read(given, place) {
      if (given === undefined) return standard
      if (!Array.isArray(given)) {
        place.problem('a list', given)
        return standard
      }
      const read = given.map((one, n) => entry.read(one, place.at(n)))
      if (given.length < least)
        place.problem(`at least ${least === 1 ? 'one entry' : `${least} entries`}`, given)
      return read
    },
  }
}

/** A whole number of seconds, read as milliseconds. */
export function seconds(standard: number, least: number, most: number): Option<number, number> {
  return whole('seconds', 1_000, standard, least, most)
}

/** A whole number of hours, read as milliseconds. */
export function hours(standard: number, least = 1): Option<number, number> {
  return whole('hours', 3_600_000, standard, least)
}

/** A whole number of days, read as milliseconds. */
export function days(standard: number, least = 1): Option<number, number> {
  return whole('days', 86_400_000, standard, least)
}

/** A whole number. */
export function count(standard: number, least = 1, most?: number): Option<number, number> {
  return whole(undefined, 1, standard, least, most)
}

function whole(
  unit: string | undefined,
  size: number,
  standard: number,
  least: number,
  most = Infinity,
): Option<number, number> {
  const bounds = most === Infinity ? `of at least ${least}` : `from ${least} to ${most}`
  const allowed =
    unit === 'seconds'
      ? `a whole number of seconds ${bounds}`
      : `a whole number ${bounds}${unit ? ` (${unit})` : ''}`
  return {
    type: 'number',
    standard,
    read(given, place) {
      if (given === undefined) return standard * size
      if (typeof given === 'number' && Number.isInteger(given) && given >= least && given <= most)
        return given * size
      place.problem(allowed, given, String(standard))
      return standard * size
    },
  }
}

export function flag(standard: boolean): Option<boolean, boolean> {
  return {
    type: 'boolean',
    standard,
    read(given, place) {
      if (typeof given === 'boolean') return given
      if (given !== undefined) place.problem('true or false', given, String(standard))
      return standard
    },
  }
}

/** One of a few words. */
export function oneOf<const W extends string>(words: readonly W[], standard: NoInfer<W>): Option<W, W> {
  return {
    type: words.map((word) => `'${word}'`).join(' | '),
    standard,
    read(given, place) {
      if (given === undefined) return standard
      if (words.includes(given as W)) return given as W
      place.problem(choice(words), given, closest(String(given), words) ?? standard)
      return standard
    },
  }
}

const choice = (words: readonly string[]) =>
  words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`

/** A text; `allowed` says what `is` checks. */
export function text(
  allowed = 'a text that is not empty',
  is: (text: string) => boolean = (given) => given !== '',
  { example, standard = '', secret = false }: { example?: string; standard?: string; secret?: boolean } = {},
): Option<string, string> {
  return {
    type: 'string',
    read(given, place) {
      if (given === undefined) return standard
      if (typeof given === 'string' && is(given)) return given
      place.problem(allowed, secret ? undefined : given, example)
      return standard
    },
  }
}

/** A function of the deployment's own. */
export function fn<F extends (...given: never[]) => unknown>(
  allowed: string,
  type = 'a function',
): Option<F, F> {
  return {
    type,
    read(given, place) {
      if (typeof given !== 'function') place.problem(allowed, given)
      return given as F
    },
  }
}

/** Something only its own reader knows. */
export function custom<G, V = G>(type: string, read: (given: unknown, place: Place) => V): Option<G, V> {
  return { type, read }
}

function withoutStandard<G, V>({ standard: _, ...option }: Option<G, V>): Option<G, V> {
  return option
}

/** It must be given. */
export function required<G, V>(
  option: Option<G, V>,
  example?: string,
): Option<G, V> & { readonly required: true } {
  return {
    ...withoutStandard(option),
    required: true,
    read(given, place) {
      const before = place.problems.length
      const value = option.read(given, place)
      if (given === undefined && place.problems.length === before)
        place.problem('not left out', undefined, example)
      return value
    },
  }
}

/** It may be left out: null then, or undefined where that is said. */
export function optional<G, V>(option: Option<G, V>): Option<G, V | null>
export function optional<G, V>(option: Option<G, V>, absent: undefined): Option<G, V | undefined>
export function optional<G, V>(
  option: Option<G, V>,
  ...absent: [undefined?]
): Option<G, V | null | undefined> {
  const left = absent.length === 0 ? null : undefined
  return {
    ...withoutStandard(option),
    required: false,
    read: (given, place) => (given === undefined ? left : option.read(given, place)),
  }
}

/** The same option, with what it reads made into something else, or looked at once more. */
export function mapped<G, V, W>(
  option: Option<G, V>,
  map: (value: V, place: Place, given: unknown) => W,
): Option<G, W> {
  return { ...option, read: (given, place) => map(option.read(given, place), place, given) } as Option<G, W>
}

export function isObject(given: unknown): given is Record<string, unknown> {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return false
  const prototype: unknown = Object.getPrototypeOf(given)
  return prototype === Object.prototype || prototype === null || prototype?.constructor?.name === 'Object'
}
