// Wherever a client sends its users on to from its redirect URI, a person in a real Chromium arrives there.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import type { BrowserContext, Page } from 'playwright-core'
import { makeSelfSigned } from '../support/certificates.ts'
import { makePkce } from '../support/flow.ts'
import { openSite, type Site } from './site.ts'

let site: Site
/** A client on https, and one on the person's own computer; both answer with a redirect to where `to` says. */
let web = ''
let own = ''
const closing: (() => void)[] = []

const hop: RequestListener = (request, response) => {
  const { pathname, searchParams } = new URL(request.url!, 'http://client')
  const to = pathname.startsWith('/to/') ? decodeURIComponent(pathname.slice(4)) : undefined
  if (to === undefined) return void response.setHeader('content-type', 'text/html').end('<h1>Done</h1>')
  const kept = ['code', 'error'].filter((name) => searchParams.has(name))
  response.writeHead(302, { location: `${to}?${kept.join('')}=${kept.length}` }).end()
}

before(async () => {
  site = await openSite()
  const certificate = makeSelfSigned('localhost')
  const servers = [createTlsServer(certificate, hop), createServer(hop)]
  for (const server of servers) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    closing.push(() => {
      server.closeAllConnections()
      server.close()
    })
  }
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  web = `https://localhost:${ports[0]}`
  own = `http://127.0.0.1:${ports[1]}`
})
after(async () => {
  await site?.close()
  for (const close of closing) close()
})

/** A tab that notes every address it was sent to, and what a policy held against it. */
async function openTab(): Promise<{
  page: Page
  context: BrowserContext
  sent: string[]
  blocked: string[]
}> {
  const context = await site.browser.newContext({ ignoreHTTPSErrors: true })
  context.setDefaultTimeout(10_000)
  const page = await context.newPage()
  const [sent, blocked]: [string[], string[]] = [[], []]
  page.on('request', (request) => sent.push(request.url()))
  page.on('console', (message) => {
    if (/Content Security Policy/.test(message.text())) blocked.push(message.text())
  })
  return { page, context, sent, blocked }
}

const arrives = async (tab: Awaited<ReturnType<typeof openTab>>, at: string, act: () => Promise<void>) => {
  const there = (url: string) => url.startsWith(at)
  const arrived = tab.page.waitForRequest((request) => there(request.url())).catch(() => undefined)
  await act()
  assert.ok(await arrived, `arrives at ${at}, not only at ${tab.sent.at(-1)}; ${tab.blocked.join()}`)
  assert.deepEqual(tab.blocked, [])
}

let people = 0
async function signUp(page: Page): Promise<string> {
  const login = `arriving${++people}@example.com`
  await page.goto(`${site.issuer}/sign-up`)
  await page.getByLabel('Your name').fill('Ann Example')
  await page.getByLabel('Email or username').fill(login)
  await page.getByLabel('Password').fill('correct horse battery staple')
  await page.getByRole('button', { name: 'Create account' }).click()
  await page.getByRole('heading', { name: 'Your account' }).waitFor()
  return login
}

async function signIn(page: Page, login: string): Promise<void> {
  await page.getByLabel('Email or username').fill(login)
  await page.getByLabel('Password').fill('correct horse battery staple')
  await page.getByRole('button', { name: 'Sign in' }).click()
}

test('OpenID Connect Core §3.1.2.1: a request that another site posts finds the person still signed in', async () => {
  const tab = await openTab()
  const { page, context } = tab
  await signUp(page)
  const url = new URL(site.authorizeUrl(makePkce()))
  const other = createServer((_, response) => {
    const fields = [...url.searchParams].map(
      ([name, value]) => `<input type="hidden" name="${name}" value="${value.replaceAll('&', '&amp;')}">`,
    )
    response
      .setHeader('content-type', 'text/html')
      .end(
        `<form method="post" action="${site.issuer}/oauth/authorize">${fields.join('')}<button>Go</button></form>`,
      )
  }).listen(0, '127.0.0.1')
  await once(other, 'listening')
  // Another host is another site: the cookies of 127.0.0.1 do not come with the post.
  await page.goto(`http://localhost:${(other.address() as AddressInfo).port}/`)
  await page.getByRole('button', { name: 'Go' }).click()
  await page.getByRole('heading', { name: /Job board wants access/ }).waitFor()
  assert.equal(tab.sent.filter((one) => one.startsWith(`${site.issuer}/oauth/authorize`)).length, 2)
  await page.getByRole('button', { name: 'Allow' }).click()
  await page.waitForURL(/\/callback\?code=/)
  await context.close()
  other.closeAllConnections()
  other.close()
})

const app = 'exampleapp://done'

/** The redirect URI of a client, and where its user ends up. */
const hops: [string, () => { redirectUri: string; at: string }][] = [
  ['https on to an app', () => ({ redirectUri: `${web}/to/${encodeURIComponent(app)}`, at: app })],
  ['https on to another host', () => ({ redirectUri: `${web}/to/${encodeURIComponent(own)}`, at: own })],
  ['loopback on to an app', () => ({ redirectUri: `${own}/to/${encodeURIComponent(app)}`, at: app })],
  ['loopback on to https', () => ({ redirectUri: `${own}/to/${encodeURIComponent(web)}`, at: web })],
  ['straight to an app', () => ({ redirectUri: 'com.example.app:/done', at: 'com.example.app:/done' })],
]

for (const [name, hopOf] of hops) {
  describe(`a client whose answer goes ${name}`, () => {
    const authorizeUrl = async (more: Record<string, string> = {}) => {
      const { redirectUri } = hopOf()
      const { client } = await site.g.clients.create({ name: 'Traveller', redirectUris: [redirectUri] })
      return site.authorizeUrl(makePkce(), { client_id: client.id, redirect_uri: redirectUri, ...more })
    }
    const press = (page: Page, button: string) =>
      page.getByRole('button', { name: button, exact: true }).click()

    test('RFC 6749 §4.1.2: after Allow, Deny and a sign-in the person arrives', async () => {
      const { at } = hopOf()
      const tab = await openTab()
      const { page, context } = tab
      const login = await signUp(page)
      const url = await authorizeUrl()
      await page.goto(url)
      await arrives(tab, at, () => press(page, 'Allow'))
      // A page that opened an app stays where it is; the second click opens it again.
      const before = tab.sent.at(-1)
      if (name === 'straight to an app') {
        await arrives(tab, at, () => press(page, 'Allow'))
        assert.equal(tab.sent.at(-1), before)
        assert.equal(tab.sent.filter((url) => url === before).length, 2)
      }
      await page.goto(`${url}&prompt=consent`)
      await arrives(tab, at, () => press(page, 'Deny'))
      // Consent is on record: the form of the sign-in page leads all the way.
      await context.clearCookies()
      await page.goto(url)
      await arrives(tab, at, () => signIn(page, login))
      await context.close()
    })

    test('RFC 6749 §4.1.2: with the account made on the way there, too', async () => {
      const { at } = hopOf()
      const tab = await openTab()
      const { page, context } = tab
      await page.goto(await authorizeUrl())
      await page.getByRole('link', { name: 'Create an account' }).click()
      await page.getByLabel('Your name').fill('Ann Example')
      await page.getByLabel('Email or username').fill(`arriving${++people}@example.com`)
      await page.getByLabel('Password').fill('correct horse battery staple')
      await press(page, 'Create account')
      await arrives(tab, at, () => press(page, 'Allow'))
      await context.close()
    })

    test('RP-Initiated Logout §3: after signing out for a client', async () => {
      const { redirectUri, at } = hopOf()
      const tab = await openTab()
      const { page, context } = tab
      const { client } = await site.g.clients.create({
        name: 'Traveller',
        redirectUris: [redirectUri],
        postLogoutRedirectUris: [redirectUri],
      })
      await signUp(page)
      const query = new URLSearchParams({ client_id: client.id, post_logout_redirect_uri: redirectUri })
      await page.goto(`${site.issuer}/oauth/logout?${query}`)
      await arrives(tab, at, () => press(page, 'Sign out'))
      await context.close()
    })

    if (name === 'straight to an app') return
    test('Form Post Response Mode §2: with the answer in a form', async () => {
      const { at } = hopOf()
      const tab = await openTab()
      const { page, context } = tab
      await signUp(page)
      await page.goto(await authorizeUrl({ response_mode: 'form_post' }))
      await arrives(tab, at, () => press(page, 'Allow'))
      await context.close()
    })
  })
}
