import { type Given, optional, seconds, section } from '../../config/section.ts'
import { hosts } from './hosts.ts'

/** Clients whose `client_id` is the URL of a document about them (OAuth Client ID Metadata Document). */
export const clientIdMetadata = section({
  /** Hosts whose documents are believed, e.g. `claude.ai` or `*.example.com`. Default: any. */
  hosts: optional(hosts),
  /** Longest time a document counts as fresh, in seconds, whatever its server says. Default 86400. */
  longestFreshness: seconds(86_400, 60, 7 * 86_400),
})
export type ClientIdMetadataConfig = Given<typeof clientIdMetadata>
