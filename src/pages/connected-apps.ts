import { type Html, html } from '../http/html.ts'
import * as icons from './icons.ts'
import { face, head, hiddenFields, layout, permissions, successNote } from './layout.ts'
import type { Page } from './page.ts'
import { safeLink } from './safe-text.ts'
import { clientName, day, minute, say, sayCount, sayPlain } from './sentences.ts'
import type { ConnectedAppsView, Frame } from './views.ts'

type App = ConnectedAppsView['apps'][number]

/** What a person allowed, to whom, since when, and the button that ends it. */
export function connectedAppsPage(frame: Frame, view: ConnectedAppsView): Page {
  const minutes = Math.ceil((view.accessTokenLifetime ?? 900_000) / 60_000)
  return layout(frame, {
    title: sayPlain(frame, 'apps.title'),
    shape: 'wide',
    // Who is not signed in any more when it arrives signs in first, perhaps at another site.
    formsLeave: true,
    current: frame.navigation?.connectedApps,
    main: html`${
      view.disconnected !== undefined &&
      successNote(say(frame, 'apps.disconnected', { client: clientName(frame, view.disconnected) }))
    }
${head(say(frame, 'apps.title'), say(frame, 'apps.lead'))}
${
  view.apps.length
    ? html`<ul class="apps">${view.apps.map((app, index) => card(frame, app, index))}</ul>
<p class="ending-note">${icons.clock}<span>${say(frame, 'apps.ending', { minutes: sayCount(frame, 'apps.minutes', minutes) })}</span></p>`
    : html`<div class="card empty">${icons.plugs}<h2>${say(frame, 'apps.empty_title')}</h2><p>${say(frame, 'apps.empty')}</p></div>`
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
    html`<p><a class="muted" href="${homepage}" target="_blank" rel="noopener noreferrer">${new URL(homepage).host}<span class="vh"> ${say(frame, 'page.new_window')}</span></a></p>`
  }</div>
<form method="post" action="${app.disconnect.action}">${hiddenFields(app.disconnect.hidden)}<button class="ending">${say(frame, 'apps.disconnect')}<span class="vh"> <bdi>${name}</bdi></span></button></form>
</header>
<dl class="facts">
<div><dt>${say(frame, 'apps.since')}</dt><dd>${day(frame, app.since)}</dd></div>
<div><dt>${say(frame, 'apps.last_used')}</dt><dd>${minute(frame, app.lastUsed)}</dd></div>
<div><dt>${say(frame, 'apps.how_often')}</dt><dd>${sayCount(frame, 'apps.uses', app.uses)}${
    app.sessions > 1 && html` <span class="muted">(${sayCount(frame, 'apps.sessions', app.sessions)})</span>`
  }</dd></div>
${
  app.hosts !== undefined &&
  app.hosts.length > 0 &&
  html`<div><dt>${say(frame, 'apps.hosts')}</dt><dd>${app.hosts.map((host) => html`<bdi>${host}</bdi> `)}</dd></div>
`
}</dl>
${
  app.scopes.length
    ? html`<h3>${say(frame, 'apps.allowed')}</h3>${permissions(app.scopes, true)}`
    : html`<p class="muted small">${say(frame, 'apps.no_scopes')}</p>`
}
</article></li>`
}
