// `node bench/signatures.ts`: what signing one ID token costs, in microseconds of CPU, each algorithm in turn; the median of
// ten rounds.

import { generateRsaSigningKey, generateSigningKey, signJwt } from '../src/crypto/jws.ts'

const [rounds, tokens] = [10, 300]
const keys = {
  ES256: generateSigningKey('ES256'),
  EdDSA: generateSigningKey('EdDSA'),
  RS256: await generateRsaSigningKey('RS256'),
  PS256: await generateRsaSigningKey('PS256'),
}
const claims = {
  iss: 'https://auth.example.com',
  sub: 'usr_01kf0r8w2n5x7q3b9d4c6e1a0f',
  aud: 'cl_01kf0r8w2n5x7q3b9d4c6e1a0f',
  iat: 1_800_000_000,
  exp: 1_800_003_600,
  auth_time: 1_800_000_000,
  nonce: 'a nonce of some length',
  name: 'Ann Example',
  email: 'ann@example.com',
}

const costs = Object.fromEntries(Object.keys(keys).map((name) => [name, [] as number[]]))
for (let round = -2; round < rounds; round++) {
  for (const [name, key] of Object.entries(keys)) {
    const before = process.cpuUsage()
    for (let n = 0; n < tokens; n++) signJwt(key, 'JWT', claims)
    const { user, system } = process.cpuUsage(before)
    if (round >= 0) costs[name]!.push((user + system) / tokens)
  }
}
for (const [name, each] of Object.entries(costs)) {
  const median = each.sort((a, b) => a - b)[rounds / 2]!
  console.log(`${name.padEnd(6)} ${median.toFixed(1).padStart(7)} µs`)
}
