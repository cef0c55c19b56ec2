/** What all pages share: document, header, landmarks, and the pieces of their forms. */
import { type Html, type HtmlValue, html, trusted } from '../http/html.ts'
import * as icons from './icons.ts'
import type { Page } from './page.ts'
import { safeImage, safeText } from './safe-text.ts'
import { isolated, plainSentence, sentence } from './sentences.ts'
import { stylesheet } from './style.ts'
import type { Frame, Hidden } from './views.ts'

interface Content {
  status?: number
  /** Plain text for the window's title. */
  title: string
  /** A message of an error stands on the page; the title says so first. */
  error?: boolean
  /** One card in the middle, or a page with header and navigation. */
  shape: 'narrow' | 'wide'
  main: Html
  /** URL in the navigation that is this page. */
  current?: string
  script?: string
  /** See `Page.formsLeave`. Default false. */
  formsLeave?: boolean
  inFlow?: boolean
}

/** The whole document around a page's content. */
export function layout(frame: Frame, content: Content): Page {
  const style = stylesheet(frame.branding)
  const title = plainSentence(frame, content.error ? 'page.title_error' : 'page.title', {
    title: content.title,
  })
  const icon = safeImage(frame.branding.logo, true) ?? icons.favicon
  const language = plainSentence(frame, 'page.language')
  const document = html`<!doctype html>
<html lang="${language}" dir="${plainSentence(frame, 'page.direction')}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${title}</title>
<link rel="icon" href="${icon}">
<style>${trusted(style)}</style>
</head>
<body class="${content.shape}">
<a class="skip" href="#content">${sentence(frame, 'page.skip')}</a>
<header class="top">${brand(frame)}${content.shape === 'wide' && navigation(frame, content.current)}</header>
<main id="content" tabindex="-1">
${content.main}
</main>
${content.script !== undefined && html`<script>${trusted(content.script)}</script>\n`}</body>
</html>
`
  return {
    status: content.status ?? 200,
    html: document.markup,
    style,
    script: content.script,
    formsLeave: content.formsLeave ?? false,
    inFlow: content.inFlow ?? false,
  }
}

function brand(frame: Frame): Html {
  const logo = safeImage(frame.branding.logo, true)
  const name = safeText(frame.branding.name)
  return html`<span class="brand">${logo ? html`<img src="${logo}" alt="">` : icons.gate}<span>${name}</span></span>`
}

function navigation(frame: Frame, current?: string): HtmlValue {
  const { account, connectedApps } = frame.navigation ?? {}
  const link = (href: string | undefined, words: Html) =>
    href && html`<a href="${href}"${href === current && html` aria-current="page"`}>${words}</a>`
  if (!account && !connectedApps) return undefined
  return html`<nav aria-label="${plainSentence(frame, 'page.navigation')}">
${link(account, sentence(frame, 'account.title'))}
${link(connectedApps, sentence(frame, 'apps.title'))}
</nav>`
}

/** Heading and lead of a page. */
export function head(title: Html, lead?: HtmlValue): Html {
  return html`<div class="head"><h1>${title}</h1>${lead && html`<p>${lead}</p>`}</div>`
}

/** Hidden fields, as the endpoint wants them back. */
export function hiddenFields(hidden: Hidden): Html {
  return html`${Object.entries(hidden).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  )}`
}

/** The error of a form; `fieldOf` links the fields it is about to it. */
export function errorNote(id: string, error: string | undefined): HtmlValue {
  return error && html`<div class="note danger" role="alert" id="${id}">${icons.alert}<p>${error}</p></div>`
}

/** A message that something went well. */
export function successNote(message: HtmlValue): Html {
  return html`<div class="note success" role="status">${icons.tick}<p>${message}</p></div>`
}

interface Field {
  id: string
  name: string
  label: Html
  type: 'text' | 'password'
  autocomplete: string
  value?: string
  hint?: Html
  minimumLength?: number
  /** Id of the error this field has caused. */
  error?: string | false
  focus?: boolean
}

/** A labelled input; its hint and its error are described to screen readers. */
export function fieldOf(field: Field): Html {
  const hintId = field.hint && `${field.id}-hint`
  const described = [field.error, hintId].filter(Boolean).join(' ')
  const isName = field.autocomplete === 'name'
  return html`<div class="field">
<label for="${field.id}">${field.label}</label>
<input id="${field.id}" name="${field.name}" type="${field.type}" autocomplete="${field.autocomplete}" required${[
    field.type === 'text' && html` value="${field.value ?? ''}"`,
    field.type === 'text' && !isName && html` autocapitalize="none" spellcheck="false"`,
    field.minimumLength && html` minlength="${field.minimumLength}"`,
    described && html` aria-describedby="${described}"`,
    field.error && html` aria-invalid="true"`,
    field.focus && html` autofocus`,
  ]}>
${field.hint && html`<p class="hint" id="${hintId}">${field.hint}</p>`}
</div>`
}

/** A picture with the name's first letter behind it, which shows when there is no picture or it fails. */
export function face(name: string, picture?: string, shape = ''): Html {
  const letter = [...safeText(name)].find((it) => /[\p{L}\p{N}]/u.test(it)) ?? '·'
  const source = safeImage(picture)
  return html`<span class="face ${shape}" aria-hidden="true">${letter.toLocaleUpperCase('en')}${
    source && html`<img src="${source}" alt="" referrerpolicy="no-referrer">`
  }</span>`
}

/** The deployment's own logo, or the gate, as the counterpart of a client's picture. */
export function ownFace(frame: Frame): Html {
  const logo = safeImage(frame.branding.logo, true)
  return html`<span class="face large own" aria-hidden="true">${logo ? html`<img src="${logo}" alt="">` : icons.gate}</span>`
}

/** Scopes as people read them; the technical name stands below where it adds something. */
export function permissions(scopes: { name: string; description: string }[], quiet = false): Html {
  return html`<ul class="permissions${quiet && ' quiet'}">${scopes.map(
    (scope) =>
      html`<li>${icons.check}<span>${safeText(scope.description) || isolated(scope.name)}</span>${
        !quiet && scope.description && html`<code>${safeText(scope.name)}</code>`
      }</li>`,
  )}</ul>`
}
