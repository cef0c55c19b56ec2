// RFC 9396 §2, §5, §7, §9: authorization details a client asks for and a user grants.

/** One element of `authorization_details` (RFC 9396 §2). */
export type AuthorizationDetail = { type: string } & Record<string, unknown>

/** The claim that carries granted details (RFC 9396 §9.1), from the column that keeps them; null when there are none. */
export function grantedDetails(
  stored: string | null,
): { authorization_details: AuthorizationDetail[] } | null {
  return stored === null ? null : { authorization_details: JSON.parse(stored) }
}
