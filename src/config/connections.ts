import { type ConnectionLimits, standardConnections } from '../http/connections.ts'
import type { Checks } from './checks.ts'

/** What connections to the server's own listener may take (`listen`, `npx gatehouse-auth serve`). Times in seconds. */
export interface ConnectionsConfig {
  /** Until a request's headers are there. Default 10, 1 to 60. */
  headerTime?: number
  /** Until a whole request is there. Default 30, 1 to 300. */
  requestTime?: number
  /** Between an answer and the next request; more than a proxy in front waits. Default 65, 1 to 600. */
  idleTime?: number
  /** Connections of one address; trusted proxies and this machine itself are not counted. Default 256. */
  perAddress?: number
  /** Connections in all. Default 5000. */
  inAll?: number
}

export function connectionsSettings(
  config: ConnectionsConfig = {},
  { seconds, count }: Checks,
): ConnectionLimits {
  const standard = standardConnections
  const time = (name: 'headerTime' | 'requestTime' | 'idleTime', most: number) =>
    seconds(`connections.${name}`, config[name], standard[name] / 1_000, 1, most)
  return {
    headerTime: time('headerTime', 60),
    requestTime: time('requestTime', 300),
    idleTime: time('idleTime', 600),
    perAddress: count('connections.perAddress', config.perAddress, standard.perAddress),
    inAll: count('connections.inAll', config.inAll, standard.inAll),
  }
}
