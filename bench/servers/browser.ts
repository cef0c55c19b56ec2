// Just enough of a browser to sign up and consent through the real pages: cookies, redirects, the first form.

const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", '#x27': "'" }
const decoded = (text: string) =>
  text.replace(/&(\w+|#\w+);/g, (whole, name: string) => entities[name] ?? whole)

function attributes(tag: string): Record<string, string> {
  const found = [...tag.matchAll(/([\w-]+)(?:="([^"]*)")?/g)].slice(1)
  return Object.fromEntries(found.map(([, name, value]) => [name!, decoded(value ?? '')]))
}

export type Page = { url: string; status: number; html: string }

/** A person's browser, knowing one origin. */
export class Browser {
  readonly #cookies: Map<string, string>
  readonly #stopAt: string

  /** `stopAt` is the start of the URL that ends a walk, because it belongs to another site. */
  constructor(stopAt: string, cookies: Record<string, string> = {}) {
    this.#stopAt = stopAt
    this.#cookies = new Map(Object.entries(cookies))
  }

  get cookieHeader(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  /** Follows redirects to a page, or to undefined once they lead to `stopAt`. */
  async open(url: string, init: RequestInit = {}): Promise<Page | undefined> {
    let next: RequestInit = init
    for (let at = url, hops = 0; hops < 10; hops += 1) {
      const headers = {
        cookie: this.cookieHeader,
        origin: new URL(at).origin,
        'sec-fetch-site': 'same-origin',
      }
      const response = await fetch(at, {
        ...next,
        redirect: 'manual',
        headers: { ...headers, ...next.headers },
      })
      const html = await response.text()
      for (const line of response.headers.getSetCookie()) this.#keep(line)
      const location = response.headers.get('location')
      if (location === null) return { url: at, status: response.status, html }
      if (location.startsWith(this.#stopAt)) return undefined
      at = new URL(location, at).href
      next = {}
    }
    throw new Error(`too many redirects from ${url}`)
  }

  /** Posts the page's first form with its hidden fields and the given ones. */
  async submit(page: Page, fields: Record<string, string>): Promise<Page | undefined> {
    const form = /<form[^>]*method="post"[\s\S]*?<\/form>/i.exec(page.html)?.[0]
    if (!form) throw new Error(`no form on ${page.url} (${page.status})`)
    const { action = page.url } = attributes(/<form[^>]*>/i.exec(form)![0])
    const body = new URLSearchParams()
    for (const [tag] of form.matchAll(/<input[^>]*>/gi)) {
      const { type, name, value = '' } = attributes(tag)
      if (type === 'hidden' && name) body.append(name, value)
    }
    for (const [name, value] of Object.entries(fields)) body.set(name, value)
    return this.open(new URL(action, page.url).href, { method: 'POST', body })
  }

  /** The address of the first link whose address contains `part`. */
  link(page: Page, part: string): string {
    const found = [...page.html.matchAll(/<a[^>]*href="([^"]*)"/gi)].find(([, href]) => href!.includes(part))
    if (!found) throw new Error(`no link with ${part} on ${page.url} (${page.status})`)
    return new URL(decoded(found[1]!), page.url).href
  }

  #keep(line: string) {
    const [pair = '', ...rest] = line.split('; ')
    const [name = '', value = ''] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]
    if (value === '' || rest.some((part) => /^max-age=0$/i.test(part))) this.#cookies.delete(name)
    else this.#cookies.set(name, value)
  }
}
