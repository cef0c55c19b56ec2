// Gatehouse through its public API, on the files of a build (BENCH_BUILD), in front of a host that knows its people
// by a cookie. SQLite in BENCH_DIR, or the PostgreSQL that BENCH_POSTGRES_URL names. Logs stay on, limits and
// everything else at their defaults.
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const {
  BENCH_BUILD: build,
  BENCH_DIR: directory,
  BENCH_POSTGRES_URL: postgres,
  PORT,
  ISSUER_PORT,
} = process.env
const { gatehouse } = await import(pathToFileURL(join(build, 'index.js')).href)

const house = await gatehouse({
  issuer: `http://localhost:${ISSUER_PORT}`,
  secret: 'a-secret-of-the-benchmark-0123456789',
  database: postgres ?? join(directory, 'gatehouse.db'),
  migrate: PORT === ISSUER_PORT,
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
})
const clientFile = join(directory, 'client.json')
if (!existsSync(clientFile)) {
  const { client, secret } = await house.clients.create({
    name: 'bench',
    redirectUris: ['https://app.example/callback'],
    grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'],
  })
  writeFileSync(clientFile, JSON.stringify({ id: client.id, secret }))
}
await house.listen({ port: Number(PORT), host: '127.0.0.1' })
process.once('SIGTERM', async () => {
  await house.close()
  process.exit()
})
