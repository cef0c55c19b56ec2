import { Socket } from 'node:net'
import type { Client, ClientBase, Pool, PoolClient } from 'pg'
import { settledWithin } from '../deadline.ts'
import { Unreached } from './postgres-errors.ts'

/** How long anything is waited for, in milliseconds. */
export interface Limits {
  /** For a connection, a new one or one of the pool. */
  connect: number
  /** For the answer to a statement of a request; the server gives up a little before. */
  answer: number
  /** The same for a list or a report. */
  report: number
  /** In the queue, before a statement is sent. */
  queue: number
  /** For what is under way when the database is closed. */
  close: number
}

export const standardLimits: Limits = {
  connect: 5_000,
  answer: 10_000,
  report: 60_000,
  queue: 10_000,
  close: 5_000,
}

/** How much sooner the server gives up than the client: the rest is for the way. */
const serverShare = 0.8
/** How long an ended connection may take to say goodbye. */
const farewell = 1_000

/** Every hot statement is an index look-up per request: a plan made while a table was small must not scan it later. */
const pinnedPlanner: Record<string, string> = {
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  jit: 'off',
  plan_cache_mode: 'force_generic_plan',
}

const settings = (how: 'set' | 'set local', values: Record<string, string | number>) =>
  Object.entries(values)
    .map(([name, value]) => `${how} ${name} = ${value}`)
    .join('; ')

/** What a connection for requests begins with. */
export const hotSettings = settings('set', pinnedPlanner)

/** Connections that were opened under the same circumstances. */
export interface Generation {
  /** For the statements of requests. */
  hot: Pool
  /** For lists and reports, planned as PostgreSQL likes. */
  cold: Pool
}

/** A compiled statement. */
export interface Statement {
  name: string
  text: string
  values: unknown[]
}

export interface Connections {
  current(): Generation
  /**
   * Runs a statement of requests; with a lock in one transaction behind it, so that it sees everything that was committed
   * before the lock was had.
   */
  run<R>(generation: Generation, statement: Statement, lock?: Statement): Promise<R[]>
  /** From now on new connections are used; those of the generation, if it is the current one, end with what they do. */
  renew(generation: Generation): void
  /** A connection that belongs to no pool and has no limit but for its making. */
  apart<T>(work: (client: Client) => Promise<T>): Promise<T>
  /** Ends all connections; those that do not let go are destroyed. */
  close(): Promise<void>
}

export interface ConnectionOptions {
  url: string
  /** Most connections for requests. */
  hot: number
  limits: Limits
  onError(error: Error): void
}

/** Most connections for lists and reports. */
export const coldConnections = 2

export async function openConnections(options: ConnectionOptions): Promise<Connections> {
  const { default: pg } = await import('pg')
  const { limits, onError } = options
  const { url, pooled } = readUrl(options.url)
  const sockets = new Set<Socket>()
  const shared = {
    connectionString: url,
    application_name: 'gatehouse',
    connectionTimeoutMillis: limits.connect,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: { getTypeParser: parserFor(pg.types) },
    stream: () => {
      const socket = new Socket()
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      return socket
    },
  }
  const timeLimit = (milliseconds: number) =>
    pooled ? {} : { statement_timeout: milliseconds * serverShare }
  const begin = `begin; ${settings('set local', { ...pinnedPlanner, statement_timeout: limits.answer * serverShare })}`

  function open(): Generation {
    const pools = {
      hot: new pg.Pool({
        ...shared,
        max: options.hot,
        // One connection stays, so that others see a process that is idle.
        min: 1,
        ...timeLimit(limits.answer),
        query_timeout: limits.answer,
        ...(pooled
          ? { pipeline: true }
          : { onConnect: async (client: ClientBase) => void (await client.query(hotSettings)) }),
      }),
      cold: new pg.Pool({
        ...shared,
        max: coldConnections,
        ...timeLimit(limits.report),
        query_timeout: limits.report,
      }),
    }
    for (const pool of Object.values(pools)) {
      pool.on('error', onError)
      // A connection that is lost between two statements, or in the moment it is handed out, says so here and to the next
      // statement; unheard it would end the process.
      pool.on('connect', (client) => client.on('error', onError))
    }
    return pools
  }

  let generation = open()

  /** What is idle ends now, what is under way with its answer; what still holds then is destroyed. */
  function retire({ hot, cold }: Generation, after: number) {
    const old = [...sockets]
    for (const pool of [hot, cold]) void pool.end().catch(() => {})
    setTimeout(() => {
      for (const socket of old) socket.destroy()
    }, after).unref()
  }

  /**
   * A pooler gives each transaction whichever connection is free, so nothing may be left on one: the settings go in the
   * statement's own transaction, which is sent at once and costs no further round trip, and it is planned each time.
   */
  async function inTransaction<R>(
    client: PoolClient,
    { text, values }: Statement,
    lock?: Statement,
  ): Promise<R[]> {
    const [begun, locked, answer, ended] = await Promise.allSettled([
      client.query(begin),
      lock && client.query({ text: lock.text, values: lock.values }),
      client.query<R & object>({ text, values }),
      client.query('commit'),
    ])
    for (const part of [begun, locked, answer, ended]) if (part.status === 'rejected') throw part.reason
    return (answer as PromiseFulfilledResult<{ rows: R[] }>).value.rows
  }

  async function underLock<R>(client: PoolClient, statement: Statement, lock: Statement): Promise<R[]> {
    await client.query('begin')
    await client.query(lock)
    const { rows } = await client.query<R & object>(statement)
    await client.query('commit')
    return rows
  }

  return {
    current: () => generation,
    run: <R>({ hot }: Generation, statement: Statement, lock?: Statement) =>
      onPool<R[]>(hot, async (client) => {
        if (pooled) return inTransaction(client, statement, lock)
        return lock ? underLock(client, statement, lock) : (await client.query(statement)).rows
      }),
    renew(former) {
      if (former !== generation) return
      generation = open()
      retire(former, Math.max(limits.answer, limits.report) + farewell)
    },
    async apart(work) {
      const client = new pg.Client(shared)
      client.on('error', onError)
      await client.connect().catch((cause) => {
        throw new Unreached('no connection could be made', { cause })
      })
      try {
        return await work(client)
      } finally {
        // Whatever state it was left in, a transaction or a lock, ends with the connection.
        await settledWithin(farewell, client.end())
      }
    },
    async close() {
      const { hot, cold } = generation
      const ended = Promise.all([
        hot.end(),
        cold.end(),
        ...[...sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve))),
      ])
      await settledWithin(farewell, ended)
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** `pooler=transaction` in the URL is for us: the connections come from a pooler that gives them out for one transaction. */
function readUrl(text: string): { url: string; pooled: boolean } {
  if (!URL.canParse(text)) return { url: text, pooled: false }
  const url = new URL(text)
  const pooler = url.searchParams.get('pooler')
  if (pooler === null) return { url: text, pooled: false }
  if (pooler !== 'transaction')
    throw new Error(`pooler=${pooler} in the URL of the database: only transaction is known`)
  url.searchParams.delete('pooler')
  return { url: url.href, pooled: true }
}

/** One statement on one connection of a pool, which is kept only when all went well. */
export async function onPool<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect().catch((cause) => {
    throw new Unreached('no connection could be made', { cause })
  })
  try {
    const result = await work(client)
    client.release()
    return result
  } catch (error) {
    client.release(true)
    throw error
  }
}

const [bigint, timestamptz] = [20, 1184]

/**
 * bigint (epoch milliseconds, counts) as a number and the readable times of views as ISO 8601, as on SQLite;
 * everything else as the driver does it.
 */
function parserFor(types: typeof import('pg').types) {
  return ((oid: number, format?: 'text' | 'binary') => {
    if (oid === bigint) return Number
    const parse = types.getTypeParser(oid, format as 'text')
    return oid === timestamptz ? (text: string) => (parse(text) as unknown as Date).toISOString() : parse
  }) as typeof types.getTypeParser
}
