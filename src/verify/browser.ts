import { type Button, type Form, type Link, readPage } from './html.ts'
import { type Answer, encode, type Outgoing, type Parameters, type Wire } from './wire.ts'

/** Where a browser is: on a page, or about to leave for a redirect URI. */
export interface Page {
  url: string
  status: number
  headers: Headers
  text: string
  title: string
  forms: Form[]
  links: Link[]
  /**
   * The address it would leave for, with the parameters that go there. Nothing is ever sent to it. `elsewhere`: it is no
   * redirect URI that was asked for, but no address of the server either.
   */
  left?: { url: string; parameters: URLSearchParams; how: 'redirect' | 'form_post' | 'elsewhere' }
  answer: Answer
}

/** A browser without scripts: cookies, redirects, links and forms. It stops before it would leave for a redirect URI. */
export interface Browser {
  open(url: string): Promise<Page>
  /** Sends a form with its own fields and these, by this button or by the only one it has. */
  submit(form: Form, fields?: Parameters, button?: Button): Promise<Page>
  /** Any request, with the browser's cookies; redirects are followed. */
  fetch(
    url: string,
    init?: { method?: string; headers?: Record<string, string>; body?: string },
  ): Promise<Page>
  /** Every answer it got, redirects included. */
  readonly answers: readonly Answer[]
  /** A button or a link was pressed that says no. */
  readonly denied: boolean
}

/** Cookies of one person's browser. */
export interface Jar {
  cookies: Map<string, Cookie>
}

interface Cookie {
  name: string
  value: string
  domain: string
  hostOnly: boolean
  path: string
  secure: boolean
}

export interface Visit {
  wire: Pick<Wire, 'send' | 'isOwn'>
  jar: Jar
  /** Whether an address is where the browser shall stop. */
  stops(url: URL): boolean
  /** Sees each POST before it is sent, and may send another in its place. */
  beforePost?(request: Outgoing, page: Page | undefined): Promise<Outgoing | undefined>
}

const mostRedirects = 12

export function openBrowser({ wire, jar, stops, beforePost }: Visit): Browser {
  const answers: Answer[] = []
  let denied = false
  let here: Page | undefined

  async function go(first: Outgoing): Promise<Page> {
    let request = first
    if (request.method === 'POST') request = (await beforePost?.(request, here)) ?? request
    for (let hop = 0; hop < mostRedirects; hop++) {
      const url = new URL(request.url)
      const cookie = cookiesFor(jar, url)
      const answer = await wire.send({
        ...request,
        headers: { ...request.headers, ...(cookie === '' ? {} : { cookie }) },
      })
      answers.push(answer)
      keep(jar, url, answer.headers.getSetCookie())
      const location = answer.headers.get('location')
      if (location === null || answer.status < 300 || answer.status > 399 || !URL.canParse(location, url)) {
        return (here = pageOf(answer, stops))
      }
      const target = new URL(location, url)
      if (!/^https?:$/.test(target.protocol) || stops(target)) {
        const left = { url: location, parameters: parametersOf(target), how: 'redirect' as const }
        return (here = { ...pageOf(answer, () => false), left })
      }
      if (!wire.isOwn(target)) {
        const left = { url: location, parameters: new URLSearchParams(), how: 'elsewhere' as const }
        return (here = { ...pageOf(answer, () => false), left })
      }
      const kept = answer.status === 307 || answer.status === 308
      request = kept ? { ...request, url: target.href } : { method: 'GET', url: target.href }
    }
    throw new Error(`more than ${mostRedirects} redirects after ${first.url}`)
  }

  return {
    answers,
    get denied() {
      return denied
    },
    open(url) {
      const link = here?.links.find((one) => one.url === url)
      if (link && deniesByLink(link)) denied = true
      return go({ method: 'GET', url })
    },
    fetch: (url, init = {}) => go({ method: 'GET', ...init, url }),
    submit(form, fields = {}, button = form.buttons.length === 1 ? form.buttons[0] : undefined) {
      if (button && denies(button)) denied = true
      const own = form.fields.filter((field) => !/^(checkbox|radio)$/.test(field.type) || field.checked)
      const body: Record<string, string | readonly string[] | undefined> = {}
      for (const { name, value } of own) body[name] = name in body ? [body[name]!, value].flat() : value
      if (button && button.name !== '') body[button.name] = button.value
      Object.assign(body, fields)
      if (form.method === 'GET') {
        const url = new URL(form.action)
        url.search = encode(body)
        return go({ method: 'GET', url: url.href })
      }
      return go({
        method: 'POST',
        url: form.action,
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          origin: new URL(here?.url ?? form.action).origin,
        },
        body: encode(body),
      })
    },
  }
}

const no = /\b(deny|denied|cancel|reject|decline|abort|refuse|disallow|no)\b/i

/** A button that says no. */
export const denies = (button: Button) => no.test(button.value) || no.test(button.text)
/** A link that does. */
export const deniesByLink = ({ url, text }: Link) => no.test(text) || /\/(abort|cancel|deny)\b/.test(url)

/** A page that posts itself to a redirect URI is a way to leave as well (OAuth 2.0 Form Post Response Mode §2). */
function pageOf(answer: Answer, stops: Visit['stops']): Page {
  const { url } = answer.request
  const read = readPage(answer.text, url)
  const page: Page = {
    url,
    status: answer.status,
    headers: answer.headers,
    text: answer.text,
    ...read,
    answer,
  }
  const post = read.forms.find((form) => form.method === 'POST' && stops(new URL(form.action)))
  if (!post) return page
  const parameters = new URLSearchParams(post.fields.map(({ name, value }) => [name, value]))
  return { ...page, left: { url: post.action, parameters, how: 'form_post' } }
}

/** Query and fragment alike: an answer in the fragment is an answer. */
function parametersOf(url: URL): URLSearchParams {
  const parameters = new URLSearchParams(url.search)
  for (const [name, value] of new URLSearchParams(url.hash.slice(1))) parameters.append(name, value)
  return parameters
}

function keep(jar: Jar, url: URL, lines: string[]): void {
  for (const line of lines) {
    const [pair = '', ...rest] = line.split(';').map((part) => part.trim())
    const at = pair.indexOf('=')
    if (at < 1) continue
    const attributes = new Map(
      rest.map((part) => {
        const [name = '', ...value] = part.split('=')
        return [name.toLowerCase(), value.join('=')]
      }),
    )
    const domain = attributes.get('domain')?.replace(/^\./, '').toLowerCase()
    const path = attributes.get('path')
    const cookie: Cookie = {
      name: pair.slice(0, at),
      value: pair.slice(at + 1),
      domain: domain || url.hostname,
      hostOnly: !domain,
      path: path?.startsWith('/') ? path : url.pathname.replace(/\/[^/]*$/, '') || '/',
      secure: attributes.has('secure'),
    }
    const key = `${cookie.domain} ${cookie.path} ${cookie.name}`
    const age = attributes.get('max-age')
    const expires = attributes.get('expires')
    const over =
      age === undefined ? expires !== undefined && Date.parse(expires) <= Date.now() : Number(age) <= 0
    if (over) jar.cookies.delete(key)
    else jar.cookies.set(key, cookie)
  }
}

function cookiesFor(jar: Jar, url: URL): string {
  const trusted = url.protocol === 'https:' || /^(localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname)
  return [...jar.cookies.values()]
    .filter(
      ({ domain, hostOnly, path, secure }) =>
        (url.hostname === domain || (!hostOnly && url.hostname.endsWith(`.${domain}`))) &&
        (url.pathname === path || url.pathname.startsWith(path.endsWith('/') ? path : `${path}/`)) &&
        (!secure || trusted),
    )
    .sort((a, b) => b.path.length - a.path.length)
    .map(({ name, value }) => `${name}=${value}`)
    .join('; ')
}
