import { setTimeout as wait } from 'node:timers/promises'
import { type Check, type Context, invalidGrant, type Sight } from '../check.ts'
import type { Client } from '../clients.ts'
import { NotShown } from '../failures.ts'
import type { SignInVisit } from '../sign-in.ts'
import type { Answer } from '../wire.ts'
import { codeFlowClient } from './authorization.ts'

const grant = 'urn:ietf:params:oauth:grant-type:device_code'
/** What a run is ready to wait for one poll, in seconds. */
const longestInterval = 15

interface Device {
  client: Client
  code: string
  userCode: string
  page: string
  interval: number
}

async function deviceClient(context: Context, but?: Client): Promise<Client> {
  const { method } = await codeFlowClient(context)
  return context.clients.withGrant(grant, method, but)
}

async function begin({ flow, server }: Context, see: Sight, client: Client): Promise<Device> {
  const scope = flow.scopes(client)[0]
  const answer = see.granted(
    await flow.post(client, server.device_authorization_endpoint!, scope === undefined ? {} : { scope }),
    'a device authorization request',
  )
  const { device_code, user_code, verification_uri, verification_uri_complete, interval } = answer.json
  return {
    client,
    code: String(device_code),
    userCode: String(user_code),
    page: String(verification_uri_complete ?? verification_uri),
    interval: typeof interval === 'number' ? interval : 5,
  }
}

function poll({ flow, server }: Context, device: Device, as: Client = device.client): Promise<Answer> {
  return flow.post(as, server.token_endpoint, { grant_type: grant, device_code: device.code })
}

/** Polls at once, and then as politely as the server asks, until it says something about the code. */
async function pollPatiently(context: Context, device: Device): Promise<Answer> {
  let { interval } = device
  for (let at = 0; at < 4; at++) {
    const answer = await poll(context, device)
    const error = answer.json['error']
    if (error === 'slow_down') interval += 5
    else if (error !== 'authorization_pending') return answer
    await wait(Math.min(interval, longestInterval) * 1_000)
  }
  throw new NotShown('the sign-in script did not come to an end on the page that takes the device’s code')
}

async function decide({ flow }: Context, device: Device, decision: SignInVisit['decision']): Promise<void> {
  await flow.visit(device.client, device.page, { decision, userCode: device.userCode })
}

export const deviceChecks: readonly Check[] = [
  {
    id: 'N94',
    section: 'RFC 8628 §3.5',
    title: 'a device whose user has not decided is told authorization_pending',
    needs: ['device grant'],
    accepts: 'Polling faster than the interval; slow_down where it is minded',
    async run(context, see) {
      const device = await begin(context, see, await deviceClient(context))
      const pending = { status: [400], error: ['authorization_pending'] }
      see.refused(await poll(context, device), pending, 'the first poll')
      const again = await poll(context, device)
      if (again.json['error'] === 'authorization_pending')
        see.note('polling too fast is not answered by slow_down')
      else see.refused(again, { status: [400], error: ['slow_down'] }, 'a poll too early')
    },
  },
  {
    id: 'N95',
    section: 'RFC 8628 §3.5',
    title: 'a device code is good once, for its client, and not after a refusal',
    needs: ['device grant'],
    async run(context, see) {
      const { wire } = context
      const client = await deviceClient(context)
      const unknown = { ...(await begin(context, see, client)), code: 'nobody-was-given-this-device-code' }
      see.refused(await poll(context, unknown), invalidGrant, 'an unknown device_code')

      const denied = await begin(context, see, client)
      await decide(context, denied, 'deny')
      const refusal = await pollPatiently(context, denied)
      see.refused(refusal, { status: [400], error: ['access_denied'] }, 'a user who denied')

      const device = await begin(context, see, client)
      const other = await deviceClient(context, client).catch(() => undefined)
      if (other) see.refused(await poll(context, device, other), invalidGrant, 'another client’s device_code')
      else see.notSeen('another client’s device_code: no second client may use the grant')
      await decide(context, device, 'allow')
      const answers = await Promise.all(Array.from({ length: wire.atOnce }, () => poll(context, device)))
      const passed = answers.filter(({ status }) => status === 200)
      const second = passed[1]
      if (second)
        see.holds(false, `one device_code, polled in parallel, made ${passed.length} grants`, second)
      for (const { status, ...answer } of answers) {
        see.holds(status < 500, `a poll was answered with ${status}`, { status, ...answer })
      }
      if (passed.length === 0) see.granted(await pollPatiently(context, device), 'an approved device_code')
      see.refused(
        await pollPatiently(context, device),
        { status: [400], error: ['invalid_grant', 'expired_token'] },
        'a device_code that was redeemed',
      )
    },
  },
]
