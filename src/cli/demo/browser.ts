/** A page as a browser without scripts holds it. */
export interface OpenPage {
  url: string
  status: number
  html: string
  /** Where the browser would go on to outside the server; absent on a page. */
  leaves?: string
}

/** A small browser: cookies, redirects, links and forms, over real HTTP. It stops where a redirect begins with `until`. */
export interface DemoBrowser {
  open(url: string): Promise<OpenPage>
  /** Follows the first link whose address contains `part`. */
  follow(page: OpenPage, part: string): Promise<OpenPage>
  /** Sends the first form of the page with its hidden fields and these. */
  submit(page: OpenPage, fields: Record<string, string>): Promise<OpenPage>
}

const mostRedirects = 10

export function openBrowser(send: typeof fetch, until: string): DemoBrowser {
  const cookies = new Map<string, string>()

  async function go(address: string, init: RequestInit = {}): Promise<OpenPage> {
    let url = address
    let request = init
    for (let hop = 0; hop < mostRedirects; hop++) {
      const response = await send(url, {
        ...request,
        redirect: 'manual',
        headers: {
          ...(request.headers as Record<string, string>),
          'user-agent': 'Gatehouse demonstration',
          cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
        },
      })
      keep(response.headers.getSetCookie())
      const location = response.headers.get('location')
      if (location === null) return { url, status: response.status, html: await response.text() }
      await response.body?.cancel()
      url = new URL(location, url).href
      if (url.startsWith(until)) return { url, status: response.status, html: '', leaves: url }
      request = {}
    }
    throw new Error('too many redirects')
  }

  function keep(set: string[]) {
    for (const one of set) {
      const [, name, value] = /^([^=;]+)=([^;]*)/.exec(one) ?? []
      if (name === undefined) continue
      if (/;\s*max-age=0\b/i.test(one)) cookies.delete(name)
      else cookies.set(name, value!)
    }
  }

  return {
    open: (url) => go(url),
    follow(page, part) {
      const links = [...page.html.matchAll(/<a\b[^>]*\bhref="([^"]*)"/g)].map((match) => plain(match[1]!))
      const link = links.find((one) => one.includes(part))
      if (link === undefined) throw new Error(`no link to ${part} on ${page.url}`)
      return go(new URL(link, page.url).href)
    },
    submit(page, fields) {
      const form = /<form\b[^>]*\bmethod="post"[^>]*\baction="([^"]*)"[^>]*>([\s\S]*?)<\/form>/.exec(
        page.html,
      )
      if (!form) throw new Error(`no form on ${page.url}`)
      const hidden = [...form[2]!.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)]
      const body = new URLSearchParams(hidden.map((match) => [plain(match[1]!), plain(match[2]!)]))
      for (const [name, value] of Object.entries(fields)) body.set(name, value)
      return go(new URL(plain(form[1]!), page.url).href, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: body.toString(),
      })
    },
  }
}

/** The text of an attribute. */
function plain(markup: string): string {
  const characters: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", '#96': '`' }
  return markup.replace(/&(amp|lt|gt|quot|#39|#96);/g, (_, name: string) => characters[name]!)
}
