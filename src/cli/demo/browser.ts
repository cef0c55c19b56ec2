import { openBrowser as openPages, type Page } from '../../verify/browser.ts'
import type { Answer, Outgoing } from '../../verify/wire.ts'

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

export function openBrowser(send: typeof fetch, until: string): DemoBrowser {
  const pages = openPages({
    wire: { send: (request) => answerTo(send, request), isOwn: () => true },
    jar: { cookies: new Map() },
    stops: (url) => url.href.startsWith(until),
  })
  const read = new WeakMap<OpenPage, Page>()

  function shown(page: Page): OpenPage {
    const { url, status, text: html, left } = page
    const open: OpenPage = { url, status, html, ...(left === undefined ? {} : { leaves: left.url }) }
    read.set(open, page)
    return open
  }

  return {
    open: async (url) => shown(await pages.open(url)),
    async follow(page, part) {
      const link = read.get(page)?.links.find(({ url }) => url.includes(part))
      if (!link) throw new Error(`no link to ${part} on ${page.url}`)
      return shown(await pages.open(link.url))
    },
    async submit(page, fields) {
      const form = read.get(page)?.forms.find(({ method }) => method === 'POST')
      if (!form) throw new Error(`no form on ${page.url}`)
      return shown(await pages.submit(form, fields))
    },
  }
}

async function answerTo(send: typeof fetch, request: Outgoing): Promise<Answer> {
  const { url, method, body } = request
  const headers = { ...(request.headers as Record<string, string>), 'user-agent': 'Gatehouse demonstration' }
  const answer = await send(url, {
    method,
    headers,
    redirect: 'manual',
    ...(body === undefined ? {} : { body }),
  })
  return { status: answer.status, headers: answer.headers, text: await answer.text(), json: {}, request }
}
