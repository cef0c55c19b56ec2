// The MCP server itself, on the official SDK. `protectTools` decides about every request; the rest is the tools' own work.

import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import {
  type AccessToken,
  type AuthenticatesRequests,
  type ProtectedTool,
  protectTools,
} from 'gatehouse-auth'

export const scopes = {
  'jobs:read': 'Search open jobs',
  // A client that may apply may also search: one scope includes the other.
  'applications:write': {
    description: 'Send and withdraw applications in your name',
    implies: ['jobs:read'],
  },
}

interface Tool extends ProtectedTool {
  description: string
  run(access: AccessToken | undefined): string
}

const tools: Record<string, Tool> = {
  opening_hours: {
    description: 'Says when the job board is staffed.',
    securitySchemes: [{ type: 'noauth' }],
    run: () => 'Monday to Friday, nine to five',
  },
  search_jobs: {
    description: 'Lists open jobs.',
    securitySchemes: [{ type: 'oauth2', scopes: ['jobs:read'] }],
    run: (access) => `For ${access!.subject}: Baker, Carpenter`,
  },
  apply: {
    description: 'Applies for the first open job.',
    securitySchemes: [{ type: 'oauth2', scopes: ['applications:write'] }],
    run: (access) => `${access!.subject} applied as Baker`,
  },
  withdraw: {
    description: 'Withdraws an application. The user must have signed in within the last five minutes.',
    securitySchemes: [{ type: 'oauth2', scopes: ['applications:write'] }],
    maxAge: 300,
    run: (access) => `${access!.subject} withdrew the application`,
  },
}

/** Answers `/mcp`. `auth` is a Gatehouse in this process, or the `resourceServer` of one elsewhere. */
export function mcpEndpoint(auth: AuthenticatesRequests, resource: string) {
  const guard = protectTools(auth, { tools, resource })
  const { origin } = new URL(resource)

  return async (request: Request): Promise<Response> => {
    // Refuse a page of another site that reaches this server under another host name (DNS rebinding).
    if (![null, origin].includes(request.headers.get('origin'))) return new Response(null, { status: 403 })
    const call = await guard.authenticate(request)
    if (!call.ok) return call.response
    // The server keeps no state between requests, so there is no stream to open and no session to end.
    if (request.method !== 'POST') return new Response(null, { status: 405, headers: { allow: 'POST' } })

    const server = new Server({ name: 'job-board', version: '1.0.0' }, { capabilities: { tools: {} } })
    server.setRequestHandler(ListToolsRequestSchema, () => ({
      tools: Object.entries(tools).map(([name, { description }]) => ({
        name,
        description,
        inputSchema: { type: 'object' as const },
        ...guard.describe(name),
      })),
    }))
    server.setRequestHandler(CallToolRequestSchema, ({ params }) => {
      const tool = Object.hasOwn(tools, params.name) ? tools[params.name] : undefined
      const text = tool?.run(call.access) ?? `There is no tool ${params.name}`
      return { content: [{ type: 'text' as const, text }], isError: !tool }
    })
    const transport = new WebStandardStreamableHTTPServerTransport()
    await server.connect(transport)
    return transport.handleRequest(request, { parsedBody: call.message })
  }
}
