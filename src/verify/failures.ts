/** The server cannot be tried at all. */
export class CannotRun extends Error {
  override name = 'CannotRun'
}

/** A rule that cannot be tried here, and why. */
export class NotApplicable extends Error {
  override name = 'NotApplicable'
}

/** The correct request is refused as well, so that a refusal says nothing. */
export class NoTwin extends NotApplicable {
  override name = 'NoTwin'
}

/** The run came to a limit before it was through: of its own requests, or of the server's patience. */
export class OutOfRequests extends Error {
  override name = 'OutOfRequests'
}
