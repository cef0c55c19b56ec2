import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import { operations } from '../../examples/custom-gpt/operations.ts'
import {
  type ApiOperation,
  gptActionWarnings,
  type OpenApiDocument,
  openapiDocument,
} from '../../src/api/openapi.ts'
import { ConfigError } from '../../src/config-error.ts'
import { run } from '../examples/running.ts'

const server = {
  issuer: 'https://jobs.example.com',
  scopes: {
    'jobs:read': 'Search open jobs',
    'applications:read': 'See applications',
    'applications:write': 'Send applications',
    'resume:read': 'Read your résumé',
    unused: 'Never asked for',
  },
}
const url = 'https://jobs.example.com/api'

const specification = (document: OpenApiDocument) =>
  structuredClone(document) as unknown as Record<string, unknown>

async function assertValid(document: OpenApiDocument): Promise<void> {
  const validator = new Validator()
  const result = await validator.validate(specification(document))
  assert.ok(result.valid, JSON.stringify(result.errors))
  assert.equal(validator.version, '3.1')
}

describe('G9, G10: the OpenAPI document', () => {
  const document = openapiDocument(server, { title: 'Job board', url, operations })
  const all = Object.values(document.paths).flatMap((methods) => Object.values(methods))

  test('is OpenAPI 3.1.1 by the schema of the specification', async () => {
    assert.equal(document.openapi, '3.1.1')
    await assertValid(document)
    const broken = structuredClone(document)
    broken.paths['/jobs']!['get']!['responses'] = []
    assert.equal((await new Validator().validate(specification(broken))).valid, false)
  })

  test('RFC 6749 §4.1: carries the authorization code flow with the scopes the operations use', () => {
    assert.deepEqual(document.components.securitySchemes, {
      oauth2: {
        type: 'oauth2',
        flows: {
          authorizationCode: {
            authorizationUrl: 'https://jobs.example.com/oauth/authorize',
            tokenUrl: 'https://jobs.example.com/oauth/token',
            refreshUrl: 'https://jobs.example.com/oauth/token',
            scopes: {
              'applications:read': 'See applications',
              'applications:write': 'Send applications',
              'jobs:read': 'Search open jobs',
              'resume:read': 'Read your résumé',
            },
          },
        },
      },
    })
    assert.deepEqual(document.components.schemas, {})
  })

  test('has one scheme; an operation may be open; the user is asked before what cannot be undone', () => {
    const of = (id: string) => all.find((one) => one['operationId'] === id)!
    assert.deepEqual(of('searchJobs')['security'], [{ oauth2: ['jobs:read'] }])
    assert.deepEqual(of('listLocations')['security'], [])
    const asked = (id: string) => of(id)['x-openai-isConsequential']
    assert.deepEqual(['searchJobs', 'submitApplication', 'analyzeResume'].map(asked), [false, true, false])
    const unsaid = (method: ApiOperation['method']) => {
      const operation = { method, path: '/x', id: 'x', description: '', answer: {} }
      const made = openapiDocument(server, { title: 'x', url, operations: [operation] })
      return made.paths['/x']![method]!['x-openai-isConsequential']
    }
    assert.deepEqual([unsaid('get'), unsaid('delete')], [false, true])
  })

  test('keeps descriptions to 300 and those of parameters to 700 characters', () => {
    for (const operation of all) {
      assert.ok((operation['description'] as string).length <= 300)
      for (const parameter of (operation['parameters'] as { description: string }[]) ?? [])
        assert.ok(parameter.description.length <= 700)
    }
  })

  test('names every operation that ChatGPT would refuse, all at once', () => {
    const wrong: ApiOperation[] = [
      {
        method: 'get',
        path: 'jobs/{id}',
        id: 'no spaces',
        description: 'x'.repeat(301),
        scope: ['unknown'],
        parameters: [{ name: 'other', in: 'path', description: 'x'.repeat(701), schema: {} }],
        answer: {},
      },
      {
        method: 'post',
        path: '/a',
        id: 'twice',
        description: '',
        body: { properties: { a: { description: 'x'.repeat(701) } } },
        answer: {},
      },
      { method: 'post', path: '/a', id: 'twice', description: '', answer: {} },
    ]
    assert.throws(
      () =>
        openapiDocument(server, {
          title: 'x',
          url: `${url}/`,
          description: 'x'.repeat(301),
          operations: wrong,
        }),
      (error) => {
        assert.ok(error instanceof ConfigError)
        assert.deepEqual(error.problems.map((one) => one.path).sort(), [
          'description',
          'operations[0].description',
          'operations[0].id',
          'operations[0].parameters',
          'operations[0].parameters[0]',
          'operations[0].parameters[0].description',
          'operations[0].path',
          'operations[0].scope',
          'operations[1].body.properties.a.description',
          'operations[2].id',
          'operations[2].path',
          'url',
        ])
        return true
      },
    )
  })
})

test('G7: the setup check warns where issuer and API part, and where ChatGPT cannot call', () => {
  assert.deepEqual(gptActionWarnings(server, url), [])
  assert.deepEqual(gptActionWarnings({ issuer: 'https://jobs.example.com/auth' }, url), [])
  const warnings = (issuer: string, api: string) => gptActionWarnings({ issuer }, api).length
  assert.equal(warnings('https://auth.example.com', url), 1)
  assert.equal(warnings('https://jobs.example.com:8443', url), 2)
  assert.equal(warnings('http://jobs.example.com', url), 1)
})

describe('the example as its README starts it', () => {
  const started = run('examples/custom-gpt/server.ts', { GPT_ID: 'g-0123abcd' })
  after(async () => (await started).stop())

  test('prints credentials and warnings, and serves document and privacy page', async () => {
    const { origin, output } = await started
    assert.match(output(), /^Client ID: job-board-gpt\nClient secret \(shown this once\): \S{40,}/m)
    assert.match(output(), /^Warning: The issuer is at http:\/\/localhost/m)
    await assertValid((await (await fetch(`${origin}/openapi.json`)).json()) as OpenApiDocument)
    const privacy = await fetch(`${origin}/privacy`)
    assert.match(privacy.headers.get('content-type')!, /^text\/html/)
    assert.match(await privacy.text(), /connected apps/)
    assert.equal((await fetch(`${origin}/api/jobs`)).status, 401)
  })
})
