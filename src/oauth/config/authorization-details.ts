import { custom, fn, type Given, type Place, record, required, section } from '../../config/section.ts'

/** What a value in `authorization_details` may be: a part of JSON Schema. Lengths are counted in characters. */
export type DetailSchema = { description?: string } & (
  | { type: 'object'; properties: Record<string, DetailSchema>; required?: readonly string[] }
  | { type: 'array'; items: DetailSchema; minItems?: number; maxItems?: number }
  | { type: 'string'; enum?: readonly string[]; pattern?: string; minLength?: number; maxLength?: number }
  | { type: 'number' | 'integer'; enum?: readonly number[]; minimum?: number; maximum?: number }
  | { type: 'boolean' }
)
type ObjectSchema = DetailSchema & { type: 'object' }

/** One type of `authorization_details` (RFC 9396 §2): what it may hold, and how a person reads it. */
const detailType = section({
  /**
   * The fields beside `type`, in a part of JSON Schema: `type` (`object`, `array`, `string`, `number`, `integer`, `boolean`),
   * `properties`, `required`, `items`, `minItems`, `maxItems`, `enum`, `pattern`, `minLength`, `maxLength`, `minimum`,
   * `maximum`. Unknown fields are always refused.
   */
  schema: required(custom<ObjectSchema>("DetailSchema & { type: 'object' }", readSchema)),
  /** The lines the consent page shows for a detail that fits the schema: everything a person decides by. */
  describe: required(
    fn<(detail: Record<string, unknown>) => string[]>(
      'a function that answers the lines of the consent page',
      '(detail: Record<string, unknown>) => string[]',
    ),
  ),
})

/** Types of `authorization_details` by name. In the metadata and in requests a name stands in JSON, on the consent page nowhere. */
export const authorizationDetails = record(detailType, (name) =>
  /^[\x21-\x7e]{1,200}$/.test(name) ? undefined : { allowed: 'a type of 1 to 200 visible ASCII characters' },
)
export type AuthorizationDetailConfig = Given<typeof detailType>

function readSchema(given: unknown, place: Place): ObjectSchema {
  const schema = given as ObjectSchema | undefined
  if (schema?.type !== 'object') {
    place.problem("a schema of type 'object'", schema?.type)
    return { type: 'object', properties: {} }
  }
  checkSchema(schema, place)
  if (Object.hasOwn(schema.properties ?? {}, 'type'))
    place.at('properties').at('type').problem('absent: the type is the name of the entry')
  return schema
}

const keywords: Readonly<Record<DetailSchema['type'], readonly string[]>> = {
  object: ['properties', 'required'],
  array: ['items', 'minItems', 'maxItems'],
  string: ['enum', 'pattern', 'minLength', 'maxLength'],
  number: ['enum', 'minimum', 'maximum'],
  integer: ['enum', 'minimum', 'maximum'],
  boolean: [],
}

/** An unsupported keyword is a mistake, since its author relies on it. */
function checkSchema(schema: DetailSchema, place: Place): void {
  if (typeof schema !== 'object' || schema === null || !Object.hasOwn(keywords, schema.type)) {
    place.at('type').problem(Object.keys(keywords).join(', '), (schema as DetailSchema | undefined)?.type)
    return
  }
  const known = keywords[schema.type]
  for (const keyword of Object.keys(schema)) {
    if (!['type', 'description', ...known].includes(keyword))
      place.at(keyword).problem(`absent; a schema of type ${schema.type} may have: ${known.join(', ')}`)
  }
  for (const keyword of ['minItems', 'maxItems', 'minLength', 'maxLength', 'minimum', 'maximum'] as const) {
    const value = (schema as Record<string, unknown>)[keyword]
    if (value !== undefined && typeof value !== 'number') place.at(keyword).problem('a number', value)
  }
  if ('enum' in schema && !(Array.isArray(schema.enum) && schema.enum.length > 0))
    place.at('enum').problem('a list of at least one value', schema.enum)
  if (schema.type === 'array') checkSchema(schema.items, place.at('items'))
  if (schema.type === 'string' && schema.pattern !== undefined && !isPattern(schema.pattern))
    place.at('pattern').problem('a regular expression', schema.pattern, '^[A-Z]{3}$')
  if (schema.type !== 'object') return
  if (typeof schema.properties !== 'object' || schema.properties === null) {
    place.at('properties').problem('the fields, each with its schema', schema.properties)
    return
  }
  for (const [name, field] of Object.entries(schema.properties))
    checkSchema(field, place.at('properties').at(name))
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(schema.properties, name))
      place.at('required').problem('names of the properties beside it', name)
  }
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text, 'u') !== undefined
  } catch {
    return false
  }
}
