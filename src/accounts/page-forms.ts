import { type Browser, browserOf, formToken, formTokenIsValid } from '../http/csrf.ts'
import { type Form, parseForm } from '../http/forms.ts'
import { type Answer, BodyTooLarge, type Incoming } from '../http/message.ts'
import type { Refusal as AnyRefusal } from '../http/refusal.ts'
import type { Route } from '../http/route.ts'
import { answerRefusal } from '../pages/error.ts'
import { answerPage, type Page } from '../pages/page.ts'
import { plainSentence } from '../pages/sentences.ts'
import type { AccountsContext } from './account.ts'
import { type Refusal, refuse, sentences } from './refusals.ts'

const bodyLimit = 64 * 1024

/** A form that was posted to one of our pages. */
export interface Posted {
  form: Form
  /** Whether it was shown to this very browser for this very purpose. */
  ours(purpose: string): boolean
}

/** Reads a posted form. */
export async function readPosted(context: AccountsContext, request: Incoming): Promise<Posted | Refusal> {
  let text: string
  try {
    text = await request.text(bodyLimit)
  } catch (error) {
    if (error instanceof BodyTooLarge) return refuse('body_too_large')
    throw error
  }
  const form = parseForm(text)
  if (!form) return refuse('malformed_form')
  if (form.repeated.length > 0) return refuse('repeated_parameter')
  const { secrets, settings } = context
  return {
    form,
    ours: (purpose) => formTokenIsValid(secrets, request, settings, purpose, form.get('form_token')),
  }
}

/** Shows a page with forms: `make` gets what makes a form token for this browser. */
export function showForms(
  context: AccountsContext,
  request: Incoming,
  make: (token: (purpose: string) => string) => Page,
  more: { status?: number; retryAfter?: number } = {},
): Answer {
  const browser: Browser = browserOf(request, context.settings)
  const page = make((purpose) => formToken(context.secrets, browser, purpose))
  return answerPage(more.status === undefined ? page : { ...page, status: more.status }, {
    ...(browser.setCookie === undefined ? {} : { 'set-cookie': browser.setCookie }),
    ...(more.retryAfter === undefined ? {} : { 'retry-after': String(more.retryAfter) }),
  })
}

type Run = (request: Incoming) => Promise<Answer | Refusal>

/** A page at `path`, and what it does by method. */
export function pageRoute(
  context: AccountsContext,
  path: string,
  { GET, POST }: { GET?: Run; POST?: Run },
): Route {
  return {
    path,
    methods: [...(GET ? ['GET', 'HEAD'] : []), ...(POST ? ['POST'] : [])],
    run: (request) => (request.method === 'POST' ? POST! : GET!)(request),
    refused: (_, refusal) => refusalPage(context, refusal),
  }
}

/** A refusal in the words of our pages. */
export function refusalPage(context: AccountsContext, refusal: AnyRefusal): Answer {
  const frame = context.frame()
  const said = sentences[refusal.refusal]
  if (!said) return answerRefusal(frame, refusal)
  const again = refusal.again?.slice(context.settings.origin.length)
  return answerRefusal(frame, refusal, {
    title: plainSentence(frame, said.title),
    message: plainSentence(frame, said.message),
    code: undefined,
    links: again === undefined ? [] : [{ href: again, text: plainSentence(frame, said.again) }],
  })
}
