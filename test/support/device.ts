// A device and the person who allows it, as two parties of a test (RFC 8628).

import assert from 'node:assert/strict'
import type { CreatedClient } from '../../src/oauth/clients/client-operations.ts'
import { credentials, readConsent, readTokens, type ShownConsent, type Tokens } from './flow.ts'
import type { TestServer } from './gatehouse.ts'

export const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code'

export interface Device {
  device_code: string
  user_code: string
  verification_uri: string
  verification_uri_complete: string
  expires_in: number
  interval: number
}

/** A client that is a device: public, without a redirect. */
export function createDevice(
  server: TestServer,
  input: Parameters<TestServer['createClient']>[0] = {},
): Promise<CreatedClient> {
  return server.createClient({
    name: 'Television',
    tokenEndpointAuthMethod: 'none',
    redirectUris: [],
    grantTypes: [deviceGrant, 'refresh_token'],
    ...input,
  })
}

export function askDevice(
  server: TestServer,
  created: CreatedClient,
  more: Record<string, string | string[]> = {},
  more_headers: Record<string, string> = {},
): Promise<Response> {
  const { headers, form } = credentials(created)
  return server.post(
    '/oauth/device_authorization',
    { scope: 'jobs:read', ...form, ...more },
    { ...headers, ...more_headers },
  )
}

export async function beginDevice(
  server: TestServer,
  created: CreatedClient,
  more: Record<string, string | string[]> = {},
): Promise<Device> {
  const answer = await askDevice(server, created, more)
  const body = await answer.json()
  assert.equal(answer.status, 200, JSON.stringify(body))
  return body as Device
}

export function poll(
  server: Pick<TestServer, 'post'>,
  created: CreatedClient,
  deviceCode: string,
  more: Record<string, string | string[]> = {},
): Promise<Response> {
  const { headers, form } = credentials(created)
  return server.post(
    '/oauth/token',
    { grant_type: deviceGrant, device_code: deviceCode, ...form, ...more },
    headers,
  )
}

/** The form for the code as a browser has it; in the browser of another page when its cookie is given. */
export async function showCodeForm(
  server: TestServer,
  cookie?: string,
  path = '/device',
): Promise<ShownConsent> {
  const answer = await server.request(path, cookie === undefined ? {} : { cookie })
  assert.equal(answer.status, 200)
  const shown = await readConsent(answer)
  return cookie === undefined ? shown : { ...shown, cookie }
}

/** Sends a code with a form that was shown. */
export function sendCode(
  server: TestServer,
  shown: Pick<ShownConsent, 'fields' | 'cookie'>,
  code: string,
  address?: string,
): Promise<Response> {
  return server.request('/device', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    cookie: shown.cookie,
    ...(address === undefined ? {} : { address }),
    body: new URLSearchParams({ ...shown.fields, user_code: code }).toString(),
  })
}

/** Enters a code in a browser and shows what the device asks; `address` is where that stands. */
export async function enterCode(
  server: TestServer,
  code: string,
  cookie?: string,
): Promise<ShownConsent & { address: string }> {
  const form = await showCodeForm(server, cookie)
  const entered = await sendCode(server, form, code)
  assert.equal(entered.status, 303, await entered.text())
  const address = entered.headers.get('location')!
  const answer = await server.request(address, { cookie: form.cookie })
  const shown = await readConsent(answer)
  assert.equal(answer.status, 200, shown.html)
  return { ...shown, cookie: form.cookie, address }
}

export function decideDevice(
  server: TestServer,
  shown: Pick<ShownConsent, 'fields' | 'cookie'>,
  decision: string,
): Promise<Response> {
  return server.post('/device', { ...shown.fields, decision }, { cookie: shown.cookie })
}

/** The whole flow, from the device's first request to its tokens. */
export async function obtainDeviceTokens(
  server: TestServer,
  created: CreatedClient,
  more: Record<string, string | string[]> = {},
): Promise<Tokens> {
  const device = await beginDevice(server, created, more)
  const allowed = await decideDevice(server, await enterCode(server, device.user_code), 'allow')
  assert.equal(allowed.status, 200, await allowed.text())
  return readTokens(await poll(server, created, device.device_code))
}
