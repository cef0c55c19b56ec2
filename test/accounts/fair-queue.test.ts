import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FairQueue, fairQueue, QueueFull } from '../../src/accounts/local/fair-queue.ts'

/** Work that ends when it is told to, and the order in which it began. */
function openWork(inTurn: FairQueue) {
  const began: string[] = []
  const running: (() => void)[] = []
  const outcomes: Promise<string>[] = []
  return {
    began,
    add(...path: string[]) {
      const name = path.join('/')
      const done = inTurn(path, async () => {
        began.push(name)
        await new Promise<void>((resolve) => running.push(resolve))
      }).then(
        () => 'done',
        (error) => (error instanceof QueueFull ? 'shed' : String(error)),
      )
      outcomes.push(done)
    },
    /** Ends all work, in turn, and answers what became of each. */
    async finish() {
      const all = Promise.all(outcomes)
      let over = false
      all.then(() => (over = true))
      while (!over) {
        running.shift()?.()
        await new Promise(setImmediate)
      }
      return all
    },
  }
}

test('turns go round the networks, in each round the addresses, then the logins', async () => {
  const work = openWork(fairQueue({ atOnce: 1, waiting: 20, shares: [] }))
  for (const path of ['a 1 x', 'a 1 x', 'a 1 y', 'a 2 x', 'a 1 x', 'b 1 x', 'b 1 x', 'c 1 x'])
    work.add(...path.split(' '))
  assert.deepEqual(new Set(await work.finish()), new Set(['done']))
  assert.deepEqual(work.began, ['a/1/x', 'a/1/x', 'b/1/x', 'c/1/x', 'a/2/x', 'b/1/x', 'a/1/y', 'a/1/x'])
})

test('who holds most gives up the oldest place, to whoever holds less', async () => {
  const work = openWork(fairQueue({ atOnce: 1, waiting: 4, shares: [] }))
  for (const login of ['0', '1', '2', '3', '4']) work.add('a', '1', login)
  work.add('a', '1', '5')
  work.add('b', '1', 'x')
  work.add('b', '2', 'x')
  work.add('c', '1', 'x')
  const outcomes = await work.finish()
  assert.deepEqual(outcomes.slice(0, 3), ['done', 'shed', 'shed'], 'for the first and second of b')
  assert.equal(outcomes[5], 'shed', 'the newest of those who hold most')
  assert.equal(outcomes[8], 'done', 'the only one of c')
  assert.equal(outcomes.filter((one) => one === 'done').length, 1 + 4)
})

test('within a network the address and the login that hold most give way', async () => {
  const work = openWork(fairQueue({ atOnce: 1, waiting: 4, shares: [] }))
  work.add('a', '1', 'running')
  for (const n of ['x', 'x', 'x', 'y']) work.add('a', '1', n)
  work.add('a', '1', 'z')
  work.add('a', '2', 'z')
  assert.deepEqual(await work.finish(), ['done', 'shed', 'shed', 'done', 'done', 'done', 'done'])
})

test('nobody holds more than their share, though nobody else waits', async () => {
  const work = openWork(fairQueue({ atOnce: 1, waiting: 10, shares: [4, 3, 2] }))
  work.add('a', '1', 'running')
  for (const login of ['x', 'x', 'x', 'y', 'z']) work.add('a', '1', login)
  work.add('a', '2', 'x')
  work.add('a', '3', 'x')
  work.add('b', '1', 'x')
  const outcomes = await work.finish()
  assert.equal(outcomes[3], 'shed', 'a third of one login')
  assert.equal(outcomes.filter((one) => one === 'done').length, 1 + 4 + 1)
  assert.equal(outcomes[8], 'done')
})

test('work that fails gives its turn back', async () => {
  const inTurn = fairQueue({ atOnce: 1, waiting: 0, shares: [] })
  await assert.rejects(
    inTurn(['a'], () => Promise.reject(new Error('no'))),
    /no/,
  )
  await assert.rejects(Promise.all([inTurn(['a'], async () => {}), inTurn(['a'], async () => {})]), QueueFull)
  await inTurn(['a'], async () => {})
})
