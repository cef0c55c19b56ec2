import { count, flag, type Given, mapped, seconds, section } from '../../config/section.ts'

/** Authorization requests that clients push before they send the user (RFC 9126). Null where they are not accepted. */
export const pushedRequests = mapped(
  section({
    /** Whether they are accepted at all. Default true. */
    accepted: flag(true),
    /** Refuse every authorization request that was not pushed. Default false; a client may be told so by itself. */
    required: flag(false),
    /** Seconds in which the user must arrive with a pushed request. Default 90, 5 to 590. */
    lifetime: seconds(90, 5, 590),
    /** Requests that public clients may push from one network (IPv4 address, IPv6 /64) in 15 minutes. Default 300. */
    perNetwork: count(300),
  }),
  ({ accepted, ...settings }, place) => {
    if (settings.required && !accepted)
      place.at('required').problem('false, since pushed requests are not accepted', true)
    return accepted ? settings : null
  },
)
export type PushedRequestsConfig = Given<typeof pushedRequests>
