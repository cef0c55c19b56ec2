import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { accountPage, browserName } from '../../src/pages/account.ts'
import { branding } from '../../src/pages/branding.ts'
import { connectedAppsPage } from '../../src/pages/connected-apps.ts'
import { consentPage } from '../../src/pages/consent.ts'
import { developmentSignInPage } from '../../src/pages/development-sign-in.ts'
import { deviceCodePage, deviceConsentPage, deviceDonePage } from '../../src/pages/device.ts'
import { errorPage } from '../../src/pages/error.ts'
import { formPostPage } from '../../src/pages/form-post.ts'
import type { Page } from '../../src/pages/page.ts'
import { signInPage } from '../../src/pages/sign-in.ts'
import { signUpPage } from '../../src/pages/sign-up.ts'
import { signedOutPage, signOutPage } from '../../src/pages/signed-out.ts'
import type { Frame } from '../../src/pages/views.ts'
import * as samples from './samples.ts'
import { frame, gallery } from './samples.ts'

/** The document without its stylesheet, which is full of words of its own. */
function body(page: Page): string {
  return page.html.replace(/<style>.*<\/style>/s, '')
}

/** Every tag with the names of its attributes, in order: what an input must not be able to change. */
function skeleton(page: Page): string[] {
  const tags = body(page).match(/<\/?[a-z][^<>]*>/g) ?? []
  return tags.map((tag) => tag.replace(/="[^"]*"/g, '=""'))
}

/** A view in which every text a stranger or a user writes is `text`. */
function strange(text: string): Page[] {
  const hidden = { token: text }
  const scopes = [{ name: text, description: text }]
  const client = { name: text, createdByItself: true }
  const own: Frame = { ...frame, branding: branding({ name: `x${text}` }) }
  return [
    signInPage(own, { ...samples.signIn, hidden, login: text, client: text, error: text }),
    signUpPage(own, { ...samples.signUp, hidden, name: text, login: text, client: text, error: text }),
    developmentSignInPage(own, {
      ...samples.developmentSignIn,
      hidden,
      client: text,
      accounts: [{ subject: text, name: text }],
      acr: { values: [text], chosen: text },
    }),
    signOutPage(own, {
      ...samples.signOut,
      hidden,
      account: { name: text, email: `${text}@` },
      client: text,
    }),
    signedOutPage(own, { goOn: { href: 'https://a.example/', client: text } }),
    consentPage(own, {
      ...samples.consent,
      hidden,
      client,
      account: { name: text, email: `${text}@`, switchUrl: text },
      redirectHost: text,
      loopbackOnly: true,
      asked: scopes,
      held: scopes,
      resources: [text],
    }),
    deviceCodePage(own, { ...samples.deviceCode, hidden, userCode: text, error: text }),
    deviceConsentPage(own, {
      ...samples.deviceConsent,
      hidden,
      client,
      account: { name: text, email: `${text}@`, switchUrl: text },
      asked: scopes,
      held: scopes,
      details: [[text]],
      resources: [text],
      userCode: text,
      device: { address: text, userAgent: text, at: 0 },
    }),
    deviceDonePage(own, { client: text, allowed: true }),
    connectedAppsPage(own, {
      apps: [
        {
          ...samples.connectedApps.apps[0]!,
          client: { name: text },
          scopes,
          disconnect: { action: text, hidden },
        },
      ],
      disconnected: text,
    }),
    accountPage(own, {
      ...samples.account,
      name: text,
      login: `${text}@`,
      signIns: [{ current: true, address: text, userAgent: text, at: 0 }],
    }),
    errorPage(own, { status: 400, title: text, message: text, code: text, client: text, requestId: text }),
    formPostPage(own, { action: 'https://a.example/', fields: { state: text } }),
  ]
}

test('RFC 6749 §10.14: no text in a view changes the elements or attributes of a page', () => {
  const plain = strange('xx').map(skeleton)
  const piece = fc.constantFrom(
    '<script>',
    '</title>',
    '"',
    "'",
    '>',
    '<!--',
    '{client}',
    '{product}',
    '&lt;',
    '\u202e',
    '\0',
    '`',
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(piece).map((it) => it.join('')),
  )
  fc.assert(
    fc.property(text, (it) => {
      assert.deepEqual(strange(`x${it}x`).map(skeleton), plain)
    }),
    { numRuns: 150 },
  )
})

const forms: [name: string, page: () => Page, action: string, hidden: Record<string, string>][] = [
  ['sign-in', gallery['sign-in']!, samples.signIn.action, samples.signIn.hidden],
  ['sign-up', gallery['sign-up']!, samples.signUp.action, samples.signUp.hidden],
  [
    'development sign-in',
    gallery['development-sign-in']!,
    samples.developmentSignIn.action,
    samples.developmentSignIn.hidden,
  ],
  ['sign out', gallery['sign-out']!, samples.signOut.action, samples.signOut.hidden],
  ['consent', gallery['consent']!, samples.consent.action, samples.consent.hidden],
  ['device code', gallery['device-code-linked']!, samples.deviceCode.action, samples.deviceCode.hidden],
  ['device consent', gallery['device-consent']!, samples.deviceConsent.action, samples.deviceConsent.hidden],
  [
    'connected apps',
    gallery['connected-apps']!,
    samples.connectedApps.apps[0]!.disconnect.action,
    samples.connectedApps.apps[0]!.disconnect.hidden,
  ],
  [
    'change password',
    gallery['account']!,
    samples.account.changePassword!.action,
    samples.account.changePassword!.hidden,
  ],
  ['sign-out', gallery['account']!, samples.account.signOut.action, samples.account.signOut.hidden],
  ['form post', gallery['form-post']!, samples.formPost.action, samples.formPost.fields],
]

for (const [name, page, action, hidden] of forms) {
  test(`the ${name} form posts to its action with its hidden fields and a button, without JavaScript`, () => {
    const attribute = (text: string) =>
      text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
    const form = body(page())
      .split('<form ')
      .find((it) => it.startsWith(`method="post" action="${attribute(action)}"`))
      ?.split('</form>')[0]
    assert.ok(form)
    for (const [key, value] of Object.entries(hidden)) {
      assert.ok(form.includes(`<input type="hidden" name="${key}" value="${attribute(value)}">`), key)
    }
    assert.match(form, /<button/)
    assert.doesNotMatch(form, /\son[a-z]+=/)
  })
}

test('every page has a language, a title, landmarks, one first-level heading and no script but the form post', () => {
  for (const [name, page] of Object.entries(gallery)) {
    const markup = body(page())
    assert.match(markup, /<html lang="en" dir="ltr">/, name)
    assert.match(markup, /<title>[^<]+ · Job Board<\/title>/, name)
    assert.equal(markup.match(/<h1>/g)?.length, 1, name)
    assert.match(markup, /<header class="top">.*<main id="content"/s, name)
    assert.equal(markup.match(/<script/g)?.length ?? 0, name === 'form-post' ? 1 : 0, name)
    const ids = [...markup.matchAll(/\sid="([^"]*)"/g)].map((it) => it[1])
    assert.equal(new Set(ids).size, ids.length, `${name}: an id stands twice`)
    for (const [, references] of markup.matchAll(/\saria-(?:describedby|labelledby)="([^"]*)"/g)) {
      for (const id of references!.split(' ')) assert.ok(ids.includes(id), `${name}: ${id}`)
    }
    for (const [input] of markup.matchAll(/<input id=[^>]*>/g)) {
      const id = /id="([^"]*)"/.exec(input)![1]
      assert.ok(markup.includes(`<label for="${id}">`), `${name}: ${id} has no label`)
    }
  }
})

test('WCAG 2.2 §1.3.5: fields say what they are for', () => {
  const purposes = (page: Page) => [...body(page).matchAll(/autocomplete="([^"]*)"/g)].map((it) => it[1])
  assert.deepEqual(purposes(gallery['sign-in']!()), ['username', 'current-password'])
  assert.deepEqual(purposes(gallery['sign-up']!()), ['name', 'username', 'new-password'])
  assert.deepEqual(purposes(gallery['account']!()), ['username', 'current-password', 'new-password'])
})

test('WCAG 2.2 §3.3.1: an error is an alert, describes its field and stands in the title', () => {
  const markup = body(gallery['sign-up']!())
  assert.match(markup, /<title>Error: /)
  assert.match(markup, /<div class="note danger" role="alert" id="error">/)
  assert.match(
    markup,
    /<input id="password"[^>]* aria-describedby="error password-hint" aria-invalid="true" autofocus>/,
  )
  assert.doesNotMatch(markup, /<input id="login"[^>]*aria-invalid/)
})

test('a password never comes back in a page', () => {
  for (const page of Object.values(gallery)) assert.doesNotMatch(body(page()), /type="password"[^>]*\svalue=/)
})

test('RFC 7591 §5: markup and bidirectional controls in a client name are inert text (N47)', () => {
  const name = '\u202e<b>knaB</b>\u2066 My\u0000 Bank\u200b\u{e0041}'
  const markup = body(consentPage(frame, { ...samples.consent, client: { name, createdByItself: true } }))
  assert.match(markup, /<h1><bdi>&lt;b&gt;knaB&lt;\/b&gt; My Bank<\/bdi> wants access/)
  assert.doesNotMatch(markup, /[\u202a-\u202e\u2066-\u2069\u200b\u0000]/)
})

test('RFC 7591 §5: only https links and pictures of a client are shown (N47)', () => {
  const bad = [
    'javascript:alert(1)',
    ' JaVaScRiPt:alert(1)',
    'data:text/html,<script>alert(1)</script>',
    'http://a.example/',
    'https://bank.example@evil.example/',
    '//evil.example/',
    'not a url',
  ]
  for (const link of bad) {
    const client = {
      name: 'A',
      logo: link,
      homepage: link,
      policy: link,
      terms: link,
      createdByItself: false,
    }
    const asked = body(consentPage(frame, { ...samples.consent, client }))
    assert.doesNotMatch(asked, /<img|class="links"/, link)
    const app = { ...samples.connectedApps.apps[0]!, client }
    assert.doesNotMatch(body(connectedAppsPage(frame, { apps: [app] })), /<img|target="_blank"/, link)
    assert.doesNotMatch(
      body(errorPage(frame, { ...samples.error, links: [{ href: link, text: 'Go' }] })),
      /class="button/,
      link,
    )
  }
  const good = body(consentPage(frame, samples.consent))
  assert.equal(good.match(/target="_blank" rel="noopener noreferrer"/g)?.length, 3)
  assert.match(good, /<img src="data:image\/svg\+xml,/)
})

test('RP-Initiated Logout §3: the way back after a sign-out leads wherever it was registered, but to nothing that runs', () => {
  const page = (href: string) => body(signedOutPage(frame, { goOn: { href, client: 'Career Assistant' } }))
  for (const href of ['https://assistant.example/bye', 'http://127.0.0.1:5000/bye', 'com.example.app:/bye'])
    assert.ok(page(href).includes(`href="${href}"`), href)
  for (const href of ['javascript:alert(1)', 'data:text/html,x', 'https://a:b@c.example/', 'nonsense'])
    assert.doesNotMatch(page(href), /class="button/, href)
})

test('a client without a readable name still has one', () => {
  const page = consentPage(frame, {
    ...samples.consent,
    client: { name: '\u202e \u200b', createdByItself: true },
  })
  assert.match(page.html, /<h1><bdi>Unnamed app<\/bdi>/)
})

test('a name of any length and any number of accents stays one short line', () => {
  const name = `${'e\u0301\u0301\u0301\u0301\u0301\u0301'}\n${'long '.repeat(200)}`
  const [, shown] = /<h1><bdi>([^<]*)<\/bdi>/.exec(
    consentPage(frame, { ...samples.consent, client: { name, createdByItself: true } }).html,
  )!
  assert.ok([...shown!].length <= 100)
  assert.ok(shown!.startsWith('e\u0301\u0301\u0301 long') && shown!.endsWith('…'))
})

test('consent tells new from held, names resources, host and offline access', () => {
  const markup = body(consentPage(frame, samples.consent))
  assert.match(
    markup,
    /New: this also allows <bdi>Career Assistant<\/bdi> to.*Send applications in your name.*Stays connected while you are away.*You already allowed it to.*Search open jobs.*https:\/\/api\.jobs\.example.*<bdi>assistant\.example<\/bdi>/s,
  )
  assert.doesNotMatch(markup, /Registered itself|a program on your own computer/)
  const first = body(consentPage(frame, { ...samples.consent, held: [], resources: [], offline: false }))
  assert.doesNotMatch(first, /New:|already allowed|Where it may|Stays connected/)
  assert.match(
    body(consentPage(frame, { ...samples.consent, asked: [] })),
    /No new permissions are requested/,
  )
})

test('RFC 8252 §8.6: a client that answers on loopback and one that registered itself are warned about', () => {
  const markup = body(consentPage(frame, samples.consentOfStranger))
  assert.match(markup, /The answer goes to a program on your own computer/)
  assert.match(markup, /<p class="badge">Registered itself<\/p>/)
  assert.match(markup, /name="decision" value="deny".*name="decision" value="allow"/s)
})

test('CIMD §8.5: who is known by a document alone is shown by its host', () => {
  const client = { name: 'Desk tool', createdByItself: true, host: 'desk.example:8443' }
  const pages = [
    consentPage(frame, { ...samples.consent, client }),
    deviceConsentPage(frame, { ...samples.deviceConsent, client }),
  ]
  for (const page of pages) {
    const markup = body(page)
    assert.match(markup, /class="badge"><bdi>desk\.example:8443<\/bdi>/)
    assert.match(
      markup,
      /<strong><bdi>desk\.example:8443<\/bdi><\/strong> says that this is <bdi>Desk tool<\/bdi>/,
    )
    assert.doesNotMatch(markup, /Registered itself/)
  }
})

test('connected apps say since when, last use and how often, in readable and in exact time', () => {
  const markup = body(connectedAppsPage(frame, samples.connectedApps))
  assert.match(markup, /<time datetime="2026-02-03T09:12:00\.000Z">February 3, 2026<\/time>/)
  assert.match(markup, /<time datetime="2026-06-18T14:26:00\.000Z">June 18, 2026 at 14:26 UTC<\/time>/)
  assert.match(markup, /<dd>1,204 times .*<dd>1 time<\/dd>/s)
  assert.match(markup, /Disconnect<span class="vh"> <bdi>Application Tracker<\/bdi>/)
  assert.match(markup, /Disconnecting ends access immediately\..*for at most 15 minutes\./)
  const short = connectedAppsPage(frame, { ...samples.connectedApps, accessTokenLifetime: 60_000 })
  assert.match(body(short), /for at most 1 minute\./)
})

test('connected apps have an empty state and say what was just disconnected', () => {
  const markup = body(gallery['connected-apps-empty']!())
  assert.match(markup, /role="status".*<bdi>Career Assistant<\/bdi> is disconnected/)
  assert.match(markup, /No apps are connected/)
  assert.doesNotMatch(markup, /<form|<ul/)
})

test('the header marks the page one is on and links the other', () => {
  const markup = body(gallery['account']!())
  assert.match(markup, /<a href="\/auth\/account" aria-current="page">/)
  assert.match(markup, /<a href="\/auth\/account\/apps">/)
})

test('browsers are named as people name them', () => {
  const windows =
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36'
  assert.deepEqual(browserName(windows), { browser: 'Chrome', system: 'Windows' })
  assert.deepEqual(browserName(`${windows} Edg/137.0.0.0`), { browser: 'Edge', system: 'Windows' })
  assert.deepEqual(browserName('curl/8.9.1'), { browser: undefined, system: undefined })
})
