import { count, optional, section } from './section.ts'

export const limits = section({
  /** Failed sign-ins per account in 15 minutes. Default 10. */
  signInFailuresPerAccount: count(10),
  /** Failed sign-ins and client authentications per network (IPv4 address, IPv6 /64) in 15 minutes. Default 100. */
  failuresPerNetwork: count(100),
  /** Failed authentications per client in 15 minutes. Default 50. */
  clientAuthenticationFailures: count(50),
  /** Requests per client and hour at the token, introspection and revocation endpoints. Default none; a client may have its own. */
  requestsPerClientPerHour: optional(count(1)),
})
