// Every reason for which a request is refused: the table of each domain, src/<domain>/refusals.ts, joined.

import { globSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Rows, requestRefusals } from '../src/http/refusal.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Each table by its file, from the root of the project. */
export const refusalTables: Readonly<Record<string, Rows>> = Object.fromEntries(
  await Promise.all(
    globSync('src/*/refusals.ts', { cwd: root })
      .sort()
      .map(async (file) => {
        const { refusals } = (await import(join(root, file))) as { refusals: Rows }
        return [file, refusals] as const
      }),
  ),
)

/** Those of any request first. */
export const allRefusals: Rows = Object.assign({}, requestRefusals, ...Object.values(refusalTables))
