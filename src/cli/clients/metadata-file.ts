import { readFileSync } from 'node:fs'
import { parseJson } from '../../crypto/bounded-json.ts'
import type { ClientInput } from '../../oauth/clients/client-input.ts'
import { fromWire } from '../../oauth/clients/client-metadata.ts'
import { Failure } from '../failures.ts'

/** Metadata that every client has, by its name in RFC 7591 §2. */
const common: Readonly<Record<string, keyof ClientInput>> = {
  client_name: 'name',
  token_endpoint_auth_method: 'tokenEndpointAuthMethod',
  redirect_uris: 'redirectUris',
  grant_types: 'grantTypes',
  scope: 'scope',
  jwks: 'jwks',
  jwks_uri: 'jwksUri',
  logo_uri: 'logoUri',
  client_uri: 'clientUri',
  policy_uri: 'policyUri',
  tos_uri: 'tosUri',
}

/** Client metadata in the words of RFC 7591, as a client's developer hands it over; `-` reads standard input. */
export function readMetadataFile(file: string): Partial<ClientInput> {
  const metadata = readObject(file)
  const input: Record<string, unknown> = { ...fromWire(metadata) }
  for (const [member, value] of Object.entries(metadata)) {
    const name = common[member]
    if (name !== undefined) input[name] = value
    else if (Object.keys(fromWire({ [member]: value })).length === 0)
      throw new Failure(`${file}: ${member} is no client metadata that is known here`)
  }
  if (typeof input['scope'] === 'string') input['scope'] = input['scope'].split(' ').filter(Boolean)
  return input as Partial<ClientInput>
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
