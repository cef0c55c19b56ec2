import { html } from '../http/html.ts'
import { errorNote, fieldOf, head, hiddenFields, layout } from './layout.ts'
import type { Page } from './page.ts'
import { clientName, plainSentence, sentence } from './sentences.ts'
import type { Frame, SignUpView } from './views.ts'

/** Makes a local account. Posts `name`, `login` and `password`. */
export function signUpPage(frame: Frame, view: SignUpView): Page {
  const client = view.client === undefined ? undefined : clientName(frame, view.client)
  const lead =
    client === undefined
      ? sentence(frame, 'sign_up.lead')
      : sentence(frame, 'sign_up.lead_client', { client })
  const errorOn = (field: SignUpView['field']) => view.error && view.field === field && 'error'
  const minimum = view.minimumPasswordLength
  return layout(frame, {
    title: plainSentence(frame, 'sign_up.title'),
    error: Boolean(view.error),
    shape: 'narrow',
    formsLeave: view.leaves,
    inFlow: true,
    main: html`<div class="card">
${head(sentence(frame, 'sign_up.title'), lead)}
${errorNote('error', view.error)}
<form method="post" action="${view.action}">
${hiddenFields(view.hidden)}
${fieldOf({
  id: 'name',
  name: 'name',
  label: sentence(frame, 'sign_up.name'),
  type: 'text',
  autocomplete: 'name',
  value: view.name,
  error: errorOn('name'),
  focus: !view.error || !view.field || view.field === 'name',
})}
${fieldOf({
  id: 'login',
  name: 'login',
  label: sentence(frame, 'sign_up.login'),
  type: 'text',
  autocomplete: 'username',
  value: view.login,
  error: errorOn('login'),
  focus: Boolean(errorOn('login')),
})}
${fieldOf({
  id: 'password',
  name: 'password',
  label: sentence(frame, 'sign_up.password'),
  type: 'password',
  autocomplete: 'new-password',
  hint: minimum ? sentence(frame, 'password.hint', { minimum: html`${minimum}` }) : undefined,
  minimumLength: minimum,
  error: errorOn('password'),
  focus: Boolean(errorOn('password')),
})}
<button class="primary">${sentence(frame, 'sign_up.submit')}</button>
</form>
</div>
<p class="after">${sentence(frame, 'sign_up.sign_in')} <a href="${view.signInUrl}">${sentence(frame, 'sign_up.sign_in_link')}</a></p>`,
  })
}
