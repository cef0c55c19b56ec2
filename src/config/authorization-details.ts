import type { DetailSchema, Settings } from '../settings.ts'
import type { Checks } from './checks.ts'

/** One type of `authorization_details` (RFC 9396 §2): what it may hold, and how a person reads it. */
export interface AuthorizationDetailConfig {
  /**
   * The fields beside `type`, in a part of JSON Schema: `type` (`object`, `array`, `string`, `number`, `integer`, `boolean`),
   * `properties`, `required`, `items`, `minItems`, `maxItems`, `enum`, `pattern`, `minLength`, `maxLength`, `minimum`,
   * `maximum`. Unknown fields are always refused.
   */
  schema: DetailSchema & { type: 'object' }
  /** The lines the consent page shows for a detail that fits the schema: everything a person decides by. */
  describe: (detail: Record<string, unknown>) => string[]
}

export function authorizationDetailsSettings(
  config: Record<string, AuthorizationDetailConfig> = {},
  { problem }: Checks,
): Settings['authorizationDetails'] {
  for (const [type, { schema, describe }] of Object.entries(config)) {
    const path = `authorizationDetails.${type}`
    // In the metadata and in requests the type stands in JSON, on the consent page nowhere.
    if (!/^[\x21-\x7e]{1,200}$/.test(type)) problem(path, 'a type of 1 to 200 visible ASCII characters', type)
    if (typeof describe !== 'function')
      problem(`${path}.describe`, 'a function that answers the lines of the consent page', describe)
    if (schema?.type !== 'object') problem(`${path}.schema`, "a schema of type 'object'", schema?.type)
    else checkSchema(schema, `${path}.schema`, problem)
    if (schema?.type === 'object' && Object.hasOwn(schema.properties ?? {}, 'type'))
      problem(`${path}.schema.properties.type`, 'absent: the type is the name of the entry')
  }
  return config
}

const keywords: Readonly<Record<DetailSchema['type'], readonly string[]>> = {
  object: ['properties', 'required'],
  array: ['items', 'minItems', 'maxItems'],
  string: ['enum', 'pattern', 'minLength', 'maxLength'],
  number: ['enum', 'minimum', 'maximum'],
  integer: ['enum', 'minimum', 'maximum'],
  boolean: [],
}

/** A keyword that would be ignored is a mistake: whoever wrote it relies on it. */
function checkSchema(schema: DetailSchema, path: string, problem: Checks['problem']): void {
  if (typeof schema !== 'object' || schema === null || !Object.hasOwn(keywords, schema.type)) {
    problem(`${path}.type`, Object.keys(keywords).join(', '), (schema as DetailSchema | undefined)?.type)
    return
  }
  const known = keywords[schema.type]
  for (const keyword of Object.keys(schema)) {
    if (!['type', 'description', ...known].includes(keyword))
      problem(`${path}.${keyword}`, `absent; a schema of type ${schema.type} may have: ${known.join(', ')}`)
  }
  for (const keyword of ['minItems', 'maxItems', 'minLength', 'maxLength', 'minimum', 'maximum'] as const) {
    const value = (schema as Record<string, unknown>)[keyword]
    if (value !== undefined && typeof value !== 'number') problem(`${path}.${keyword}`, 'a number', value)
  }
  if ('enum' in schema && !(Array.isArray(schema.enum) && schema.enum.length > 0))
    problem(`${path}.enum`, 'a list of at least one value', schema.enum)
  if (schema.type === 'array') checkSchema(schema.items, `${path}.items`, problem)
  if (schema.type === 'string' && schema.pattern !== undefined && !isPattern(schema.pattern))
    problem(`${path}.pattern`, 'a regular expression', schema.pattern, '^[A-Z]{3}$')
  if (schema.type !== 'object') return
  if (typeof schema.properties !== 'object' || schema.properties === null) {
    problem(`${path}.properties`, 'the fields, each with its schema', schema.properties)
    return
  }
  for (const [name, field] of Object.entries(schema.properties))
    checkSchema(field, `${path}.properties.${name}`, problem)
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(schema.properties, name))
      problem(`${path}.required`, 'names of the properties beside it', name)
  }
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text, 'u') !== undefined
  } catch {
    return false
  }
}
