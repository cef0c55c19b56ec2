// RFC 8707 §2, §2.1, §2.2: which APIs a token is for. Spellings with and without trailing slash are different resources.

import { isResourceUri } from '../config.ts'
import { toldUrl } from '../log.ts'
import { type Refusal, refuse } from './refusals.ts'

/** What an authorization or client-credentials request asks for; the default audience when it names none. */
export function requestedResources(
  asked: readonly string[],
  known: { resources: Record<string, unknown>; issuer: string; defaultResource: string },
  allowed: readonly string[],
): string[] | Refusal {
  const available = allowed.length > 0 ? allowed : [...Object.keys(known.resources), known.issuer]
  if (asked.length === 0) {
    return [available.includes(known.defaultResource) ? known.defaultResource : available[0]!]
  }
  for (const resource of asked) {
    if (!isResourceUri(resource)) return refuse('resource_malformed')
    if (resource !== known.issuer && !Object.hasOwn(known.resources, resource)) {
      return unknown(resource, Object.keys(known.resources))
    }
    if (!available.includes(resource)) return refuse('resource_not_allowed', { resource })
  }
  return [...new Set(asked)]
}

/** What a token request narrows a grant to: a subset, everything the client may have now when it names none. */
export function narrowedResources(
  asked: readonly string[],
  granted: readonly string[],
  allowed: readonly string[],
): string[] | Refusal {
  const may = (resource: string) => allowed.length === 0 || allowed.includes(resource)
  if (asked.length === 0) {
    const left = granted.filter(may)
    return left.length === 0 && granted.length > 0
      ? refuse('resource_not_allowed', { resource: granted[0] })
      : left
  }
  for (const resource of asked) {
    if (!isResourceUri(resource)) return refuse('resource_malformed')
    if (!granted.includes(resource)) return refuse('resource_exceeded', { resource: toldUrl(resource) })
    if (!may(resource)) return refuse('resource_not_allowed', { resource })
  }
  return [...new Set(asked)]
}

/** A near miss of a trailing slash is named: clients send what their user typed. */
function unknown(resource: string, known: readonly string[]): Refusal {
  const twin = resource.endsWith('/') ? resource.slice(0, -1) : `${resource}/`
  return known.includes(twin)
    ? refuse(
        'resource_unknown',
        { resource: toldUrl(resource) },
        { description: `The resource is not known here; did you mean ${twin}` },
      )
    : refuse('resource_unknown', { resource: toldUrl(resource) })
}
