// `node scripts/clients.ts` writes docs/clients.md: what each real client needs of the server, with the tests that prove it.
// A test proves an item when its name begins with it, or has it in parentheses: `A4, H3: …`, `RFC 8414 §3.3: … (A3)`.

import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
export const clientsFile = join(root, 'docs/clients.md')

/** Every item, by the client that needs it. */
export const checklists: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'ChatGPT Custom GPT Actions': {
    G1: 'one client may send its secret in the header or in the body',
    G2: 'two redirect URIs per GPT, both exact',
    G3: 'one action replaces the id of a GPT in both',
    G4: '`state` is returned unchanged',
    G5: 'PKCE may be left out by a confidential client with the profile, and is enforced when sent',
    G6: 'the token response contains the members that ChatGPT reads',
    G7: 'a setup check warns if issuer and API are on different hosts',
    G8: 'responses stay far below the limits of time and size',
    G9: 'the OpenAPI 3.1 document is generated, within its length limits',
    G10: 'consequential operations are marked; one scheme per action set',
    G11: 'headers of a conversation never authorize a request',
    G12: 'Disconnect ends access and refresh tokens at once',
    G13: 'all refreshes of a burst get the identical successor',
    G14: 'a returning user is not asked again; a full quota never blocks the sign-in',
  },
  'ChatGPT apps and connectors': {
    H1: 'resource metadata, and a 401 that leads to it',
    H2: 'tools say what they need; a refused call may carry the challenge in its result',
    H3: 'metadata shows S256, the methods of authentication, client documents and registration',
    H4: '`resource` becomes `aud`',
    H5: '`offline_access` is in the scopes of the server',
    H6: 'neither client credentials nor API keys are needed',
    H7: 'with `iss` on every response, the stable redirect URI and client document serve',
    H8: '`private_key_jwt` with RS256 and with ES256, or no authentication',
  },
  'Claude (web, desktop)': {
    CL1: 'both redirect URIs',
    CL2: 'metadata advertises client documents and `none`',
    CL3: 'registered clients without an active grant are removed, the others stay',
    CL4: 'S256; a real 401; `resource` exactly as typed',
    CL5: 'discovery, registration, token and refresh within the deadlines',
    CL6: '`invalid_grant` ends a connection, `invalid_client` starts a registration',
    CL7: 'two refreshes at the same moment both succeed',
  },
  'Claude Code': {
    CC1: 'loopback redirect on any port, and its client document',
    CC2: 'a registered loopback URI without a port matches any',
    CC3: 'the consent page shows where the response goes and warns of programs on the user’s own computer',
  },
  'MCP authorization, the server': {
    A1: 'OAuth 2.1 for confidential and public clients',
    A2: 'both metadata documents, in every form of a path issuer',
    A3: '`issuer` equals the identifier byte for byte',
    A4: 'client ID metadata documents',
    A5: 'dynamic registration',
    A6: 'clients registered in advance',
    A7: 'a client document is fetched, checked and cached, and its host is shown to the user',
    A8: 'what a client document must not do',
    A9: 'redirect URIs match exactly; HTTPS or loopback only',
    A10: 'PKCE with S256, both halves or none',
    A11: 'no redirect to an untrusted URI',
    A12: 'short access tokens, rotated refresh tokens',
    A13: '`iss` on every authorization response, and advertised',
    A14: '`resource` at authorization and token; the default audience without it',
    A15: 'consent per client, never replaced by an upstream consent',
  },
  'MCP authorization, the protected server': {
    B1: 'resource metadata with its authorization server',
    B2: 'found through the challenge and at the well-known paths',
    B3: '`scope` in the challenge',
    B4: 'audience checked; every other token refused',
    B5: 'the token only in the header',
    B6: '401, 403 and 400 where each belongs',
    B7: '`insufficient_scope` with every scope of the operation; a scope that implies another is honoured',
    B8: '`offline_access` neither in resource metadata nor in a challenge',
    B9: 'one canonical resource URI',
  },
}

export interface ClientProof {
  item: string
  rule: string
  /** From the root of the project. */
  file: string
}

const literal = /(['"`])((?:\\\1|(?!\1)[^\n])*)\1(?=\s*[,:])/g
/** Items are before the colon or in parentheses, alone or as a range: `G4–G6`. */
const places = /^[^:\n]*: |\([^()\n]*\)/g
const item = /\b(CL|CC|[ABGH])(\d{1,2})(?:–\1(\d{1,2}))?\b/g

/** Every proof in the text of a test file. */
export function clientProofsIn(file: string, text: string): ClientProof[] {
  return [...text.matchAll(literal)].flatMap(([, , name]) =>
    itemsIn(name!).map((one) => ({ item: one, rule: name!, file })),
  )
}

function itemsIn(name: string): string[] {
  const found = [...name.matchAll(places)].flatMap(([place]) => [...place.matchAll(item)])
  return found.flatMap(([, list, first, last]) => {
    const from = Number(first)
    const to = Number(last ?? first)
    return Array.from({ length: Math.max(1, to - from + 1) }, (_, n) => `${list}${from + n}`)
  })
}

/** Every proof in the tests. */
export function readClientProofs(): ClientProof[] {
  return globSync('test/**/*.ts', { cwd: root, exclude: (path) => path.endsWith('node_modules') })
    .sort()
    .flatMap((file) => clientProofsIn(file, readFileSync(join(root, file), 'utf8')))
}

/** The whole of docs/clients.md. */
export function clientsDocument(proofs: readonly ClientProof[]): string {
  const sections = Object.entries(checklists).map(([client, items]) => {
    const lines = Object.entries(items).map(([name, words]) => {
      const files = [...new Set(proofs.filter((proof) => proof.item === name).map((proof) => proof.file))]
      return `| ${name} | ${words} | ${files.map((file) => `[${file}](../${file})`).join(', ')} |`
    })
    return [`## ${client}`, '', '| Item | What it needs | Proof |', '|---|---|---|', ...lines, ''].join('\n')
  })
  return `# Clients and their tests

What each of these clients needs from the server and its APIs, with the tests that prove it. A test uses the client's own
library if there is one, otherwise a simulator that sends the same requests.

This page is generated from the names of the tests: \`node scripts/clients.ts\`.

${sections.join('\n')}`
}

if (import.meta.main) writeFileSync(clientsFile, clientsDocument(readClientProofs()))
