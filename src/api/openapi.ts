// RFC 6749 §3.1, §3.2 told to machines: the OpenAPI 3.1.1 document of an API behind this server, with the OAuth block that
// ChatGPT Actions read, and within the lengths they accept.

import { ConfigError, type ConfigProblem } from '../config-error.ts'
import { paths } from '../protocol/paths.ts'

/** A JSON Schema, as OpenAPI 3.1 embeds it. */
export type Schema = Readonly<Record<string, unknown>>

export interface ApiParameter {
  name: string
  in: 'query' | 'path'
  /** At most 700 characters. */
  description: string
  required?: boolean
  schema: Schema
}

export interface ApiOperation {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete'
  /** Below the API's URL, parameters in braces: `/jobs/{id}`. */
  path: string
  /** What the model calls it: letters, digits, `_` and `-`. */
  id: string
  summary?: string
  /** At most 300 characters. */
  description: string
  /** Every scope it needs. Leave it out for an operation that is open to everyone. */
  scope?: readonly string[]
  /** Whether ChatGPT asks the user before each call (`x-openai-isConsequential`). Default: true for all but GET. */
  consequential?: boolean
  parameters?: readonly ApiParameter[]
  /** The JSON body it takes. */
  body?: Schema
  /** The JSON it answers. */
  answer: Schema
}

export interface ApiDescription {
  title: string
  /** At most 300 characters. */
  description?: string
  version?: string
  /** Where the API stands: `https://jobs.example.com/api`. */
  url: string
  operations: readonly ApiOperation[]
}

export interface OpenApiDocument {
  openapi: '3.1.1'
  info: { title: string; description?: string; version: string }
  servers: { url: string }[]
  paths: Record<string, Record<string, Record<string, unknown>>>
  components: { schemas: Record<string, Schema>; securitySchemes: Record<string, unknown> }
}

/** The longest descriptions ChatGPT accepts, in characters. */
const longestDescription = 300
const longestParameterDescription = 700

/** Writes the document. Throws `ConfigError` naming every operation that ChatGPT would refuse. */
export function openapiDocument(
  server: { issuer: string; scopes: Record<string, string> },
  api: ApiDescription,
): OpenApiDocument {
  const problems = problemsOf(server.scopes, api)
  if (problems.length > 0) throw new ConfigError(problems)
  const used = [...new Set(api.operations.flatMap((one) => one.scope ?? []))].sort()
  const document: OpenApiDocument = {
    openapi: '3.1.1',
    info: {
      title: api.title,
      ...(api.description === undefined ? {} : { description: api.description }),
      version: api.version ?? '1.0.0',
    },
    servers: [{ url: api.url }],
    paths: {},
    components: {
      schemas: {},
      securitySchemes: {
        oauth2: {
          type: 'oauth2',
          flows: {
            authorizationCode: {
              authorizationUrl: server.issuer + paths.authorization,
              tokenUrl: server.issuer + paths.token,
              refreshUrl: server.issuer + paths.token,
              scopes: Object.fromEntries(used.map((scope) => [scope, server.scopes[scope]!])),
            },
          },
        },
      },
    },
  }
  for (const operation of api.operations) {
    const path = (document.paths[operation.path] ??= {})
    path[operation.method] = describe(operation)
  }
  return document
}

function describe(operation: ApiOperation): Record<string, unknown> {
  const { scope, body, parameters = [] } = operation
  return {
    operationId: operation.id,
    ...(operation.summary === undefined ? {} : { summary: operation.summary }),
    description: operation.description,
    'x-openai-isConsequential': operation.consequential ?? operation.method !== 'get',
    ...(parameters.length > 0
      ? { parameters: parameters.map((one) => ({ ...one, required: one.required ?? one.in === 'path' })) }
      : {}),
    ...(body ? { requestBody: { required: true, content: { 'application/json': { schema: body } } } } : {}),
    responses: {
      200: { description: 'Done', content: { 'application/json': { schema: operation.answer } } },
      ...(scope
        ? {
            401: { description: 'The user must connect the account first' },
            403: { description: 'The user has not allowed this yet' },
          }
        : {}),
    },
    security: scope ? [{ oauth2: scope }] : [],
  }
}

function problemsOf(scopes: Record<string, string>, api: ApiDescription): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  const problem = (path: string, given: unknown, allowed: string, example?: string) =>
    problems.push({ path, given, allowed, example })
  const short = (path: string, text: string | undefined, most: number) => {
    if (text !== undefined && text.length > most)
      problem(path, `${text.length} characters`, `at most ${most} characters`)
  }
  const seen = new Set<string>()
  const once = (path: string, name: string) => {
    if (seen.has(name)) problem(path, name, 'one that no other operation has')
    seen.add(name)
  }

  if (!URL.canParse(api.url) || /[?#]|\/$/.test(api.url))
    problem(
      'url',
      api.url,
      'an absolute URL without query, fragment or trailing slash',
      'https://jobs.example.com/api',
    )
  short('description', api.description, longestDescription)
  api.operations.forEach((operation, n) => {
    const at = `operations[${n}]`
    if (!/^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(operation.id))
      problem(`${at}.id`, operation.id, 'a letter, then letters, digits, _ and -', 'searchJobs')
    once(`${at}.id`, operation.id)
    once(`${at}.path`, `${operation.method} ${operation.path}`)
    short(`${at}.summary`, operation.summary, longestDescription)
    short(`${at}.description`, operation.description, longestDescription)
    for (const scope of operation.scope ?? []) {
      if (!Object.hasOwn(scopes, scope))
        problem(`${at}.scope`, scope, `scopes of the registry: ${Object.keys(scopes).join(' ')}`)
    }
    const inPath = [...operation.path.matchAll(/\{([^}]*)\}/g)].map((found) => found[1]!)
    if (!operation.path.startsWith('/'))
      problem(`${at}.path`, operation.path, 'a path with a leading slash', '/jobs/{id}')
    for (const name of inPath) {
      if (!operation.parameters?.some((one) => one.in === 'path' && one.name === name))
        problem(`${at}.parameters`, undefined, `an entry for ${name}, which the path names`)
    }
    operation.parameters?.forEach((parameter, m) => {
      short(`${at}.parameters[${m}].description`, parameter.description, longestParameterDescription)
      if (parameter.in === 'path' && !inPath.includes(parameter.name))
        problem(
          `${at}.parameters[${m}]`,
          parameter.name,
          'a name that stands in braces in the path, or in: query',
        )
    })
    for (const [name, property] of Object.entries((operation.body?.['properties'] ?? {}) as object)) {
      short(
        `${at}.body.properties.${name}.description`,
        (property as { description?: string }).description,
        longestParameterDescription,
      )
    }
  })
  return problems
}

/**
 * What would keep ChatGPT from using an API with this server, in plain sentences; empty when nothing does. Authorization and
 * token URL must share the host of the API, over TLS on port 443.
 */
export function gptActionWarnings(server: { issuer: string }, apiUrl: string): string[] {
  const [issuer, api] = [new URL(server.issuer), new URL(apiUrl)]
  const warnings: string[] = []
  if (issuer.host !== api.host) {
    warnings.push(
      `The issuer is on ${issuer.host} and the API on ${api.host}: ChatGPT demands one host for both. Serve the API from ${issuer.host}, or the issuer from ${api.host}.`,
    )
  }
  for (const [what, url] of [
    ['issuer', issuer],
    ['API', api],
  ] as const) {
    if (url.protocol !== 'https:' || url.port !== '') {
      warnings.push(`The ${what} is at ${url.origin}: ChatGPT calls https on port 443 only.`)
    }
  }
  return warnings
}
