/**
 * HTML as a value. Whatever goes into the template is escaped, so a page is safe unless someone writes
 * `trusted()`; and a text that was made by the template nests without being escaped twice.
 */

/** Markup that is already safe. Only `html` and `trusted` make one. */
export class Html {
  readonly markup: string

  constructor(markup: string) {
    this.markup = markup
  }

  toString(): string {
    return this.markup
  }
}

/** What a template takes: text, numbers, markup, lists of these; `false`, `null`, `undefined` show nothing. */
export type HtmlValue = Html | string | number | false | null | undefined | readonly HtmlValue[]

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
}

/** Text made inert for element content and for quoted attribute values. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"'`]/g, (character) => entities[character]!)
}

/**
 * Tagged template for markup: html`<p title="${title}">${rows.map((row) => html`<b>${row}</b>`)}</p>`.
 * Attribute values must stand in quotes.
 */
export function html(strings: TemplateStringsArray, ...values: HtmlValue[]): Html {
  let markup = strings[0]!
  for (let i = 0; i < values.length; i++) markup += render(values[i]) + strings[i + 1]!
  return new Html(markup)
}

/** Declares a text of our own to be markup: icons, the stylesheet, scripts. Never for anything received. */
export function trusted(markup: string): Html {
  return new Html(markup)
}

function render(value: HtmlValue): string {
  if (value instanceof Html) return value.markup
  if (typeof value === 'string') return escapeHtml(value)
  if (typeof value === 'number') return String(value)
  if (value === false || value === null || value === undefined) return ''
  return value.map(render).join('')
}
