// RFC 8707 §2, §2.1, §2.2; RFC 3986 §6.2.3: which APIs a token is for. `https://api.example.com` and `https://api.example.com/`
// are one; below a path, spellings with and without trailing slash are different resources.

import { toldUrl } from '../log.ts'
import { isResourceUri } from '../oauth/config/resources.ts'
import { type Refusal, refuse } from './refusals.ts'

/** Of one request; they end up in rows and in tokens. */
const mostResources = 20

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
  if (asked.length > mostResources) return refuse('resource_malformed', { count: asked.length })
  const all = [...Object.keys(known.resources), known.issuer]
  const found: string[] = []
  for (const given of asked) {
    if (!isResourceUri(given)) return refuse('resource_malformed')
    const resource = spelledAs(given, all)
    if (!all.includes(resource)) return unknown(resource, Object.keys(known.resources))
    if (!available.includes(resource)) return refuse('resource_not_allowed', { resource })
    found.push(resource)
  }
  return [...new Set(found)]
}

/** The spelling among the known ones: an empty path and `/` are the same (RFC 3986 §6.2.3). Others stay as they are. */
export function spelledAs(resource: string, known: readonly string[]): string {
  if (known.includes(resource)) return resource
  const twin = twinOf(resource)
  const { pathname, search } = new URL(resource)
  return pathname === '/' && search === '' && known.includes(twin) ? twin : resource
}

function twinOf(resource: string): string {
  return resource.endsWith('/') ? resource.slice(0, -1) : `${resource}/`
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
  const found: string[] = []
  for (const given of asked) {
    if (!isResourceUri(given)) return refuse('resource_malformed')
    const resource = spelledAs(given, granted)
    if (!granted.includes(resource)) return refuse('resource_exceeded', { resource: toldUrl(resource) })
    if (!may(resource)) return refuse('resource_not_allowed', { resource })
    found.push(resource)
  }
  return [...new Set(found)]
}

/** A near miss of a trailing slash is named: clients send what their user typed. */
function unknown(resource: string, known: readonly string[]): Refusal {
  const twin = twinOf(resource)
  return known.includes(twin)
    ? refuse(
        'resource_unknown',
        { resource: toldUrl(resource) },
        { description: `The resource is not known here; did you mean ${twin}` },
      )
    : refuse('resource_unknown', { resource: toldUrl(resource) })
}
