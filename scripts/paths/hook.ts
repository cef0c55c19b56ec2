// `node --import scripts/paths/hook.ts`: every function of the folder TRACED_SOURCE says that it was called. A call belongs to
// the request whose asynchronous context it runs in, so the order is that of the calls as they are written, across awaits.

import { AsyncLocalStorage } from 'node:async_hooks'
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseAst } from 'rolldown/parseAst'

/** A call: its file below `src`, the function's name, and the index of the call it was made from, -1 for the request. */
export type Call = { file: string; name: string; from: number }

type Frame = { calls: Call[]; index: number }

const current = new AsyncLocalStorage<Frame>()

/** Runs a request and returns what it called, in order. */
export async function traced(request: () => Promise<unknown>): Promise<Call[]> {
  const calls: Call[] = []
  await current.run({ calls, index: -1 }, request)
  return calls
}

/** The file of each statement. Its text is made once, so a request passes the file by handing the statement to the database. */
const statements = new WeakMap<object, Pick<Call, 'file' | 'name'>>()

function stated(file: string, name: string, statement: unknown): void {
  if (typeof statement === 'object' && statement !== null) statements.set(statement, { file, name })
}

function called<T>(file: string, name: string, body: () => T, given?: unknown): T {
  const frame = current.getStore()
  if (!frame) return body()
  const statement = typeof given === 'object' && given !== null ? statements.get(given) : undefined
  if (statement) frame.calls.push({ ...statement, from: frame.index })
  const index = frame.calls.push({ file, name, from: frame.index }) - 1
  return current.run({ calls: frame.calls, index }, body)
}

const folder = process.env['TRACED_SOURCE']
if (folder) {
  Object.assign(globalThis, { tracedCall: called, tracedStatement: stated })
  const source = pathToFileURL(`${folder}/`).href
  registerHooks({
    load(url, context, nextLoad) {
      if (!url.startsWith(source) || !url.endsWith('.ts')) return nextLoad(url, context)
      const text = readFileSync(fileURLToPath(url), 'utf8')
      return {
        format: 'module-typescript',
        shortCircuit: true,
        source: instrumented(text, url.slice(source.length)),
      }
    },
  })
}

type Node = Record<string, unknown> & { type: string; start: number; end: number }

/** The text, with the body of each function inside a call of `tracedCall`. Lines stay where they are. */
function instrumented(text: string, file: string): string {
  const insertions: { at: number; text: string; closes: boolean }[] = []
  const visit = (node: Node, name: string): void => {
    const own = nameOf(node) ?? name
    const body = node.body as Node | null | undefined
    const isFunction = /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type)
    if (isFunction && body) {
      const given = `${JSON.stringify(file)}, ${JSON.stringify(own)}`
      const inner = `globalThis.tracedCall(${given}, ${node.async ? 'async ' : ''}() => `
      const [parameter] = node.params as { type: string; name: string }[]
      const passed = file.startsWith('db/') && parameter?.type === 'Identifier' ? `, ${parameter.name}` : ''
      if (body.type !== 'BlockStatement') {
        // The parentheses of `() => ({})` are outside the expression.
        const arrow = text.lastIndexOf('=>', text.slice(0, body.start).search(/[\s(]*$/)) + 2
        insertions.push({ at: arrow, text: ` ${inner}`, closes: false })
        insertions.push({ at: node.end, text: `${passed})`, closes: true })
      } else if (node.generator) {
        insertions.push({
          at: body.start + 1,
          text: ` globalThis.tracedCall(${given}, () => {});`,
          closes: false,
        })
      } else {
        insertions.push({ at: body.start + 1, text: ` return ${inner}{`, closes: false })
        insertions.push({ at: body.end - 1, text: `}${passed}) `, closes: true })
      }
    }
    for (const [key, value] of Object.entries(node)) {
      for (const child of Array.isArray(value) ? value : [value]) {
        if (child && typeof child === 'object' && 'type' in child) {
          // A constructor must call super() itself.
          if (node.type === 'MethodDefinition' && node.kind === 'constructor' && key === 'value') {
            visit((child as Node).body as Node, own)
          } else visit(child as Node, own)
        }
      }
    }
  }
  const program = parseAst(text, { lang: 'ts' }) as unknown as Node & { body: Node[] }
  visit(program, '(module)')
  insertions.sort((a, b) => b.at - a.at || Number(b.closes) - Number(a.closes))
  let result = text
  for (const { at, text: added } of insertions) result = result.slice(0, at) + added + result.slice(at)
  return result + statementsOf(program, file)
}

/** Says of each constant of the module that a call has made which file it is from. */
function statementsOf({ body }: { body: Node[] }, file: string): string {
  const constants = body.flatMap((one) => {
    const { kind, declarations } = (one.declaration ?? one) as Node & { declarations?: Node[] }
    return kind === 'const' ? (declarations ?? []) : []
  })
  const names = constants
    .filter(({ init }) => (init as Node | null)?.type === 'CallExpression')
    .flatMap((one) => nameOf(one) ?? [])
  const calls = names.map(
    (name) => `globalThis.tracedStatement(${JSON.stringify(file)}, '${name}', ${name});`,
  )
  return `\n;${calls.join(' ')}`
}

/** What a reader would call the functions inside. */
function nameOf(node: Node): string | undefined {
  const named = (node.id ?? node.key) as { name?: string } | null | undefined
  return named?.name
}
