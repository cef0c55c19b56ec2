/**
 * Something that an answer needs cannot be had now, and nothing was changed: the same request may be sent again. Answered
 * with 503.
 */
export class TemporaryFailure extends Error {
  override name = 'TemporaryFailure'
}
