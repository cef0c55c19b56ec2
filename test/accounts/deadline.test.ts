// The host app's functions are waited for no longer than a person waits for a page.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Config } from '../../src/config.ts'
import { authorizeParameters, makePkce, obtainCode, redeem } from '../support/flow.ts'
import { openTestServer } from '../support/gatehouse.ts'

test('a host that never says who is signed in is answered as an outage', async () => {
  const server = await openTestServer('sqlite', {
    accounts: {
      authenticate: () => new Promise(() => {}),
      signOut: () => new Promise(() => {}),
      onWebhook: () => new Promise(() => {}),
    },
  })
  try {
    const client = await server.createClient()
    const [asked, ...answers] = await Promise.all([
      server.request(`/oauth/authorize?${authorizeParameters(client, makePkce())}`),
      server.request('/account/apps'),
      server.request('/webhooks/accounts', { method: 'POST', body: '{}' }),
    ])
    assert.equal(
      new URL(asked.headers.get('location') ?? '').searchParams.get('error'),
      'temporarily_unavailable',
    )
    for (const answer of answers) {
      assert.equal(answer.status, 503)
      assert.match(answer.headers.get('retry-after') ?? '', /^[1-9]\d*$/)
    }
  } finally {
    await server.close()
  }
})

test('a host that never says what an access token holds is answered as an outage, and spends nothing', async () => {
  const hung = { so: true }
  const server = await openTestServer('sqlite', {
    tokens: { claims: () => (hung.so ? new Promise<never>(() => {}) : {}) } as Config['tokens'],
  })
  try {
    const client = await server.createClient()
    const pkce = makePkce()
    const code = await obtainCode(server, client, pkce)
    const answer = await redeem(server, client, code, pkce)
    assert.equal(answer.status, 503)
    assert.match(answer.headers.get('retry-after') ?? '', /^[1-9]\d*$/)
    hung.so = false
    assert.equal((await redeem(server, client, code, pkce)).status, 200)
  } finally {
    await server.close()
  }
})
