import { html } from '../http/html.ts'
import * as icons from './icons.ts'
import { safeLink } from './inert.ts'
import { head, layout } from './layout.ts'
import type { Page } from './page.ts'
import { clientName, say, sayPlain } from './say.ts'
import type { Frame, SignedOutView } from './views.ts'

/** What a person sees after signing out. */
export function signedOutPage(frame: Frame, view: SignedOutView): Page {
  const goOn = safeLink(view.goOn?.href)
  return layout(frame, {
    title: sayPlain(frame, 'signed_out.title'),
    shape: 'narrow',
    main: html`<div class="card">
<div class="mark success">${icons.tick}</div>
${head(say(frame, 'signed_out.title'), say(frame, 'signed_out.lead'))}
${goOn !== undefined && view.goOn && html`<a class="button plain" href="${goOn}">${say(frame, 'signed_out.go_on', { client: clientName(frame, view.goOn.client) })}</a>`}
${view.signInUrl && html`<a class="button plain" href="${view.signInUrl}">${say(frame, 'signed_out.sign_in')}</a>`}
</div>`,
  })
}
