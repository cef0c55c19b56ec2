export interface LimitConfig {
  /** Failed sign-ins per account in 15 minutes. Default 10. */
  signInFailuresPerAccount?: number
  /** Failed sign-ins and client authentications per network (IPv4 address, IPv6 /64) in 15 minutes. Default 100. */
  failuresPerNetwork?: number
  /** Failed authentications per client in 15 minutes. Default 50. */
  clientAuthenticationFailures?: number
  /** Requests per client and hour at the token, introspection and revocation endpoints. Default none; a client may have its own. */
  requestsPerClientPerHour?: number
}
