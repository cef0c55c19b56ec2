// A process of its own that migrates a database: node migrate-process.ts URL. Sends the versions it applied.

import { migrateUp } from '../../src/db/migrate.ts'
import { openDatabase } from '../../src/db/open.ts'

const db = await openDatabase(process.argv[2]!)
process.send!('ready')
process.once('message', async () => {
  const applied = await migrateUp(db)
  process.send!(applied.map((step) => step.version))
  await db.close()
  process.disconnect()
})
