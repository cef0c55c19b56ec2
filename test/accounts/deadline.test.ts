// The host app's functions are waited for no longer than a person waits for a page.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Config } from '../../src/config.ts'
import { authorizeParameters, makePkce, obtainCode, redeem } from '../support/flow.ts'
import { openHouse } from '../support/gatehouse.ts'

test('a host that never says who is signed in is answered as an outage', async () => {
  const house = await openHouse('sqlite', {
    accounts: {
      authenticate: () => new Promise(() => {}),
      signOut: () => new Promise(() => {}),
      onWebhook: () => new Promise(() => {}),
    },
  })
  try {
    const client = await house.createClient()
    const [asked, ...answers] = await Promise.all([
      house.request(`/oauth/authorize?${authorizeParameters(client, makePkce())}`),
      house.request('/account/apps'),
      house.request('/webhooks/accounts', { method: 'POST', body: '{}' }),
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
    await house.close()
  }
})

test('a host that never says what an access token holds is answered as an outage, and spends nothing', async () => {
  const hung = { so: true }
  const house = await openHouse('sqlite', {
    tokens: { claims: () => (hung.so ? new Promise<never>(() => {}) : {}) } as Config['tokens'],
  })
  try {
    const client = await house.createClient()
    const pkce = makePkce()
    const code = await obtainCode(house, client, pkce)
    const answer = await redeem(house, client, code, pkce)
    assert.equal(answer.status, 503)
    assert.match(answer.headers.get('retry-after') ?? '', /^[1-9]\d*$/)
    hung.so = false
    assert.equal((await redeem(house, client, code, pkce)).status, 200)
  } finally {
    await house.close()
  }
})
