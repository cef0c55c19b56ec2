import { writeFileSync } from 'node:fs'
import { chains, type Fixture, fixtureFile } from '../fixture.ts'
import type { Place } from '../server.ts'
import { Browser } from './browser.ts'

export const scope = 'jobs:read'
export const jwtResource = 'https://api.example'
export const opaqueResource = 'https://opaque.example'
export const redirectUri = 'https://app.example/callback'

/** So many that nobody comes near the quota of living sessions, which would end the oldest with every new one. */
const people = 4096

/** Signs one new person up and lets them consent, as far as the pages ask; resolves with their cookies. */
async function signUpAndConsent(origin: string, client: { id: string }, person: number): Promise<string> {
  const browser = new Browser(redirectUri, { person: String(person) })
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: client.id,
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
  return browser.cookieHeader
}

/** Makes the people of a running Gatehouse through its own pages and writes its fixture. */
export async function prepareGatehouse(
  { directory, port }: Place,
  client: { id: string; secret: string },
): Promise<void> {
  const cookies: string[] = []
  const lane = async (first: number) => {
    for (let person = first; person < people; person += chains) {
      cookies[person] = await signUpAndConsent(`http://localhost:${port}`, client, person)
    }
  }
  await Promise.all(Array.from({ length: chains }, (_, chain) => lane(chain)))
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
