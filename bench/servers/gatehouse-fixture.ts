import { writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { makeAuthority } from '../../test/support/certificates.ts'
import { openDocuments } from '../../test/support/documents.ts'
import { chains, type Fixture, fixtureFile, peopleOfPublicClients } from '../fixture.ts'
import type { Place } from '../server.ts'
import { Browser } from './browser.ts'

export const scope = 'jobs:read'
export const jwtResource = 'https://api.example'
export const opaqueResource = 'https://opaque.example'
export const redirectUri = 'https://app.example/callback'
export const grantTypes = ['authorization_code', 'refresh_token']

/** Issues the certificate of the server that has the document of a client. */
export const authority = makeAuthority()

/** So many that no user comes near the quota of active sessions, which would end the oldest with every new one. */
const people = 4096

/** Signs one new person up and lets them consent to each client, as far as the pages ask; resolves with their cookies. */
async function signUpAndConsent(origin: string, clients: string[], person: number): Promise<string> {
  const browser = new Browser(redirectUri, { person: String(person) })
  for (const id of clients) await consent(browser, origin, id, person)
  return browser.cookieHeader
}

async function consent(browser: Browser, origin: string, id: string, person: number): Promise<void> {
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: id,
    redirect_uri: redirectUri,
    scope,
    resource: jwtResource,
    state: 'setup',
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    code_challenge_method: 'S256',
  })
  let page = await browser.open(`${origin}/oauth/authorize?${query}`)
  for (let step = 0; page && step < 6; step += 1) {
    if (page.html.includes('name="decision"')) page = await browser.submit(page, { decision: 'allow' })
    else if (page.html.includes('autocomplete="new-password"')) {
      const login = `person-${person}@example.com`
      page = await browser.submit(page, {
        name: `Person ${person}`,
        login,
        password: `the password of ${login}`,
      })
    } else page = await browser.open(browser.link(page, 'sign-up'))
  }
  if (page) throw new Error(`sign-up and consent ended on ${page.url} with ${page.status}`)
}

/**
 * Makes a client by its document and the people; the document counts as fresh for a day, so its server can go afterwards.
 */
async function makePeople(
  origin: string,
  client: string,
  publicId: string,
): Promise<{ cookies: string[]; cimdId: string }> {
  const documents = await openDocuments('127.0.0.1', { authority })
  const cimdId = `${documents.origin}/client.json`
  const document = {
    client_id: cimdId,
    client_name: 'bench',
    redirect_uris: [redirectUri],
    grant_types: grantTypes,
    token_endpoint_auth_method: 'none',
  }
  documents.serve('/client.json', (response: ServerResponse) =>
    response
      .writeHead(200, { 'content-type': 'application/json', 'cache-control': 'max-age=86400' })
      .end(JSON.stringify(document)),
  )
  const cookies: string[] = []
  const lane = async (first: number) => {
    for (let person = first; person < people; person += chains) {
      const clients = person < peopleOfPublicClients ? [client, publicId, cimdId] : [client]
      cookies[person] = await signUpAndConsent(origin, clients, person)
    }
  }
  await Promise.all(Array.from({ length: chains }, (_, chain) => lane(chain)))
  await documents.close()
  return { cookies, cimdId }
}

/** Makes the people of a running Gatehouse through its own pages and writes its fixture. */
export async function prepareGatehouse(
  { directory, port }: Place,
  { publicId, ...client }: { id: string; secret: string; publicId: string },
): Promise<void> {
  const { cookies, cimdId } = await makePeople(`http://localhost:${port}`, client.id, publicId)
  const fixture: Fixture = {
    ports: [port],
    paths: {
      authorize: '/oauth/authorize',
      token: '/oauth/token',
      introspect: '/oauth/introspect',
      push: '/oauth/par',
    },
    dpop: true,
    signedIntrospection: true,
    client: { ...client, redirectUri },
    publicClients: { public_code: publicId, cimd_code: cimdId },
    params: {
      machine: { scope, resource: jwtResource },
      opaque: { scope, resource: opaqueResource },
      authorize: { scope, resource: jwtResource },
      code: {},
      refresh: {},
    },
    cookies,
  }
  writeFileSync(fixtureFile(directory), JSON.stringify(fixture))
}
