import { html } from '../http/html.ts'
import * as icons from './icons.ts'
import { face, head, hiddenFields, layout } from './layout.ts'
import type { Page } from './page.ts'
import { registeredLink } from './safe-text.ts'
import { clientName, isolated, plainSentence, sentence } from './sentences.ts'
import type { Frame, SignedOutView, SignOutView } from './views.ts'

/** What a person sees after signing out. */
export function signedOutPage(frame: Frame, view: SignedOutView): Page {
  const goOn = registeredLink(view.goOn?.href)
  return layout(frame, {
    title: plainSentence(frame, 'signed_out.title'),
    shape: 'narrow',
    main: html`<div class="card">
<div class="mark success">${icons.tick}</div>
${head(sentence(frame, 'signed_out.title'), sentence(frame, 'signed_out.lead'))}
${goOn !== undefined && view.goOn && html`<a class="button plain" href="${goOn}"><span>${sentence(frame, 'signed_out.go_on', { client: clientName(frame, view.goOn.client) })}</span></a>`}
${view.signInUrl && html`<a class="button plain" href="${view.signInUrl}">${sentence(frame, 'signed_out.sign_in')}</a>`}
</div>`,
  })
}

/** Asks whether the person wants to be signed out, as somebody says they do (RP-Initiated Logout 1.0 §2). */
export function signOutPage(frame: Frame, view: SignOutView): Page {
  const client = view.client === undefined ? undefined : clientName(frame, view.client)
  const { account } = view
  const email = account.email && account.email !== account.name ? account.email : undefined
  return layout(frame, {
    title: plainSentence(frame, 'sign_out.title'),
    shape: 'narrow',
    formsLeave: true,
    inFlow: true,
    main: html`<div class="card">
${head(
  sentence(frame, 'sign_out.title'),
  client === undefined
    ? sentence(frame, 'sign_out.lead')
    : sentence(frame, 'sign_out.lead_client', { client }),
)}
<div class="person">${face(account.name, undefined, 'round')}
<div><strong>${isolated(account.name)}</strong>${
      email && html`<div class="muted small">${isolated(email)}</div>`
    }</div></div>
<section class="block"><p>${sentence(frame, 'sign_out.explained')}</p></section>
<form method="post" action="${view.action}">
${hiddenFields(view.hidden)}
<div class="choice">
<a class="button plain" href="${view.stayUrl}">${sentence(frame, 'sign_out.stay')}</a>
<button class="primary">${sentence(frame, 'sign_out.submit')}</button>
</div>
</form>
</div>`,
  })
}
