import { join } from 'node:path'
import type { Server } from './server.ts'

const script = (name: string) => join(import.meta.dirname, 'servers', name)

/** The floor and the peers, in the order of the report. */
export const servers: Server[] = [
  {
    id: 'floor',
    label: 'floor (SQLite, FULL, group commit)',
    durable: true,
    command: () => ({ args: [script('floor.ts')] }),
  },
  {
    id: 'oidc-provider',
    label: 'oidc-provider, in memory',
    durable: false,
    forgets: true,
    command: () => ({ args: [script('oidc-provider.mjs')] }),
  },
  {
    id: 'oidc-provider-sqlite',
    label: 'oidc-provider, SQLite FULL',
    durable: true,
    command: () => ({ args: [script('oidc-provider-sqlite.mjs')] }),
  },
  {
    id: 'better-auth',
    label: 'better-auth, SQLite WAL NORMAL',
    durable: false,
    command: () => ({ args: [script('better-auth.mjs')] }),
  },
]
