/** RFC 6749 §3.1, §10.2; RFC 8252 §8.6; RFC 9700 §4.2: what the resource owner sees before deciding. */
import { type Html, type HtmlValue, html } from '../http/html.ts'
import * as icons from './icons.ts'
import { face, hiddenFields, layout, ownFace, permissions } from './layout.ts'
import type { Page } from './page.ts'
import { safeLink, safeText } from './safe-text.ts'
import { clientName, isolated, plainSentence, sentence } from './sentences.ts'
import type { ConsentView, Frame } from './views.ts'

/** Asks whether a client may have what it asks. Posts `decision`, `allow` or `deny`. */
export function consentPage(frame: Frame, view: ConsentView): Page {
  const client = clientName(frame, view.client.name)
  return layout(frame, {
    title: plainSentence(frame, 'consent.title', { client }),
    shape: 'narrow',
    formsLeave: true,
    inFlow: true,
    main: html`<div class="card consent">
<div class="meeting">${face(client, view.client.logo, 'large')}${icons.arrows}${ownFace(frame)}</div>
<div class="head"><h1>${sentence(frame, 'consent.title', { client })}</h1>
${unverifiedBadge(frame, view)}</div>
${signedInAs(frame, view)}
${asked(frame, view, client)}
${details(frame, view)}
${held(frame, view)}
${resources(frame, view)}
${warnings(frame, view, client)}
${decisionForm(frame, view)}
<div class="foot"><p>${sentence(frame, view.loopbackOnly ? 'consent.redirect_loopback' : 'consent.redirect', {
      host: html`<strong>${isolated(view.redirectHost)}</strong>`,
    })}</p><p>${sentence(frame, 'consent.later')}</p></div>
</div>
${links(frame, view, client)}`,
  })
}

/** The two answers. Posts `decision`, `allow` or `deny`. */
export function decisionForm(frame: Frame, view: Pick<ConsentView, 'action' | 'hidden'>): Html {
  return html`<form method="post" action="${view.action}">
${hiddenFields(view.hidden)}
<div class="choice">
<button class="plain" name="decision" value="deny">${sentence(frame, 'consent.deny')}</button>
<button class="primary" name="decision" value="allow">${sentence(frame, 'consent.allow')}</button>
</div>
</form>`
}

/** Who decides. */
export function signedInAs(frame: Frame, { account }: Pick<ConsentView, 'account'>): Html {
  const email = account.email && account.email !== account.name ? account.email : undefined
  return html`<div class="person">${face(account.name, undefined, 'round')}
<div><span class="vh">${sentence(frame, 'consent.account')} </span><strong>${isolated(account.name)}</strong>${
    email && html`<div class="muted small">${isolated(email)}</div>`
  }</div>
${account.switchUrl && html`<a href="${account.switchUrl}">${sentence(frame, 'consent.switch')}</a>`}</div>`
}

/** What the client gets that it has not got yet. */
export function asked(
  frame: Frame,
  view: Pick<ConsentView, 'asked' | 'held' | 'details' | 'offline'>,
  client: string,
): Html {
  const offline =
    view.offline && html`<li>${icons.clock}<span>${sentence(frame, 'consent.offline')}</span></li>`
  if (view.asked.length === 0 && view.held.length === 0 && view.details.length > 0) {
    return html`${offline && html`<section class="block"><ul class="permissions">${offline}</ul></section>`}`
  }
  if (view.asked.length === 0) {
    const key = view.held.length ? 'consent.nothing_new' : 'consent.nothing'
    return html`<section class="block"><p>${sentence(frame, key, { client })}</p>${
      offline && html`<ul class="permissions">${offline}</ul>`
    }</section>`
  }
  const key = view.held.length ? 'consent.asked_new' : 'consent.asked'
  return html`<section class="block" aria-labelledby="asked"><h2 id="asked">${sentence(frame, key, { client })}</h2>
${permissions(view.asked)}
${offline && html`<ul class="permissions">${offline}</ul>`}</section>`
}

/** Longer than any line that is let through, so that nothing of it is cut off. */
const longestDetail = 400

/** What it asks beyond scopes (RFC 9396 §11.2). */
export function details(frame: Frame, view: Pick<ConsentView, 'details'>): HtmlValue {
  if (view.details.length === 0) return undefined
  return html`<section class="block" aria-labelledby="details"><h2 id="details">${sentence(frame, 'consent.details')}</h2>
${view.details.map(
  (lines) =>
    html`<ul class="detail">${lines.map((line) => html`<li><bdi>${safeText(line, longestDetail)}</bdi></li>`)}</ul>`,
)}</section>`
}

/** What it has already. */
export function held(frame: Frame, view: Pick<ConsentView, 'held'>): HtmlValue {
  if (view.held.length === 0) return undefined
  return html`<section class="block" aria-labelledby="held"><h2 id="held">${sentence(frame, 'consent.held')}</h2>
${permissions(view.held, true)}</section>`
}

export function resources(frame: Frame, view: Pick<ConsentView, 'resources'>): HtmlValue {
  if (view.resources.length === 0) return undefined
  return html`<section class="block" aria-labelledby="resources"><h2 id="resources">${sentence(frame, 'consent.resources')}</h2>
<ul>${view.resources.map((resource) => html`<li><code>${safeText(resource)}</code></li>`)}</ul></section>`
}

function warnings(frame: Frame, view: ConsentView, client: string): HtmlValue {
  return [
    unverifiedNote(frame, view, client),
    view.loopbackOnly &&
      html`<div class="note caution">${icons.warning}<strong>${sentence(frame, 'consent.loopback_title')}</strong><p>${sentence(frame, 'consent.loopback', { client })}</p></div>`,
  ]
}

/** Marks a client that is not verified: by the host that describes it, where there is one. */
export function unverifiedBadge(frame: Frame, { client }: Pick<ConsentView, 'client'>): HtmlValue {
  if (!client.createdByItself) return undefined
  return html`<p class="badge">${client.host === undefined ? sentence(frame, 'consent.by_itself') : isolated(client.host)}</p>`
}

/** Says what vouches for such a client, and what does not. */
export function unverifiedNote(frame: Frame, view: Pick<ConsentView, 'client'>, client: string): HtmlValue {
  const { createdByItself, host } = view.client
  if (!createdByItself) return undefined
  const words =
    host === undefined
      ? sentence(frame, 'consent.by_itself_explained', { client })
      : sentence(frame, 'consent.by_host_explained', {
          client,
          host: html`<strong>${isolated(host)}</strong>`,
        })
  return html`<div class="note caution">${icons.alert}<p>${words}</p></div>`
}

/** What the client says about itself elsewhere. */
export function links(frame: Frame, view: Pick<ConsentView, 'client'>, client: string): HtmlValue {
  const entries = (
    [
      ['consent.homepage', safeLink(view.client.homepage)],
      ['consent.policy', safeLink(view.client.policy)],
      ['consent.terms', safeLink(view.client.terms)],
    ] as const
  ).filter(([, href]) => href)
  if (entries.length === 0) return undefined
  return html`<nav class="links" aria-label="${plainSentence(frame, 'consent.links', { client })}">${entries.map(
    ([key, href]) =>
      html`<a href="${href}" target="_blank" rel="noopener noreferrer">${sentence(frame, key)}<span class="vh"> ${sentence(frame, 'page.new_window')}</span></a>`,
  )}</nav>`
}
