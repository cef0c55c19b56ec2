import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { jobBoard, jobBoardConfig } from '../../examples/custom-gpt/job-board.ts'
import { existingSite } from '../../examples/existing-site.ts'
import type { OpenApiDocument } from '../../src/api/openapi.ts'
import { type App, openApp } from '../../src/app.ts'
import { sql } from '../../src/db/sql.ts'
import { embed, type Gatehouse } from '../../src/gatehouse.ts'
import { toNodeHandler } from '../../src/http/mount.ts'
import { gptRedirectUris } from '../../src/oauth/clients/client-operations.ts'
import { Gpt, type GptSettings, read } from './gpt-simulator.ts'
import { formsOf, Visitor } from './visitor.ts'

// The job board of examples/custom-gpt on a real port; only the clock is ours.
const directory = mkdtempSync(join(tmpdir(), 'gatehouse-gpt-'))
const logged: Record<string, unknown>[] = []
let passed = 0
let server: Server
let origin: string
let app: App
let auth: Gatehouse
let document: OpenApiDocument

before(async () => {
  server = createServer((request, response) => void answer(request, response))
  server.listen(0, 'localhost')
  await once(server, 'listening')
  origin = `http://localhost:${(server.address() as AddressInfo).port}`
  const site = existingSite(origin)
  app = await openApp(
    {
      issuer: origin,
      secret: 'a test secret that is long enough, and no more',
      database: join(directory, 'gatehouse.db'),
      jobs: false,
      log: 'silent',
      ...jobBoardConfig(origin, site.accounts),
    },
    { now: () => Date.now() + passed },
  )
  auth = embed(app)
  const log = (entry: object) => logged.push(entry as Record<string, unknown>)
  const board = jobBoard(auth, { origin, site, log })
  const answer = toNodeHandler(board)
  document = (await (await fetch(`${origin}/openapi.json`)).json()) as OpenApiDocument
})
after(async () => {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
  await auth.close()
  rmSync(directory, { recursive: true, force: true })
})

const reading = 'jobs:read applications:read resume:read'
let gpts = 0

/** A GPT with a client of its own, in the words of the editor. */
async function openGpt(settings: Partial<GptSettings> = {}): Promise<Gpt> {
  const gptId = `g-${(++gpts).toString().padStart(8, '0')}`
  const { client, secret } = await auth.clients.create({
    name: 'Job board GPT',
    profile: 'gpt_action',
    redirectUris: gptRedirectUris(gptId),
  })
  return new Gpt({
    document,
    clientId: client.id,
    clientSecret: secret!,
    scope: reading,
    gptId,
    host: 'chatgpt.com',
    tokenExchange: 'post',
    pkce: false,
    ...settings,
  })
}

async function connect(gpt: Gpt, visitor = new Visitor(origin), scope?: string): Promise<Visitor> {
  const back = await visitor.authorize(gpt.authorizationUrl(scope))
  assert.ok(back instanceof URL, `sent back to ChatGPT, not ${JSON.stringify(back)}`)
  await gpt.callback(back)
  return visitor
}

async function json(response: Promise<Response>, status = 200): Promise<Record<string, unknown>> {
  const answer = await response
  const text = await answer.text()
  assert.equal(answer.status, status, text)
  assert.ok(text.length < 100_000)
  return JSON.parse(text)
}

for (const tokenExchange of ['post', 'basic'] as const) {
  for (const host of ['chatgpt.com', 'chat.openai.com'] as const) {
    for (const pkce of [false, true]) {
      test(`G1, G2, G4–G6: ${tokenExchange}, ${host}, ${pkce ? 'with' : 'without'} PKCE: connect, call, expire, refresh`, async () => {
        const gpt = await openGpt({ tokenExchange, host, pkce })
        assert.equal((await gpt.callOnce('searchJobs')).status, 401)
        await connect(gpt)
        const { jobs } = await json(gpt.callOnce('searchJobs', { query: 'typescript', remote: true }))
        assert.deepEqual(
          (jobs as { id: string }[]).map((one) => one.id),
          ['job-1', 'job-7'],
        )
        await json(gpt.callOnce('listApplications'))
        const analysis = await json(gpt.callOnce('analyzeResume', { job: 'job-1' }))
        assert.equal(analysis['score'], 100)

        const before = gpt.tokens!
        passed += before.expires_in * 1_000
        assert.equal((await gpt.callOnce('searchJobs')).status, 401)
        await json(gpt.call('searchJobs'))
        assert.notEqual(gpt.tokens!.access_token, before.access_token)
        assert.notEqual(gpt.tokens!.refresh_token, before.refresh_token)
        await gpt.refresh()
        await json(gpt.callOnce('searchJobs'))
      })
    }
  }
}

test('RFC 7636 §4.6 (N23–N26): if a GPT sends a challenge, it is enforced', async () => {
  const gpt = await openGpt({ pkce: true })
  const visitor = new Visitor(origin)
  const back = (await visitor.authorize(gpt.authorizationUrl())) as URL
  // A second attempt: its verifier does not belong to the first one's code.
  back.searchParams.set('state', gpt.authorizationUrl().searchParams.get('state')!)
  await assert.rejects(gpt.callback(back), /invalid_grant/)
})

test('RFC 6749 §3.1.2.3 (G2): a callback of another GPT is answered with a page', async () => {
  const gpt = await openGpt()
  for (const redirect of [
    `${gpt.redirectUri}/`,
    gpt.redirectUri.replace('g-', 'g-x'),
    'https://chatgpt.com/',
  ]) {
    const url = gpt.authorizationUrl()
    url.searchParams.set('redirect_uri', redirect)
    const page = await new Visitor(origin).open(url)
    assert.ok(!('to' in page) && page.status === 400, redirect)
  }
  await connect(gpt)
})

test('G3: a GPT id that changed is replaced on both hosts', async () => {
  const gpt = await openGpt()
  await connect(gpt)
  const moved = new Gpt({ ...gpt.settings, gptId: 'g-moved', host: 'chat.openai.com' })
  const page = await new Visitor(origin).open(moved.authorizationUrl())
  assert.ok(!('to' in page) && page.status === 400)
  await auth.clients.replaceGptId(gpt.settings.clientId, gpt.settings.gptId, 'g-moved')
  await connect(moved)
  await gpt.refresh()
})

test('RFC 9700 §4.14.2 (N85, G13): twelve refreshes at once get one and the same successor', async () => {
  const gpt = await openGpt()
  await connect(gpt)
  const all = await Promise.all(Array.from({ length: 12 }, async () => read(await gpt.askRefresh())))
  assert.equal(new Set(all.map((one) => one.refresh_token)).size, 1)
  for (const tokens of all) {
    gpt.tokens = tokens
    await json(gpt.callOnce('searchJobs'))
  }
  await gpt.refresh()
})

test('RFC 9700 §4.14.2 (N84): a lost answer is asked for again and is the same', async () => {
  const gpt = await openGpt()
  await connect(gpt)
  const lost = await read(await gpt.askRefresh())
  const retried = await gpt.refresh()
  assert.equal(retried.refresh_token, lost.refresh_token)
  await json(gpt.callOnce('searchJobs'))
  await gpt.refresh()
  await json(gpt.callOnce('searchJobs'))
})

test('RFC 9700 §4.14.2 (N83): an old token after the window ends the connection, and only this one', async () => {
  const [gpt, other] = [await openGpt(), await openGpt()]
  const visitor = await connect(gpt)
  await connect(other, visitor)
  const old = gpt.tokens!.refresh_token
  await gpt.refresh()
  passed += 61_000
  assert.equal((await json(gpt.askRefresh(old), 400))['error'], 'invalid_grant')
  assert.equal((await json(gpt.askRefresh(), 400))['error'], 'invalid_grant')
  assert.equal((await gpt.callOnce('searchJobs')).status, 401)
  await json(other.call('searchJobs'))
})

test('G8: answers are text far below 100,000 characters, and 429 says when to come back', async () => {
  const { client, secret } = await auth.clients.create({ name: 'Busy GPT', requestsPerHour: 1 })
  const ask = () =>
    fetch(`${origin}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: client.id,
        client_secret: secret!,
      }),
    })
  await json(ask())
  const limited = await ask()
  assert.equal(limited.status, 429)
  assert.match(limited.headers.get('retry-after') ?? '', /^[1-9]\d*$/)
  assert.match(limited.headers.get('content-type') ?? '', /^application\/json/)
  assert.ok((await limited.text()).length < 100_000)
  assert.ok(JSON.stringify(document).length < 100_000)
})

test('G12: Disconnect on the connected-apps page kills access and refresh tokens at once', async () => {
  const [gpt, other] = [await openGpt(), await openGpt()]
  const visitor = await connect(gpt)
  await connect(other, visitor)
  await json(gpt.callOnce('searchJobs'))
  const page = await visitor.open(`${origin}/account/apps`)
  assert.ok(!('to' in page))
  assert.match(page.html, /Job board GPT/)
  const form = formsOf(page.html).find((one) => one.hidden['client'] === gpt.settings.clientId)
  assert.ok(form, 'a Disconnect button of its own')
  await visitor.submit(page, {}, form)

  const refused = await gpt.callOnce('searchJobs')
  assert.equal(refused.status, 401)
  assert.match(refused.headers.get('www-authenticate')!, /error="invalid_token"/)
  assert.equal((await json(gpt.askRefresh(), 400))['error'], 'invalid_grant')
  await json(other.callOnce('searchJobs'))

  const asked = visitor.consents.length
  await connect(gpt, visitor)
  assert.equal(visitor.consents.length, asked + 1, 'who disconnected is asked again')
  await json(gpt.callOnce('searchJobs'))
})

test('G14: a returning user is not asked again; a write scope is asked for alone', async () => {
  const gpt = await openGpt()
  const visitor = await connect(gpt)
  assert.equal(visitor.consents.length, 1)
  const denied = await gpt.callOnce('submitApplication', { job: 'job-1', note: 'Hello' })
  assert.equal(denied.status, 403)
  const challenge = denied.headers.get('www-authenticate')!
  assert.match(challenge, /error="insufficient_scope"/)
  assert.match(challenge, /scope="applications:write"/)
  assert.match(challenge, /resource_metadata="/)

  await connect(gpt, visitor)
  assert.equal(visitor.consents.length, 1, 'what is allowed already is not asked again')
  await connect(gpt, visitor, `${reading} applications:write`)
  assert.equal(visitor.consents.length, 2)
  const [asked, held] = visitor.consents[1]!.split('id="held"')
  assert.match(asked!, /Send applications in your name/)
  assert.doesNotMatch(asked!, /Search open jobs/)
  assert.match(held!, /Search open jobs/)

  const made = await json(gpt.callOnce('submitApplication', { job: 'job-1', note: 'Hello' }), 201)
  assert.equal((made['application'] as { job: string }).job, 'job-1')
  assert.equal((await gpt.callOnce('submitApplication', { job: 'job-1', note: 'Hello' })).status, 409)
  const { applications } = await json(gpt.callOnce('listApplications'))
  assert.equal((applications as unknown[]).length, 1)
  await connect(gpt, visitor, 'applications:write')
  assert.equal(visitor.consents.length, 2)
})

test('C29, G14: a full quota ends the session idle for longest and never blocks the sign-in', async () => {
  const gpt = await openGpt()
  const visitor = await connect(gpt)
  const first = new Gpt(gpt.settings)
  first.tokens = gpt.tokens
  for (let n = 0; n < 10; n++) {
    passed += 1_000
    await connect(gpt, visitor)
  }
  assert.equal((await first.callOnce('searchJobs')).status, 401)
  await json(gpt.callOnce('searchJobs'))
})

test('R7, R9: searches and analyses are in the audit log with user, client and session', async () => {
  const gpt = await openGpt()
  await connect(gpt)
  await json(gpt.callOnce('searchJobs', { query: 'baker' }))
  await json(gpt.callOnce('analyzeResume', { job: 'job-5', resume: 'Sourdough since 2009.' }))
  const rows = await app.server.db.query(
    sql<{
      type: string
      user_id: string
      session_id: string
      ip_address: string
      body: string
    }>`select * from events
      where client_id = ${gpt.settings.clientId} order by created_at, id`,
  )
  const [searched, analyzed] = ['job_search', 'resume_analyze'].map((type) => {
    const row = rows.find((one) => one.type === type)
    assert.ok(row, type)
    assert.ok(row.user_id && row.session_id && row.ip_address)
    return JSON.parse(row.body).data
  })
  assert.deepEqual(searched, { query: 'baker', found: 1, conversation: 'conversation-1' })
  assert.deepEqual(analyzed, { job: 'job-5', score: 33, conversation: 'conversation-1' })
  assert.equal(new Set(rows.map((one) => one.user_id).filter(Boolean)).size, 1)
})

test('G11: what ChatGPT says about the conversation is logged and opens nothing', async () => {
  const gpt = await openGpt()
  await connect(gpt)
  await json(gpt.callOnce('searchJobs'))
  assert.deepEqual(logged.at(-1), {
    operation: 'searchJobs',
    conversation: 'conversation-1',
    user: 'ephemeral-1',
    gpt: gpt.settings.gptId,
  })
  gpt.tokens = undefined
  assert.equal((await gpt.callOnce('searchJobs')).status, 401)
  await json(gpt.callOnce('listLocations'))
})

describe('what the API refuses', () => {
  test('a call that cannot be understood is 400 with a sentence, never 500', async () => {
    const gpt = await openGpt({ scope: `${reading} applications:write` })
    await connect(gpt)
    for (const parameters of [{ limit: 0 }, { limit: 51 }, { limit: 'x' }, { remote: 'maybe' }]) {
      assert.equal((await json(gpt.callOnce('searchJobs', parameters), 400))['error'], 'invalid_request')
    }
    await json(gpt.callOnce('submitApplication', { job: 'job-1' }), 400)
    await json(gpt.callOnce('submitApplication', { job: 'job-99', note: '' }), 404)
    await json(gpt.callOnce('analyzeResume', { job: 'job-1', resume: 1 }), 400)
    await json(gpt.callOnce('analyzeResume', { job: 'job-1', resume: 'x'.repeat(100_000) }), 400)
    const headers = { authorization: `Bearer ${gpt.tokens!.access_token}` }
    for (const body of ['', '[]', 'null', '{'])
      await json(fetch(`${origin}/api/applications`, { method: 'POST', headers, body }), 400)
    await json(fetch(`${origin}/api/nothing`, { headers }), 404)
    await json(fetch(`${origin}/api/jobs`, { method: 'DELETE', headers }), 405)
  })

  test('RFC 9068 §4 (N118): a token for another API is refused', async () => {
    const gpt = await openGpt()
    const url = gpt.authorizationUrl()
    url.searchParams.set('resource', origin)
    await gpt.callback((await new Visitor(origin).authorize(url)) as URL)
    assert.equal((await gpt.callOnce('searchJobs')).status, 401)
  })
})
