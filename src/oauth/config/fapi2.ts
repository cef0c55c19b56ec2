import { flag, type Given, section } from '../../config/section.ts'

/** What clients of the profile `fapi2` must do beyond the FAPI 2.0 Security Profile. */
export const fapi2 = section({
  /** FAPI 2.0 Message Signing: they sign what they push, and get signed answers. Default false. */
  messageSigning: flag(false),
})
export type Fapi2Config = Given<typeof fapi2>
