// OpenID Connect Core §2 (acr), §3.1.2.1 (acr_values), §5.5.1.1; RFC 9470 §4, §5: how strongly a user must have proved who they
// are. The configuration says which classes there are, the weakest first; a stronger one does where a weaker one was asked.

/** Every class that would do where one of these was asked: in the order of preference, then the stronger ones. */
export function acrThatWouldDo(order: readonly string[], asked: readonly string[]): string[] {
  const known = asked.filter((one) => order.includes(one))
  if (known.length === 0) return []
  const weakest = Math.min(...known.map((one) => order.indexOf(one)))
  return [...new Set([...known, ...order.slice(weakest)])]
}

/**
 * The class a client that asked for some is told (OpenID Connect Core §5.5.1.1: one of those it asked for): the user's own
 * where it was asked for or nothing was, else the strongest asked for that the user's own is stronger than. Undefined where
 * the user's own does not do.
 */
export function acrAnswered(
  order: readonly string[],
  asked: readonly string[],
  actual: string | undefined,
): string | undefined {
  if (actual === undefined || asked.length === 0 || asked.includes(actual)) return actual
  const rank = order.indexOf(actual)
  const met = asked.filter((one) => order.includes(one) && order.indexOf(one) < rank)
  return met.sort((one, other) => order.indexOf(other) - order.indexOf(one))[0]
}

/** Whether a token's class is enough for an operation that demands one of these (RFC 9470 §3). */
export function acrSuffices(
  order: readonly string[],
  demanded: readonly string[],
  actual: string | undefined,
): boolean {
  return demanded.length === 0 || acrAnswered(order, demanded, actual) !== undefined
}
