import { type Html, html } from '../http/html.ts'
import * as icons from './icons.ts'
import { face, head, hiddenFields, layout, permissions, successNote } from './layout.ts'
import type { Page } from './page.ts'
import { safeLink } from './safe-text.ts'
import { clientName, countSentence, day, minute, plainSentence, sentence } from './sentences.ts'
import type { ConnectedAppsView, Frame } from './views.ts'

type App = ConnectedAppsView['apps'][number]

/** What a person allowed, to whom, since when, and the button that ends it. */
export function connectedAppsPage(frame: Frame, view: ConnectedAppsView): Page {
  const minutes = Math.ceil((view.accessTokenLifetime ?? 900_000) / 60_000)
  return layout(frame, {
    title: plainSentence(frame, 'apps.title'),
    shape: 'wide',
    // Who is not signed in any more when it arrives signs in first, perhaps at another site.
    formsLeave: true,
    current: frame.navigation?.connectedApps,
    main: html`${
      view.disconnected !== undefined &&
      successNote(sentence(frame, 'apps.disconnected', { client: clientName(frame, view.disconnected) }))
    }
${head(sentence(frame, 'apps.title'), sentence(frame, 'apps.lead'))}
${
  view.apps.length
    ? html`<ul class="apps">${view.apps.map((app, index) => card(frame, app, index))}</ul>
<p class="ending-note">${icons.clock}<span>${sentence(frame, 'apps.ending', { minutes: countSentence(frame, 'apps.minutes', minutes) })}</span></p>`
    : html`<div class="card empty">${icons.plugs}<h2>${sentence(frame, 'apps.empty_title')}</h2><p>${sentence(frame, 'apps.empty')}</p></div>`
}`,
  })
}

function card(frame: Frame, app: App, index: number): Html {
  const name = clientName(frame, app.client.name)
  const homepage = safeLink(app.client.homepage)
  return html`<li><article class="card app" aria-labelledby="app-${index}">
<header>${face(name, app.client.logo)}
<div><h2 id="app-${index}"><bdi>${name}</bdi></h2>${
    homepage &&
    html`<p><a class="muted" href="${homepage}" target="_blank" rel="noopener noreferrer">${new URL(homepage).host}<span class="vh"> ${sentence(frame, 'page.new_window')}</span></a></p>`
  }</div>
<form method="post" action="${app.disconnect.action}">${hiddenFields(app.disconnect.hidden)}<button class="ending">${sentence(frame, 'apps.disconnect')}<span class="vh"> <bdi>${name}</bdi></span></button></form>
</header>
<dl class="facts">
<div><dt>${sentence(frame, 'apps.since')}</dt><dd>${day(frame, app.since)}</dd></div>
<div><dt>${sentence(frame, 'apps.last_used')}</dt><dd>${minute(frame, app.lastUsed)}</dd></div>
<div><dt>${sentence(frame, 'apps.how_often')}</dt><dd>${countSentence(frame, 'apps.uses', app.uses)}${
    app.sessions > 1 &&
    html` <span class="muted">(${countSentence(frame, 'apps.sessions', app.sessions)})</span>`
  }</dd></div>
${
  app.hosts !== undefined &&
  app.hosts.length > 0 &&
  html`<div><dt>${sentence(frame, 'apps.hosts')}</dt><dd>${app.hosts.map((host) => html`<bdi>${host}</bdi> `)}</dd></div>
`
}</dl>
${
  app.scopes.length
    ? html`<h3>${sentence(frame, 'apps.allowed')}</h3>${permissions(app.scopes, true)}`
    : html`<p class="muted small">${sentence(frame, 'apps.no_scopes')}</p>`
}
</article></li>`
}
