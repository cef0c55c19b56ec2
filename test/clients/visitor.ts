// A browser as far as the flows need one: cookies, redirects, forms without JavaScript. Over real HTTP.

import assert from 'node:assert/strict'

/** A page the visitor stands on. */
export interface Page {
  url: string
  status: number
  html: string
}

/** Where the browser was sent outside the site: the answer to the client. */
export interface Left {
  to: URL
}

export class Visitor {
  readonly #cookies = new Map<string, string>()
  readonly #origin: string
  /** Every consent page that was shown. */
  readonly consents: string[] = []

  constructor(origin: string) {
    this.#origin = origin
  }

  /** Follows redirects until a page comes or the site is left. */
  async open(url: string | URL, init: RequestInit = {}): Promise<Page | Left> {
    let next = new URL(url)
    let request = init
    for (let hops = 0; hops < 10; hops++) {
      if (next.origin !== this.#origin) return { to: next }
      const response = await fetch(next, {
        ...request,
        redirect: 'manual',
        headers: { ...(request.headers as Record<string, string>), cookie: this.#cookieHeader() },
      })
      this.#remember(response)
      const location = response.headers.get('location')
      if (location === null) return { url: next.href, status: response.status, html: await response.text() }
      await response.body?.cancel()
      next = new URL(location, next)
      request = {}
    }
    throw new Error(`redirected in circles, last to ${next}`)
  }

  /** Sends the form of a page, with its hidden fields and what the visitor adds. */
  submit(page: Page, fields: Record<string, string>, form = formOf(page)): Promise<Page | Left> {
    return this.open(new URL(form.action ?? page.url, page.url), {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', origin: this.#origin },
      body: new URLSearchParams({ ...form.hidden, ...fields }).toString(),
    })
  }

  /** Goes through an authorization: signs in where asked, allows what is asked. Answers where the client hears of it. */
  async authorize(url: string | URL, name = 'Alice'): Promise<URL | Page> {
    let at = await this.open(url)
    for (let pages = 0; !('to' in at) && pages < 5; pages++) {
      if (/name="decision"/.test(at.html)) {
        this.consents.push(at.html)
        at = await this.submit(at, { decision: 'allow' })
      } else if (/<input name="name"/.test(at.html)) at = await this.submit(at, { name })
      else return at
    }
    assert.ok('to' in at, 'the browser is sent back to the client')
    return at.to
  }

  #cookieHeader(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  #remember(response: Response): void {
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)!
      if (/max-age=0/i.test(cookie)) this.#cookies.delete(name!)
      else this.#cookies.set(name!, value!)
    }
  }
}

export interface Form {
  action: string | undefined
  hidden: Record<string, string>
}

/** The forms of a page, in their order. */
export function formsOf(html: string): Form[] {
  return [...html.matchAll(/<form\b[^>]*>[\s\S]*?<\/form>/g)].map(([markup]) => ({
    action: unescaped(/^<form\b[^>]*\baction="([^"]*)"/.exec(markup)?.[1]),
    hidden: Object.fromEntries(
      [...markup.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)].map((field) => [
        field[1]!,
        unescaped(field[2])!,
      ]),
    ),
  }))
}

function formOf(page: Page): Form {
  const [form] = formsOf(page.html)
  assert.ok(form, `a form on ${page.url}`)
  return form
}

function unescaped(text: string | undefined): string | undefined {
  return text
    ?.replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&amp;', '&')
}
