/** The server cannot be tried at all. */
export class CannotRun extends Error {
  override name = 'CannotRun'
}

/** A rule that came to no verdict, and why. */
export class Untried extends Error {
  override name = 'Untried'
}

/** The server does not have what the rule is about: its metadata says so, or an answer showed it. */
export class NotApplicable extends Untried {
  override name = 'NotApplicable'
}

/** What the rule needs could not be set up, so it is not known whether it holds. */
export class NotShown extends Untried {
  override name = 'NotShown'
}

/** The correct request is refused as well, so that a refusal says nothing. */
export class NoTwin extends NotShown {
  override name = 'NoTwin'
}

/** Something would have been sent to a host that was not allowed. */
export class Elsewhere extends NotShown {
  override name = 'Elsewhere'
  constructor(what: string, origin: string) {
    super(`${what} at ${origin}, another host: nothing is sent there without --also ${origin}`)
  }
}

/** The run came to a limit before it was through: of its own requests, or of the server's patience. */
export class OutOfRequests extends Error {
  override name = 'OutOfRequests'
}
