import assert from 'node:assert/strict'
import { test } from 'node:test'
import { QueueFull } from '../../src/accounts/local/fair-queue.ts'
import { type Asking, passwordHashing } from '../../src/accounts/local/password.ts'
import { localAccounts } from '../../src/accounts/local.ts'
import { testServerFor } from '../support/gatehouse.ts'
import { ann, visit } from './visitor.ts'

const asking: Asking = ['203.0.113.0/24', '203.0.113.7', 'ann']
const anybody = (n: number): Asking => ['203.0.113.0/24', '203.0.113.7', `user ${n}`]

test('RFC 9106 §4: a password is kept as argon2id with a salt of its own', async () => {
  const passwords = passwordHashing()
  const [one, two] = [await passwords.hash(asking, ann.password), await passwords.hash(asking, ann.password)]
  assert.match(one, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  assert.notEqual(one, two)
  assert.equal(await passwords.fits(asking, ann.password, one), true)
  assert.equal(await passwords.fits(asking, `${ann.password} `, one), false)
})

test('without an account a password is compared all the same, takes its turn, and never fits', async () => {
  const passwords = passwordHashing({ atOnce: 1, waiting: 0, shares: [] })
  const running = passwords.fits(asking, 'a password nobody has', undefined)
  await assert.rejects(passwords.fits(asking, 'a password nobody has', undefined), QueueFull)
  assert.equal(await running, false)
})

test('so many hashes at once, so many waiting, and the next is refused; the event loop stays free', async () => {
  const passwords = passwordHashing({ atOnce: 2, waiting: 3, shares: [3, 3, 1] })
  let turns = 0
  const beat = setInterval(() => turns++, 1)
  const outcomes = await Promise.allSettled(
    Array.from({ length: 8 }, (_, n) => passwords.hash(anybody(n), ann.password)),
  )
  clearInterval(beat)
  const refused = outcomes.filter((one) => one.status === 'rejected')
  assert.equal(refused.length, 3)
  for (const one of refused) assert.ok(one.reason instanceof QueueFull)
  assert.ok(turns > 0)
  assert.match(await passwords.hash(asking, ann.password), /^\$argon2id/, 'a turn is free again')
})

const open = testServerFor('sqlite', { accounts: localAccounts() })
test('when too many come at once, the rest get 503 with Retry-After and may try again', async () => {
  const server = await open()
  const crowd = Array.from({ length: 90 }, (_, n) => ({ n, visitor: visit(server, `198.18.0.${n + 1}`) }))
  const done = await Promise.all(
    crowd.map(({ n, visitor }) => visitor.signUp({ login: `crowd${n}@example.com` })),
  )
  const turned = done.filter((one) => one.status !== 303)
  assert.ok(turned.length > 0)
  for (const one of turned) {
    assert.equal(one.status, 503)
    assert.equal(one.headers.get('retry-after'), '2')
  }
  const late = crowd[done.findIndex((one) => one.status === 503)]!
  assert.equal((await late.visitor.signUp({ login: `crowd${late.n}@example.com` })).status, 303)
})
