/**
 * SQL is written once, as text, for one request. `select` and `write` compile it for both databases:
 * SQLite runs it per request (numbered parameters); PostgreSQL runs the same text for a whole batch of requests in
 * one statement, its inputs arriving as arrays (`i`, one row per request, numbered by `n`).
 */

type ColumnType = 'text' | 'text?' | 'int' | 'int?'
export type Columns = Record<string, ColumnType>
/** What a statement takes: one value per declared column; `?` marks a nullable one. */
export type InputOf<C extends Columns> = {
  [K in keyof C]: { text: string; 'text?': string | null; int: number; 'int?': number | null }[C[K]]
}

/** A piece of SQL text with its parameters; `Row` is the shape of a row it returns. */
export interface Sql<Row = unknown> {
  readonly strings: readonly string[]
  readonly values: readonly unknown[]
  readonly row?: Row
}

class Ref {
  readonly column: string
  constructor(column: string) {
    this.column = column
  }
}
class Word {
  readonly sqlite: string
  readonly postgres: string
  constructor(sqlite: string, postgres: string) {
    this.sqlite = sqlite
    this.postgres = postgres
  }
}

/** SQL text; interpolations are nested pieces, inputs of the statement, or (in one-off queries) bound values. */
export function sql<Row = unknown>(strings: TemplateStringsArray, ...values: unknown[]): Sql<Row> {
  return { strings, values }
}

/** Trusted text, never input: a column or table name chosen by our own code. */
export function raw(text: string): Sql {
  return { strings: [text], values: [] }
}

export function join(pieces: readonly Sql[], separator: string): Sql {
  if (pieces.length === 0) return raw('')
  const strings = ['', ...pieces.slice(1).map(() => separator), '']
  return { strings, values: pieces }
}

/**
 * `insert into table (columns) select values`, column and value side by side; may be followed by `on conflict`.
 * With a condition it inserts only where that holds.
 */
export function insert(table: string, columns: Record<string, unknown>, condition: Sql = raw('true')): Sql {
  const names = Object.keys(columns)
  const selected = join(
    names.map((name) => sql`${columns[name]}`),
    ', ',
  )
  return sql`insert into ${raw(table)} (${raw(names.join(', '))}) select ${selected} ${from} where ${condition}`
}

/** Where the inputs come from, in an update or insert: `from i` on PostgreSQL, nothing on SQLite. */
export const from = new Word('', 'from $input')
/** The same, for a delete. */
export const using = new Word('', 'using $input')
/** The same, as one more table of a `from` clause that already names one. */
export const andFrom = new Word('', ', $input')
/** `select` of a guard that only looks; several requests of one batch may then hold the same row. */
export const selecting = new Word('select', 'select i.n,')
/** `returning` of a guard; on PostgreSQL each row also carries the number of its request. */
export const returning = new Word('returning', 'returning i.n,')

/**
 * Keeps a row as a guard found it until the operation is done: PostgreSQL waits for a concurrent change of the row and then looks
 * again. SQLite has one writer.
 */
export const forShare = new Word('', 'for share')
/**
 * The same where the row's counters may go on changing meanwhile; it sees only changes made under a lock of `lockRows`, and
 * deletions.
 */
export const forKeyShare = new Word('', 'for key share')
/** Locks the rows a condition finds for oneself: for what the same operation removes. */
export const forUpdate = new Word('', 'for update')

/** Rows of a table, locked for themselves alone and always in the same order; for the `lock` of a write. */
export function lockRows(table: string, ids: readonly unknown[], key = 'id'): Sql {
  const all = join(
    ids.map((id) => sql`select ${id} ${from}`),
    ' union ',
  )
  const column = raw(`${table}.${key}`)
  return sql`select 1 from ${raw(table)} where ${column} in (${all}) order by ${column} for update`
}

/** How many requests of the same batch come before this one and agree with it in these inputs. */
export function earlierInBatch(columns: readonly string[]): Sql {
  const same = columns.map((column) => `earlier.${column} = i.${column}`).join(' and ')
  const count = new Word('0', `(select count(*) from i earlier where ${same} and earlier.n < i.n)`)
  return sql`${count}`
}

/** Whether every word of a text separated by spaces is among those of another. */
export function wordsWithin(inner: unknown, outer: unknown): Sql {
  const missing = sql`${new Word("select 1 from json_each('[' || replace(json_quote(", 'select 1 from unnest(string_to_array(')}${inner}${new Word(`), ' ', '","') || ']') word where word.value <> ''`, `, ' ')) word(value) where word.value <> ''`)}
    and ${new Word('instr', 'strpos')}(' ' || ${outer} || ' ', ' ' || word.value || ' ') = 0`
  return sql`not exists (${missing})`
}

/** The union of two texts of words separated by spaces, sorted; for a conflict that must merge two sets in one statement. */
export function unionOfWords(one: string, other: string): Sql {
  const both = `${one} || ' ' || ${other}`
  const list = `'[' || replace(json_quote(${both}), ' ', '","') || ']'`
  const union = new Word(
    `coalesce((select group_concat(value, ' ' order by value) from (select distinct value from json_each(${list}) where value <> '')), '')`,
    `coalesce((select string_agg(distinct word, ' ' order by word) from unnest(string_to_array((${both}) collate "C", ' ')) word where word <> ''), '')`,
  )
  return sql`${union}`
}

export type Refs<C extends Columns> = { [K in keyof C]: Ref }

/** One select, run for one request on SQLite and for a batch of requests on PostgreSQL. */
export interface Select<I = never, R = unknown> {
  readonly kind: 'select'
  readonly name: string
  readonly columns: Columns
  readonly sqlite: Prepared
  readonly postgres: string
  readonly types?: { input: I; row: R }
}

/**
 * One operation: a guarded change and what follows from it, atomic on both databases. The parts of `effects` happen
 * only if the guard touched a row; they see inputs only, never each other's effects.
 */
export interface Write<I = never, R = unknown> {
  readonly kind: 'write'
  readonly name: string
  readonly columns: Columns
  readonly sqlite: { guard: Prepared | null; effects: Prepared[] }
  readonly postgres: string
  /** Runs before it, in the same transaction. */
  readonly postgresLock?: string | undefined
  /** The input by whose order the requests of a batch take their locks. */
  readonly order?: string | undefined
  readonly types?: { input: I; row: R }
}

/** SQLite text with the input columns its numbered parameters stand for. */
export interface Prepared {
  text: string
  columns: string[]
}

export function select<C extends Columns, R>(
  name: string,
  columns: C,
  build: (i: Refs<C>) => Sql<R>,
): Select<InputOf<C>, R> {
  return madeOnce({ kind: 'select' as const, name, columns }, ['sqlite', 'postgres'], () => {
    const text = build(refsOf(columns))
    return {
      sqlite: renderSqlite(text),
      postgres: `select i.n, r.* from ${inputRows(columns)} cross join lateral (${renderPostgres(text, 'i')}) r order by i.n`,
    }
  })
}

export function write<C extends Columns, R = Record<string, never>>(
  name: string,
  columns: C,
  build: (i: Refs<C>) => {
    guard?: Sql<R>
    /** For a guard that inserts and so cannot return `i.n`: the returned column that equals the input of this name. */
    key?: string & keyof C
    effects?: readonly Sql[]
    /**
     * What an operation that ends things locks before it looks (`lockRows`): whatever was begun on these rows is then
     * committed and seen, and whatever begins later finds them as this operation leaves them.
     */
    lock?: Sql
    /** For a guard that locks rows: the input that names them, so that two batches lock them in the same order. */
    order?: string & keyof C
  },
): Write<InputOf<C>, R> {
  return madeOnce(
    { kind: 'write' as const, name, columns },
    ['sqlite', 'postgres', 'postgresLock', 'order'],
    () => {
      const { guard, key, effects = [], lock, order } = build(refsOf(columns))
      const parts: string[] = []
      if (guard && key) {
        parts.push(`changed as (${renderPostgres(guard, 'i')})`)
        // Of the requests of a batch that insert the same row one has it, as with an update.
        parts.push(
          `guard as (select distinct on (changed.${key}) i.n, changed.* from changed join i on i.${key} = changed.${key} order by changed.${key}, i.n)`,
        )
      } else if (guard) parts.push(`guard as (${renderPostgres(guard, 'i')})`)
      const source = guard ? 'i join (select distinct n from guard) guard on guard.n = i.n' : 'i'
      effects.forEach((part, index) => {
        parts.push(`part_${index} as (${renderPostgres(part, source)})`)
      })
      return {
        sqlite: { guard: guard ? renderSqlite(guard) : null, effects: effects.map(renderSqlite) },
        postgres: `with i as (select * from ${inputRows(columns)}), ${parts.join(', ')} ${
          guard ? 'select * from guard' : 'select 0 as n where false'
        }`,
        // Every input is named, since all of them are bound.
        postgresLock: lock && `with i as (select * from ${inputRows(columns)}) ${renderPostgres(lock, 'i')}`,
        order,
      }
    },
  )
}

/**
 * A statement whose text is made when it is first asked for: a process starts with two hundred of them, and its first token
 * needs a dozen. From then on the texts are plain properties.
 */
function madeOnce<Known extends object, Made extends object>(
  known: Known,
  names: readonly (string & keyof Made)[],
  make: () => Made,
): Known & Made {
  const settle = () => {
    const made = make()
    for (const name of names)
      Object.defineProperty(known, name, { value: made[name], enumerable: true, configurable: true })
    return made
  }
  for (const name of names) {
    const get = () => settle()[name]
    Object.defineProperty(known, name, { get, enumerable: true, configurable: true })
  }
  return known as Known & Made
}

function refsOf<C extends Columns>(columns: C): Refs<C> {
  return Object.fromEntries(Object.keys(columns).map((column) => [column, new Ref(column)])) as Refs<C>
}

function inputRows(columns: Columns): string {
  const names = Object.keys(columns)
  const arrays = names.map(
    (name, n) => `$${n + 1}::${columns[name]!.startsWith('int') ? 'bigint' : 'text'}[]`,
  )
  return `unnest(${arrays.join(', ')}) with ordinality as i(${[...names, 'n'].join(', ')})`
}

function renderSqlite(piece: Sql): Prepared {
  const columns: string[] = []
  const text = walk(piece, (value) => {
    if (value instanceof Word) return value.sqlite
    if (!(value instanceof Ref)) throw new TypeError('a prepared statement takes inputs only')
    let at = columns.indexOf(value.column)
    if (at < 0) at = columns.push(value.column) - 1
    return `?${at + 1}`
  })
  return { text, columns }
}

function renderPostgres(piece: Sql, source: string): string {
  return walk(piece, (value) => {
    if (value instanceof Word) return value.postgres.replace('$input', source)
    if (!(value instanceof Ref)) throw new TypeError('a prepared statement takes inputs only')
    return `i.${value.column}`
  })
}

/** A one-off query with bound values, for lists and reports outside the hot path. */
export function renderQuery(piece: Sql, dialect: 'sqlite' | 'postgres'): { text: string; values: unknown[] } {
  const values: unknown[] = []
  const text = walk(piece, (value) => {
    if (value instanceof Ref || value instanceof Word) throw new TypeError('a one-off query has no inputs')
    values.push(value)
    return dialect === 'sqlite' ? '?' : `$${values.length}`
  })
  return { text, values }
}

function walk(piece: Sql, leaf: (value: unknown) => string): string {
  let text = piece.strings[0]!
  piece.values.forEach((value, index) => {
    text += isSql(value) ? walk(value, leaf) : leaf(value)
    text += piece.strings[index + 1]!
  })
  return text
}

function isSql(value: unknown): value is Sql {
  return typeof value === 'object' && value !== null && 'strings' in value
}
