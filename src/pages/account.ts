import { type Html, type HtmlValue, html } from '../http/html.ts'
import * as icons from './icons.ts'
import { errorNote, face, fieldOf, head, hiddenFields, layout, successNote } from './layout.ts'
import type { Page } from './page.ts'
import { safeText } from './safe-text.ts'
import { isolated, minute, plainSentence, sentence } from './sentences.ts'
import type { AccountView, Frame, SetPasswordView } from './views.ts'

/** Who one is here, the password, and where one is signed in. */
export function accountPage(frame: Frame, view: AccountView): Page {
  return layout(frame, {
    title: plainSentence(frame, 'account.title'),
    error: Boolean(view.changePassword?.error),
    shape: 'wide',
    current: frame.navigation?.account,
    main: html`${view.changePassword?.changed && successNote(sentence(frame, 'account.password_changed'))}
${head(sentence(frame, 'account.title'))}
<div class="sections">
<section class="card" aria-label="${plainSentence(frame, 'account.name')}"><div class="self">${face(view.name, undefined, 'round')}
<div><h2>${isolated(view.name)}</h2>${view.login !== view.name && html`<p class="muted small">${isolated(view.login)}</p>`}</div>
<form method="post" action="${view.signOut.action}">${hiddenFields(view.signOut.hidden)}<button class="plain">${sentence(frame, 'account.sign_out')}</button></form></div></section>
<a class="card go" href="${view.connectedAppsUrl}">${icons.plug}<span><strong>${sentence(frame, 'account.connected_apps')}</strong><br><span class="muted small">${sentence(frame, 'account.connected_apps_lead')}</span></span>${icons.chevron}</a>
${changePassword(frame, view)}
${signIns(frame, view)}
</div>`,
  })
}

function changePassword(frame: Frame, view: AccountView): HtmlValue {
  const change = view.changePassword
  if (!change) return undefined
  const minimum = change.minimumPasswordLength
  const errorOn = (field: 'current' | 'new') =>
    change.error && (change.field ?? 'current') === field && 'password-error'
  return html`<section class="card" aria-labelledby="password"><h2 id="password">${sentence(frame, 'account.password')}</h2>
${errorNote('password-error', change.error)}
<form method="post" action="${change.action}">
${hiddenFields(change.hidden)}
<input type="text" autocomplete="username" value="${view.login}" readonly hidden>
${fieldOf({
  id: 'current-password',
  name: 'current_password',
  label: sentence(frame, 'account.password_current'),
  type: 'password',
  autocomplete: 'current-password',
  error: errorOn('current'),
  focus: Boolean(errorOn('current')),
})}
${newPasswordField(frame, minimum, { error: errorOn('new'), focus: Boolean(errorOn('new')) })}
<button class="primary">${sentence(frame, 'account.password_submit')}</button>
</form></section>`
}

function newPasswordField(
  frame: Frame,
  minimum: number | undefined,
  more: Pick<Parameters<typeof fieldOf>[0], 'error' | 'focus'>,
): Html {
  return fieldOf({
    id: 'new-password',
    name: 'new_password',
    label: sentence(frame, 'account.password_new'),
    type: 'password',
    autocomplete: 'new-password',
    hint: minimum ? sentence(frame, 'password.hint', { minimum: html`${minimum}` }) : undefined,
    minimumLength: minimum,
    ...more,
  })
}

/** Sets the password of the account that a link was made for. Posts `new_password`. */
export function setPasswordPage(frame: Frame, view: SetPasswordView): Page {
  const minimum = view.minimumPasswordLength
  return layout(frame, {
    title: plainSentence(frame, 'set_password.title'),
    error: Boolean(view.error),
    shape: 'narrow',
    main: html`<div class="card">
${head(sentence(frame, 'set_password.title'), sentence(frame, 'set_password.lead', { login: view.login }))}
${errorNote('error', view.error)}
<form method="post" action="${view.action}">
${hiddenFields(view.hidden)}
<input type="text" autocomplete="username" value="${view.login}" readonly hidden>
${newPasswordField(frame, minimum, { error: view.error && 'error', focus: true })}
<button class="primary">${sentence(frame, 'set_password.submit')}</button>
</form>
</div>
<p class="after">${sentence(frame, 'set_password.explained')}</p>`,
  })
}

/** The password is set; the person signs in with it. */
export function passwordSetPage(frame: Frame, view: { signInUrl: string }): Page {
  return layout(frame, {
    title: plainSentence(frame, 'set_password.done_title'),
    shape: 'narrow',
    main: html`<div class="card">
${head(sentence(frame, 'set_password.done_title'), sentence(frame, 'set_password.done'))}
<a class="button primary" href="${view.signInUrl}">${sentence(frame, 'sign_in.submit')}</a>
</div>`,
  })
}

function signIns(frame: Frame, view: AccountView): HtmlValue {
  if (view.signIns.length === 0) return undefined
  return html`<section class="card" aria-labelledby="sign-ins"><h2 id="sign-ins">${sentence(frame, 'account.sign_ins')}</h2>
<ul class="rows">${view.signIns.map(
    (signIn) => html`<li>${icons.screen}<div><p><span>${browser(frame, signIn.userAgent)}</span>${
      signIn.current && html` <span class="badge calm">${sentence(frame, 'account.sign_in_current')}</span>`
    }</p>
<p class="muted small">${safeText(signIn.address) || sentence(frame, 'account.address_unknown')} · ${sentence(frame, 'account.sign_in_since', { time: minute(frame, signIn.at) })}</p></div></li>`,
  )}</ul></section>`
}

function browser(frame: Frame, userAgent: string): Html {
  const { browser, system } = browserName(userAgent)
  if (!browser) return sentence(frame, 'account.browser_unknown')
  return system ? sentence(frame, 'account.browser', { browser, system }) : isolated(browser)
}

/** Product tokens in the order in which they must be looked for: most browsers also name their relatives. */
const browsers: [string, RegExp][] = [
  ['Edge', /\bEdg(?:e|A|iOS)?\//],
  ['Opera', /\bOPR\//],
  ['Samsung Internet', /\bSamsungBrowser\//],
  ['Firefox', /\b(?:Firefox|FxiOS)\//],
  ['Chrome', /\b(?:Chrome|CriOS|HeadlessChrome|Chromium)\//],
  ['Safari', /\bVersion\/[\d.]+.*\bSafari\//],
]

const systems: [string, RegExp][] = [
  ['iPhone', /\biPhone\b/],
  ['iPad', /\biPad\b/],
  ['Android', /\bAndroid\b/],
  ['ChromeOS', /\bCrOS\b/],
  ['Windows', /\bWindows NT\b/],
  ['macOS', /\bMac OS X\b/],
  ['Linux', /\bLinux\b/],
]

/** Browser and system a User-Agent header claims, as a person would name them; absent when not recognised. */
export function browserName(userAgent: string): { browser?: string; system?: string } {
  const first = (list: [string, RegExp][]) => list.find(([, pattern]) => pattern.test(userAgent))?.[0]
  return { browser: first(browsers), system: first(systems) }
}
