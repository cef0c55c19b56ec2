import type { ClientInput } from '../../oauth/clients/client-input.ts'
import { type Member, optionMembers } from '../../oauth/clients/members/members.ts'
import { type Call, type Option, wholeNumber } from '../command.ts'
import { Usage } from '../failures.ts'

/** An option for each member of a client that has one. */
export const memberOptions: Record<string, Option> = Object.fromEntries(
  optionMembers.map(([, { form, option }]) => {
    const [name, value, text] = option!
    const multiple = form.kind === 'list' || form.kind === 'words' ? { multiple: true as const } : {}
    return [name, { type: 'string', value, text, ...multiple }]
  }),
)

/** What the options say about a client, and nothing they do not. Throws `Usage`. */
export function readMembers(call: Call): Partial<ClientInput> {
  const read = optionMembers.map(([name, { form, option }]) => [
    name,
    readOption(call, option![0], form.kind),
  ])
  return Object.fromEntries(read.filter(([, value]) => value !== undefined))
}

function readOption(call: Call, name: string, kind: Member['form']['kind']): unknown {
  switch (kind) {
    case 'list':
      return call.list(name)
    case 'words':
      return call.list(name)?.flatMap((one) => one.split(/\s+/))
    case 'flag':
      return trueOrFalse(name, call.option(name))
    case 'seconds':
      return wholeNumber(call, name, 0, 366 * 86_400)
    case 'count':
      return wholeNumber(call, name, 0, 1_000_000_000)
    default:
      return call.option(name)
  }
}

function trueOrFalse(name: string, value: string | undefined): boolean | undefined {
  if (value === undefined) return undefined
  if (value !== 'true' && value !== 'false')
    throw new Usage(`--${name}: ${value} was given; allowed: true, false`)
  return value === 'true'
}
