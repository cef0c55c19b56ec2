import { openGatehouse } from '../../../lib/auth'

export const runtime = 'nodejs'

export async function GET(request: Request): Promise<Response> {
  const auth = await openGatehouse()
  const access = await auth.authenticate(request, { scope: 'jobs:read', resource: auth.issuer })
  if (!access.ok) return access.response
  return Response.json({ for: access.subject })
}
