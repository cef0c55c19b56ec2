// RFC 6749 §3.1, §3.2; RFC 7591 §3.1: what a request brings, read up to a limit.

import { type Form, parseForm } from '../http/forms.ts'
import { BodyTooLarge, type Incoming } from '../http/message.ts'
import { isRefusal, type Refusal, refuse } from './refusals.ts'

/** Bytes that may be posted to a page. */
const pageLimit = 64 * 1024

/** The whole body, of at most `limit` bytes. */
export async function readBody(request: Incoming, limit: number): Promise<string | Refusal> {
  try {
    return await request.text(limit)
  } catch (error) {
    if (error instanceof BodyTooLarge) return refuse('body_too_large')
    throw error
  }
}

/** Parameters of a page: those of its address, or of the form that was posted to it. Some may stand there twice. */
export async function readPageParameters(request: Incoming): Promise<Form | Refusal> {
  const text = request.method === 'POST' ? await readBody(request, pageLimit) : request.search
  return isRefusal(text) ? text : (parseForm(text) ?? refuse('malformed_form'))
}

/** The same, with nothing twice but what `mayRepeat` names. */
export async function readPageForm(
  request: Incoming,
  mayRepeat: readonly string[] = [],
): Promise<Form | Refusal> {
  const form = await readPageParameters(request)
  if (isRefusal(form)) return form
  return form.repeated.every((name) => mayRepeat.includes(name)) ? form : refuse('malformed_form')
}
