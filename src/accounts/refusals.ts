import { type Refusal as RefusalFor, type Rows, refuser, requestRefusals, row } from '../http/refusal.ts'
import { defaultTexts, type TextKey } from '../pages/texts.ts'

/** A page; the specifications have no code for it. */
const page = (status: number, message: TextKey, title?: TextKey, again?: TextKey) => ({
  ...row(status, '', defaultTexts[message]),
  said: said(message, title, again),
})
/** `again` is the text of the button, where the refusal has an address for it. */
const said = (message: TextKey, title: TextKey = 'form.error_title', again: TextKey = 'error.again') => ({
  title,
  message,
  again,
})

const pages = {
  form_expired: page(403, 'form.expired'),
  account_disabled: page(403, 'sign_in.disabled'),
  password_link_unknown: page(410, 'set_password.expired', 'set_password.expired_title', 'sign_in.title'),
  too_many_password_links: page(429, 'sign_in.too_many', undefined, 'sign_in.title'),
  sign_in_elsewhere: page(403, 'development.elsewhere'),
  provider_answer_unexpected: page(400, 'openid.unknown'),
  provider_denied: page(403, 'openid.failed'),
  provider_failed: page(400, 'openid.failed'),
}

/** The table of accounts: their pages, and the webhook of their provider. */
export const refusals = {
  ...requestRefusals,
  ...pages,
  webhook_unverified: row(401, 'unverified_webhook', 'The signature of the webhook is not valid'),
} as const satisfies Rows

export type Refusal = RefusalFor<keyof typeof refusals>

export const refuse = refuser(refusals)

/** What the page says for each reason. The page of any other one has the words of its row. */
export const sentences: Readonly<Record<string, ReturnType<typeof said> | undefined>> = {
  body_too_large: said('form.too_large'),
  malformed_form: said('form.malformed'),
  repeated_parameter: said('form.malformed'),
  method_not_allowed: said('form.method'),
  ...Object.fromEntries(Object.entries(pages).map(([reason, { said }]) => [reason, said])),
}
