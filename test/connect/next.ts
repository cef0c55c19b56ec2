// Next.js as `next dev` runs it, around the routes that a page prints.

import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

export const nextDev = (port: string): string[] => [
  require.resolve('next/dist/bin/next'),
  'dev',
  '-H',
  'localhost',
  '-p',
  port,
]
