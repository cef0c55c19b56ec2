// Behind a proxy that turns refusals into grants, every rule that asks for a refusal falls short.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Report, verify } from '../../src/verify/run.ts'
import { openFullServer } from './full-house.ts'
import { openYesMan } from './yes-man.ts'

async function behindYesMan(only?: { path: string; rule: string }): Promise<Report> {
  const proxy = await openYesMan(only?.path)
  const testServer = await openFullServer('sqlite', () => proxy.url)
  try {
    proxy.serve(testServer.url)
    return await verify({ ...testServer, ...(only && { only: [only.rule] }) })
  } finally {
    await testServer.close()
    await proxy.close()
  }
}

describe('gatehouse verify, a server that never says no', () => {
  test('every rule that asks for a refusal falls short', async () => {
    const { checks } = await behindYesMan()
    const others = checks.filter(({ result }) => result !== 'fell_short')
    assert.deepEqual(
      others.map(({ id, result }) => `${id} ${result}`),
      [
        // That consent is not widened and a race has one winner, toy.test.ts shows.
        'N45 held',
        'N85 held',
        // Asks for no refusal: what the server fetches is noted.
        'N106 held',
        'N108 not_applicable',
        // Where prompt=none always gets a code, nobody sees who was signed out.
        'N124 held',
      ],
    )
  })

  test('RP-Initiated Logout §2: whoever signs out without asking falls short (N124)', async () => {
    const { checks } = await behindYesMan({ path: '/oauth/logout', rule: 'N124' })
    assert.equal(checks[0]!.result, 'fell_short')
  })
})
