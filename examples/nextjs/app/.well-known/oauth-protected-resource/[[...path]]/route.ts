// RFC 9728 §3.1: for the API https://host/api, clients ask at /.well-known/oauth-protected-resource/api.
import { passToGatehouse } from '../../../../lib/auth.ts'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'
export const GET = passToGatehouse
export const OPTIONS = passToGatehouse
