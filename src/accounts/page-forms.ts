import { type Browser, browserOf, formToken, formTokenIsValid } from '../http/csrf.ts'
import { type Form, parseForm } from '../http/forms.ts'
import { type Answer, BodyTooLarge, type Incoming } from '../http/message.ts'
import { errorPage } from '../pages/error.ts'
import { answerPage, type Page } from '../pages/page.ts'
import { sayPlain } from '../pages/say.ts'
import type { AccountsHouse } from './account.ts'

const bodyLimit = 64 * 1024

/** A form that was posted to one of our pages. */
export interface Posted {
  form: Form
  /** Whether it was shown to this very browser for this very purpose. */
  ours(purpose: string): boolean
}

/** Reads a posted form, or answers why it cannot be read. */
export async function readPosted(house: AccountsHouse, request: Incoming): Promise<Posted | Answer> {
  let text: string
  try {
    text = await request.text(bodyLimit)
  } catch (error) {
    if (error instanceof BodyTooLarge) return errorAnswer(house, 413, 'form.too_large')
    throw error
  }
  const form = parseForm(text)
  if (!form || form.repeated.length > 0) return errorAnswer(house, 400, 'form.malformed')
  const { secrets, settings } = house
  return {
    form,
    ours: (purpose) => formTokenIsValid(secrets, request, settings, purpose, form.get('form_token')),
  }
}

/** Shows a page with forms: `make` gets what makes a form token for this browser. */
export function showForms(
  house: AccountsHouse,
  request: Incoming,
  make: (token: (purpose: string) => string) => Page,
  more: { status?: number; retryAfter?: number } = {},
): Answer {
  const browser: Browser = browserOf(request, house.settings)
  const page = make((purpose) => formToken(house.secrets, browser, purpose))
  return answerPage(more.status === undefined ? page : { ...page, status: more.status }, {
    ...(browser.setCookie === undefined ? {} : { 'set-cookie': browser.setCookie }),
    ...(more.retryAfter === undefined ? {} : { 'retry-after': String(more.retryAfter) }),
  })
}

export function errorAnswer(
  house: AccountsHouse,
  status: number,
  text:
    | 'form.too_large'
    | 'form.malformed'
    | 'form.expired'
    | 'form.method'
    | 'sign_in.disabled'
    | 'sign_in.too_many'
    | 'development.elsewhere'
    | 'openid.unknown'
    | 'openid.failed',
  headers?: Answer['headers'],
  /** A path of ours at which the person can try again. */
  again?: string,
): Answer {
  const frame = house.frame()
  const title = sayPlain(frame, 'form.error_title')
  const links = again === undefined ? [] : [{ href: again, text: sayPlain(frame, 'error.again') }]
  return answerPage(errorPage(frame, { status, title, message: sayPlain(frame, text), links }), headers)
}

/** Chooses by method what a page does. */
export function pageMethods(
  house: AccountsHouse,
  methods: { GET?: (request: Incoming) => Promise<Answer>; POST?: (request: Incoming) => Promise<Answer> },
): (request: Incoming) => Promise<Answer> {
  return async (request) => {
    const method = request.method === 'HEAD' ? 'GET' : request.method
    const run = method === 'GET' || method === 'POST' ? methods[method] : undefined
    if (run) return run(request)
    const allow = Object.keys(methods).flatMap((one) => (one === 'GET' ? ['GET', 'HEAD'] : [one]))
    return errorAnswer(house, 405, 'form.method', { allow: allow.join(', ') })
  }
}
