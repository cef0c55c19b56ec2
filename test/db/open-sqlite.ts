// A process of its own that opens a database file and writes: node open-sqlite.ts FILE NAME [ROWS].
// Given a number of rows it leaves the database open at its end.

import { sql } from '../../src/db/sql.ts'
import { openSqlite } from '../../src/db/sqlite.ts'

const [file, name, rows] = process.argv.slice(2) as [string, string, string?]
const db = openSqlite(file)
const add = (n: number) => db.query(sql`insert into opened (id) values (${`${name} ${n}`})`)
await db.query(sql`create table if not exists opened (id text primary key) strict`)
if (rows === undefined) {
  for (let n = 0; n < 50; n++) await add(n)
  await db.close()
} else await Promise.all(Array.from({ length: Number(rows) }, (_, n) => add(n)))
process.disconnect()
