/**
 * Every sentence of the pages. A deployment overrides single keys; `{placeholders}` are filled in, and
 * `{product}` (the branding's name) works in each of them. Keys that end in `.one` and `.other` follow the
 * plural rules of `page.language`; a language with more forms adds `.zero`, `.two`, `.few` or `.many`.
 */
export const defaultTexts = {
  'page.language': 'en',
  'page.direction': 'ltr',
  'page.title': '{title} · {product}',
  'page.title_error': 'Error: {title} · {product}',
  'page.skip': 'Skip to content',
  'page.navigation': 'Your account',
  'page.new_window': '(opens in a new tab)',

  'client.unnamed': 'An app without a name',

  'sign_in.title': 'Sign in',
  'sign_in.lead': 'Welcome back to {product}.',
  'sign_in.lead_client': 'to continue to {client}',
  'sign_in.login': 'Email or username',
  'sign_in.password': 'Password',
  'sign_in.submit': 'Sign in',
  'sign_in.cancel': 'Cancel and go back to {client}',
  'sign_in.sign_up': 'New here?',
  'sign_in.sign_up_link': 'Create an account',

  'sign_up.title': 'Create your account',
  'sign_up.lead': 'One account for {product} and the apps you connect to it.',
  'sign_up.lead_client': 'to continue to {client}',
  'sign_up.name': 'Your name',
  'sign_up.login': 'Email or username',
  'sign_up.password': 'Password',
  'sign_up.submit': 'Create account',
  'sign_up.sign_in': 'Already have an account?',
  'sign_up.sign_in_link': 'Sign in',

  'sign_in.forgotten': 'Forgot your password?',
  'sign_in.help': 'Contact the administrator of {product}.',
  'sign_in.help_link': 'Get help',

  'sign_in.wrong': 'This email or username and this password do not belong together.',
  'sign_in.disabled': 'This account is disabled. Ask the people who run {product}.',
  'sign_in.too_many': 'There were too many attempts. Wait a few minutes, then try again.',
  'sign_in.busy': 'Many people are signing in right now. Try again in a moment.',

  'sign_up.name_missing': 'Enter your name.',
  'sign_up.login_invalid':
    'Enter an email address, or a username of 3 to 64 letters, digits, dots, dashes or underscores.',
  'sign_up.login_taken': 'There is an account with this email or username already. If it is yours, sign in.',

  'password.short': 'Use at least {minimum} characters.',
  'password.long': 'Use at most {maximum} characters.',
  'password.guessable': 'This password is easy to guess. Use a few unrelated words.',
  'password.hint': 'At least {minimum} characters. A few unrelated words make a good one.',

  'set_password.title': 'Set your password',
  'set_password.lead': 'for {login}',
  'set_password.submit': 'Set password',
  'set_password.explained':
    'This signs you out everywhere and disconnects the apps you use with this account.',
  'set_password.done_title': 'Your password is set',
  'set_password.done': 'You can now sign in with it.',
  'set_password.expired_title': 'This link has expired',
  'set_password.expired': 'It works once, for 30 minutes. Ask for a new link.',

  'development.title': 'Choose an account',
  'development.lead': 'Sign in as one of the accounts made for development.',
  'development.lead_client': 'to continue to {client}',
  'development.mark': 'Development sign-in',
  'development.warning': 'No password is asked. This page exists only on your own computer.',
  'development.acr': 'How you prove who you are',
  'development.sign_in_as': 'Sign in as',
  'development.elsewhere': 'The development sign-in answers on this computer only.',
  'development.empty': 'No development accounts are configured.',

  'openid.unknown':
    'This sign-in was not begun in this browser, or it took too long. Go back to the app and start again.',
  'openid.failed': 'Signing in did not succeed. Go back to the app and start again.',

  'consent.title': '{client} wants access to your {product} account',
  'consent.account': 'Signed in as',
  'consent.switch': 'Switch account',
  'consent.asked': 'This lets {client}',
  'consent.asked_new': 'New: this also lets {client}',
  'consent.nothing_new': 'Nothing new is asked. {client} keeps what you allowed before.',
  'consent.nothing': '{client} asks only to know that you signed in.',
  'consent.held': 'You already allowed it to',
  'consent.details': 'It asks for exactly this',
  'consent.resources': 'Where it may do this',
  'consent.offline': 'Stays connected while you are away, until you disconnect it.',
  'consent.redirect': 'Either way you return to {host}',
  'consent.redirect_loopback': 'Either way you return to your own computer, {host}',
  'consent.loopback_title': 'The answer goes to a program on your own computer',
  'consent.loopback':
    'Any program on this computer could call itself {client}. Continue only if you have just started it yourself.',
  'consent.by_itself': 'Registered itself',
  'consent.by_itself_explained':
    '{client} chose this name itself. {product} has not checked who is behind it.',
  'consent.by_host_explained':
    '{host} says that this is {client}. {product} has not checked who is behind it: continue only if you know that address.',
  'consent.homepage': 'Website',
  'consent.policy': 'Privacy policy',
  'consent.terms': 'Terms',
  'consent.links': 'About {client}',
  'consent.allow': 'Allow',
  'consent.deny': 'Deny',
  'consent.later': 'You can end this at any time under Connected apps.',

  'device.title': 'Connect a device',
  'device.lead': 'Enter the code that your device shows.',
  'device.lead_linked':
    'Compare this code with the one your device shows. Continue only if they are the same.',
  'device.code': 'Code',
  'device.code_hint': 'Eight letters, for example BCDF-GHJK. Small letters and the dash do not matter.',
  'device.continue': 'Continue',
  'device.unknown':
    'This code is not right, or it is too old. Compare it with your device, or start there again.',
  'device.too_many': 'There were too many attempts. Wait a few minutes, then try again.',
  'device.elsewhere': 'This page belongs to another browser, or it is too old. Enter the code here.',
  'device.shown': 'Your device must show this code',
  'device.from': 'Asked from',
  'device.from_unknown': 'an unknown address',
  'device.at': 'Asked at',
  'device.by': 'Device',
  'device.caution_title': 'Only if the device is yours',
  'device.caution':
    'Allow this only if you started it yourself, on a device you have in front of you. Whoever sent you this code or a link to it would get what you allow here.',
  'device.allowed_title': 'Your device is connected',
  'device.allowed': '{client} goes on by itself in a few seconds. You can close this page.',
  'device.denied_title': 'The device was not connected',
  'device.denied': '{client} got no access. You can close this page.',

  'apps.title': 'Connected apps',
  'apps.lead': 'What you allowed to use your {product} account, and when it last did.',
  'apps.empty_title': 'No apps are connected',
  'apps.empty':
    'When you allow an app to use your {product} account, it appears here and you can disconnect it.',
  'apps.disconnected': '{client} is disconnected. Its access has ended.',
  'apps.allowed': 'Allowed to',
  'apps.no_scopes': 'Knows that you signed in, nothing more',
  'apps.since': 'Connected',
  'apps.last_used': 'Last used',
  'apps.how_often': 'Used',
  'apps.hosts': 'Sends you to',
  'apps.uses.one': '{count} time',
  'apps.uses.other': '{count} times',
  'apps.sessions': 'Connections',
  'apps.sessions.one': '{count} connection',
  'apps.sessions.other': '{count} connections',
  'apps.disconnect': 'Disconnect',
  'apps.minutes.one': '{count} minute',
  'apps.minutes.other': '{count} minutes',
  'apps.ending':
    'Disconnecting ends access at once. Only an API that checks tokens offline may still accept a token issued before, for at most {minutes}.',

  'account.title': 'Your account',
  'account.name': 'Name',
  'account.login': 'Email or username',
  'account.connected_apps': 'Connected apps',
  'account.connected_apps_lead': 'See which apps can use your account, and disconnect them.',
  'account.password': 'Password',
  'account.password_current': 'Current password',
  'account.password_new': 'New password',
  'account.password_submit': 'Change password',
  'account.password_wrong': 'The current password is not right.',
  'account.password_changed': 'Your password is changed.',
  'account.sign_ins': 'Where you are signed in',
  'account.sign_in_current': 'This browser',
  'account.sign_in_since': 'Since {time}',
  'account.address_unknown': 'Unknown address',
  'account.browser': '{browser} on {system}',
  'account.browser_unknown': 'Unknown browser',
  'account.sign_out': 'Sign out',

  'form.error_title': 'This form cannot be used',
  'form.expired':
    'It was open for too long, or cookies are switched off. Go back, reload the page and try again.',
  'form.malformed': 'It arrived damaged. Go back, reload the page and try again.',
  'form.too_large': 'It is too large. Go back and shorten what you entered.',
  'form.method': 'This page is opened with a link, not in this way.',

  'error.code': 'Code',
  'error.status': 'Status',
  'error.client': 'App',
  'error.request': 'Request',
  'error.again': 'Start again',
  'error.back': 'Back to {client}',
  'error.leave': 'Continue to {host}',
  'error.leave_explained':
    '{client} registered itself, and {product} has not checked who is behind it. Going on takes you to {host}.',

  'form_post.title': 'Taking you back',
  'form_post.lead': 'You are on your way to {host}. If nothing happens, continue yourself.',
  'form_post.continue': 'Continue',

  'sign_out.title': 'Sign out?',
  'sign_out.lead': 'You are about to sign out of {product}.',
  'sign_out.lead_client': '{client} asks to sign you out of {product}.',
  'sign_out.explained':
    'Apps you signed in to with this account are told. Those you allowed to stay connected stay so.',
  'sign_out.submit': 'Sign out',
  'sign_out.stay': 'Stay signed in',

  'signed_out.title': 'You are signed out',
  'signed_out.lead':
    'Apps you allowed to stay connected stay so. Close this window if others use this computer.',
  'signed_out.go_on': 'Back to {client}',
  'signed_out.sign_in': 'Sign in again',

  'home.title': '{product} account',
  'home.lead': 'Sign in to see your account and the apps that can use it.',
  'home.account': 'Your account',
  'home.account_lead': 'Name, password, and where you are signed in',
  'home.apps': 'Connected apps',
  'home.apps_lead': 'What you allowed, and to whom',
  'home.issuer': 'Issuer',
} as const satisfies Record<string, string>

export type TextKey = keyof typeof defaultTexts
