import { type Given, list, mapped, section, text } from '../../config/section.ts'

const acr = text(
  '1 to 255 visible ASCII characters, each value once',
  (given) => /^[\x21-\x7e]{1,255}$/.test(given),
  { example: 'urn:example:second-factor' },
)

/** What a client may ask of the sign-in itself. */
export const authentication = section({
  /**
   * Classes of authentication that the accounts can tell apart (`Account.acr`), the weakest first, e.g.
   * `['urn:example:password', 'urn:example:second-factor']`. A stronger one does where a weaker one was asked for. Default:
   * none, and none can be asked for.
   */
  acrValues: mapped(list(acr), (values, place) => {
    values.forEach((value, n) => {
      if (value !== '' && values.indexOf(value) !== n) place.at(n).problem('each value once', value)
    })
    return values
  }),
})
export type AuthenticationConfig = Given<typeof authentication>
