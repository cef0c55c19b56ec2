// In memory. The adapter oidc-provider ships is an LRU of 1,000 entries whose grants list their members: it
// forgets the chains' sessions under load and slows down with every token of a grant. A plain Map does less
// work for each request and forgets nothing, so it is the kinder in-memory store to compare with.
import { serve } from './oidc-provider-app.mjs'

const stored = new Map()
const sessionByUid = new Map()

class MapAdapter {
  constructor(model) {
    this.model = model
  }
  async upsert(id, payload, expiresIn) {
    stored.set(`${this.model}:${id}`, {
      payload,
      expiresAt: Date.now() + (expiresIn ?? Number.POSITIVE_INFINITY) * 1000,
    })
    if (this.model === 'Session') sessionByUid.set(payload.uid, id)
  }
  async find(id) {
    const entry = stored.get(`${this.model}:${id}`)
    return entry && entry.expiresAt > Date.now() ? entry.payload : undefined
  }
  async findByUid(uid) {
    return this.find(sessionByUid.get(uid))
  }
  async consume(id) {
    stored.get(`${this.model}:${id}`).payload.consumed = Math.floor(Date.now() / 1000)
  }
  async destroy(id) {
    stored.delete(`${this.model}:${id}`)
  }
  async revokeByGrantId(grantId) {
    for (const [key, { payload }] of stored) if (payload.grantId === grantId) stored.delete(key)
  }
}

await serve(MapAdapter)
