import { passToGatehouse } from '../../../../lib/auth'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'
export const GET = passToGatehouse
export const POST = passToGatehouse
