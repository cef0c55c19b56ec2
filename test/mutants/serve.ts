// A server with everything switched on, as the mutant in MUTANT has it, until its standard input ends. It prints where it is
// and which clients may be used.

import { openFullServer } from '../verify/full-house.ts'
import type { ServerKind } from './mutant.ts'

const kind = (process.argv[2] ?? 'open') as ServerKind
const testServer = await openFullServer('sqlite', undefined, kind === 'invited' ? 'invited' : 'open')
const { issuer, clients, initialAccessToken } = testServer
console.log(JSON.stringify({ issuer, clients, initialAccessToken }))
process.stdin.resume()
process.stdin.on('end', () => {
  void testServer.close().finally(() => process.exit())
})
