import type { Report, Result } from './run.ts'

const words: Record<Result['result'], string> = {
  held: 'held',
  fell_short: 'fell short',
  not_applicable: 'not applicable',
  not_shown: 'not shown',
}

/** One rule in one line; under it what fell short, with request and answer. */
export function sayResult(result: Result): string {
  const { id, section, title, reason, accepts, notes = [], findings = [] } = result
  const line = `${id.padEnd(5)} ${words[result.result].padEnd(15)} ${section}: ${title}`
  const under = [
    ...(reason === undefined ? [] : [reason]),
    ...notes.map((note) => `note: ${note}`),
    ...(accepts !== undefined && findings.length > 0 ? [`accepted as well: ${accepts}`] : []),
    ...findings.flatMap(sayFinding),
  ]
  return [line, ...under.map((text) => `      ${text}`)].map(printable).join('\n')
}

export function saySummary({ issuer, requests, complete, summary }: Report): string {
  const counts = `${summary.held} held, ${summary.fell_short} fell short, ${summary.not_applicable} not applicable, ${summary.not_shown} not shown`
  const part = complete ? '' : ' Not every rule could be tried; the reasons stand beside them.'
  return `${issuer}: ${counts}, in ${requests} requests.${part}`
}

/** 0 when every rule held or does not apply, 1 when something fell short, 2 when a limit kept rules from being tried, 3 when some are not shown. */
export function exitCode({ complete, summary }: Report): number {
  if (summary.fell_short > 0) return 1
  if (!complete) return 2
  return summary.not_shown > 0 ? 3 : 0
}

function sayFinding({ what, request, answer }: NonNullable<Result['findings']>[number]): string[] {
  const headers = (all: Record<string, string | string[]>) =>
    Object.entries(all).flatMap(([name, values]) => [values].flat().map((value) => `    ${name}: ${value}`))
  return [
    what,
    `  ${request.method} ${request.url}`,
    ...headers(request.headers),
    ...(request.body === undefined ? [] : [`    ${request.body}`]),
    `  ${answer.status === 0 ? 'no answer' : answer.status}`,
    ...headers(answer.headers),
    ...(answer.body === undefined ? [] : [`    ${answer.body}`]),
  ]
}

/** What came from outside cannot steer the terminal. */
function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, '·')
}
