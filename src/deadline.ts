/**
 * Settles as `work` does, or rejects with what `late` makes once `limit` milliseconds have passed. The work itself goes on:
 * a caller that needs it to stop ends it in `late`.
 */
export async function within<T>(limit: number, work: PromiseLike<T>, late: () => Error): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(late()), limit)
  try {
    return await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Resolves when the work has settled, however it did, or after `limit` milliseconds: whether it has. */
export async function settledWithin(limit: number, work: PromiseLike<unknown>): Promise<boolean> {
  const late = new Error('late')
  return within(limit, work, () => late).then(
    () => true,
    (error) => error !== late,
  )
}
