import type { Database } from './database.ts'
import { migrateUp, migrationStatus, SchemaMismatch } from './migrate.ts'

/**
 * Brings the schema up to date, or throws `SchemaMismatch` where it lacks something. `migrate` says which; by default SQLite is
 * brought up to date at start, and PostgreSQL only when asked, since many processes share it.
 */
export async function prepareSchema(db: Database, migrate = db.dialect === 'sqlite'): Promise<void> {
  if (migrate) {
    await migrateUp(db)
    return
  }
  const missing = (await migrationStatus(db)).filter((step) => step.appliedAt === null)
  if (missing.length > 0) {
    throw new SchemaMismatch(
      `the database lacks schema version ${missing.map((step) => `${step.version} (${step.name})`).join(', ')}: run npx gatehouse-auth migrate up`,
    )
  }
}
