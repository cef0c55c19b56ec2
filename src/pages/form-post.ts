/** OAuth 2.0 Form Post Response Mode §2: the answer travels in the body of a form the browser posts. */
import { html } from '../http/html.ts'
import { head, hiddenFields, layout } from './layout.ts'
import type { Page } from './page.ts'
import { isolated, plainSentence, sentence } from './sentences.ts'
import type { FormPostView, Frame } from './views.ts'

/** Called on the prototype, because a field named `submit` would hide the form's own method. */
const submit = "HTMLFormElement.prototype.submit.call(document.querySelector('form'))"

/** Posts itself to the redirect URI; without JavaScript the Continue button does. */
export function formPostPage(frame: Frame, view: FormPostView): Page {
  const target = new URL(view.action)
  if (target.protocol !== 'https:' && target.protocol !== 'http:') {
    throw new TypeError(`form_post needs an http or https redirect URI, not ${target.protocol}`)
  }
  return layout(frame, {
    title: plainSentence(frame, 'form_post.title'),
    shape: 'narrow',
    script: submit,
    formsLeave: true,
    inFlow: true,
    main: html`<div class="card">
${head(sentence(frame, 'form_post.title'), sentence(frame, 'form_post.lead', { host: isolated(target.host) }))}
<form method="post" action="${view.action}">
${hiddenFields(view.fields)}
<button class="primary">${sentence(frame, 'form_post.continue')}</button>
</form>
</div>`,
  })
}
