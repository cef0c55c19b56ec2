// UTS 39 §5.2 (highly restrictive), §4 (confusables), §5.3 (mixed numbers); UAX 31 table 5: scripts of a word.

/** The scripts of living languages (UAX 31 table 5), each by itself. */
const recommended = [
  'Arabic',
  'Armenian',
  'Bengali',
  'Bopomofo',
  'Cyrillic',
  'Devanagari',
  'Ethiopic',
  'Georgian',
  'Greek',
  'Gujarati',
  'Gurmukhi',
  'Hangul',
  'Han',
  'Hebrew',
  'Hiragana',
  'Kannada',
  'Katakana',
  'Khmer',
  'Lao',
  'Latin',
  'Malayalam',
  'Myanmar',
  'Oriya',
  'Sinhala',
  'Tamil',
  'Telugu',
  'Thaana',
  'Thai',
  'Tibetan',
]

/** Those that are written together. */
const together = [
  ['Latin', 'Han', 'Hiragana', 'Katakana'],
  ['Latin', 'Han', 'Bopomofo'],
  ['Latin', 'Han', 'Hangul'],
]

/** Made at the first sign-up: classes of Unicode take long to compile. */
let words: RegExp[] | undefined
const wordsOfOneScript = () =>
  [...recommended.map((script) => [script]), ...together].map((scripts) => {
    const letters = scripts.map((script) => `\\p{Script_Extensions=${script}}`).join('')
    return new RegExp(`^[\\p{Script=Common}\\p{Script=Inherited}${letters}]*$`, 'u')
  })

/** Whether a word is written in one script, or in those that one language mixes, with the digits of one system. */
export function isScriptOfItsOwn(word: string): boolean {
  words ??= wordsOfOneScript()
  return words.some((one) => one.test(word)) && !(/[0-9]/.test(word) && /(?![0-9])\p{Nd}/u.test(word))
}

/** Lower-case letters of Cyrillic, Greek and Armenian that look like Latin ones. */
const twins = /^[\p{Script=Common}асеԁіјӏорԛѕѵԝхуһаɡοραικνυχωզօսոհցԍп]*$/u
/** Latin letters of phonetic alphabets and of few languages that pass for others, and an i whose dot is a mark of its own. */
const strange = /[\u0131\u0237\u0250-\u02ff\u1d00-\u1dbf]|[ij]\u0307/

/** Whether a word passes for another that is written in plain Latin letters. */
export function looksLikeLatin(word: string): boolean {
  return strange.test(word) || (/(?!\p{Script=Latin})\p{L}/u.test(word) && twins.test(word))
}
