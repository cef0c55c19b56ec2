/** One full view of every page, with the job board of the examples; tests and screenshots share them. */
import { accountPage, passwordSetPage, setPasswordPage } from '../../src/pages/account.ts'
import { branding } from '../../src/pages/branding.ts'
import { connectedAppsPage } from '../../src/pages/connected-apps.ts'
import { consentPage } from '../../src/pages/consent.ts'
import { developmentSignInPage } from '../../src/pages/development-sign-in.ts'
import { deviceCodePage, deviceConsentPage, deviceDonePage } from '../../src/pages/device.ts'
import { errorPage } from '../../src/pages/error.ts'
import { formPostPage } from '../../src/pages/form-post.ts'
import { homePage } from '../../src/pages/home.ts'
import type { Page } from '../../src/pages/page.ts'
import { signInPage } from '../../src/pages/sign-in.ts'
import { signUpPage } from '../../src/pages/sign-up.ts'
import { signedOutPage, signOutPage } from '../../src/pages/signed-out.ts'
import type {
  AccountView,
  ConnectedAppsView,
  ConsentView,
  DevelopmentSignInView,
  DeviceCodeView,
  DeviceConsentView,
  ErrorView,
  FormPostView,
  Frame,
  HomeView,
  SetPasswordView,
  SignedOutView,
  SignInView,
  SignOutView,
  SignUpView,
} from '../../src/pages/views.ts'

export const frame: Frame = {
  branding: branding({ name: 'Job Board' }),
  base: '/auth',
  navigation: { account: '/auth/account', connectedApps: '/auth/account/apps' },
  account: { name: 'Maya Lindqvist', email: 'maya@example.com' },
}

const hidden = { csrf: 'c5rf-"token"', return_to: '/authorize?client_id=a&scope=b%20c' }

function logo(ground: string, drawing: string): string {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48"><rect width="48" height="48" fill="${ground}"/>${drawing}</svg>`
  return `data:image/svg+xml,${encodeURIComponent(svg)}`
}

const careerLogo = logo(
  '#3a2c7d',
  '<path d="M13 32c7 0 5-16 12-16 5 0 5 9 10 0" fill="none" stroke="#ffd27a" stroke-width="4.5" stroke-linecap="round"/>',
)
const trackerLogo = logo(
  '#d9532c',
  '<path d="M13 16h22M13 24h15M13 32h9" stroke="#fff" stroke-width="4.5" stroke-linecap="round"/>',
)

const scopes = {
  jobs: { name: 'jobs:read', description: 'Search open jobs and read their details' },
  applications: { name: 'applications:read', description: 'See the applications you have sent' },
  apply: { name: 'applications:write', description: 'Send applications in your name' },
  resume: { name: 'resume:read', description: 'Read your résumé' },
}

export const signIn: SignInView = {
  action: '/auth/sign-in',
  hidden,
  login: '',
  client: 'Career Assistant',
  signUpUrl: '/auth/sign-up',
  cancelUrl: '/oauth/authorize?client_id=assistant&gatehouse_cancelled=1',
  leaves: true,
}

export const signUp: SignUpView = {
  action: '/auth/sign-up',
  hidden,
  name: 'Maya Lindqvist',
  login: 'maya@example.com',
  error: 'This password is too short.',
  field: 'password',
  signInUrl: '/auth/sign-in',
  client: 'Career Assistant',
  minimumPasswordLength: 10,
  leaves: true,
}

export const developmentSignIn: DevelopmentSignInView = {
  action: '/auth/sign-in',
  hidden,
  accounts: [
    { subject: 'maya', name: 'Maya Lindqvist' },
    { subject: 'omar', name: 'Omar Haddad' },
    { subject: 'ines', name: 'Inês Carvalho' },
  ],
  client: 'Career Assistant',
  leaves: true,
}

export const consent: ConsentView = {
  action: '/auth/authorize/consent',
  hidden,
  client: {
    name: 'Career Assistant',
    logo: careerLogo,
    homepage: 'https://assistant.example/',
    policy: 'https://assistant.example/privacy',
    terms: 'https://assistant.example/terms',
    createdByItself: false,
  },
  account: { name: 'Maya Lindqvist', email: 'maya@example.com', switchUrl: '/auth/sign-in?switch' },
  redirectHost: 'assistant.example',
  loopbackOnly: false,
  asked: [scopes.apply, scopes.resume],
  held: [scopes.jobs, scopes.applications],
  resources: ['https://api.jobs.example'],
  details: [['Apply to "Carpenter, Uppsala"', 'with the résumé of 3 March']],
  offline: true,
}

export const consentOfStranger: ConsentView = {
  ...consent,
  client: { name: 'desk-tool', createdByItself: true },
  redirectHost: '127.0.0.1:51823',
  loopbackOnly: true,
  asked: [scopes.jobs],
  held: [],
  resources: [],
  details: [],
}

export const deviceCode: DeviceCodeView = {
  action: '/auth/device',
  hidden,
  userCode: '',
  linked: false,
}

export const deviceConsent: DeviceConsentView = {
  action: '/auth/device',
  hidden,
  client: {
    name: 'Living room screen',
    logo: trackerLogo,
    homepage: 'https://screen.example/',
    createdByItself: false,
  },
  account: { name: 'Maya Lindqvist', email: 'maya@example.com', switchUrl: '/auth/sign-in?switch' },
  asked: [scopes.jobs, scopes.applications],
  held: [],
  details: [],
  resources: ['https://api.jobs.example'],
  offline: true,
  userCode: 'WDJB-MJHT',
  device: {
    address: '203.0.113.24',
    userAgent: 'LivingRoom/4.1 (Linux; screen 1080p)',
    at: Date.UTC(2026, 5, 18, 14, 26),
  },
}

export const connectedApps: ConnectedAppsView = {
  apps: [
    {
      client: { name: 'Career Assistant', logo: careerLogo, homepage: 'https://assistant.example/' },
      scopes: [scopes.jobs, scopes.applications, scopes.apply],
      since: Date.UTC(2026, 1, 3, 9, 12),
      lastUsed: Date.UTC(2026, 5, 18, 14, 26),
      uses: 1204,
      sessions: 2,
      disconnect: { action: '/auth/account/apps/disconnect', hidden: { ...hidden, client: 'c1' } },
    },
    {
      client: { name: 'Application Tracker', logo: trackerLogo, homepage: 'https://tracker.example/app' },
      scopes: [scopes.applications],
      since: Date.UTC(2026, 4, 27, 17, 40),
      lastUsed: Date.UTC(2026, 4, 27, 17, 41),
      uses: 1,
      sessions: 1,
      disconnect: { action: '/auth/account/apps/disconnect', hidden: { ...hidden, client: 'c2' } },
    },
  ],
}

export const account: AccountView = {
  name: 'Maya Lindqvist',
  login: 'maya@example.com',
  changePassword: { action: '/auth/account/password', hidden, changed: false, minimumPasswordLength: 10 },
  signIns: [
    {
      current: true,
      address: '203.0.113.24',
      userAgent:
        'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15',
      at: Date.UTC(2026, 5, 18, 14, 20),
    },
    {
      current: false,
      address: '2001:db8:4::7',
      userAgent: 'Mozilla/5.0 (Android 15; Mobile; rv:139.0) Gecko/139.0 Firefox/139.0',
      at: Date.UTC(2026, 5, 2, 7, 3),
    },
  ],
  signOut: { action: '/auth/sign-out', hidden },
  connectedAppsUrl: '/auth/account/apps',
}

export const error: ErrorView = {
  status: 400,
  title: 'This link does not work',
  message:
    'The app that sent you here asked to be answered at an address it has not registered. Nothing was shared. Go back to the app and tell its makers.',
  code: 'invalid_request',
  client: 'Career Assistant',
  requestId: 'req_7Qm2XbVd',
  links: [{ href: '/auth/account', text: 'Go to your account' }],
}

export const formPost: FormPostView = {
  action: 'https://assistant.example/callback?tenant=7',
  fields: { code: 'gh_ac_code', state: 'a"b<c>', iss: 'https://jobs.example/auth' },
}

export const signOut: SignOutView = {
  action: '/auth/oauth/logout',
  hidden,
  account: { name: 'Maya Lindqvist', email: 'maya@example.com' },
  stayUrl: '/auth/',
  client: 'Career Assistant',
}

export const signedOut: SignedOutView = { signInUrl: '/auth/sign-in' }

export const home: HomeView = {
  issuer: 'https://jobs.example/auth',
  accountUrl: '/auth/account',
  connectedAppsUrl: '/auth/account/apps',
}

/** Every page as a contributor wants to look at it. */
const setPassword: SetPasswordView = {
  action: '/auth/set-password',
  hidden: { form_token: 'f0rm', token: 'gh_pl_example' },
  login: 'maya@example.com',
  minimumPasswordLength: 15,
}

export const gallery: Record<string, () => Page> = {
  'sign-in': () => signInPage(frame, signIn),
  'sign-in-error': () =>
    signInPage(frame, { ...signIn, login: 'maya', error: 'Incorrect email or password.' }),
  'sign-up': () => signUpPage(frame, signUp),
  'development-sign-in': () => developmentSignInPage(frame, developmentSignIn),
  'development-sign-in-acr': () =>
    developmentSignInPage(frame, {
      ...developmentSignIn,
      acr: {
        values: ['urn:example:password', 'urn:example:second-factor'],
        chosen: 'urn:example:second-factor',
      },
    }),
  consent: () => consentPage(frame, consent),
  'consent-stranger': () => consentPage(frame, consentOfStranger),
  'device-code': () => deviceCodePage(frame, deviceCode),
  'device-code-linked': () =>
    deviceCodePage(frame, { ...deviceCode, userCode: deviceConsent.userCode, linked: true }),
  'device-code-error': () =>
    deviceCodePage(frame, { ...deviceCode, userCode: 'WDJB-MJHX', error: 'Incorrect or expired code.' }),
  'device-consent': () => deviceConsentPage(frame, deviceConsent),
  'device-allowed': () => deviceDonePage(frame, { client: deviceConsent.client.name, allowed: true }),
  'device-denied': () => deviceDonePage(frame, { client: deviceConsent.client.name, allowed: false }),
  'connected-apps': () => connectedAppsPage(frame, connectedApps),
  'connected-apps-empty': () => connectedAppsPage(frame, { apps: [], disconnected: 'Career Assistant' }),
  account: () => accountPage(frame, account),
  'account-error': () =>
    accountPage(frame, {
      ...account,
      changePassword: { ...account.changePassword!, error: 'Incorrect current password.' },
    }),
  'set-password': () => setPasswordPage(frame, setPassword),
  'set-password-error': () =>
    setPasswordPage(frame, { ...setPassword, error: 'Use at least 15 characters.' }),
  'password-set': () => passwordSetPage(frame, { signInUrl: '/auth/sign-in' }),
  error: () => errorPage(frame, error),
  'form-post': () => formPostPage(frame, formPost),
  'sign-out': () => signOutPage(frame, signOut),
  'signed-out': () => signedOutPage(frame, signedOut),
  'signed-out-of-client': () =>
    signedOutPage(frame, { goOn: { href: 'https://assistant.example/goodbye', client: 'Career Assistant' } }),
  home: () => homePage(frame, home),
}
