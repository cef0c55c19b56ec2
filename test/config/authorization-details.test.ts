import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Config, resolveConfig } from '../../src/config.ts'
import { ConfigError } from '../../src/config-error.ts'

function problemsWith(config: Partial<Config>): string[] {
  try {
    resolveConfig({
      issuer: 'https://auth.example.com',
      secret: 'kYQ0vZr3n1b7X5wTf8LhJc2MdEu9PsGa',
      ...config,
    })
    return []
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.problems.map((problem) => problem.path)
  }
}

const describe = () => ['a line']
/** A schema as somebody without a compiler writes it. */
const withSchema = (schema: unknown) =>
  problemsWith({ authorizationDetails: { a: { schema: schema as never, describe } } })
const withField = (field: unknown) => withSchema({ type: 'object', properties: { field } })

test('a type has a name, a schema of an object and a description', () => {
  assert.deepEqual(withSchema({ type: 'object', properties: {} }), [])
  assert.deepEqual(withSchema({ type: 'string' }), ['authorizationDetails.a.schema'])
  assert.deepEqual(withSchema(undefined), ['authorizationDetails.a.schema'])
  assert.deepEqual(withSchema({ type: 'object' }), ['authorizationDetails.a.schema.properties'])
  const schema = { type: 'object', properties: {} } as const
  assert.deepEqual(problemsWith({ authorizationDetails: { 'a b': { schema, describe } } }), [
    'authorizationDetails.a b',
  ])
  assert.deepEqual(problemsWith({ authorizationDetails: { a: { schema, describe: undefined as never } } }), [
    'authorizationDetails.a.describe',
  ])
  assert.deepEqual(withSchema({ type: 'object', properties: { type: { type: 'string' } } }), [
    'authorizationDetails.a.schema.properties.type',
  ])
})

test('a keyword that would be ignored, or means nothing, is a mistake', () => {
  const at = 'authorizationDetails.a.schema.properties.field'
  for (const [field, path] of [
    [{ type: 'text' }, `${at}.type`],
    [{ type: 'string', format: 'date' }, `${at}.format`],
    [{ type: 'string', minimum: 1 }, `${at}.minimum`],
    [{ type: 'string', pattern: '[' }, `${at}.pattern`],
    [{ type: 'string', enum: [] }, `${at}.enum`],
    [{ type: 'string', maxLength: '5' }, `${at}.maxLength`],
    [{ type: 'boolean', enum: [true] }, `${at}.enum`],
    [{ type: 'array' }, `${at}.items.type`],
    [{ type: 'array', items: { type: 'any' } }, `${at}.items.type`],
    [{ type: 'object', properties: {}, additionalProperties: true }, `${at}.additionalProperties`],
    [{ type: 'object', properties: {}, required: ['b'] }, `${at}.required`],
  ]) {
    assert.ok(withField(field).includes(path as string), JSON.stringify(field))
  }
  for (const field of [
    { type: 'string', description: 'A name', pattern: '^a$', minLength: 1, maxLength: 5, enum: ['a'] },
    { type: 'integer', minimum: 0, maximum: 9, enum: [1] },
    { type: 'array', items: { type: 'boolean' }, minItems: 1, maxItems: 2 },
    { type: 'object', properties: { b: { type: 'number' } }, required: ['b'] },
  ]) {
    assert.deepEqual(withField(field), [])
  }
})

test('pushed requests and FAPI 2.0 fit together', () => {
  assert.deepEqual(problemsWith({ pushedRequests: { lifetime: 4 } }), ['pushedRequests.lifetime'])
  assert.deepEqual(problemsWith({ pushedRequests: { lifetime: 600 } }), ['pushedRequests.lifetime'])
  assert.deepEqual(problemsWith({ pushedRequests: { perNetwork: 0 } }), ['pushedRequests.perNetwork'])
  assert.deepEqual(problemsWith({ pushedRequests: { accepted: false, required: true } }), [
    'pushedRequests.required',
  ])
  assert.deepEqual(problemsWith({ pushedRequests: { accepted: false }, fapi2: {} }), [
    'pushedRequests.accepted',
  ])
  assert.deepEqual(problemsWith({ pushedRequests: { required: true }, fapi2: { messageSigning: true } }), [])
})
