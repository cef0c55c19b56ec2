// A person connects a device with a real Chromium: by typing the code, and by the link that a device shows as a picture.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { PageOptions } from '../support/browser.ts'
import { type Device, deviceGrant } from '../support/device.ts'
import type { Tokens } from '../support/flow.ts'
import { openSite, type Site, type Tab } from './site.ts'

let site: Site
let television: string
before(async () => {
  site = await openSite()
  const { client } = await site.g.clients.create({
    name: 'Television',
    tokenEndpointAuthMethod: 'none',
    grantTypes: [deviceGrant, 'refresh_token'],
  })
  television = client.id
})
after(() => site?.close())

async function begin(): Promise<Device> {
  const answer = await fetch(`${site.issuer}/oauth/device_authorization`, {
    method: 'POST',
    headers: { 'user-agent': 'LivingRoomTV/7.1' },
    body: new URLSearchParams({ client_id: television, scope: 'jobs:read' }),
  })
  assert.equal(answer.status, 200)
  return (await answer.json()) as Device
}

async function poll({ device_code }: Device): Promise<Tokens & { error?: string }> {
  const form = { grant_type: deviceGrant, client_id: television, device_code }
  const answer = await fetch(`${site.issuer}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams(form),
  })
  return (await answer.json()) as Tokens & { error?: string }
}

const click = (tab: Tab, name: string) => tab.page.getByRole('button', { name, exact: true }).click()
const heading = async (tab: Tab, name: string | RegExp) => {
  await tab.page.getByRole('heading', { level: 1, name }).waitFor()
  await tab.fits()
}

const settings: [string, PageOptions][] = [
  ['a desktop, light', { screen: 'desktop', scheme: 'light' }],
  ['a desktop, dark', { screen: 'desktop', scheme: 'dark' }],
  ['a phone, light', { screen: 'phone', scheme: 'light' }],
  ['a phone without scripts, dark', { screen: 'phone', scheme: 'dark', javaScript: false }],
]

for (const [name, options] of settings) {
  describe(`on ${name}`, () => {
    let tab: Tab
    before(async () => {
      tab = await site.open(options)
    })
    after(() => tab?.close())

    test('RFC 8628 §3.3: a stranger types the code, makes an account, compares, allows', async () => {
      const device = await begin()
      await tab.page.goto(device.verification_uri)
      await heading(tab, 'Connect a device')
      const field = tab.page.getByLabel('Code')
      await field.fill('BBBB-BBBB')
      await click(tab, 'Continue')
      assert.match(await tab.page.getByRole('alert').innerText(), /Incorrect or expired code/)
      assert.match(await tab.page.title(), /^Error: /)
      assert.equal(await field.getAttribute('aria-invalid'), 'true')
      await field.fill(device.user_code.toLowerCase().replace('-', ' '))
      await click(tab, 'Continue')

      await heading(tab, 'Sign in')
      await tab.page.getByRole('link', { name: 'Create an account' }).click()
      await tab.page.getByLabel('Your name').fill('Ann Example')
      await tab.page
        .getByLabel('Email or username')
        .fill(`ann-${settings.findIndex(([one]) => one === name)}`)
      await tab.page.getByLabel('Password').fill('correct horse battery staple')
      await click(tab, 'Create account')

      await heading(tab, 'Television wants access to your Gatehouse account')
      const text = await tab.page.locator('main').innerText()
      for (const shown of [
        device.user_code,
        '127.0.0.1',
        'LivingRoomTV/7.1',
        'Ann Example',
        'Search open jobs',
      ])
        assert.ok(text.includes(shown), shown)
      assert.equal((await poll(device)).error, 'authorization_pending')
      await click(tab, 'Allow')
      await heading(tab, 'Your device is connected')
      const tokens = await poll(device)
      assert.equal(await site.letsIn(tokens.access_token), true)
    })

    test('RFC 8628 §3.3.1: a link is compared and confirmed, and can be denied; a reload decides nothing anew', async () => {
      const device = await begin()
      await tab.page.goto(device.verification_uri_complete)
      await heading(tab, 'Connect a device')
      assert.equal(await tab.page.getByLabel('Code').inputValue(), device.user_code)
      await click(tab, 'Continue')
      await heading(tab, /Television wants access/)
      await tab.page.reload()
      await heading(tab, /Television wants access/)
      await click(tab, 'Deny')
      await heading(tab, 'The device was not connected')
      assert.equal((await poll(device)).error, 'access_denied')
    })

    test('and no page broke its policy, or the edge of the screen', () => {
      assert.deepEqual(tab.complaints, [])
    })
  })
}

test('RFC 8628 §3.3: a person without a mouse connects a device', async () => {
  const tab = await site.open()
  await tab.page.goto(`${site.issuer}/sign-up`)
  await tab.page.getByLabel('Your name').fill('Ben Example')
  await tab.page.getByLabel('Email or username').fill('ben')
  await tab.page.getByLabel('Password').fill('correct horse battery staple')
  await click(tab, 'Create account')
  await heading(tab, 'Your account')
  const device = await begin()
  await tab.page.goto(device.verification_uri)
  await heading(tab, 'Connect a device')
  const { keyboard } = tab.page
  const focused = () =>
    tab.page.evaluate(() => {
      const element = document.activeElement as HTMLElement
      return {
        name: element.id || element.textContent?.trim() || '',
        visible: getComputedStyle(element).outlineStyle !== 'none',
      }
    })
  assert.equal((await focused()).name, 'user-code', 'the field is ready')
  await keyboard.type(device.user_code)
  await keyboard.press('Enter')
  await heading(tab, /Television wants access/)
  const passed: string[] = []
  for (let n = 0; n < 12 && passed.at(-1) !== 'Allow'; n++) {
    await keyboard.press('Tab')
    const { name, visible } = await focused()
    passed.push(name)
    assert.ok(visible, `${name} shows that it is in focus`)
  }
  assert.deepEqual(passed.slice(-2), ['Deny', 'Allow'], 'Deny comes no later than Allow')
  await keyboard.press('Enter')
  await heading(tab, 'Your device is connected')
  assert.ok((await poll(device)).access_token)
  assert.deepEqual(tab.complaints, [])
  await tab.close()
})

test('RFC 6749 §10.13: no page of a device can be held in a frame (N46)', async () => {
  const tab = await site.open()
  const { user_code } = await begin()
  const framed = ['/device', `/device?user_code=${user_code}`, '/device?shown=x'].map(encodeURIComponent)
  await tab.page.goto(`${site.clientOrigin}/framed?${framed.join('&')}`)
  await tab.page.waitForLoadState('load')
  const frames = tab.page.frames().slice(1)
  assert.equal(frames.length, 3)
  for (const frame of frames) assert.equal(frame.url(), 'chrome-error://chromewebdata/')
  assert.ok(tab.complaints.every((one) => /frame/i.test(one)))
  await tab.close()
})
