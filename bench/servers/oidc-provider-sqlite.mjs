// The plain durable adapter: one table, prepared statements, WAL with synchronous=FULL, a commit a save.
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { serve } from './oidc-provider-app.mjs'

const db = new DatabaseSync(join(process.env.BENCH_DIR, 'oidc-provider.db'))
db.exec('pragma journal_mode = wal; pragma synchronous = full')
db.exec(`
create table if not exists model (kind text, id text, payload text, grant_id text, uid text, consumed_at integer,
  expires_at integer, primary key (kind, id)) without rowid;
create index if not exists model_grant on model (grant_id) where grant_id is not null;
create index if not exists model_uid on model (kind, uid) where uid is not null;`)

const upsert = db.prepare(
  'insert into model values (?, ?, ?, ?, ?, null, ?) on conflict (kind, id) do update set payload = excluded.payload, ' +
    'grant_id = excluded.grant_id, uid = excluded.uid, expires_at = excluded.expires_at',
)
const find = db.prepare('select payload, consumed_at from model where kind = ? and id = ? and expires_at > ?')
const findByUid = db.prepare(
  'select payload, consumed_at from model where kind = ? and uid = ? and expires_at > ?',
)
const consume = db.prepare('update model set consumed_at = ? where kind = ? and id = ?')
const destroy = db.prepare('delete from model where kind = ? and id = ?')
const revokeByGrantId = db.prepare('delete from model where grant_id = ?')

const read = (row) =>
  row && { ...JSON.parse(row.payload), ...(row.consumed_at && { consumed: row.consumed_at }) }
const now = () => Math.floor(Date.now() / 1000)
const endless = Number.MAX_SAFE_INTEGER

class SqliteAdapter {
  constructor(model) {
    this.model = model
  }
  async upsert(id, payload, expiresIn) {
    const expiresAt = expiresIn === undefined ? endless : now() + expiresIn
    const uid = this.model === 'Session' ? payload.uid : null
    upsert.run(this.model, id, JSON.stringify(payload), payload.grantId ?? null, uid, expiresAt)
  }
  async find(id) {
    return read(find.get(this.model, id, now()))
  }
  async findByUid(uid) {
    return read(findByUid.get(this.model, uid, now()))
  }
  async consume(id) {
    consume.run(now(), this.model, id)
  }
  async destroy(id) {
    destroy.run(this.model, id)
  }
  async revokeByGrantId(grantId) {
    revokeByGrantId.run(grantId)
  }
}

await serve(SqliteAdapter)
