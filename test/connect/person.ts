// A person with a browser that keeps cookies as browsers do, and goes wherever a redirect leads, over real HTTP and TLS.

import assert from 'node:assert/strict'
import { type Browser, openBrowser, type Page } from '../../src/verify/browser.ts'

const login = 'ada@example.com'
const password = 'a long enough password 7'

/** Who signs up. */
export const ada = { name: 'Ada Lovelace', claims: { name: 'Ada Lovelace', email: login } }

/** What the app knows of its user, by the page that shows it as JSON. */
export function claimsOf(page: Page, member?: string): Record<string, unknown> {
  assert.equal(page.status, 200, page.text)
  const shown = JSON.parse(page.text)
  const { name, email } = (member === undefined ? shown : shown?.[member]) ?? {}
  return { name, email }
}

export interface Person {
  /** Opens an address and does what the pages of the server ask: signs up or in, and allows. Answers the app's page. */
  visit(url: string): Promise<Page>
  /** Presses the only button of a page, or of the form with this action, and goes on as `visit` does. */
  press(page: Page, action?: string): Promise<Page>
  /** The pages of the server that it was shown, in turn. */
  readonly shown: string[]
  readonly browser: Browser
}

export function openPerson(issuer: string): Person {
  const shown: string[] = []
  let known = false
  const browser = openBrowser({
    wire: {
      isOwn: () => true,
      async send(request) {
        const { url, method, body } = request
        const headers = { accept: 'text/html', ...(request.headers as Record<string, string>) }
        const answer = await fetch(url, { method, headers, redirect: 'manual', ...(body && { body }) })
        return {
          status: answer.status,
          headers: answer.headers,
          text: await answer.text(),
          json: {},
          request,
        }
      },
    },
    jar: { cookies: new Map() },
    stops: () => false,
  })

  async function through(first: Page): Promise<Page> {
    let page = first
    for (let pages = 0; pages < 6 && page.url.startsWith(`${issuer}/`); pages++) {
      const { pathname } = new URL(page.url)
      assert.equal(page.status, 200, `${pathname}: ${page.text}`)
      const form = page.forms.find(({ method }) => method === 'POST')
      if (!form) return page
      const signUp = page.links.find(({ url }) => url.includes('/sign-up'))
      if (pathname.endsWith('/sign-in') && !known && signUp) {
        page = await browser.open(signUp.url)
        continue
      }
      shown.push(pathname.slice(pathname.lastIndexOf('/') + 1))
      if (pathname.endsWith('/sign-up'))
        page = await browser.submit(form, { name: ada.name, login, password })
      else if (pathname.endsWith('/sign-in')) page = await browser.submit(form, { login, password })
      else page = await browser.submit(form, { decision: 'allow' }, form.buttons[0])
      known = true
    }
    return page
  }

  return {
    shown,
    browser,
    visit: async (url) => through(await browser.open(url)),
    async press(page, action) {
      const form = page.forms.find(
        (one) => action === undefined || new URL(one.action).pathname.endsWith(action),
      )
      assert.ok(form, `a form on ${page.url}: ${page.text}`)
      return through(await browser.submit(form))
    },
  }
}
