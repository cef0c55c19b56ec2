import { type Given, optional, record, section, text } from './section.ts'

const anyText = text('a text', () => true)

/** What the pages look like; `src/pages/branding.ts` checks names and values. */
export const pages = section({
  /** The name people see. Default `Gatehouse`. */
  name: optional(anyText, undefined),
  /** URL of an image, https or `data:`. */
  logo: optional(anyText, undefined),
  /** CSS custom properties, e.g. `{ '--accent': '#0a7d55' }`. */
  variables: optional(record(anyText), undefined),
  /** Sentences of the pages by key, overriding the defaults. */
  texts: optional(record(anyText), undefined),
})
export type PagesConfig = Given<typeof pages>
