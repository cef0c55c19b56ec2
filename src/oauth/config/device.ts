import { count, type Given, seconds, section } from '../../config/section.ts'

/** Devices without a browser of their own, which a person allows on another device (RFC 8628). */
export const device = section({
  /** Seconds in which the person must have allowed it. Default 900, 60 to 3600. */
  lifetime: seconds(900, 60, 3_600),
  /** Seconds a device must wait between two questions. Default 5, 1 to 60. */
  interval: seconds(5, 1, 60),
  /** Devices that may begin in one network (IPv4 address, IPv6 /64) in 15 minutes. Default 100. */
  perNetwork: count(100),
})
export type DeviceConfig = Given<typeof device>
