import { html } from '../http/html.ts'
import * as icons from './icons.ts'
import { inertText, safeLink } from './inert.ts'
import { head, layout } from './layout.ts'
import type { Page } from './page.ts'
import { clientName, isolated, say } from './say.ts'
import type { ErrorView, Frame } from './views.ts'

/** A refusal that may not be redirected (RFC 6749 §4.1.2.1), said to the person in front of it. */
export function errorPage(frame: Frame, view: ErrorView): Page {
  const link = view.link && ownOrSafeLink(view.link.href)
  return layout(frame, {
    status: view.status,
    title: view.title,
    shape: 'narrow',
    inFlow: true,
    main: html`<div class="card">
<div class="mark danger">${icons.alert}</div>
${head(html`${inertText(view.title)}`, view.message)}
${link && html`<a class="button plain" href="${link}">${inertText(view.link?.text ?? '')}</a>`}
<dl class="details">
<dt>${say(frame, 'error.status')}</dt><dd>${view.status}</dd>
${view.code && html`<dt>${say(frame, 'error.code')}</dt><dd><code>${inertText(view.code)}</code></dd>`}
${view.client !== undefined && html`<dt>${say(frame, 'error.client')}</dt><dd>${isolated(clientName(frame, view.client))}</dd>`}
${view.requestId && html`<dt>${say(frame, 'error.request')}</dt><dd><code>${inertText(view.requestId)}</code></dd>`}
</dl>
</div>`,
  })
}

function ownOrSafeLink(href: string): string | undefined {
  return /^\/(?![/\\])/.test(href) ? href : safeLink(href)
}
