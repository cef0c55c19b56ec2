import { count, days, mapped, oneOf, section } from './section.ts'

export const sessions = mapped(
  section({
    /** Living sessions one user may have with one client. Default 10. */
    quota: count(10),
    /** At the quota: end the one idle for longest, or refuse the new one. Default `evict`. */
    whenFull: oneOf(['evict', 'refuse'], 'evict'),
    /** Days an ended session stays readable. Default 30. */
    keepDays: days(30),
  }),
  ({ keepDays, ...settings }) => ({ ...settings, keep: keepDays }),
)
