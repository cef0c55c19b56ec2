import { type Html, html } from '../http/html.ts'
import type { Answer } from '../http/message.ts'
import { type Refusal, refusalHeaders, wireError } from '../http/refusal.ts'
import * as icons from './icons.ts'
import { head, hiddenFields, layout } from './layout.ts'
import { answerPage, type Page } from './page.ts'
import { safeLink, safeText } from './safe-text.ts'
import { clientName, isolated, sentence } from './sentences.ts'
import type { ErrorView, Frame } from './views.ts'

/** A refusal that may not be redirected (RFC 6749 §4.1.2.1), said to the person in front of it. */
export function errorPage(frame: Frame, view: ErrorView): Page {
  const links = (view.links ?? []).map(({ href, text }) => ({ href: ownOrSafeLink(href), text }))
  return layout(frame, {
    status: view.status,
    title: view.title,
    shape: 'narrow',
    inFlow: true,
    formsLeave: view.leave?.fields !== undefined,
    main: html`<div class="card">
<div class="mark danger">${icons.alert}</div>
${head(html`${safeText(view.title)}`, view.message)}
${links.map(({ href, text }) => href && html`<a class="button plain" href="${href}">${safeText(text)}</a>`)}
${view.leave && wayOut(frame, view, view.leave)}
<dl class="details">
<dt>${sentence(frame, 'error.status')}</dt><dd>${view.status}</dd>
${view.code && html`<dt>${sentence(frame, 'error.code')}</dt><dd><code>${safeText(view.code)}</code></dd>`}
${view.client !== undefined && html`<dt>${sentence(frame, 'error.client')}</dt><dd>${isolated(clientName(frame, view.client))}</dd>`}
${view.requestId && html`<dt>${sentence(frame, 'error.request')}</dt><dd><code>${safeText(view.requestId)}</code></dd>`}
</dl>
</div>`,
  })
}

/**
 * A refusal said to the person in front of it: a page on our own origin, nothing of the input in it. `said` has what the page
 * says instead, or beside.
 */
export function answerRefusal(frame: Frame, refusal: Refusal, said: Partial<ErrorView> = {}): Answer {
  const { status } = refusal.wire
  const { error, error_description } = wireError(refusal)
  const id = refusal.facts?.['request_id']
  const view: ErrorView = {
    status,
    title: status === 403 ? 'This page cannot be used' : 'This request cannot be completed',
    message: error_description,
    code: error,
    ...(typeof id === 'string' ? { requestId: id } : {}),
    ...said,
  }
  return answerPage(errorPage(frame, view), { ...refusal.headers, ...refusalHeaders(refusal) })
}

/** Where it leads stands in full beside the button: who is behind the client is not known. */
function wayOut(frame: Frame, view: ErrorView, { address, fields }: NonNullable<ErrorView['leave']>): Html {
  const { host, protocol } = new URL(address)
  const isWeb = protocol === 'https:' || protocol === 'http:'
  // What follows a private-use scheme is no host of the web.
  const place = isWeb ? host : host === '' ? protocol : `${protocol}//${host}`
  const client = clientName(frame, view.client ?? '')
  const label = sentence(frame, 'error.leave', { host: place })
  return html`<p>${sentence(frame, 'error.leave_explained', { client, host: html`<strong>${isolated(place)}</strong>` })}</p>
${
  fields
    ? html`<form method="post" action="${address}">${hiddenFields(fields)}<button class="plain">${label}</button></form>`
    : html`<a class="button plain" rel="noreferrer" href="${address}">${label}</a>`
}`
}

function ownOrSafeLink(href: string): string | undefined {
  return /^\/(?![/\\])/.test(href) ? href : safeLink(href)
}
