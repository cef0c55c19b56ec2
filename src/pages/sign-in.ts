import { type Html, html } from '../http/html.ts'
import { errorNote, fieldOf, head, hiddenFields, layout } from './layout.ts'
import type { Page } from './page.ts'
import { safeText } from './safe-text.ts'
import { clientName, isolated, plainSentence, sentence } from './sentences.ts'
import type { Frame, HelpView, SignInView } from './views.ts'

/** Name and password of a local account. Posts `login` and `password`. */
export function signInPage(frame: Frame, view: SignInView): Page {
  const client = view.client === undefined ? undefined : clientName(frame, view.client)
  const lead =
    client === undefined
      ? sentence(frame, 'sign_in.lead')
      : sentence(frame, 'sign_in.lead_client', { client })
  return layout(frame, {
    title: plainSentence(frame, 'sign_in.title'),
    error: Boolean(view.error),
    shape: 'narrow',
    formsLeave: view.leaves,
    inFlow: true,
    main: html`<div class="card">
${head(sentence(frame, 'sign_in.title'), lead)}
${errorNote('error', view.error)}
<form method="post" action="${view.action}">
${hiddenFields(view.hidden)}
${fieldOf({
  id: 'login',
  name: 'login',
  label: sentence(frame, 'sign_in.login'),
  type: 'text',
  autocomplete: 'username',
  value: view.login,
  error: view.error && 'error',
  focus: !view.login,
})}
${fieldOf({
  id: 'password',
  name: 'password',
  label: sentence(frame, 'sign_in.password'),
  type: 'password',
  autocomplete: 'current-password',
  error: view.error && 'error',
  focus: Boolean(view.login),
})}
<button class="primary">${sentence(frame, 'sign_in.submit')}</button>
</form>
</div>
${
  view.signUpUrl &&
  html`<p class="after">${sentence(frame, 'sign_in.sign_up')} <a href="${view.signUpUrl}">${sentence(frame, 'sign_in.sign_up_link')}</a></p>`
}
${view.help && html`<p class="after">${sentence(frame, 'sign_in.forgotten')} ${help(frame, view.help)}</p>`}
${
  client !== undefined &&
  view.cancelUrl !== undefined &&
  html`<p class="after"><a href="${view.cancelUrl}">${sentence(frame, 'sign_in.cancel', { client })}</a></p>`
}`,
  })
}

function help(frame: Frame, { href, text }: HelpView): Html {
  if (href === undefined)
    return text === undefined ? sentence(frame, 'sign_in.help') : html`${safeText(text, 300)}`
  return html`<a href="${href}">${text === undefined ? sentence(frame, 'sign_in.help_link') : isolated(text)}</a>`
}
