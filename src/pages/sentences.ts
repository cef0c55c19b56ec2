/** Sentences from the text file, filled in: as markup with isolated values, or as plain text for titles. */
import { type Html, type HtmlValue, html } from '../http/html.ts'
import { safeText } from './safe-text.ts'
import { defaultTexts, type TextKey } from './texts.ts'
import type { Frame } from './views.ts'

type Plural = TextKey extends infer Key ? (Key extends `${infer Stem}.other` ? Stem : never) : never

/**
 * The sentence as markup. A text that is filled in is stripped of control characters and stands in `<bdi>`,
 * so that a right-to-left name cannot reorder the words around it; markup is taken as it is.
 */
export function sentence(frame: Frame, key: TextKey, values: Record<string, string | Html> = {}): Html {
  const parts = template(frame, key).split(/\{(\w+)\}/)
  return html`${parts.map((part, index): HtmlValue => {
    if (index % 2 === 0) return part
    const value = part === 'product' ? frame.branding.name : values[part]
    return typeof value === 'string' ? isolated(value) : value
  })}`
}

/** The sentence as plain text, for `<title>` and attributes. */
export function plainSentence(frame: Frame, key: TextKey, values: Record<string, string> = {}): string {
  return template(frame, key).replace(/\{(\w+)\}/g, (_, name: string) =>
    safeText(name === 'product' ? frame.branding.name : (values[name] ?? '')),
  )
}

/** The sentence for a number, in the plural form of the page's language; `{count}` is the number. */
export function countSentence(frame: Frame, stem: Plural, count: number): Html {
  const language = template(frame, 'page.language')
  const form = `${stem}.${new Intl.PluralRules(language).select(count)}` as TextKey
  const key = form in defaultTexts || form in frame.branding.texts ? form : (`${stem}.other` as const)
  return sentence(frame, key, { count: html`${new Intl.NumberFormat(language).format(count)}` })
}

/** A foreign text as a name in running words. */
export function isolated(text: string): Html {
  return html`<bdi>${safeText(text)}</bdi>`
}

/** The client's name as it may be shown, never empty. */
export function clientName(frame: Frame, name: string): string {
  return safeText(name) || template(frame, 'client.unnamed')
}

/** A day, in UTC, for people and for machines. */
export function day(frame: Frame, at: number): Html {
  return time(frame, at, { dateStyle: 'long', timeZone: 'UTC' })
}

/** A minute, in UTC, for people and for machines. */
export function minute(frame: Frame, at: number): Html {
  return time(frame, at, {
    year: 'numeric',
    month: 'long',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    timeZone: 'UTC',
    timeZoneName: 'short',
  })
}

function time(frame: Frame, at: number, format: Intl.DateTimeFormatOptions): Html {
  const date = new Date(at)
  const words = new Intl.DateTimeFormat(template(frame, 'page.language'), format).format(date)
  return html`<time datetime="${date.toISOString()}">${words}</time>`
}

function template(frame: Frame, key: TextKey): string {
  return frame.branding.texts[key] ?? defaultTexts[key]
}
