import { flag, type Given, mapped, oneOf, record, required, section } from '../../config/section.ts'
import { eitherKeys, publicKeys } from './keys.ts'

/** The keys of an issuer of software statements; one of the two. */
const softwareStatementIssuer = mapped(section(publicKeys), (keys, place) => {
  eitherKeys(keys, place)
  return keys
})

/** Clients register themselves (RFC 7591) and manage their registration (RFC 7592). */
export const registration = mapped(
  section({
    /** Everyone may register, or only who holds an initial access token (`npx gatehouse-auth clients invite`). */
    policy: required(oneOf(['open', 'initial_access_token'], 'initial_access_token'), 'initial_access_token'),
    /** Whether a client must bring a software statement (RFC 7591 §2.3). Default false. */
    requireSoftwareStatement: flag(false),
    /** Who is believed about software, by the `iss` of their statements. */
    softwareStatementIssuers: record(softwareStatementIssuer),
  }),
  ({ softwareStatementIssuers, ...settings }, place) => {
    const issuers = Object.entries(softwareStatementIssuers)
    if (settings.requireSoftwareStatement && issuers.length === 0)
      place
        .at('softwareStatementIssuers')
        .problem('at least one, since a software statement is required', '{}')
    return {
      ...settings,
      softwareStatementIssuers: new Map(issuers.map(([id, keys]) => [id, { id, ...keys }])),
    }
  },
)
export type RegistrationConfig = Given<typeof registration>
