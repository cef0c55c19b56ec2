import { BlockList, isIP } from 'node:net'
import type { RedirectShape, Settings } from '../settings.ts'
import type { Checks } from './checks.ts'

/** What clients that arrive by themselves may be (`registration`, `clientIdMetadata`), and how many of them. */
export interface SelfRegisteredClientsConfig {
  /** Scopes they may ask for; what else they name is left out. Default: all. */
  scope?: string[]
  /** Grant types they may use; what else they name is left out. Default: `authorization_code` and `refresh_token`. */
  grantTypes?: string[]
  /**
   * Where their answers may go: `https`, `loopback` (http on the user's own computer), `private_use` (a scheme such as
   * `com.example.app`). Default: `https` and `loopback`.
   */
  redirects?: ('https' | 'loopback' | 'private_use')[]
  /**
   * Further schemes that redirect URIs may have, also those of clients that an administrator creates. Any program can claim
   * such a scheme, so consent is asked each time. Default: those of widely used editors: `cursor`, `vscode`,
   * `vscode-insiders`, `windsurf`, `zed`, `kiro`.
   */
  schemes?: string[]
  /**
   * Whether an error goes to their redirect URI before the user was asked anything (`prompt=none`, a wrong parameter): where
   * the signed-in user allowed that host or the client registered with an initial access token (`allowed`), `always`, or
   * `never`. Otherwise a page says what is wrong and where it leads: anybody can register a client and send people to its
   * redirect URI. Default `allowed`.
   */
  redirectErrors?: 'allowed' | 'always' | 'never'
  /** Hosts their https redirect URIs may name, e.g. `claude.ai` or `*.example.com`. Default: any. */
  redirectHosts?: string[]
  /** New ones an hour, in all but the networks that are named, fairly shared among networks. Default 1000. */
  perHour?: number
  /** New ones an hour from one network (IPv4 address, IPv6 /64). Default 60. */
  perNetworkPerHour?: number
  /** The same for networks that many users share, by address or subnet, beside `perHour`, e.g. `{ '198.51.100.0/24': 600 }`. */
  networks?: Record<string, number>
  /** Hours until one that never got a grant is removed. Default 24. */
  keepUnusedHours?: number
  /** Days after its last use until one without a living session is removed. Default 30. */
  keepIdleDays?: number
}

const errorRedirects: readonly string[] = ['allowed', 'always', 'never']
const shapes: readonly RedirectShape[] = ['https', 'loopback', 'private_use']
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
const editorSchemes: readonly string[] = ['cursor', 'vscode', 'vscode-insiders', 'windsurf', 'zed', 'kiro']
/** What a browser does something else with than open a program. */
const unsafeSchemes = [
  'http',
  'https',
  'javascript',
  'data',
  'file',
  'blob',
  'about',
  'ftp',
  'ws',
  'wss',
  'view-source',
]
const hour = 3_600_000

export function selfRegisteredClientsSettings(
  config: SelfRegisteredClientsConfig = {},
  scopes: Readonly<Record<string, string>>,
  { problem, count }: Checks,
): Settings['selfRegisteredClients'] {
  const path = (name: string) => `selfRegisteredClients.${name}`
  for (const name of config.scope ?? []) {
    if (!Object.hasOwn(scopes, name)) problem(path('scope'), 'scopes that `scopes` names', name)
  }
  for (const name of config.grantTypes ?? []) {
    if (!knownGrantTypes.includes(name)) problem(path('grantTypes'), knownGrantTypes.join(', '), name)
  }
  const redirects = config.redirects ?? ['https', 'loopback']
  for (const one of redirects) {
    if (!shapes.includes(one)) problem(path('redirects'), shapes.join(', '), one, 'https')
  }
  const schemes = config.schemes ?? editorSchemes
  for (const one of schemes) {
    if (!/^[a-z][a-z0-9+.-]*$/.test(one) || unsafeSchemes.includes(one))
      problem(path('schemes'), 'schemes in lower case, none of the web or the browser itself', one, 'cursor')
  }
  const { redirectErrors = 'allowed' } = config
  if (!errorRedirects.includes(redirectErrors))
    problem(path('redirectErrors'), errorRedirects.join(', '), redirectErrors, 'allowed')
  checkHosts(config.redirectHosts, path('redirectHosts'), problem)
  const networks = Object.entries(config.networks ?? {}).map(([network, perHour]) => {
    const list = listOf(network)
    if (!list) problem(path('networks'), 'addresses or subnets', network, '198.51.100.0/24')
    return { list: list ?? new BlockList(), perHour: count(path(`networks.${network}`), perHour, 1) }
  })
  const keepUnused = count(path('keepUnusedHours'), config.keepUnusedHours, 24)
  // A person may take half an hour to sign in and decide.
  if (keepUnused < 2) problem(path('keepUnusedHours'), 'at least 2', keepUnused, '24')
  return {
    scope: config.scope ?? null,
    grantTypes: config.grantTypes ?? ['authorization_code', 'refresh_token'],
    redirects,
    schemes,
    redirectErrors,
    redirectHosts: config.redirectHosts ?? null,
    perHour: count(path('perHour'), config.perHour, 1_000),
    perNetworkPerHour: count(path('perNetworkPerHour'), config.perNetworkPerHour, 60),
    networks,
    keepUnused: keepUnused * hour,
    keepIdle: count(path('keepIdleDays'), config.keepIdleDays, 30) * 24 * hour,
  }
}

/** Exact names, or all below one (`*.example.com`). */
export function checkHosts(
  hosts: readonly string[] | undefined,
  path: string,
  problem: Checks['problem'],
): void {
  if (hosts !== undefined && !Array.isArray(hosts))
    problem(path, 'a list of host names', hosts, "['*.example.com']")
  for (const host of Array.isArray(hosts) ? hosts : []) {
    const name = host.replace(/^\*\./, '')
    if (
      !/^[a-z0-9._-]+$/.test(name) ||
      !URL.canParse(`https://${name}`) ||
      new URL(`https://${name}`).hostname !== name
    )
      problem(path, 'host names in lower case, or all below one', host, '*.example.com')
  }
}

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
