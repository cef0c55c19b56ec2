// RFC 9396 §2, §2.2, §5, §6, §6.1, §7, §9, §10: authorization details: what exactly a client asks for and a user grants. Their
// types are the operator's; a detail that does not fit its type to the last field is refused.

import { isDeepStrictEqual } from 'node:util'
import { parseJson } from '../crypto/bounded-json.ts'
import { told } from '../log.ts'
import type { DetailSchema } from '../oauth/config/authorization-details.ts'
import type { Settings } from '../settings.ts'
import { isRefusal, type Refusal, refuse } from './refusals.ts'

/** One element of `authorization_details` (RFC 9396 §2). */
export type AuthorizationDetail = { type: string } & Record<string, unknown>

/** They end up in tokens, which travel in headers: longest text, and most details in it. */
const longest = 8_192
const mostDetails = 20
/** What is too long to be read is not decided upon. */
const mostLines = 20
const longestLine = 300
/** Fields of which a part is less (§2.2); every other field means something else once it differs. */
const lists = ['locations', 'actions', 'datatypes', 'privileges']

/** What it depends on of a client. */
interface DetailsClient {
  id: string
  registered: { authorizationDetailsTypes?: string[] | undefined }
}

/** The details of an authorization request, each a known type that this client may ask for, and wholly what it must be. */
export function requestedDetails(
  types: Settings['authorizationDetails'],
  client: DetailsClient,
  text: string | undefined,
): AuthorizationDetail[] | Refusal {
  if (text === undefined) return []
  const details = parseDetails(text)
  if (isRefusal(details)) return details
  const { authorizationDetailsTypes: mine } = client.registered
  for (const detail of details) {
    const { type, ...fields } = detail
    const known = Object.hasOwn(types, type) ? types[type] : undefined
    const facts = { client: client.id, type: known ? type : told(type) }
    if (!known) return refuse('authorization_details_type', facts)
    if (mine !== undefined && !mine.includes(type)) return refuse('authorization_details_not_allowed', facts)
    const problem = schemaProblem(known.schema, fields, '')
    if (problem !== undefined) {
      const description = `The authorization_details of type ${type} do not fit: ${problem}`
      return refuse('authorization_details_invalid', { ...facts, problem }, { description })
    }
    if (!isReadable(known.describe(detail))) return refuse('authorization_details_unreadable', facts)
  }
  return details
}

/** The lines a person decides by, a list for each detail. */
export function describeDetails(
  types: Settings['authorizationDetails'],
  details: readonly AuthorizationDetail[],
): string[][] {
  return details.map((detail) => {
    const known = Object.hasOwn(types, detail.type) ? types[detail.type] : undefined
    // A type that is gone since is shown as it was asked for: nothing is granted unseen.
    return known ? known.describe(detail) : [JSON.stringify(detail)]
  })
}

/**
 * What a token request narrows the granted details to (§6): each a granted one, or less of it; all of them when it names none.
 * Both are texts as they are stored; null where nothing was granted.
 */
export function narrowedDetails(text: string | undefined, granted: string | null): string | null | Refusal {
  if (text === undefined) return granted
  const asked = parseDetails(text)
  if (isRefusal(asked)) return asked
  const whole = granted === null ? [] : (JSON.parse(granted) as AuthorizationDetail[])
  const within = asked.every((detail) => whole.some((one) => detailCovers(one, detail)))
  return within ? JSON.stringify(asked) : refuse('authorization_details_exceeded')
}

/** The claim that carries granted details (RFC 9396 §9.1), from the column that keeps them; null when there are none. */
export function grantedDetails(
  stored: string | null,
): { authorization_details: AuthorizationDetail[] } | null {
  return stored === null ? null : { authorization_details: JSON.parse(stored) }
}

/** A list of at least one object with a type. */
function parseDetails(text: string): AuthorizationDetail[] | Refusal {
  const malformed = refuse('authorization_details_malformed', { length: text.length })
  if (text.length > longest) return malformed
  let details: unknown
  try {
    details = parseJson(text)
  } catch {
    return malformed
  }
  if (!Array.isArray(details) || details.length === 0 || details.length > mostDetails) return malformed
  return details.every((one) => isObject(one) && typeof one['type'] === 'string') ? details : malformed
}

/** Whether what was granted includes what is asked: the same fields with the same values, or fewer values of a list. */
function detailCovers(granted: AuthorizationDetail, asked: AuthorizationDetail): boolean {
  const names = Object.keys(granted)
  if (names.length !== Object.keys(asked).length) return false
  return names.every((name) => {
    if (!Object.hasOwn(asked, name)) return false
    const [whole, part] = [granted[name], asked[name]]
    if (!lists.includes(name) || !Array.isArray(whole) || !Array.isArray(part))
      return isDeepStrictEqual(whole, part)
    return part.length > 0 && part.every((one) => whole.some((other) => isDeepStrictEqual(other, one)))
  })
}

/** Why a value does not fit a schema, with the place; undefined when it fits. */
function schemaProblem(schema: DetailSchema, value: unknown, place: string): string | undefined {
  const wrong = (what: string) => `${place === '' ? 'it' : place} ${what}`
  switch (schema.type) {
    case 'object': {
      if (!isObject(value)) return wrong('must be an object')
      const unknown = Object.keys(value).find((name) => !Object.hasOwn(schema.properties, name))
      if (unknown !== undefined) return wrong('has a field that is not known')
      const missing = schema.required?.find((name) => !Object.hasOwn(value, name))
      if (missing !== undefined) return wrong(`must have ${missing}`)
      const problems = Object.entries(value).map(([name, field]) =>
        schemaProblem(schema.properties[name]!, field, place === '' ? name : `${place}.${name}`),
      )
      return problems.find((problem) => problem !== undefined)
    }
    case 'array': {
      if (!Array.isArray(value)) return wrong('must be a list')
      const { minItems = 0, maxItems = Infinity } = schema
      if (value.length < minItems || value.length > maxItems) return wrong('has too few or too many entries')
      const problems = value.map((one, n) => schemaProblem(schema.items, one, `${place}[${n}]`))
      return problems.find((problem) => problem !== undefined)
    }
    case 'string': {
      if (typeof value !== 'string' || !value.isWellFormed() || value.includes('\0'))
        return wrong('must be a text')
      const { minLength = 0, maxLength = Infinity, pattern } = schema
      const length = [...value].length
      if (length < minLength || length > maxLength) return wrong('is too short or too long')
      if (schema.enum && !schema.enum.includes(value))
        return wrong(`must be one of ${schema.enum.join(', ')}`)
      return pattern === undefined || new RegExp(pattern, 'u').test(value) ? undefined : wrong('is malformed')
    }
    case 'number':
    case 'integer': {
      if (typeof value !== 'number' || (schema.type === 'integer' && !Number.isSafeInteger(value)))
        return wrong(schema.type === 'integer' ? 'must be a whole number' : 'must be a number')
      const { minimum = -Infinity, maximum = Infinity } = schema
      if (value < minimum || value > maximum) return wrong('is too small or too large')
      return !schema.enum || schema.enum.includes(value)
        ? undefined
        : wrong(`must be one of ${schema.enum.join(', ')}`)
    }
    case 'boolean':
      return typeof value === 'boolean' ? undefined : wrong('must be true or false')
  }
}

function isReadable(lines: readonly string[]): boolean {
  return (
    lines.length > 0 && lines.length <= mostLines && lines.every((line) => [...line].length <= longestLine)
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
