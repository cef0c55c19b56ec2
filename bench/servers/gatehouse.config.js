// The configuration `gatehouse-auth serve` finds in its directory: a product that knows its people by a cookie of its own.
// Clients may be described by documents, from a server whose certificate the bench made. What may be stored is what one
// machine asks for in a run; logs, limits and everything else stay at their defaults.

import { readFileSync } from 'node:fs'

/** @type {import('gatehouse-auth').FileConfig} */
export const config = {
  jobs: process.env.BENCH_JOBS !== 'off',
  issuer: `http://localhost:${process.env.ISSUER_PORT}`,
  clientIdMetadata: {},
  storage: { perUser: 1_000_000, inAll: 100_000_000 },
  outbound: { ca: readFileSync(new URL('ca.pem', import.meta.url), 'utf8') },
  scopes: { 'jobs:read': 'Search jobs' },
  resources: {
    'https://api.example': { tokenFormat: 'jwt' },
    'https://opaque.example': { tokenFormat: 'opaque' },
  },
  accounts: {
    authenticate(request) {
      const person = /person=(\d+)/.exec(request.headers.get('cookie') ?? '')?.[1]
      return person ? { provider: 'bench', issuer: '', subject: `person-${person}` } : null
    },
  },
}
