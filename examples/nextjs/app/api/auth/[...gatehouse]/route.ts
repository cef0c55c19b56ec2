import { passToGatehouse } from '../../../../lib/auth.ts'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'
export const GET = passToGatehouse
export const HEAD = passToGatehouse
export const POST = passToGatehouse
export const OPTIONS = passToGatehouse
