/** RFC 8628 §3.3, §3.3.1, §5.4, §6.1: the pages on which a person connects a device. */
import { type Html, html } from '../http/html.ts'
import {
  asked,
  decisionForm,
  details,
  held,
  links,
  resources,
  signedInAs,
  unverifiedBadge,
  unverifiedNote,
} from './consent.ts'
import * as icons from './icons.ts'
import { errorNote, face, head, hiddenFields, layout, ownFace } from './layout.ts'
import type { Page } from './page.ts'
import { safeText } from './safe-text.ts'
import { clientName, isolated, minute, plainSentence, sentence } from './sentences.ts'
import type { DeviceCodeView, DeviceConsentView, DeviceDoneView, Frame } from './views.ts'

/** Asks for the code of a device. Posts `user_code`. */
export function deviceCodePage(frame: Frame, view: DeviceCodeView): Page {
  const described = `${view.error ? 'error ' : ''}user-code-hint`
  return layout(frame, {
    title: plainSentence(frame, 'device.title'),
    error: Boolean(view.error),
    shape: 'narrow',
    formsLeave: true,
    inFlow: true,
    main: html`<div class="card">
<div class="mark">${icons.screen}</div>
${head(sentence(frame, 'device.title'), sentence(frame, view.linked ? 'device.lead_linked' : 'device.lead'))}
${errorNote('error', view.error)}
<form method="post" action="${view.action}">
${hiddenFields(view.hidden)}
<div class="field">
<label for="user-code">${sentence(frame, 'device.code')}</label>
<input id="user-code" class="usercode" name="user_code" type="text" value="${safeText(view.userCode)}" autocomplete="off" autocapitalize="characters" spellcheck="false" maxlength="32" required aria-describedby="${described}"${
      view.error && html` aria-invalid="true"`
    }${!view.linked && html` autofocus`}>
<p class="hint" id="user-code-hint">${sentence(frame, 'device.code_hint')}</p>
</div>
<button class="primary">${sentence(frame, 'device.continue')}</button>
</form>
</div>`,
  })
}

/** Asks whether a device may have what it asks. Posts `decision`, `allow` or `deny`. */
export function deviceConsentPage(frame: Frame, view: DeviceConsentView): Page {
  const client = clientName(frame, view.client.name)
  return layout(frame, {
    title: plainSentence(frame, 'consent.title', { client }),
    shape: 'narrow',
    inFlow: true,
    main: html`<div class="card consent">
<div class="meeting">${face(client, view.client.logo, 'large')}${icons.arrows}${ownFace(frame)}</div>
<div class="head"><h1>${sentence(frame, 'consent.title', { client })}</h1>
${unverifiedBadge(frame, view)}</div>
${signedInAs(frame, view)}
<div class="match"><p class="muted small" id="match">${sentence(frame, 'device.shown')}</p>
<strong class="usercode" aria-describedby="match">${safeText(view.userCode)}</strong></div>
${whereFrom(frame, view)}
${asked(frame, view, client)}
${details(frame, view)}
${held(frame, view)}
${resources(frame, view)}
${unverifiedNote(frame, view, client)}
<div class="note caution">${icons.warning}<strong>${sentence(frame, 'device.caution_title')}</strong><p>${sentence(frame, 'device.caution')}</p></div>
${decisionForm(frame, view)}
<div class="foot"><p>${sentence(frame, 'consent.later')}</p></div>
</div>
${links(frame, view, client)}`,
  })
}

function whereFrom(frame: Frame, { device }: DeviceConsentView): Html {
  return html`<dl class="details">
<dt>${sentence(frame, 'device.from')}</dt><dd>${
    device.address ? html`<code>${safeText(device.address)}</code>` : sentence(frame, 'device.from_unknown')
  }</dd>
<dt>${sentence(frame, 'device.at')}</dt><dd>${minute(frame, device.at)}</dd>
${device.userAgent && html`<dt>${sentence(frame, 'device.by')}</dt><dd>${isolated(device.userAgent)}</dd>`}
</dl>`
}

/** What a person sees after deciding: the device goes on by itself. */
export function deviceDonePage(frame: Frame, { client, allowed }: DeviceDoneView): Page {
  const title = allowed ? 'device.allowed_title' : 'device.denied_title'
  const name = clientName(frame, client)
  return layout(frame, {
    title: plainSentence(frame, title),
    shape: 'narrow',
    inFlow: true,
    main: html`<div class="card">
<div class="mark ${allowed && 'success'}">${allowed ? icons.tick : icons.screen}</div>
${head(sentence(frame, title), sentence(frame, allowed ? 'device.allowed' : 'device.denied', { client: name }))}
</div>`,
  })
}
