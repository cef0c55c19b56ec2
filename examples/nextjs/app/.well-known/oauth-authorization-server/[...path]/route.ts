// RFC 8414 §3.1: for the issuer https://host/api/auth, clients ask at /.well-known/oauth-authorization-server/api/auth.
import { passToGatehouse } from '../../../../lib/auth.ts'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'
export const GET = passToGatehouse
export const OPTIONS = passToGatehouse
