// RFC 9728 §2, §3, §3.1; RFC 8705 §3; RFC 9449 §7.1: what an API says about itself, and where.

import { type Answer, type Incoming, json } from '../http/message.ts'
import { isOpenidScope } from '../oauth/config/scopes.ts'
import { proofAlgorithms } from '../protocol/dpop.ts'
import { paths } from '../protocol/paths.ts'
import { type Refusal, refuse } from '../protocol/refusals.ts'
import type { Settings } from '../settings.ts'

/** A protected resource's metadata document, in wire names (RFC 9728 §2). */
export interface ResourceMetadata {
  resource: string
  authorization_servers: string[]
  scopes_supported?: string[]
  bearer_methods_supported: ['header']
  resource_name?: string
  dpop_signing_alg_values_supported?: string[]
  dpop_bound_access_tokens_required?: boolean
  tls_client_certificate_bound_access_tokens?: boolean
}

/** The document of one API. Scopes of OpenID Connect never stand in it: they are asked of the authorization server, not of an API. */
export function resourceMetadata(of: {
  resource: string
  /** The issuer of the tokens, or several. */
  issuer: string | readonly string[]
  scopes?: readonly string[]
  name?: string
  /** Where tokens that are bound to a key are taken, and whether no others are (RFC 9449). */
  dpop?: { required: boolean }
  /** Where tokens that are bound to a certificate are taken (RFC 8705). */
  certificates?: boolean
}): ResourceMetadata {
  const scopes = of.scopes?.filter((scope) => !isOpenidScope(scope))
  return {
    resource: of.resource,
    authorization_servers: [of.issuer].flat(),
    ...(scopes && scopes.length > 0 ? { scopes_supported: scopes } : {}),
    bearer_methods_supported: ['header'],
    ...(of.name === undefined ? {} : { resource_name: of.name }),
    ...(of.dpop === undefined ? {} : { dpop_signing_alg_values_supported: [...proofAlgorithms] }),
    ...(of.dpop?.required ? { dpop_bound_access_tokens_required: true } : {}),
    ...(of.certificates ? { tls_client_certificate_bound_access_tokens: true } : {}),
  }
}

/**
 * Where an API's document stands: the well-known name goes between host and path, e.g.
 * `https://api.example.com/.well-known/oauth-protected-resource/jobs` (RFC 9728 §3.1). Undefined where there is no host to ask.
 */
export function resourceMetadataUrl(resource: string): string | undefined {
  const url = new URL(resource)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return undefined
  return url.origin + paths.resourceMetadata + (url.pathname === '/' ? '' : url.pathname) + url.search
}

/** The APIs tokens can be for: those the configuration names, and the issuer itself. */
export function knownResources(settings: Settings): string[] {
  return [...new Set([...Object.keys(settings.resources), settings.issuer])]
}

/** The document of one of this server's APIs. */
export function metadataOf(settings: Settings, resource: string): ResourceMetadata {
  const known = settings.resources[resource]
  return resourceMetadata({
    resource,
    issuer: settings.issuer,
    scopes: known?.scopes ?? Object.keys(settings.scopes),
    name: known?.name ?? settings.pages.name,
    dpop: { required: settings.dpop.required },
    certificates: settings.mutualTls !== null,
  })
}

/** Paths on the issuer's origin where documents are answered: one for each API there, and the root. */
export function resourceMetadataPaths(settings: Settings): string[] {
  const own = ownResources(settings).map((resource) => new URL(resourceMetadataUrl(resource)!).pathname)
  return [...new Set([paths.resourceMetadata, ...own])]
}

/**
 * `GET /.well-known/oauth-protected-resource[/path]`. The bare name answers for the API at the root, or else for the first one:
 * MCP clients that know no path form look there. For the issuer it answers where the configuration names no API.
 */
export function protectedResource({ settings }: { settings: Settings }, request: Incoming): Answer | Refusal {
  const own = ownResources(settings)
  const named = own.filter((resource) => Object.hasOwn(settings.resources, resource))
  const url = settings.origin + request.path + (request.search === '' ? '' : `?${request.search}`)
  const standsHere = (resource: string) => resourceMetadataUrl(resource) === url
  const bare = request.path === paths.resourceMetadata
  const resource =
    named.find(standsHere) ??
    (bare ? named[0] : undefined) ??
    own.find(standsHere) ??
    (bare ? own[0] : undefined)
  if (resource === undefined) return refuse('resource_unknown')
  return json(200, metadataOf(settings, resource), { 'cache-control': 'public, max-age=300' })
}

function ownResources(settings: Settings): string[] {
  return knownResources(settings).filter((resource) => new URL(resource).origin === settings.origin)
}
