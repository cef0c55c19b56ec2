import { randomBytes } from 'node:crypto'
import { type Browser, denies, deniesByLink, type Page } from './browser.ts'
import type { Button, Form } from './html.ts'
import type { Parameters } from './wire.ts'

/** What a sign-in script is given. */
export interface SignInVisit {
  /** A browser without scripts, with cookies; it stops before it would leave for the client's redirect URI. */
  browser: Browser
  /** Where to begin: an authorization request, or the page that takes a device's code. */
  url: string
  /** Whom to sign in as: 1 or 2, two different people. */
  person: 1 | 2
  /** Grows in a long run, since a server may limit what one user gets: new test users are made up then. */
  round: number
  /** What to answer when consent is asked. */
  decision: 'allow' | 'deny'
  /** The code a device shows, where it must be typed. */
  userCode?: string
}

/** Signs in and decides. Resolves with the page it ended at: one that has `left`, or the last one a device's user sees. */
export type SignIn = (visit: SignInVisit) => Promise<Page>

/** Name and password to sign in with. */
export interface Credentials {
  login: string
  password: string
}

const mostPages = 10
const yes = /\b(allow|approve|accept|authori[sz]e|agree|continue|confirm|consent|grant|yes|ok)/i

/**
 * Drives pages made of forms: it types a made-up name and password (or the ones given), signs up where a sign-in page
 * offers it and none were given, and presses the button that allows or denies.
 */
export function signInByForms(given?: Credentials): SignIn {
  const people = new Map<string, Credentials>()
  function credentialsOf(person: string): Credentials {
    const made = people.get(person) ?? {
      login: `verify-${randomBytes(5).toString('hex')}@client.example`,
      password: randomBytes(18).toString('base64url'),
    }
    people.set(person, made)
    return made
  }
  const signedUp = new Set<string>()

  return async ({ browser, url, person, round, decision, userCode }) => {
    const name = `${person} of ${round}`
    const own = person === 1 ? given : undefined
    const credentials = own ?? credentialsOf(name)
    let page = await browser.open(url)
    for (let at = 0; at < mostPages && !page.left && page.status < 400; at++) {
      const signUp = page.links.find((link) => /sign-?up|regist/i.test(new URL(link.url).pathname))
      const asksPassword = page.forms.some(({ fields }) => fields.some(({ type }) => type === 'password'))
      const known = signedUp.has(name) || own !== undefined
      if (asksPassword && signUp && !known) {
        signedUp.add(name)
        page = await browser.open(signUp.url)
        continue
      }
      if (decision === 'deny' && !asksPassword) {
        const link = page.links.find(deniesByLink)
        const without = !page.forms.some((form) => form.buttons.some(denies))
        if (link && without) {
          page = await browser.open(link.url)
          continue
        }
      }
      const step = stepOn(page.forms, decision)
      if (!step) return page
      const fields = fill(step.form, credentials, userCode)
      page = await browser.submit(step.form, fields, step.button ?? choiceOf(step.form, person))
    }
    return page
  }
}

/** The form to send: one that decides, else the first that is posted. */
function stepOn(
  forms: readonly Form[],
  decision: SignInVisit['decision'],
): { form: Form; button?: Button } | undefined {
  for (const form of forms) {
    const button = form.buttons.find(decision === 'deny' ? denies : allows)
    if (button) return { form, button }
  }
  const form =
    forms.find((one) => one.method === 'POST') ??
    forms.find((one) => one.fields.some(({ type }) => type === 'text'))
  return form && { form }
}

const allows = (button: Button) => !denies(button) && (yes.test(button.value) || yes.test(button.text))

/** Among several buttons that are no decision, each person presses one of their own. */
function choiceOf(form: Form, person: number): Button | undefined {
  const buttons = form.buttons.filter((button) => !denies(button))
  return buttons.length > 1 ? buttons[person - 1] : buttons[0]
}

function fill(form: Form, { login, password }: Credentials, userCode: string | undefined): Parameters {
  const fields: Record<string, string> = {}
  for (const { name, type, value } of form.fields) {
    if (type === 'password') fields[name] = password
    else if (type === 'hidden' || type === 'checkbox' || type === 'radio') continue
    else if (/code/i.test(name)) fields[name] = userCode ?? value
    else if (/log-?in|e-?mail|user|account|identifier/i.test(name) || type === 'email') fields[name] = login
    else if (value === '') fields[name] = /name/i.test(name) ? 'Verify' : login
  }
  return fields
}
