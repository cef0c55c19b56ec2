// OAuth 2.1 §4.1, §7; RFC 9700 §2; FAPI 2.0 Security Profile §5.2.2, §5.3, §5.3.4, §5.4.1; FAPI 2.0 Message Signing §5.4.1:
// what each kind of client must do. The strictest values are the default; a profile may relax only what its kind cannot do
// otherwise.

import type { Settings } from '../settings.ts'

export const authenticationMethods = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'tls_client_auth',
  'self_signed_tls_client_auth',
  'none',
] as const
export type AuthenticationMethod = (typeof authenticationMethods)[number]

/** How clients may authenticate here. */
export function spokenMethods({ mutualTls }: Pick<Settings, 'mutualTls'>): AuthenticationMethod[] {
  return authenticationMethods.filter((method) => {
    if (method === 'self_signed_tls_client_auth') return mutualTls !== null
    // The authorities must be configured here: many proxies pass on certificates they have not verified.
    return method !== 'tls_client_auth' || (mutualTls?.authorities.length ?? 0) > 0
  })
}

export const clientProfiles = ['default', 'gpt_action', 'zapier', 'mcp', 'fapi2'] as const
export type ClientProfile = (typeof clientProfiles)[number]

/** What follows from a profile. Times in milliseconds. */
export interface Profile {
  /** How its clients may authenticate. */
  methods: readonly AuthenticationMethod[]
  /**
   * Whether PKCE is required by default; only a confidential client may be allowed to do without, and
   * not where it is required always.
   */
  pkce: 'always' | 'required' | 'lifted'
  /** The reuse window by default; null takes the server's. */
  reuseWindow: number | null
  /** Only pushed requests are accepted (RFC 9126 §5). */
  pushedRequestsOnly: boolean
  /** Only tokens bound to a key or a certificate are issued. */
  senderConstrained: boolean
  /** Which `aud` a client assertion may name: any of this server's, or the issuer as a plain string. */
  assertionAudience: 'server' | 'issuer'
  /** Longest life of its codes; null takes the bounds of every client. */
  longestCodeLifetime: number | null
  /**
   * Whether a refresh token is replaced each time it is used. Where tokens are bound to a key and the client authenticates,
   * that protects from nothing, and an answer that got lost ends the session (FAPI 2.0 Security Profile §5.3.2.1).
   */
  rotatesRefreshTokens: boolean
  /** Algorithms its keys may sign with; null accepts every one that is spoken here. */
  algorithms: readonly string[] | null
}

const anyone: Profile = {
  methods: authenticationMethods,
  pkce: 'required',
  reuseWindow: null,
  pushedRequestsOnly: false,
  senderConstrained: false,
  assertionAudience: 'server',
  longestCodeLifetime: null,
  rotatesRefreshTokens: true,
  algorithms: null,
}

export const profiles: Readonly<Record<ClientProfile, Profile>> = {
  default: anyone,
  gpt_action: { ...anyone, methods: ['client_secret_basic', 'client_secret_post'], pkce: 'lifted' },
  zapier: { ...anyone, reuseWindow: 120_000 },
  mcp: anyone,
  fapi2: {
    ...anyone,
    methods: ['private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth'],
    pkce: 'always',
    pushedRequestsOnly: true,
    senderConstrained: true,
    assertionAudience: 'issuer',
    longestCodeLifetime: 60_000,
    rotatesRefreshTokens: false,
    algorithms: ['PS256', 'ES256', 'EdDSA'],
  },
}
