import type { Core } from '../core.ts'
import { deleteBefore, type Step } from '../db/deletion.ts'
import { oldPasswordLinks, oldSignIns } from './records/deletions.ts'

/** One step per table that grows with use; a step is repeated while it says there may be more. */
export function cleanUpAccounts({ db, now }: Pick<Core, 'db' | 'now'>): Record<string, () => Promise<Step>> {
  return {
    sign_ins: deleteBefore(db, oldSignIns, now, now),
    password_links: deleteBefore(db, oldPasswordLinks, now, now),
  }
}
