// Races for devices: RFC 8628 §3.3, §3.5 (N94, N95).

import assert from 'node:assert/strict'
import { sql } from '../../src/db/sql.ts'
import type { CreatedClient } from '../../src/oauth/clients/client-operations.ts'
import { type Device, deviceGrant } from '../support/device.ts'
import type { ShownConsent } from '../support/flow.ts'
import { signedInHeader } from './config.ts'
import { type Aimless, backChannelShot, type Field, part, readForm, refreshShot, tokensOf } from './field.ts'
import type { Race } from './race.ts'

const createDevice = (field: Field) =>
  field.createClient({
    name: 'Television',
    redirectUris: [],
    grantTypes: [deviceGrant, 'refresh_token'],
  })

async function begin(field: Field, client: CreatedClient): Promise<Device> {
  const answer = await field.ask(
    backChannelShot('/oauth/device_authorization', client, { scope: 'jobs:read' }),
  )
  assert.equal(answer.status, 200, answer.body)
  return JSON.parse(answer.body) as Device
}

/** The page on which a user decides, after entering the code in a new browser. */
async function showDevice(field: Field, user: string, { user_code }: Device): Promise<ShownConsent> {
  const headers = { [signedInHeader]: user }
  const form = await readForm(await field.ask({ method: 'GET', path: '/device', headers }))
  const browser = { ...headers, cookie: form.cookie }
  const entered = await field.ask({
    method: 'POST',
    path: '/device',
    headers: browser,
    form: { ...form.fields, user_code },
  })
  assert.equal(entered.status, 303, entered.body)
  const { pathname, search } = new URL(entered.headers.get('location')!)
  const shown = await field.ask({ method: 'GET', path: pathname + search, headers: browser })
  assert.equal(shown.status, 200, shown.body)
  return { ...(await readForm(shown)), cookie: form.cookie }
}

const decideShot = (shown: ShownConsent, user: string, decision: string): Aimless => ({
  method: 'POST',
  path: '/device',
  headers: { [signedInHeader]: user, cookie: shown.cookie },
  form: { ...shown.fields, decision },
})

const pollShot = (client: CreatedClient, { device_code }: Device) =>
  backChannelShot('/oauth/token', client, { grant_type: deviceGrant, device_code })

async function allowed(field: Field, client: CreatedClient, user: string): Promise<Device> {
  const device = await begin(field, client)
  const answer = await field.ask(decideShot(await showDevice(field, user, device), user, 'allow'))
  assert.equal(answer.status, 200, answer.body)
  return device
}

export const oneDeviceCode: Race = {
  name: 'RFC 8628 §3.5: one device code that was allowed, redeemed by all at once, gives tokens once (N95)',
  async prepare(field) {
    const client = await createDevice(field)
    return async (count) => {
      const user = field.newUser()
      const device = await allowed(field, client, user)
      const { won, lost } = part(await field.volley(pollShot(client, device)))
      count({ '200': won.length, invalid_grant: lost })
      assert.equal(won.length, 1)
      assert.equal(await field.isAlive(client, won[0]!.access_token), true)
      const [rows] = await field.query(
        sql<{ count: number }>`select count(*) as count from sessions where subject = ${user}`,
      )
      assert.equal(Number(rows!.count), 1)
      assert.equal(await field.countEvents('token_exchange', user), 1)
      tokensOf(await field.ask(refreshShot(client, won[0]!.refresh_token!)))
    }
  },
}

export const pollsOfOneDevice: Race = {
  name: 'RFC 8628 §3.5: of polls at one moment one is in time and each other slows the device down (N94)',
  async prepare(field) {
    const client = await createDevice(field)
    return async (count) => {
      const device = await begin(field, client)
      const answers = await field.volley(pollShot(client, device))
      const errors = answers.map(({ status, body }) => {
        assert.equal(status, 400, body)
        return (JSON.parse(body) as { error: string }).error
      })
      const tooFast = errors.filter((error) => error === 'slow_down').length
      count({ authorization_pending: errors.length - tooFast, slow_down: tooFast })
      assert.deepEqual([...new Set(errors)].sort(), ['authorization_pending', 'slow_down'])
      assert.equal(tooFast, errors.length - 1)
      const [row] = await field.query(
        sql<{
          poll_interval: number
        }>`select poll_interval from device_codes where client_id = ${client.client.id}
          order by id desc limit 1`,
      )
      const steps = (row!.poll_interval - 5_000) / 5_000
      assert.ok(Number.isInteger(steps) && steps >= 1 && steps <= tooFast, `${row!.poll_interval} ms`)
    }
  },
}

export const allowDeviceAgainstDeny: Race = {
  name: 'RFC 8628 §3.3: one device, allowed and denied at once by two people in many processes, is decided one way',
  async prepare(field) {
    const client = await createDevice(field)
    return async (count) => {
      const [one, other] = [field.newUser(), field.newUser()]
      const device = await begin(field, client)
      const forms = [await showDevice(field, one, device), await showDevice(field, other, device)] as const
      const shots = Array.from({ length: field.volleySize }, (_, n) =>
        n % 2 ? decideShot(forms[0], one, 'allow') : decideShot(forms[1], other, 'deny'),
      )
      const answers = await field.fire(shots)
      const done = answers.filter(({ status, body }) => {
        assert.ok(status === 200 || status === 400, body)
        return status === 200
      })
      const wasAllowed = /Your device is connected/.test(done[0]!.body)
      assert.equal(new Set(done.map(({ body }) => body)).size, 1)
      assert.equal(done.length, shots.filter((_, n) => (n % 2 === 1) === wasAllowed).length)
      count({ allowed: Number(wasAllowed), denied: Number(!wasAllowed) })
      assert.equal(await field.countEvents('device_approved', one), Number(wasAllowed))
      assert.equal(await field.countEvents('device_denied', other), Number(!wasAllowed))
      const answer = await field.ask(pollShot(client, device))
      if (wasAllowed) tokensOf(answer)
      else assert.equal((JSON.parse(answer.body) as { error: string }).error, 'access_denied')
      const consents = await field.query(
        sql`select 1 from consents c join users u on u.id = c.user_id where u.subject in (${one}, ${other})`,
      )
      assert.equal(consents.length, Number(wasAllowed))
    }
  },
}

export const disconnectAgainstDevice: Race = {
  name: 'R18: once a disconnect is answered, no token of a device is alive, whatever was under way',
  async prepare(field) {
    const client = await createDevice(field)
    return async (count) => {
      const user = field.newUser()
      const devices = [await allowed(field, client, user), await allowed(field, client, user)]
      const disconnect = await field.disconnectShot(client, user)
      const polls = devices.map((device) => pollShot(client, device))
      const [done, ...answers] = await field.fire([disconnect, ...polls])
      assert.equal(done!.status, 303, done!.body)
      const { won, lost } = part(answers)
      count({ '200': won.length, invalid_grant: lost })
      for (const each of won) {
        assert.equal(await field.isAlive(client, each.access_token), false)
        assert.equal(await field.isAlive(client, each.refresh_token!), false)
      }
      assert.equal(part(await field.fire(polls)).won.length, 0)
    }
  },
}
