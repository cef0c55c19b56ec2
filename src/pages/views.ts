/**
 * What each page shows. Pages are pure functions from a view to an HTML text; they decide nothing.
 *
 * Beside its hidden fields a form posts: sign-in `login`, `password`; sign-up `name`, `login`, `password`;
 * development sign-in `subject` and, where there is a choice, `acr`; consent and device consent `decision` (`allow` or `deny`); device `user_code`; change password
 * `current_password`, `new_password`; set password `new_password`.
 */

/** Text and colours a deployment may replace; everything has a default. */
export interface Branding {
  /** Product name shown in the header and in titles. */
  name: string
  /** Absolute https or same-origin URL of the logo; absent means the name alone. */
  logo?: string
  /** CSS custom properties that replace the defaults, e.g. `{ '--accent': '#0a7' }`. */
  variables: Record<string, string>
  /** Every sentence of the pages by key; a deployment's text file overrides single keys. */
  texts: Record<string, string>
}

export interface Frame {
  branding: Branding
  /** The issuer's path prefix for links, '' at the root. */
  base: string
  /** Links in the header of the pages one has when signed in; an absent one is not shown. */
  navigation?: { account?: string; connectedApps?: string }
  /** Who is signed in, for the header; absent on public pages. */
  account?: { name: string; email?: string }
}

/** Hidden fields every form carries: the CSRF token and whatever the endpoint needs back. */
export type Hidden = Record<string, string>

export interface SignInView {
  action: string
  hidden: Hidden
  login: string
  /** Which client asked, when an authorization request waits behind the sign-in. */
  client?: string
  /** Where the user goes to give up: the client then hears `access_denied`. Absent when no client waits. */
  cancelUrl?: string
  error?: string
  signUpUrl?: string
  /** What people do who forgot their password; absent where they can do nothing here. */
  help?: HelpView
  /** The form leads on to an address that was asked for, and from there perhaps to another site. */
  leaves: boolean
}

/** Whom to ask: a link that says `text`, or `text` as a sentence. Both absent: the administrator. */
export interface HelpView {
  href?: string
  text?: string
}

export interface SignUpView {
  action: string
  hidden: Hidden
  name: string
  login: string
  error?: string
  /** Which field the error belongs to. */
  field?: 'name' | 'login' | 'password'
  signInUrl: string
  /** Which client asked, when an authorization request waits behind the sign-up. */
  client?: string
  /** Shown as a hint and given to the browser, in characters. */
  minimumPasswordLength?: number
  /** See `SignInView.leaves`. */
  leaves: boolean
}

export interface DevelopmentSignInView {
  action: string
  hidden: Hidden
  accounts: { subject: string; name: string }[]
  /** Classes of authentication one may choose from; absent where there are none. */
  acr?: { values: string[]; chosen: string }
  client?: string
  /** See `SignInView.leaves`. */
  leaves: boolean
}

export interface ConsentView {
  action: string
  hidden: Hidden
  client: {
    name: string
    logo?: string
    homepage?: string
    policy?: string
    terms?: string
    createdByItself: boolean
    /** The host whose document says who the client is, where that is all that is known. */
    host?: string
  }
  account: { name: string; email?: string; switchUrl?: string }
  /** Host the answer goes to, as in the redirect URI. */
  redirectHost: string
  /** The redirect goes to a program on the user's own computer. */
  loopbackOnly: boolean
  /** Scopes asked for now for the first time, with their human descriptions. */
  asked: { name: string; description: string }[]
  /** Scopes this client already has from this user. */
  held: { name: string; description: string }[]
  /** Resources (APIs) the tokens will be good for, when named. */
  resources: string[]
  /** What exactly is asked for besides, line by line (RFC 9396). */
  details: string[][]
  /** True when access continues while the user is away (a refresh token is issued). */
  offline: boolean
}

/** Where a person says which device they mean. */
export interface DeviceCodeView {
  action: string
  hidden: Hidden
  /** What was typed before, or came with the link. */
  userCode: string
  /** It came with the link: the person compares instead of typing. */
  linked: boolean
  error?: string
}

/** What a person decides about a device (RFC 8628 §3.3). */
export interface DeviceConsentView extends Omit<ConsentView, 'redirectHost' | 'loopbackOnly'> {
  /** As the device shows it. */
  userCode: string
  /** Where the device is, as far as the server can tell. */
  device: { address?: string; userAgent?: string; at: number }
}

export interface DeviceDoneView {
  client: string
  allowed: boolean
}

export interface ConnectedAppsView {
  apps: {
    client: { name: string; logo?: string; homepage?: string }
    scopes: { name: string; description: string }[]
    /** Where its answers may go, if to several hosts that were allowed one by one. */
    hosts?: readonly string[]
    since: number
    lastUsed: number
    uses: number
    sessions: number
    disconnect: { action: string; hidden: Hidden }
  }[]
  /** Name of the app that was just disconnected. */
  disconnected?: string
  /** Longest life of an access token that APIs check offline, in milliseconds; absent means 15 minutes. */
  accessTokenLifetime?: number
}

export interface AccountView {
  name: string
  login: string
  /** Present when the password can be changed here (local accounts). */
  changePassword?: {
    action: string
    hidden: Hidden
    error?: string
    /** Which field the error belongs to; absent means the current password. */
    field?: 'current' | 'new'
    changed: boolean
    /** Shown as a hint and given to the browser, in characters. */
    minimumPasswordLength?: number
  }
  signIns: { current: boolean; address: string; userAgent: string; at: number }[]
  signOut: { action: string; hidden: Hidden }
  connectedAppsUrl: string
}

/** The page behind a link to set a password. */
export interface SetPasswordView {
  action: string
  hidden: Hidden
  login: string
  error?: string
  /** Shown as a hint and given to the browser, in characters. */
  minimumPasswordLength: number
}

export interface FormPostView {
  /** The registered redirect URI (RFC: OAuth 2.0 Form Post Response Mode). */
  action: string
  fields: Record<string, string>
}

export interface ErrorView {
  status: number
  title: string
  /** What went wrong and what the reader can do, in plain words. Never echoes raw input. */
  message: string
  /** Protocol code, for the developer who looks over the user's shoulder. */
  code?: string
  client?: string
  requestId?: string
  /** Where the reader may go on: pages of ours, or https. */
  links?: { href: string; text: string }[]
  /**
   * The registered address of an unverified client, where the user may take the answer: in the address itself, or
   * posted as `fields`.
   */
  leave?: { address: string; fields?: Record<string, string> }
}

/** A sign-out that somebody asks for on the person's behalf. */
export interface SignOutView {
  action: string
  hidden: Hidden
  account: { name: string; email?: string }
  /** Where one goes who wants to stay signed in. */
  stayUrl: string
  /** Who asks, where that is known. */
  client?: string
}

export interface SignedOutView {
  signInUrl?: string
  /** The app that sent the person here, and its registered address where it wants them back: https, loopback or a program. */
  goOn?: { href: string; client: string }
}

/** What a person finds who opens the issuer URL itself. */
export interface HomeView {
  issuer: string
  /** Absent where the accounts are not ours. */
  accountUrl?: string
  connectedAppsUrl: string
}
