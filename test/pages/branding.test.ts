import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ConfigError } from '../../src/config-error.ts'
import { branding, defaultVariables, isSafeVariableValue } from '../../src/pages/branding.ts'
import { signInPage } from '../../src/pages/sign-in.ts'
import { stylesheet } from '../../src/pages/style.ts'
import { frame, signIn } from './samples.ts'

function problem(override: Parameters<typeof branding>[0]): string {
  try {
    branding(override)
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.message
  }
  return assert.fail('the branding was accepted')
}

test('a branding without anything is complete', () => {
  const complete = branding()
  assert.equal(complete.name, 'Gatehouse')
  assert.equal(complete.texts['sign_in.title'], 'Sign in')
})

test('a single text is replaced, the others stay', () => {
  const german = branding({
    name: 'Stellen',
    texts: { 'page.language': 'de', 'sign_in.title': 'Anmelden bei {product}' },
  })
  const { html } = signInPage({ ...frame, branding: german }, signIn)
  assert.match(html, /<html lang="de" dir="ltr">/)
  assert.match(html, /<h1>Anmelden bei <bdi>Stellen<\/bdi><\/h1>/)
  assert.match(html, /<title>Anmelden bei Stellen · Stellen<\/title>/)
  assert.match(html, /for="password">Password</)
})

test('an unknown text key is refused and the nearest key is named', () => {
  assert.equal(
    problem({ texts: { 'consent.titel': 'x' } }),
    'pages.texts: "consent.titel" was given; allowed: keys of the default texts; for example \'consent.title\'',
  )
  for (const key of ['__proto__x', 'constructor', 'toString'])
    assert.match(problem({ texts: { [key]: 'x' } }), /allowed: keys of the default texts/)
})

test('a placeholder the sentence does not know is refused and the known ones are named', () => {
  const message = problem({ texts: { 'consent.title': '{klient} möchte zu {product}' } })
  assert.match(
    message,
    /"\{klient\}" was given; allowed: in this sentence the placeholders \{product\}, \{client\}/,
  )
})

test('plural forms that English lacks may be added', () => {
  assert.equal(
    branding({ texts: { 'apps.uses.few': '{count} razy' } }).texts['apps.uses.few'],
    '{count} razy',
  )
  assert.match(problem({ texts: { 'sign_in.title.few': 'x' } }), /allowed: keys of the default texts/)
})

test('language, direction, name and logo are checked, and all problems come at once', () => {
  const message = problem({
    name: ' ',
    logo: 'javascript:alert(1)',
    texts: { 'page.language': 'not a language', 'page.direction': 'up' },
  })
  assert.deepEqual(
    message.split('\n').map((line) => line.split(':')[0]),
    ['pages.name', 'pages.logo', "pages.texts['page.language']", "pages.texts['page.direction']"],
  )
  for (const logo of ['//evil.example/x.svg', '/\\evil.example/x.svg', 'http://a.example/x.svg']) {
    assert.match(problem({ logo }), /pages\.logo/)
  }
  assert.equal(branding({ logo: '/auth/logo.svg' }).logo, '/auth/logo.svg')
})

const breakouts = [
  'red;}body{display:none',
  'red}</style><script>alert(1)</script>',
  '</style>',
  'url(https://evil.example/x)',
  'URL (//evil.example/x)',
  'image-set("a" 1x)',
  'red/*',
  '\\72 ed',
  '"unbalanced',
  "'a\"b'",
  'calc(1px',
  'rgb(0 0 0))',
  '@import x',
  'red!important;',
  'a\nb',
  '',
]

test('a variable value that could leave its declaration is refused', () => {
  for (const value of breakouts)
    assert.match(problem({ variables: { '--accent': value } }), /without ; \{ \}/, value)
  assert.match(problem({ variables: { '--acent': 'red' } }), /"--acent" was given; allowed: --accent/)
})

test('a variable value that could leave its declaration never reaches the stylesheet, however it came', () => {
  const plain = stylesheet({ ...frame.branding, variables: {} })
  for (const value of breakouts) {
    const style = stylesheet({ ...frame.branding, variables: { '--extra': value, '--a;}b{': 'red' } })
    assert.equal(style, plain, value)
  }
})

test('whatever counts as a safe value holds no character that ends a declaration, a block or the element', () => {
  const unit = fc.constantFrom(...`abz019#.,%+-*/()'" ;{}<>\\@!:&\n`.split(''), 'url(', '/*')
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 12 }), (value) => {
      if (isSafeVariableValue(value)) assert.doesNotMatch(value, /[;{}<>\\@!:\n]|\/\*|url\(/i)
    }),
    { numRuns: 2000 },
  )
})

test('ordinary values are safe', () => {
  for (const value of [
    '#0a7',
    'rgb(10 20 30 / 50%)',
    '"Inter", system-ui, sans-serif',
    'calc(1rem + 2px)',
    '.5rem',
  ]) {
    assert.ok(isSafeVariableValue(value), value)
  }
})

test('letters on an own accent colour are the more readable of black and white, in both schemes', () => {
  const yellow = branding({ variables: { '--accent': '#ffd400' } }).variables
  assert.deepEqual(
    [yellow['--on-accent'], yellow['--accent-dark'], yellow['--on-accent-dark']],
    ['#000000', '#ffd400', '#000000'],
  )
  const blue = branding({ variables: { '--accent': '#22c', '--accent-dark': '#aaccff' } }).variables
  assert.deepEqual(
    [blue['--on-accent'], blue['--accent-dark'], blue['--on-accent-dark']],
    ['#ffffff', '#aaccff', '#000000'],
  )
  assert.equal(
    branding({ variables: { '--accent': '#ffd400', '--on-accent': '#222' } }).variables['--on-accent'],
    '#222',
  )
})

function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(colour.slice(at, at + 2), 16) / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

test('WCAG 2.2 §1.4.3, §1.4.11: text has a contrast of 4.5 and edges of 3 on every ground, light and dark', () => {
  const grounds = ['surface', 'ground', 'sunken']
  const pairs: [string, string, number][] = [
    ...grounds.flatMap((it): [string, string, number][] => [
      ['ink', it, 4.5],
      ['muted', it, 4.5],
      ['edge', it, 3],
    ]),
    ['on-accent', 'accent', 4.5],
    ['accent', 'surface', 3],
    ['danger', 'surface', 4.5],
    ['danger', 'danger-ground', 4.5],
    ['caution', 'caution-ground', 4.5],
    ['success', 'success-ground', 4.5],
  ]
  for (const suffix of ['', '-dark']) {
    for (const [front, back, least] of pairs) {
      const [a, b] = [front, back].map((it) => luminance(defaultVariables[`--${it}${suffix}`]!)) as [
        number,
        number,
      ]
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
      assert.ok(contrast >= least, `${front} on ${back}${suffix}: ${contrast.toFixed(2)} < ${least}`)
    }
  }
})
