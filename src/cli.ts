#!/usr/bin/env node

import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { nodeProblem } from './node-version.ts'

const problem = nodeProblem(process.versions.node, process.execPath)
if (problem !== undefined) {
  process.stderr.write(`gatehouse: ${problem}\n`)
  process.exit(1)
}

// The cache holds code that is run: a folder of the user's own, never one that others may write to.
if (!process.env.NODE_COMPILE_CACHE && !process.env.NODE_DISABLE_COMPILE_CACHE) {
  enableCompileCache(join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'gatehouse'))
}

const { main } = await import('./cli/main.ts')
await main(process.argv.slice(2))
