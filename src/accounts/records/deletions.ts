import { deletion } from '../../db/deletion.ts'

export const oldSignIns = deletion('sign_ins')
export const oldPasswordLinks = deletion('password_links')
