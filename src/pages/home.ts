import { html } from '../http/html.ts'
import * as icons from './icons.ts'
import { head, layout } from './layout.ts'
import type { Page } from './page.ts'
import { plainSentence, sentence } from './sentences.ts'
import type { Frame, HomeView } from './views.ts'

/** The issuer URL itself, for a person who opens it. */
export function homePage(frame: Frame, view: HomeView): Page {
  return layout(frame, {
    title: plainSentence(frame, 'home.title'),
    shape: 'narrow',
    main: html`${head(sentence(frame, 'home.title'), sentence(frame, 'home.lead'))}
<div class="apps">
${view.accountUrl && html`<a class="card go" href="${view.accountUrl}">${icons.person}<span><strong>${sentence(frame, 'home.account')}</strong><br><span class="muted small">${sentence(frame, 'home.account_lead')}</span></span>${icons.chevron}</a>`}
<a class="card go" href="${view.connectedAppsUrl}">${icons.plug}<span><strong>${sentence(frame, 'home.apps')}</strong><br><span class="muted small">${sentence(frame, 'home.apps_lead')}</span></span>${icons.chevron}</a>
</div>
<p class="after">${sentence(frame, 'home.issuer')} <code>${view.issuer}</code></p>`,
  })
}
