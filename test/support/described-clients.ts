// Clients that are documents, as the tests serve them.

import type { ServerResponse } from 'node:http'
import type { CreatedClient } from '../../src/oauth/clients/client-operations.ts'
import type { Documents } from './documents.ts'

export const callback = 'https://client.example/callback'

/** Serves the document of a client at its id and answers the client as the flow helpers want it. */
export function serveClient(
  documents: Documents,
  path: string,
  metadata: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): CreatedClient & { id: string } {
  const id = documents.origin + path
  const document = { client_id: id, client_name: 'Desk tool', redirect_uris: [callback], ...metadata }
  documents.serve(path, (response: ServerResponse) =>
    response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(document)),
  )
  return { id, ...described(id, document.redirect_uris) }
}

/** A client as the flow helpers want it. */
export function described(id: string, redirectUris: string[]): CreatedClient {
  return { client: { id, redirectUris } as CreatedClient['client'] }
}
