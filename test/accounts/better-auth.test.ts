import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type BetterAuth, betterAuthAccounts } from '../../src/accounts/better-auth.ts'
import { ConfigError } from '../../src/config-error.ts'
import { RETURN_TO, visit, whoIs } from './asking.ts'

function failing(error: unknown): BetterAuth {
  return { api: { getSession: () => Promise.reject(error) } }
}

describe('better-auth adapter', () => {
  test('a session that ends while it is read is nobody; a failing database is not a sign-out', async () => {
    const ended = betterAuthAccounts({
      auth: failing(Object.assign(new Error('Failed to get session'), { statusCode: 401 })),
      signInUrl: '/sign-in',
    })
    assert.equal(await whoIs(ended, visit()), null)
    const down = betterAuthAccounts({
      auth: failing(Object.assign(new Error('Failed to get session'), { statusCode: 500 })),
      signInUrl: '/sign-in',
    })
    await assert.rejects(whoIs(down, visit()), /Failed to get session/)
  })

  test('what cannot work is named, all at once', () => {
    assert.throws(
      () => betterAuthAccounts({ auth: {} as BetterAuth, signInUrl: 'sign-in', returnParameter: 'a b' }),
      (error) => {
        assert.ok(error instanceof ConfigError)
        assert.deepEqual(
          error.problems.map((problem) => problem.path),
          ['betterAuthAccounts.signInUrl', 'betterAuthAccounts.returnParameter', 'betterAuthAccounts.auth'],
        )
        return true
      },
    )
  })

  test('sign-out leads to the page configured', async () => {
    const accounts = betterAuthAccounts({
      auth: failing(new Error('not asked')),
      signInUrl: '/sign-in',
      signOutUrl: '/sign-out',
      returnParameter: 'callbackURL',
    })
    const answer = await accounts.signOut?.(visit(), RETURN_TO)
    const location = new URL(answer?.headers.get('location') ?? '')
    assert.equal(location.pathname, '/sign-out')
    assert.equal(location.searchParams.get('callbackURL'), RETURN_TO)
  })
})
