import { deletion } from '../../db/deletion.ts'

export const oldSignIns = deletion('sign_ins')
