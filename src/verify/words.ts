import type { Outcome } from './front-channel.ts'
import type { Answer } from './wire.ts'

/** What came, in a few words and without secrets. */
export function sayAnswer({ status, json, text }: Answer): string {
  if (status === 0) return text
  const { error, error_description: words } = json
  return [status, error, words].filter((one) => typeof one === 'string' || typeof one === 'number').join(' ')
}

export function sayOutcome({ left, pushed, page, stuck, answer }: Outcome): string {
  if (pushed) return sayAnswer(pushed)
  if (stuck !== undefined) return `the sign-in ended: ${stuck}`
  if (!left) return `a page came with status ${answer.status}${page?.title ? `, “${page.title}”` : ''}`
  const error = left.parameters.get('error')
  return error === null ? 'the client got an answer' : `the client got the error ${error}`
}
