// RFC 7591 §3, OAuth Client ID Metadata Document §4: where a client comes from, and whether only its own statements are known.

/** An administrator, dynamic registration (`dcr`), a client ID metadata document (`cimd`), or this package. */
export type ClientSource = 'admin' | 'dcr' | 'cimd' | 'builtin'

/** Whether a client registered itself, so that only its own statements are known. */
export function isSelfRegistered({ source }: { source: ClientSource }): boolean {
  return source === 'dcr' || source === 'cimd'
}
