// Each check can fail: a server with one hole falls short where the hole is, and nowhere without one.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Report, verify } from '../../src/verify/run.ts'
import { type Extra, type Hole, openToy } from './toy.ts'

async function tryToy(...holes: (Hole | Extra)[]): Promise<Report> {
  const toy = await openToy(...holes)
  try {
    return await verify({ issuer: toy.issuer })
  } finally {
    await toy.close()
  }
}

const fallenShort = ({ checks }: Report) =>
  checks.filter(({ result }) => result === 'fell_short').map(({ id }) => id)

/** The rules a hole breaks, in the order of the catalogue. */
const holes: Record<Hole, string[]> = {
  'any redirect_uri': ['N3', 'N5', 'N6', 'N7', 'N8', 'N9', 'N10', 'N11'],
  'redirect_uri by prefix': ['N6', 'N9', 'N10'],
  'a fixed port': ['N11'],
  'no challenge needed': ['N23', 'N77'],
  'verifier ignored': ['N76'],
  plain: ['N24'],
  'code good twice': ['N72', 'N73'],
  'code good twice in a race': ['N73'],
  'code of any client': ['N74'],
  'replay ends nothing': ['N72'],
  'secret ignored': ['N60', 'N110'],
  'client unauthenticated': ['N62'],
  'JSON taken': ['N55'],
  'GET taken': ['N54'],
  'tokens cached': ['N64'],
  'refresh not rotated': ['N83', 'N84'],
  'refresh race': ['N85'],
  'refresh reuse ignored': ['N83'],
  'refresh of any client': ['N81'],
  'scope widened': ['N82'],
  'denial without state': ['N41'],
  'no iss': ['N125'],
  'pages framed': ['N46'],
  'consent from anywhere': ['N43', 'N44'],
  'consent widened': ['N45'],
  'introspection for all': ['N110'],
  'introspection talks': ['N111'],
  'revocation of any token': ['N113'],
  '500 for a broken header': ['N63'],
  'code after Deny': ['N41'],
  'no iss after Deny': ['N125'],
  'proof good twice': ['N99'],
  'query overrules what was pushed': ['N36'],
}

const extras: readonly Extra[] = ['DPoP', 'pushed requests']
/** The holes of what a toy only has when it is asked for. */
const ofExtras: readonly Hole[] = ['proof good twice', 'query overrules what was pushed']

describe('gatehouse verify, a toy with', () => {
  test('no hole: nothing falls short', async () => {
    const report = await tryToy()
    assert.deepEqual(fallenShort(report), [])
    assert.ok(report.complete)
    assert.ok(report.summary.held >= 45, JSON.stringify(report.summary))
  })

  test('no hole, but proofs of a key and pushed requests: nothing falls short', async () => {
    const report = await tryToy(...extras)
    assert.deepEqual(fallenShort(report), [])
    assert.ok(report.complete)
    assert.ok(report.summary.held >= 58, JSON.stringify(report.summary))
  })

  for (const [name, expected] of Object.entries(holes)) {
    const hole = name as Hole
    test(`the hole “${hole}”: ${expected.join(', ')} falls short`, async () => {
      assert.deepEqual(fallenShort(await tryToy(hole, ...(ofExtras.includes(hole) ? extras : []))), expected)
    })
  }
})
