import { days, mapped, section } from '../config/section.ts'

export const events = mapped(
  section({
    /** Days the audit log keeps an event. Default 400. */
    keepDays: days(400),
    /** Days it keeps the events of every token (`token_refresh`, `client_credentials` …). Default 90. */
    keepTokenDays: days(90),
  }),
  ({ keepDays, keepTokenDays }) => ({ keep: keepDays, keepToken: keepTokenDays }),
)
