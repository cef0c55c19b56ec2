import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { escapeHtml, Html, html, trusted } from '../../src/http/html.ts'

const entities: Record<string, string> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#39;': "'",
  '&#96;': '`',
}

function textOf(markup: string): string {
  return markup.replace(/&[#\w]+;/g, (entity) => entities[entity]!)
}

test('no text creates markup or leaves a quoted attribute', () => {
  const anything = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('<', '>', '"', "'", '`', '&', '/', 'a', '=', ' ', ';', '#') }),
  )
  fc.assert(
    fc.property(anything, anything, (first, second) => {
      const { markup } = html`<p title="${first}" lang='${second}'>${[second, html`<b>${first}</b>`]}</p>`
      const shape = /^<p title="([^"<>`]*)" lang='([^'<>`]*)'>([^<>"'`]*)<b>([^<>"'`]*)<\/b><\/p>$/s
      const found = shape.exec(markup)
      assert.ok(found, markup)
      assert.deepEqual(found.slice(1).map(textOf), [first, second, second, first])
    }),
    { numRuns: 500 },
  )
})

test('markup of the template nests without being escaped again, in lists and lists of lists', () => {
  const rows = ['a&b', '<c>'].map((it) => html`<li>${it}</li>`)
  assert.equal(
    html`<ul>${[rows, [html`<li></li>`]]}</ul>`.markup,
    '<ul><li>a&amp;b</li><li>&lt;c&gt;</li><li></li></ul>',
  )
})

test('false, null and undefined show nothing; zero and the empty text show themselves', () => {
  assert.equal(html`[${false}${null}${undefined}${''}${0}${[]}]`.markup, '[0]')
})

test('an object that only looks like markup is not taken for markup', () => {
  const forged = JSON.parse('{"markup":"<script>"}')
  assert.throws(() => html`${forged}`, TypeError)
  assert.ok(trusted('<b>') instanceof Html)
})

test('escaping names every character that could end a text or an attribute', () => {
  assert.equal(escapeHtml(`&<>"'\``), '&amp;&lt;&gt;&quot;&#39;&#96;')
})
