import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import type { Browser, Page as Tab } from 'playwright-core'
import { consentPage } from '../../src/pages/consent.ts'
import { formPostPage } from '../../src/pages/form-post.ts'
import { answerPage } from '../../src/pages/page.ts'
import { launchBrowser } from '../support/browser.ts'
import { consent, frame, gallery } from './samples.ts'

let browser: Browser
const servers: Server[] = []
const posted: string[] = []
let issuer = ''
let client = ''
let product = ''

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

before(async () => {
  product = await serve((_, response) =>
    response.setHeader('content-type', 'text/html').end('<h1>Product</h1>'),
  )
  // A client whose redirect URI hands over to another origin, as those with an API host of their own do.
  client = await serve(async (request, response) => {
    if (request.url === '/start') return response.setHeader('content-type', 'text/html').end('<h1>Start</h1>')
    posted.push(`${request.method} ${(await request.toArray()).join('')}`)
    response.writeHead(303, { location: `${product}/done` }).end()
  })
  issuer = await serve(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://issuer')
    if (request.method === 'POST') {
      posted.push(`${pathname} ${(await request.toArray()).join('')}`)
      response.writeHead(303, { location: searchParams.get('to') ?? `${client}/callback?code=1` }).end()
      return
    }
    const redirectUri = `${client}/callback`
    const pages: typeof gallery = {
      ...gallery,
      allow: () => consentPage(frame, { ...consent, action: '/decide' }),
      post: () =>
        formPostPage(frame, { action: redirectUri, fields: { code: 'c', submit: 'x', state: '"<>' } }),
    }
    const answer = answerPage(pages[pathname.slice(1)]!())
    response.writeHead(answer.status, answer.headers).end(answer.body)
  })
  browser = await launchBrowser()
})

after(async () => {
  await browser?.close()
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
})

async function opened(
  url: string,
  options: Parameters<Browser['newPage']>[0] = {},
): Promise<Tab & { complaints: string[] }> {
  const tab = await browser.newPage(options)
  const complaints: string[] = []
  tab.on('console', (message) => complaints.push(message.text()))
  await tab.goto(url)
  return Object.assign(tab, { complaints })
}

test('every page keeps to its own policy and fits a phone of 360 pixels', async () => {
  for (const name of Object.keys(gallery).filter((it) => it !== 'form-post')) {
    const tab = await opened(`${issuer}/${name}`, { viewport: { width: 360, height: 640 } })
    const measured = await tab.evaluate(() => ({
      width: document.documentElement.scrollWidth,
      display: getComputedStyle(document.body).display,
      small: [...document.querySelectorAll('a, button')]
        .filter((it) => !it.matches('.skip'))
        .map((it) => ({ text: it.textContent, height: it.getBoundingClientRect().height }))
        .filter((it) => it.height < 24),
    }))
    assert.deepEqual(
      tab.complaints.filter((it) => !it.includes('status of 400')),
      [],
      name,
    )
    assert.equal(measured.display, 'flex', `${name}: the stylesheet does not apply`)
    assert.ok(measured.width <= 360, `${name}: ${measured.width} pixels wide`)
    assert.deepEqual(measured.small, [], `${name}: WCAG 2.2 §2.5.8 target size`)
    await tab.close()
  }
})

test('Allow leads through the redirect URI and on to wherever the client redirects', async () => {
  const tab = await opened(`${issuer}/allow`, { javaScriptEnabled: false })
  await tab.getByRole('button', { name: 'Allow' }).click()
  await tab.waitForURL(`${product}/done`)
  assert.ok(
    posted.some((it) => it.startsWith('/decide') && it.endsWith('decision=allow')),
    posted.join('\n'),
  )
  await tab.close()
})

test('Form Post Response Mode §2: the page posts itself, and by its button where scripts are off', async () => {
  const body = 'POST code=c&submit=x&state=%22%3C%3E'
  for (const javaScriptEnabled of [true, false]) {
    posted.length = 0
    const tab = await opened(`${issuer}/post`, { javaScriptEnabled })
    if (!javaScriptEnabled) await tab.getByRole('button', { name: 'Continue' }).click()
    await tab.waitForURL(`${product}/done`)
    assert.deepEqual(posted, [body])
    await tab.close()
  }
})

test('a client that opened the flow in a popup can still be reached after it', async () => {
  const tab = await opened(`${client}/start`)
  const popup = tab.waitForEvent('popup')
  await tab.evaluate((url) => {
    window.open(url, 'flow', 'popup')
  }, `${issuer}/allow`)
  const flow = await popup
  await flow.getByRole('button', { name: 'Deny' }).click()
  await flow.waitForURL(`${product}/done`)
  assert.equal(await flow.evaluate(() => window.opener !== null), true)
  await tab.close()
})

test('WCAG 2.2 §2.4.7: keyboard focus is visible and walks the consent page in reading order', async () => {
  const tab = await opened(`${issuer}/allow`)
  const order: string[] = []
  for (let i = 0; i < 7; i++) {
    await tab.keyboard.press('Tab')
    order.push(
      await tab.evaluate(() => {
        const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement!)
        return `${document.activeElement!.textContent!.split('(')[0]!.trim()} ${outlineStyle} ${outlineWidth}`
      }),
    )
  }
  const names = ['Skip to content', 'Switch account', 'Deny', 'Allow', 'Website', 'Privacy policy', 'Terms']
  assert.deepEqual(
    order,
    names.map((it) => `${it} solid 2px`),
  )
  await tab.close()
})
