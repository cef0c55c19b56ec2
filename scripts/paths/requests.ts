// The requests whose way is shown, sent to a server of the folder TRACED_SOURCE through the public API alone, so that one text
// serves every commit. Started by run.ts; writes the calls of each request as JSON.

import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { type Call, traced } from './hook.ts'

type Package = Pick<typeof import('../../src/index.ts'), 'gatehouse' | 'localAccounts'>

/** Clients stay in memory for a second; each request shown is the first one after it. */
const cacheLife = 1_100

const { gatehouse, localAccounts } = (await import(
  pathToFileURL(join(process.env['TRACED_SOURCE']!, 'index.ts')).href
)) as Package

const issuer = 'http://localhost:4400'
const redirectUri = 'https://client.example/callback'
const auth = await gatehouse({
  issuer,
  secret: 'a secret that is long enough for this command',
  database: process.env['TRACED_DATABASE']!,
  migrate: true,
  jobs: false,
  log: 'silent',
  scopes: { 'jobs:read': 'Search open jobs' },
  accounts: localAccounts(),
})
const { client, secret } = await auth.clients.create({ name: 'Job board', redirectUris: [redirectUri] })

const cookies = new Map<string, string>()

async function send(path: string, form?: Record<string, string>, headers: Record<string, string> = {}) {
  const request = new Request(new URL(path, issuer), {
    redirect: 'manual',
    headers: { ...headers, cookie: [...cookies].map((one) => one.join('=')).join('; '), origin: issuer },
    ...(form ? { method: 'POST', body: new URLSearchParams(form) } : {}),
  })
  const answer = await auth.fetch(request, { address: '203.0.113.7' })
  for (const one of answer.headers.getSetCookie()) {
    const [name, value] = one.split(';')[0]!.split(/=(.*)/s)
    cookies.set(name!, value!)
  }
  return { status: answer.status, location: answer.headers.get('location'), text: await answer.text() }
}

type Sent = Awaited<ReturnType<typeof send>>

function expectStatus(sent: Sent, status: number, what: string): Sent {
  if (sent.status !== status) throw new Error(`${what}: ${sent.status} ${sent.text.slice(0, 500)}`)
  return sent
}

function hiddenFields(page: Sent): Record<string, string> {
  const fields = page.text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)
  return Object.fromEntries([...fields].map(([, name, value]) => [name!, value!.replaceAll('&amp;', '&')]))
}

const basic = { authorization: `Basic ${Buffer.from(`${client.id}:${secret}`).toString('base64')}` }

/** Signs up, once. */
async function signUp(): Promise<void> {
  const page = expectStatus(await send('/sign-up'), 200, 'sign-up page')
  const person = { name: 'Ann Example', login: 'ann@example.com', password: 'correct horse battery staple' }
  expectStatus(await send('/sign-up', { ...hiddenFields(page), ...person }), 303, 'sign-up')
}

/** Every request, in the order in which one person and one client send them. */
async function flow(around: (name: string, request: () => Promise<Sent>) => Promise<Sent>): Promise<void> {
  const verifier = randomBytes(32).toString('base64url')
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: client.id,
    redirect_uri: redirectUri,
    scope: 'openid jobs:read',
    state: 'a state',
    prompt: 'consent',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  })
  const page = await around('GET /oauth/authorize', () => send(`/oauth/authorize?${query}`))
  expectStatus(page, 200, 'authorize')
  const decided = await around('POST /oauth/consent', () =>
    send('/oauth/consent', { ...hiddenFields(page), decision: 'allow' }),
  )
  const code = decided.location && new URL(decided.location).searchParams.get('code')
  if (!code) throw new Error(`consent: ${decided.status} ${decided.location} ${decided.text}`)
  const token = async (name: string, form: Record<string, string>) => {
    const answer = await around(name, () => send('/oauth/token', form, basic))
    return JSON.parse(expectStatus(answer, 200, name).text) as Record<string, string>
  }
  const first = await token('POST /oauth/token (authorization_code)', {
    grant_type: 'authorization_code',
    code,
    redirect_uri: redirectUri,
    code_verifier: verifier,
  })
  const next = await token('POST /oauth/token (refresh_token)', {
    grant_type: 'refresh_token',
    refresh_token: first['refresh_token']!,
  })
  await around('authenticate(request, { scope })', async () => {
    const headers = { authorization: `Bearer ${next['access_token']}` }
    const request = new Request('http://localhost:4400/jobs', { headers })
    const access = await auth.authenticate(request, { scope: 'jobs:read' })
    if (!access.ok) throw new Error(`API call: ${access.response.headers.get('www-authenticate')}`)
    return { status: 200, location: null, text: '' }
  })
  expectStatus(await around('GET /account', () => send('/account')), 200, 'account page')
}

await signUp()
// What is made when it is first asked for is made now.
await flow((_name, request) => request())
const ways: { name: string; calls: Call[] }[] = []
await flow(async (name, request) => {
  await sleep(cacheLife)
  let sent: Sent | undefined
  const calls = await traced(async () => {
    sent = await request()
  })
  ways.push({ name, calls })
  return sent!
})
await auth.close()
process.stdout.write(JSON.stringify(ways))
