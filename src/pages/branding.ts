/** Turns what a deployment says about its looks into a complete `Branding`, or says what is wrong with it. */
import { ConfigError, type ConfigProblem } from '../config-error.ts'
import { safeImage } from './safe-text.ts'
import { defaultTexts } from './texts.ts'
import type { Branding } from './views.ts'

/** The custom properties a deployment may replace; each also as `--name-dark` for the dark scheme. */
export const defaultVariables: Record<string, string> = {
  '--accent': '#17604b',
  '--on-accent': '#ffffff',
  '--ground': '#f3f5f2',
  '--surface': '#ffffff',
  '--sunken': '#f6f8f5',
  '--ink': '#141a17',
  '--muted': '#55605a',
  '--line': '#dde2dd',
  '--edge': '#7d8983',
  '--danger': '#a5231c',
  '--danger-ground': '#fdf0ee',
  '--caution': '#6d4600',
  '--caution-ground': '#fff5df',
  '--success': '#17604b',
  '--success-ground': '#ebf6f0',
  '--radius': '14px',
  '--font': 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
  '--accent-dark': '#7fd6b4',
  '--on-accent-dark': '#06251a',
  '--ground-dark': '#0f1311',
  '--surface-dark': '#181d1a',
  '--sunken-dark': '#1e2521',
  '--ink-dark': '#eef2ef',
  '--muted-dark': '#a3afa8',
  '--line-dark': '#2c3530',
  '--edge-dark': '#7a8780',
  '--danger-dark': '#ff9d94',
  '--danger-ground-dark': '#331816',
  '--caution-dark': '#f3c672',
  '--caution-ground-dark': '#2e230d',
  '--success-dark': '#7fd6b4',
  '--success-ground-dark': '#12291f',
}

/**
 * The defaults with a deployment's own name, logo, variables and texts on top.
 *
 * An `--accent` also serves the dark scheme, and without an `--on-accent` gets black or white letters,
 * whichever is easier to read.
 * @throws ConfigError, with all problems at once, for unknown text keys, unknown placeholders, unknown variables or unsafe values.
 */
export function branding(override: Partial<Branding> = {}): Branding {
  const problems = brandingProblems(override)
  if (problems.length) throw new ConfigError(problems)
  return {
    name: override.name ?? 'Gatehouse',
    ...(override.logo && { logo: override.logo }),
    variables: { ...defaultVariables, ...accentVariables(override.variables ?? {}), ...override.variables },
    texts: { ...defaultTexts, ...override.texts },
  }
}

/** What is wrong with a branding; empty when nothing is. */
export function brandingProblems(override: Partial<Branding>): ConfigProblem[] {
  return [
    ...nameProblems(override),
    ...Object.entries(override.variables ?? {}).flatMap(([name, value]) => variableProblems(name, value)),
    ...Object.entries(override.texts ?? {}).flatMap(([key, text]) => textProblems(key, text)),
  ]
}

/**
 * A value that stays inside its declaration: words, numbers, colours, functions and quoted font names; no
 * braces, semicolons, escapes, comments, addresses or unbalanced quotes and brackets.
 */
export function isSafeVariableValue(value: string): boolean {
  if (!/^[\w\s#.,%+*/()"'-]{1,200}$/.test(value) || /\/\*|[\n\r\f]/.test(value)) return false
  if (/(?:url|image|image-set|src|element|attr|env|var|expression)\s*\(/i.test(value)) return false
  const unquoted = value.replace(/"[^"']*"|'[^"']*'/g, '')
  if (/["']/.test(unquoted)) return false
  let depth = 0
  for (const character of unquoted) {
    if (character === '(') depth++
    if (character === ')' && --depth < 0) return false
  }
  return depth === 0
}

function accentVariables(given: Record<string, string>): Record<string, string> {
  const light = given['--accent']
  const dark = given['--accent-dark'] ?? light
  const onLight = light && lettersOn(light)
  const onDark = dark && lettersOn(dark)
  return {
    ...(dark && { '--accent-dark': dark }),
    ...(onLight && { '--on-accent': onLight }),
    ...(onDark && { '--on-accent-dark': onDark }),
  }
}

function nameProblems({ name, logo }: Partial<Branding>): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  if (name !== undefined && (typeof name !== 'string' || !name.trim())) {
    problems.push({ path: 'pages.name', given: name, allowed: "the product's name", example: "'Job Board'" })
  }
  if (logo !== undefined && !safeImage(logo, true)) {
    const allowed = 'an https URL, a path of this origin or a data:image URL'
    problems.push({ path: 'pages.logo', given: logo, allowed, example: "'/logo.svg'" })
  }
  return problems
}

function variableProblems(name: string, value: string): ConfigProblem[] {
  if (
    !Object.hasOwn(defaultVariables, name) &&
    !Object.hasOwn(defaultVariables, name.replace(/-dark$/, ''))
  ) {
    const names = Object.keys(defaultVariables).filter((it) => !it.endsWith('-dark'))
    const allowed = `${names.join(', ')}, and each with -dark for the dark scheme`
    return [{ path: 'pages.variables', given: name, allowed, example: "'--accent': '#0a7d5a'" }]
  }
  if (typeof value === 'string' && isSafeVariableValue(value)) return []
  const allowed = 'one plain CSS value, without ; { } \\ : comments or url()'
  return [{ path: `pages.variables['${name}']`, given: value, allowed, example: "'#0a7d5a'" }]
}

function textProblems(key: string, text: string): ConfigProblem[] {
  const stem = key.replace(/\.(zero|two|few|many)$/, '.other')
  if (!Object.hasOwn(defaultTexts, stem)) {
    return [
      { path: 'pages.texts', given: key, allowed: 'keys of the default texts', example: `'${nearest(key)}'` },
    ]
  }
  const path = `pages.texts['${key}']`
  if (typeof text !== 'string') return [{ path, given: text, allowed: 'a text' }]
  if (key === 'page.language' && !isLanguage(text)) {
    return [{ path, given: text, allowed: 'a language tag', example: "'de' or 'pt-BR'" }]
  }
  if (key === 'page.direction' && text !== 'ltr' && text !== 'rtl') {
    return [{ path, given: text, allowed: "'ltr' or 'rtl'" }]
  }
  const known = new Set(['product', ...placeholders(defaultTexts[stem as keyof typeof defaultTexts])])
  const unknown = placeholders(text).filter((it) => !known.has(it))
  const allowed = `in this sentence the placeholders ${[...known].map((it) => `{${it}}`).join(', ')}`
  return unknown.map((it) => ({ path, given: `{${it}}`, allowed }))
}

function placeholders(text: string): string[] {
  return [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!)
}

function isLanguage(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length === 1
  } catch {
    return false
  }
}

/** The known key that shares the longest beginning and end with a mistyped one. */
function nearest(key: string): string {
  const likeness = (other: string) => {
    let start = 0
    while (start < key.length && key[start] === other[start]) start++
    let end = 0
    while (end < key.length - start && key.at(-1 - end) === other.at(-1 - end)) end++
    return (start + end) / Math.max(key.length, other.length)
  }
  return Object.keys(defaultTexts).reduce((best, it) => (likeness(it) > likeness(best) ? it : best))
}

/** Black or white, by WCAG 2.2 contrast, on a colour in hexadecimal; undefined for other notations. */
function lettersOn(colour: string): string | undefined {
  const short = /^#([\da-f])([\da-f])([\da-f])$/i.exec(colour)
  const long = /^#([\da-f]{2})([\da-f]{2})([\da-f]{2})$/i.exec(colour)
  const digits = short ? short.slice(1).map((it) => it + it) : long?.slice(1)
  if (!digits) return undefined
  const [red, green, blue] = digits.map((it) => {
    const share = Number.parseInt(it, 16) / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
  return 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.05 ? '#ffffff' : '#000000'
}
