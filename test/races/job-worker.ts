// One of several processes that all want to run the same job. While it runs, a file says so; whoever finds the file of a
// process that lives has met a second leader.

import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { openDatabase } from '../../src/db/open.ts'
import { runJob } from '../../src/jobs/scheduler.ts'
import { jsonLog } from '../../src/log.ts'
import type { JobOrder } from './leader.ts'

process.on('disconnect', () => process.exit())
process.send!('loaded')
const [order] = (await once(process, 'message')) as [JobOrder]
const { database, witness, epoch, speed, hang } = order

const db = await openDatabase(database, { connections: 2 })
const log = jsonLog('silent')
const now = () => epoch + (Date.now() - epoch) * speed
let runs = 0

const job = {
  name: 'raced',
  every: 1,
  async run() {
    try {
      writeFileSync(witness, String(process.pid), { flag: 'wx' })
    } catch {
      const other = Number(readFileSync(witness, 'utf8'))
      if (isRunning(other)) {
        process.send!({ second: `process ${other} runs the job too` })
        process.exit(1)
      }
      writeFileSync(witness, String(process.pid))
    }
    if (hang) {
      process.send!('holds')
      await sleep(600_000)
    }
    await sleep(Math.random() * 4)
    rmSync(witness)
    runs++
    return {}
  },
}

process.send!('ready')
const [until] = (await once(process, 'message')) as [number]
while (Date.now() < until) {
  await runJob({ db, log, now }, job)
  await sleep(Math.random() * 3)
}
await db.close()
process.send!({ runs })
process.disconnect()

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
