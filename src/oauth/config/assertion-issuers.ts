import {
  type Given,
  list,
  mapped,
  oneOf,
  optional,
  record,
  required,
  seconds,
  section,
  text,
  type Value,
} from '../../config/section.ts'
import { algorithms } from '../../crypto/jws.ts'
import { algorithm } from './algorithm.ts'
import { eitherKeys, publicKeys } from './keys.ts'

const issuer = mapped(
  section({
    ...publicKeys,
    /** Clients that may bring its assertions, by id. They must be confidential. */
    clients: required(list(text('the id of a client', undefined, { example: 'cl_…' }))),
    /** `id-jag`: identity assertion grants, made for one client. `jwt`: other JWTs (RFC 7523 §3). Default `['id-jag']`. */
    accepts: list(oneOf(['id-jag', 'jwt'], 'id-jag'), { standard: ['id-jag'], least: 1 }),
    /** Scopes its assertions may lead to. Default: all the client may have. */
    scope: optional(list(text())),
    /** APIs its assertions may lead to. Default: all the client may have. */
    resources: optional(list(text())),
    /** First part of the key of its users' accounts, as the adapter that signs the same people in names it. Default `openid`. */
    provider: text(
      'lower-case letters, digits, dashes and underscores',
      (given) => /^[a-z0-9][a-z0-9_-]{0,63}$/.test(given),
      { standard: 'openid', example: 'openid' },
    ),
    /** A user who never was here: refused, or made. Default `refuse`. */
    unknownUsers: oneOf(['refuse', 'create'], 'refuse'),
    /** Of an issuer with several tenants the one that is believed (`tenant`). Assertions of any other are refused. */
    tenant: optional(text('the text of the claim `tenant`')),
    /** Algorithms it signs with. Default: all that are spoken here. */
    algorithms: list(algorithm, { standard: algorithms }),
    /** Seconds an assertion may still live when it arrives. Default 600, 60 to 3600. */
    longestLife: seconds(600, 60, 3_600),
  }),
  (settings, place) => {
    eitherKeys(settings, place)
    return settings
  },
)

/**
 * Issuers whose signed word about a user is as good as that user's consent: an enterprise's identity provider, say
 * (RFC 7523 §2.1; identity assertion grants, ID-JAG). By their `iss`.
 */
export const assertionIssuers = mapped(
  record(issuer),
  (issuers) => new Map(Object.entries(issuers).map(([id, one]) => [id, { id, ...one }])),
)
export type AssertionIssuerConfig = Given<typeof issuer>
/** As it is read. */
export type AssertionIssuer = Value<typeof issuer> & { id: string }
