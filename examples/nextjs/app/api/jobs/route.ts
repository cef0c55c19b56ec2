import { auth } from '../../../lib/auth.ts'

export const runtime = 'nodejs'

export async function GET(request: Request): Promise<Response> {
  const access = await auth.authenticate(request, { scope: 'jobs:read' })
  if (!access.ok) return access.response
  return Response.json({ for: access.subject, jobs: ['Baker', 'Carpenter'] })
}
