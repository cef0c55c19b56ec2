import { standardConnections as standard } from '../http/connections.ts'
import { count, type Given, seconds, section } from './section.ts'

/** What connections to the server's own listener may take (`listen`, `npx gatehouse-auth serve`). Times in seconds. */
export const connections = section({
  /** Until a request's headers are there. Default 10, 1 to 60. */
  headerTime: seconds(standard.headerTime / 1_000, 1, 60),
  /** Until a whole request is there. Default 30, 1 to 300. */
  requestTime: seconds(standard.requestTime / 1_000, 1, 300),
  /** Between an answer and the next request; more than a proxy in front waits. Default 65, 1 to 600. */
  idleTime: seconds(standard.idleTime / 1_000, 1, 600),
  /** Connections of one address; trusted proxies and this machine itself are not counted. Default 256. */
  perAddress: count(standard.perAddress),
  /** Connections in all. Default 5000. */
  inAll: count(standard.inAll),
})
export type ConnectionsConfig = Given<typeof connections>
