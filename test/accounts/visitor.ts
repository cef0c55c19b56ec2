// A browser without a window: keeps cookies, finds forms, posts them as they were shown.

import assert from 'node:assert/strict'
import { formText, type TestServer } from '../support/gatehouse.ts'

export interface Shown {
  status: number
  headers: Headers
  html: string
  location: string | null
}

export interface Visitor {
  cookies: Map<string, string>
  get(path: string): Promise<Shown>
  /** Posts fields as they are given. */
  post(path: string, fields: Record<string, string>): Promise<Shown>
  /** Posts the page's form for `action` with its hidden fields and what a person enters. */
  submit(page: Shown, action: string, fields?: Record<string, string>): Promise<Shown>
  signUp(fields?: Partial<typeof ann>, returnTo?: string): Promise<Shown>
  signIn(fields?: { login?: string; password?: string }, returnTo?: string): Promise<Shown>
}

export const ann = { name: 'Ann Example', login: 'ann@example.com', password: 'correct horse battery staple' }

export function visit(server: TestServer, address = '203.0.113.7', base = ''): Visitor {
  const cookies = new Map<string, string>()
  const send = async (path: string, init: RequestInit): Promise<Shown> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await server.request(path, { ...init, cookie, address })
    for (const one of answer.headers.getSetCookie()) {
      const [name, value] = one.split(';')[0]!.split(/=(.*)/s) as [string, string]
      if (/max-age=0\b/i.test(one)) cookies.delete(name)
      else cookies.set(name, value)
    }
    return {
      status: answer.status,
      headers: answer.headers,
      html: await answer.text(),
      location: answer.headers.get('location'),
    }
  }
  const get: Visitor['get'] = (path) => send(path, {})
  const post: Visitor['post'] = (path, fields) =>
    send(path, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'user-agent': 'a test' },
      body: formText(fields),
    })
  const submit: Visitor['submit'] = (page, action, fields = {}) =>
    post(action, { ...hiddenFields(page.html, action), ...fields })
  const query = (returnTo?: string) =>
    returnTo === undefined ? '' : `?${new URLSearchParams({ return_to: returnTo })}`
  return {
    cookies,
    get,
    post,
    submit,
    async signUp(fields = {}, returnTo) {
      const page = await get(`${base}/sign-up${query(returnTo)}`)
      return submit(page, `${base}/sign-up`, { ...ann, ...fields })
    },
    async signIn({ login = ann.login, password = ann.password } = {}, returnTo) {
      const page = await get(`${base}/sign-in${query(returnTo)}`)
      return submit(page, `${base}/sign-in`, { login, password })
    },
  }
}

/** Hidden fields of the first form that posts to `action`. */
export function hiddenFields(html: string, action: string): Record<string, string> {
  const form = html.split('<form ').find((one) => one.startsWith(`method="post" action="${action}"`))
  assert.ok(form, `a form for ${action} on ${html.slice(0, 4000)}`)
  const fields = form.split('</form>')[0]!.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)
  return Object.fromEntries([...fields].map(([, name, value]) => [name!, value!.replaceAll('&amp;', '&')]))
}
