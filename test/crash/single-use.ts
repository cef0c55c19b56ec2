// What the load leaves behind for later, and what is asked of it after a crash: a pushed request, a registration, a device
// that a person allowed, and JWTs that are spent. Whatever was answered must still be so.

import assert from 'node:assert/strict'
import type { CreatedClient } from '../../src/oauth/clients/client-operations.ts'
import { signedInHeader } from '../races/config.ts'
import { type Aimless, backChannelShot, codeOf, readForm } from '../races/field.ts'
import type { Answer } from '../races/http.ts'
import { assertion, clientKeys, registeredWith } from '../support/assertions.ts'
import { deviceGrant } from '../support/device.ts'
import { makeProof, makeProofKey } from '../support/dpop.ts'
import { authorizeParameters, makePkce, type Pkce, type Tokens } from '../support/flow.ts'
import { basic } from '../support/gatehouse.ts'
import type { Registration } from '../support/registration.ts'
import { type Chain, chainFrom, type Journal } from './journal.ts'

/** An answer, and how often the request was sent before without one. */
export interface Sent {
  answer: Answer
  lost: number
}

/** Sends until it is answered; a function makes each try anew. */
export type Send = (shot: Aimless | (() => Promise<Aimless>)) => Promise<Sent>

/** The clients of the load. */
export interface Cast {
  /** Sends its users with plain authorization requests. */
  app: CreatedClient
  /** Pushes them first (RFC 9126). */
  pushing: CreatedClient
  /** A device (RFC 8628). */
  television: CreatedClient
  /** Authenticates by assertions (RFC 7523) and proves a key (RFC 9449). */
  signer: CreatedClient
}

/** What each of them registers. */
export const roles = {
  app: { grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'] },
  pushing: { grantTypes: ['authorization_code', 'refresh_token'] },
  television: { redirectUris: [], grantTypes: [deviceGrant, 'refresh_token'] },
  signer: { redirectUris: [], grantTypes: ['client_credentials'], ...registeredWith(clientKeys.ES256) },
}

const proofKey = await makeProofKey()

/** A request that spends an assertion and a proof; either may be one that was used before. */
async function signedShot(
  { signer }: Cast,
  used: { assertion?: Record<string, string>; proof?: string } = {},
): Promise<Aimless> {
  return {
    method: 'POST',
    path: '/oauth/token',
    headers: { dpop: used.proof ?? (await makeProof(proofKey)) },
    form: {
      grant_type: 'client_credentials',
      ...(used.assertion ?? assertion(signer, clientKeys.ES256, Date)),
    },
  }
}

export async function spendJwts(cast: Cast, journal: Journal, send: Send): Promise<void> {
  let shot: Aimless
  const { answer } = await send(async () => (shot = await signedShot(cast)))
  assert.equal(answer.status, 200, `an assertion and a proof of its own each time: ${answer.body}`)
  const { grant_type, ...spent } = shot!.form!
  journal.spent.push({ assertion: spent, proof: shot!.headers!['dpop']! })
  journal.count('assertions and proofs spent')
}

/** Pushes a request and answers what its user's browser is sent to. */
export async function pushRequest(cast: Cast, user: string, pkce: Pkce, send: Send): Promise<Aimless> {
  const parameters = Object.fromEntries(authorizeParameters(cast.pushing, pkce))
  const { answer } = await send(backChannelShot('/oauth/par', cast.pushing, parameters))
  assert.equal(answer.status, 201, answer.body)
  const { request_uri } = JSON.parse(answer.body) as { request_uri: string }
  const query = new URLSearchParams({ client_id: cast.pushing.client.id, request_uri })
  return { method: 'GET', path: `/oauth/authorize?${query}`, headers: { [signedInHeader]: user } }
}

export async function leavePushedRequest(
  cast: Cast,
  journal: Journal,
  send: Send,
  user: string,
): Promise<void> {
  journal.pushed.push(await pushRequest(cast, user, makePkce(), send))
  journal.count('pushed requests')
}

export async function leaveRegistration(_cast: Cast, journal: Journal, send: Send): Promise<void> {
  const json = { client_name: 'Desk tool', redirect_uris: ['https://client.example/callback'] }
  const { answer } = await send({ method: 'POST', path: '/oauth/register', json })
  assert.equal(answer.status, 201, answer.body)
  journal.registrations.push(JSON.parse(answer.body) as Registration)
  journal.count('registrations')
}

/** A device begins, and a person allows it. Answers how it asks for its tokens; undefined when its person gave up. */
export async function allowDevice(
  { television }: Cast,
  user: string,
  journal: Journal,
  send: Send,
): Promise<Aimless | undefined> {
  const begun = await send(backChannelShot('/oauth/device_authorization', television, { scope: 'jobs:read' }))
  assert.equal(begun.answer.status, 200, begun.answer.body)
  const { device_code, user_code } = JSON.parse(begun.answer.body) as Record<string, string>
  const person = { [signedInHeader]: user }
  const form = await readForm((await send({ method: 'GET', path: '/device', headers: person })).answer)
  const headers = { ...person, cookie: form.cookie }
  const entered = await send({
    method: 'POST',
    path: '/device',
    headers,
    form: { ...form.fields, user_code: user_code! },
  })
  if (entered.answer.status === 429 && entered.lost > 0) {
    journal.count('user codes sent too often')
    return undefined
  }
  assert.equal(entered.answer.status, 303, entered.answer.body)
  const { pathname, search } = new URL(entered.answer.headers.get('location')!)
  const shown = await send({ method: 'GET', path: pathname + search, headers })
  assert.equal(shown.answer.status, 200, shown.answer.body)
  const { fields } = await readForm(shown.answer)
  const decided = await send({
    method: 'POST',
    path: '/device',
    headers,
    form: { ...fields, decision: 'allow' },
  })
  // Sent again, it may have been decided by the try whose answer was lost.
  const again = decided.lost > 0 && decided.answer.status === 400
  assert.ok(again || decided.answer.status === 200, decided.answer.body)
  journal.count('devices allowed')
  return backChannelShot('/oauth/token', television, { grant_type: deviceGrant, device_code: device_code! })
}

export async function leaveDevice(cast: Cast, journal: Journal, send: Send, user: string): Promise<void> {
  const poll = await allowDevice(cast, user, journal, send)
  if (poll) journal.devices.push(poll)
}

/** One of each, so that every crash finds something to lose. */
export async function leaveOneOfEach(cast: Cast, journal: Journal, send: Send, user: string): Promise<void> {
  const all = [leavePushedRequest, leaveRegistration, leaveDevice, spendJwts]
  await Promise.all(all.map((leave) => leave(cast, journal, send, user)))
}

/** Asks once, of a server that must answer. */
export type Ask = (shot: Aimless) => Promise<Answer>

/** How many of each are looked at after a crash: the newest, which it came closest to. */
const most = 4

/** Holds the server to what it answered before the crash. What can be used once is used by this. */
export async function checkSingleUse(cast: Cast, journal: Journal, ask: Ask): Promise<void> {
  for (const shot of journal.pushed.splice(-most)) {
    const opened = await ask(shot)
    const usable = codeOf(opened) !== undefined || (opened.status === 200 && /form_token/.test(opened.body))
    assert.ok(usable, `an answered pushed request is usable: ${opened.status} ${opened.body}`)
    if (opened.status !== 200) assert.equal((await ask(shot)).status, 400, 'and then spent')
    journal.count('pushed requests opened after a crash')
  }
  for (const registration of journal.registrations.slice(-most)) await checkRegistration(registration, ask)
  journal.count('registrations used after a crash', Math.min(most, journal.registrations.length))
  for (const poll of journal.devices.splice(-most)) {
    const answer = await ask(poll)
    assert.equal(answer.status, 200, `an answered approval gives tokens: ${answer.body}`)
    journal.chains.push(deviceChain(cast, answer, poll))
    journal.count('approvals redeemed after a crash')
  }
  for (const { assertion: used, proof } of journal.spent.slice(-most)) {
    assertRefused(await ask(await signedShot(cast, { assertion: used })), 401, 'invalid_client')
    const told = assertRefused(await ask(await signedShot(cast, { proof })), 400, 'invalid_dpop_proof')
    assert.equal(told, 'The DPoP proof was used before')
    const fresh = await ask(await signedShot(cast))
    assert.equal(fresh.status, 200, fresh.body)
    journal.count('spent assertions and proofs refused after a crash', 2)
  }
}

async function checkRegistration(made: Registration, ask: Ask): Promise<void> {
  const asked = await ask({
    method: 'POST',
    path: '/oauth/introspect',
    headers: { authorization: basic(made.client_id, made.client_secret!) },
    form: { token: 'none' },
  })
  assert.equal(asked.status, 200, `an answered registration authenticates: ${asked.body}`)
  const { pathname, search } = new URL(made.registration_client_uri)
  const read = await ask({
    method: 'GET',
    path: pathname + search,
    headers: { authorization: `Bearer ${made.registration_access_token}` },
  })
  assert.equal(read.status, 200, `and reads itself: ${read.body}`)
  assert.equal((JSON.parse(read.body) as Registration).client_id, made.client_id)
}

export function deviceChain({ television }: Cast, { body }: Answer, poll: Aimless): Chain {
  return chainFrom(JSON.parse(body) as Tokens, { client: television, again: poll, from: 'device' })
}

/** Answers what the refusal says. */
function assertRefused({ status, body }: Answer, expected: number, error: string): string {
  assert.equal(status, expected, `spent before the crash, spent after it: ${body}`)
  const refusal = JSON.parse(body) as { error: string; error_description: string }
  assert.equal(refusal.error, error)
  return refusal.error_description
}
