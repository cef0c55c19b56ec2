// A process of its own that writes the same few rows again and again: node fill-log.ts FILE TIMES [WAIT]. Prints how many
// writes were answered and refused; with WAIT it does it a second time when it is told to, on standard input.

import { once } from 'node:events'
import { Unavailable } from '../../src/db/database.ts'
import { sql } from '../../src/db/sql.ts'
import { openSqlite } from '../../src/db/sqlite.ts'
import { thingsTable } from './things.ts'

const [file, times, wait] = process.argv.slice(2) as [string, string, string?]
const db = openSqlite(file)
const [table] = await db.query<object>(sql`select 1 from sqlite_master where name = 'things'`)
if (!table) await db.connection((run) => run(thingsTable))

async function fill() {
  let [answered, refused] = [0, 0]
  const faults: string[] = []
  for (let n = 0; n < Number(times); n++) {
    const label = `${process.hrtime.bigint()} `.repeat(7_000)
    await db
      .query(
        sql`insert into things (id, label) values (${`${n % 4}`}, ${label}) on conflict (id) do update set label = ${label}`,
      )
      .then(
        () => answered++,
        (error) => (error instanceof Unavailable ? refused++ : faults.push(String(error))),
      )
  }
  console.log(JSON.stringify({ answered, refused, faults }))
}

await fill()
if (wait !== undefined) {
  await once(process.stdin, 'data')
  await fill()
}
await db.close()
process.exit(0)
