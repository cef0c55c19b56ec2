import { count, days, mapped, oneOf, optional, section } from '../config/section.ts'

export const sessions = mapped(
  section({
    /** Living sessions one user may have with one client. Default 10. */
    quota: count(10),
    /**
     * The same for clients whose one id serves every machine of a user: those that are documents (`clientIdMetadata`), and
     * public ones of an administrator for devices or programs on the user's own computer. Default: five times `quota`.
     */
    sharedQuota: optional(count(50)),
    /** At the quota: end the one idle for longest, or refuse the new one. Default `evict`. */
    whenFull: oneOf(['evict', 'refuse'], 'evict'),
    /** Days an ended session stays readable. Default 30. */
    keepDays: days(30),
  }),
  ({ keepDays, sharedQuota, ...settings }) => ({
    ...settings,
    sharedQuota: sharedQuota ?? 5 * settings.quota,
    keep: keepDays,
  }),
)
