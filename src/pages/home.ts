import { html } from '../http/html.ts'
import * as icons from './icons.ts'
import { head, layout } from './layout.ts'
import type { Page } from './page.ts'
import { say, sayPlain } from './sentences.ts'
import type { Frame, HomeView } from './views.ts'

/** The issuer URL itself, for a person who opens it. */
export function homePage(frame: Frame, view: HomeView): Page {
  return layout(frame, {
    title: sayPlain(frame, 'home.title'),
    shape: 'narrow',
    main: html`${head(say(frame, 'home.title'), say(frame, 'home.lead'))}
<div class="apps">
${view.accountUrl && html`<a class="card go" href="${view.accountUrl}">${icons.person}<span><strong>${say(frame, 'home.account')}</strong><br><span class="muted small">${say(frame, 'home.account_lead')}</span></span>${icons.chevron}</a>`}
<a class="card go" href="${view.connectedAppsUrl}">${icons.plug}<span><strong>${say(frame, 'home.apps')}</strong><br><span class="muted small">${say(frame, 'home.apps_lead')}</span></span>${icons.chevron}</a>
</div>
<p class="after">${say(frame, 'home.issuer')} <code>${view.issuer}</code></p>`,
  })
}
