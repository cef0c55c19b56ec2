import { BlockList, isIP } from 'node:net'
import {
  count,
  days,
  type Given,
  hours,
  list,
  mapped,
  oneOf,
  optional,
  record,
  section,
  text,
} from '../../config/section.ts'
import { hosts } from './hosts.ts'

/** The forms of a redirect URI: https, http on loopback, a private-use scheme. */
export type RedirectShape = 'https' | 'loopback' | 'private_use'
/** Those that are spoken, though some only where their section is in the configuration (`oauth/token.ts`). */
export const knownGrantTypes: readonly string[] = [
  'authorization_code',
  'refresh_token',
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:device_code',
  'urn:ietf:params:oauth:grant-type:token-exchange',
  'urn:ietf:params:oauth:grant-type:jwt-bearer',
]
/** Editors that connect to MCP servers and come back to a scheme of their own. */
const editorSchemes = ['cursor', 'vscode', 'vscode-insiders', 'windsurf', 'zed', 'kiro']
/** What a browser does something else with than open a program. */
const unsafeSchemes = 'http https javascript data file blob about ftp ws wss view-source'.split(' ')

const grantType = text(`one of ${knownGrantTypes.join(', ')}`, (given) => knownGrantTypes.includes(given))
const scheme = text(
  'schemes in lower case, none of the web or the browser itself',
  (given) => /^[a-z][a-z0-9+.-]*$/.test(given) && !unsafeSchemes.includes(given),
  { example: 'cursor' },
)

/** What clients that arrive by themselves may be (`registration`, `clientIdMetadata`), and how many of them. */
export const selfRegisteredClients = mapped(
  section({
    /** Scopes they may ask for; what else they name is left out. Default: all. */
    scope: optional(list(text())),
    /** Grant types they may use; what else they name is left out. Default: `authorization_code` and `refresh_token`. */
    grantTypes: list(grantType, {
      standard: ['authorization_code', 'refresh_token'],
    }),
    /**
     * Where their answers may go: `https`, `loopback` (http on the user's own computer), `private_use` (a scheme such as
     * `com.example.app`). Default: `https` and `loopback`.
     */
    redirects: list(oneOf(['https', 'loopback', 'private_use'], 'https'), {
      standard: ['https', 'loopback'],
    }),
    /**
     * Further schemes that redirect URIs may have, also those of clients that an administrator creates. Any program can claim
     * such a scheme, so consent is asked each time. Default: those of widely used editors: `cursor`, `vscode`,
     * `vscode-insiders`, `windsurf`, `zed`, `kiro`.
     */
    schemes: list(scheme, { standard: editorSchemes }),
    /**
     * Whether an error goes to their redirect URI before the user was asked anything (`prompt=none`, a wrong parameter): where
     * the signed-in user allowed that host or the client registered with an initial access token (`allowed`), `always`, or
     * `never`. Otherwise a page says what is wrong and where it leads: anybody can register a client and send people to its
     * redirect URI. Default `allowed`.
     */
    redirectErrors: oneOf(['allowed', 'always', 'never'], 'allowed'),
    /** Hosts their https redirect URIs may name, e.g. `claude.ai` or `*.example.com`. Default: any. */
    redirectHosts: optional(hosts),
    /** New ones an hour, in all but the networks that are named, fairly shared among networks. Default 1000. */
    perHour: count(1_000),
    /** New ones an hour from one network (IPv4 address, IPv6 /64). Default 60. */
    perNetworkPerHour: count(60),
    /** The same for networks that many users share, by address or subnet, beside `perHour`, e.g. `{ '198.51.100.0/24': 600 }`. */
    networks: record(count(1), (network) =>
      listOf(network) ? undefined : { allowed: 'addresses or subnets', example: '198.51.100.0/24' },
    ),
    /** Hours until one that never got a grant is removed: a person may take a while to sign in and decide. Default 24, at least 2. */
    keepUnusedHours: hours(24, 2),
    /** Days after its last use until one without a living session is removed. Default 30. */
    keepIdleDays: days(30),
  }),
  ({ networks, keepUnusedHours, keepIdleDays, ...settings }) => ({
    ...settings,
    networks: Object.entries(networks).map(([network, perHour]) => ({
      list: listOf(network) ?? new BlockList(),
      perHour,
    })),
    keepUnused: keepUnusedHours,
    keepIdle: keepIdleDays,
  }),
)
export type SelfRegisteredClientsConfig = Given<typeof selfRegisteredClients>

function listOf(network: string): BlockList | undefined {
  const [address = '', bits, ...rest] = network.split('/')
  const family = isIP(address)
  const most = family === 4 ? 32 : 128
  const width = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : Infinity
  if (family === 0 || rest.length > 0 || width > most) return undefined
  const list = new BlockList()
  list.addSubnet(address, width, family === 4 ? 'ipv4' : 'ipv6')
  return list
}
