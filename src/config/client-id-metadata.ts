import type { Settings } from '../settings.ts'
import type { Checks } from './checks.ts'
import { checkHosts } from './self-registered-clients.ts'

/** Clients whose `client_id` is the URL of a document about them (OAuth Client ID Metadata Document). */
export interface ClientIdMetadataConfig {
  /** Hosts whose documents are believed, e.g. `claude.ai` or `*.example.com`. Default: any. */
  hosts?: string[]
  /** Longest time a document counts as fresh, in seconds, whatever its server says. Default 86400. */
  longestFreshness?: number
}

export function clientIdMetadataSettings(
  config: ClientIdMetadataConfig | undefined,
  { problem, seconds }: Checks,
): Settings['clientIdMetadata'] {
  if (config === undefined) return null
  checkHosts(config.hosts, 'clientIdMetadata.hosts', problem)
  const path = 'clientIdMetadata.longestFreshness'
  return {
    hosts: config.hosts ?? null,
    longestFreshness: seconds(path, config.longestFreshness, 86_400, 60, 7 * 86_400),
  }
}
