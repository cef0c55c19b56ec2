import { site } from '../../lib/auth.ts'

export const runtime = 'nodejs'
export const GET = site.signIn
export const POST = site.signIn
