import { html } from '../http/html.ts'
import * as icons from './icons.ts'
import { face, head, hiddenFields, layout } from './layout.ts'
import type { Page } from './page.ts'
import { safeText } from './safe-text.ts'
import { clientName, plainSentence, sentence } from './sentences.ts'
import type { DevelopmentSignInView, Frame } from './views.ts'

/** Signs in as one of a few made-up people, without a password. Posts `subject`, and `acr` where there is a choice. */
export function developmentSignInPage(frame: Frame, view: DevelopmentSignInView): Page {
  const client = view.client === undefined ? undefined : clientName(frame, view.client)
  const lead =
    client === undefined
      ? sentence(frame, 'development.lead')
      : sentence(frame, 'development.lead_client', { client })
  return layout(frame, {
    title: plainSentence(frame, 'development.title'),
    shape: 'narrow',
    formsLeave: view.leaves,
    inFlow: true,
    main: html`<div class="card">
<div class="note caution">${icons.warning}<strong>${sentence(frame, 'development.mark')}</strong><p>${sentence(frame, 'development.warning')}</p></div>
${head(sentence(frame, 'development.title'), lead)}
<form method="post" action="${view.action}">
${hiddenFields(view.hidden)}
${
  view.acr &&
  html`<div class="field"><label for="acr">${sentence(frame, 'development.acr')}</label>
<select id="acr" name="acr">${view.acr.values.map(
    (value) => html`<option${value === view.acr?.chosen && html` selected`}>${value}</option>`,
  )}</select></div>`
}
<ul class="people">${view.accounts.map(
      (account) =>
        html`<li><button class="plain" name="subject" value="${account.subject}">${face(account.name, undefined, 'round')}<span><span><span class="vh">${sentence(frame, 'development.sign_in_as')} </span><bdi>${safeText(account.name)}</bdi></span><code>${safeText(account.subject)}</code></span></button></li>`,
    )}</ul>
${view.accounts.length === 0 && html`<p class="muted">${sentence(frame, 'development.empty')}</p>`}
</form>
</div>`,
  })
}
