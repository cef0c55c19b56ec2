// A page of docs/connect/: its blocks of code are what the tests run.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = new URL('../../../', import.meta.url)

export interface ConnectPage {
  file: string
  text: string
  /** The blocks of a language, in the order of the page: what stands between their fences. */
  blocks(language: string): string[]
  /** The only one. */
  block(language: string): string
}

export function readConnectPage(name: string): ConnectPage {
  const file = `docs/connect/${name}.md`
  const text = readFileSync(new URL(file, root), 'utf8')
  const blocks = (language: string) =>
    [...text.matchAll(/^```(\S+)\n([\s\S]*?)^```$/gm)]
      .filter(([, one]) => one === language)
      .map((one) => one[2]!)
  return {
    file,
    text,
    blocks,
    block(language) {
      const [one, ...others] = blocks(language)
      assert.ok(one !== undefined && others.length === 0, `${file}: one block of ${language}`)
      return one
    },
  }
}

/** The folder of an installed package. */
export function packageFolder(name: string): string {
  return fileURLToPath(new URL(`node_modules/${name}/`, root))
}

/** A page is short, and says which version it was checked with: the installed one. */
export function assertChecked(page: ConnectPage, library: string): void {
  const { version } = JSON.parse(readFileSync(`${packageFolder(library)}package.json`, 'utf8'))
  const said = /\bChecked with (\S+) (\S+?)[,.]?\s/.exec(page.text)
  assert.deepEqual([said?.[1], said?.[2]], [library, version], `${page.file}: checked with`)
  assert.ok(page.text.split('\n').length <= 61, `${page.file} has more than 60 lines`)
}
