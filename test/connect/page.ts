// What a page of docs/connect prints: its commands, and its programs.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Where pages say the server is, and the app. */
export const printedIssuer = 'https://auth.example.com'
export const printedApp = 'http://localhost:3000'

export interface PrintedPage {
  text: string
  /** The arguments of each `npx gatehouse-auth`, as a shell splits them. */
  commands: string[][]
  /** Programs by the name that stands in their first line, `// server.js`; others are none. */
  programs: Map<string, string>
}

export function readPage(name: string): PrintedPage {
  const file = fileURLToPath(new URL(`../../docs/connect/${name}.md`, import.meta.url))
  const text = readFileSync(file, 'utf8')
  const blocks = [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language, code]) => ({
    language: language!,
    code: code!,
  }))
  const commands = blocks
    .filter(({ language }) => language === 'sh')
    .flatMap(({ code }) => code.replaceAll('\\\n', ' ').split('\n'))
    .flatMap((line) => /^npx gatehouse-auth (.*)$/.exec(line)?.[1] ?? [])
    .map(words)
  const programs = new Map(
    blocks
      .filter(({ language }) => language === 'js')
      .flatMap(({ code }) => {
        const name = /^\/\/ (\S+\.js)$/m.exec(code.split('\n', 1)[0]!)?.[1]
        return name === undefined ? [] : [[name, code] as const]
      }),
  )
  return { text, commands, programs }
}

function words(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|([^\s"']+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare!,
  )
}
