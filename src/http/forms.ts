/** The parameters of a query or an `application/x-www-form-urlencoded` body. */
export interface Form {
  /** First value by name; a parameter without a value counts as absent (RFC 6749 §3.1). */
  get(name: string): string | undefined
  all(name: string): string[]
  /** Names that came more than once with a value. */
  readonly repeated: readonly string[]
  readonly names: readonly string[]
}

/** Parses form text; undefined when a percent-escape is broken or a NUL is in it, which no parameter may hold and no database keeps. */
export function parseForm(text: string): Form | undefined {
  const form = gather()
  if (text !== '') {
    for (const pair of text.split('&')) {
      if (pair === '') continue
      const equals = pair.indexOf('=')
      const name = decode(equals < 0 ? pair : pair.slice(0, equals))
      const value = equals < 0 ? '' : decode(pair.slice(equals + 1))
      if (name === undefined || value === undefined || name.includes('\0') || value.includes('\0')) {
        return undefined
      }
      form.add(name, value)
    }
  }
  return form
}

/** A form of these parameters, in their order. */
export function formOf(pairs: Iterable<readonly [name: string, value: string]>): Form {
  const form = gather()
  for (const [name, value] of pairs) form.add(name, value)
  return form
}

function gather(): Form & { add(name: string, value: string): void } {
  const values = new Map<string, string[]>()
  const repeated: string[] = []
  return {
    add(name, value) {
      if (value === '') return
      const known = values.get(name)
      if (!known) values.set(name, [value])
      else {
        known.push(value)
        if (known.length === 2) repeated.push(name)
      }
    },
    get: (name) => values.get(name)?.[0],
    all: (name) => values.get(name) ?? [],
    repeated,
    get names() {
      return [...values.keys()]
    },
  }
}

/** Every parameter of a form, in their order. */
export function pairsOf(form: Form): [name: string, value: string][] {
  return form.names.flatMap((name) => form.all(name).map((value): [string, string] => [name, value]))
}

function decode(text: string): string | undefined {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text
  if (!spaced.includes('%')) return spaced
  try {
    return decodeURIComponent(spaced)
  } catch {
    return undefined
  }
}
