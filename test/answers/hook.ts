// `node --import test/answers/hook.ts`: every server that is opened writes each of its answers, masked, to a file of its
// process in the folder RECORD_ANSWERS. Processes that are started from here do the same.

import { appendFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import type { App } from '../../src/app.ts'
import type { Answer, Incoming } from '../../src/http/message.ts'
import { masked } from './mask.ts'

const folder = process.env['RECORD_ANSWERS']
const app = new URL('../../src/app.ts', import.meta.url).href
const real = '?recorded'

export function recorded(opened: App): App {
  const written = new Set<string>()
  return {
    ...opened,
    async answer(request: Incoming): Promise<Answer> {
      const answer = await opened.answer(request)
      const line = JSON.stringify(masked(request, answer))
      if (!written.has(line)) {
        written.add(line)
        appendFileSync(join(folder!, `${process.pid}.jsonl`), `${line}\n`)
      }
      return answer
    },
  }
}

if (folder) {
  registerHooks({
    load(url, context, nextLoad) {
      if (url !== app) return nextLoad(url, context)
      return {
        format: 'module',
        shortCircuit: true,
        source: `
          export * from '${app}${real}'
          import { openApp as open } from '${app}${real}'
          import { recorded } from '${import.meta.url}'
          export const openApp = async (...given) => recorded(await open(...given))`,
      }
    },
  })
}
