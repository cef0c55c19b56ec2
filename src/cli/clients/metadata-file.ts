import { readFileSync } from 'node:fs'
import { parseJson } from '../../crypto/bounded-json.ts'
import type { ClientInput } from '../../oauth/clients/client-input.ts'
import { columnMembers, registeredMembers } from '../../oauth/clients/members/members.ts'
import { Failure } from '../failures.ts'

/** Client metadata in the words of RFC 7591, as a client's developer hands it over; `-` reads standard input. */
export function readMetadataFile(file: string): Partial<ClientInput> {
  const metadata = readObject(file)
  const input: Record<string, unknown> = {}
  for (const [member, value] of Object.entries(metadata)) {
    const name = nameOf(member)
    if (name === undefined) throw new Failure(`${file}: ${member} is no client metadata that is known here`)
    input[name] = value
  }
  if (typeof input['scope'] === 'string') input['scope'] = input['scope'].split(' ').filter(Boolean)
  return input as Partial<ClientInput>
}

/** What a client may say of itself, and what it is registered with. */
function nameOf(wire: string): string | undefined {
  const own = columnMembers.filter(([, { self }]) => self)
  return [...own, ...registeredMembers].find(([, member]) => member.wire === wire)?.[0]
}

function readObject(file: string): Record<string, unknown> {
  let value: unknown
  try {
    value = parseJson(readFileSync(file === '-' ? 0 : file, 'utf8'))
  } catch (error) {
    throw new Failure(`${file} cannot be read as JSON: ${(error as Error).message}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Failure(`${file} holds no JSON object`)
  return value as Record<string, unknown>
}
