import type { Settings } from '../settings.ts'
import type { Checks } from './checks.ts'

/** Devices without a browser of their own, which a person allows on another device (RFC 8628). */
export interface DeviceConfig {
  /** Seconds in which the person must have allowed it. Default 900, 60 to 3600. */
  lifetime?: number
  /** Seconds a device must wait between two questions. Default 5, 1 to 60. */
  interval?: number
  /** Devices that may begin in one network (IPv4 address, IPv6 /64) in 15 minutes. Default 100. */
  perNetwork?: number
}

export function deviceSettings(
  config: DeviceConfig | undefined,
  { seconds, count }: Checks,
): Settings['device'] {
  if (config === undefined) return null
  return {
    lifetime: seconds('device.lifetime', config.lifetime, 900, 60, 3_600),
    interval: seconds('device.interval', config.interval, 5, 1, 60),
    perNetwork: count('device.perNetwork', config.perNetwork, 100),
  }
}
