// What each workload sends and what it accepts as a right answer.
import { createHash, randomBytes } from 'node:crypto'
import { chains, type Fixture, peopleOfPublicClients, type Workload } from '../fixture.ts'
import type { Answer, Connection } from './connection.ts'
import { Prover } from './proofs.ts'

/** An answer that is not the one the workload expects; it counts as an error, never as throughput. */
export class Unexpected extends Error {}

/** One step of a chain on its own connection: a request, or for `code` the authorize and token pair, after a push for `pushed_code`. */
export type Step = (connection: Connection) => Promise<void>

const verifier = randomBytes(32).toString('base64url')
const challenge = createHash('sha256').update(verifier).digest('base64url')

function expect(answer: Answer, right: boolean, what: string) {
  if (right) return
  throw new Unexpected(`${what}: ${answer.status} ${answer.location} ${answer.body.slice(0, 300)}`)
}

/** Writes requests for one server, of the client that has a secret or of one that has none. */
export function requestsFor({ ports: [port], client, paths, cookies, params }: Fixture, publicId?: string) {
  const id = publicId ?? client.id
  const basic = Buffer.from(`${client.id}:${client.secret}`).toString('base64')
  const authorization = publicId === undefined ? `Authorization: Basic ${basic}\r\n` : ''
  const post = (path: string, accept = 'application/json') =>
    `POST ${path} HTTP/1.1\r\nHost: localhost:${port}\r\n${authorization}` +
    `Content-Type: application/x-www-form-urlencoded\r\nAccept: ${accept}\r\nContent-Length: `
  const tokenHead = post(paths.token)
  const introspectHead = post(paths.introspect)
  const signedIntrospectHead = post(paths.introspect, 'application/token-introspection+jwt')
  const pushHead = post(paths.push ?? paths.authorize)
  const form = (fields: Record<string, string>) => new URLSearchParams(fields).toString()
  const withBody = (head: string, body: string) => `${head}${body.length}\r\n\r\n${body}`
  const refreshRest = `grant_type=refresh_token&${form(params.refresh)}&refresh_token=`
  const codeRest = `${form({
    grant_type: 'authorization_code',
    redirect_uri: client.redirectUri,
    code_verifier: verifier,
    ...(publicId === undefined ? {} : { client_id: publicId }),
    ...params.code,
  })}&code=`
  const query = form({
    response_type: 'code',
    client_id: id,
    redirect_uri: client.redirectUri,
    state: 'bench',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...params.authorize,
  })
  return {
    tokenUrl: `http://localhost:${port}${paths.token}`,
    machine: withBody(tokenHead, form({ grant_type: 'client_credentials', ...params.machine })),
    opaque: withBody(tokenHead, form({ grant_type: 'client_credentials', ...params.opaque })),
    refresh: (token: string) => withBody(tokenHead, refreshRest + encodeURIComponent(token)),
    introspect: (token: string, signed: boolean) =>
      withBody(signed ? signedIntrospectHead : introspectHead, `token=${encodeURIComponent(token)}`),
    code: (code: string) => withBody(tokenHead, codeRest + encodeURIComponent(code)),
    push: withBody(pushHead, query),
    authorize: (person: number, requestUri?: string) =>
      `GET ${paths.authorize}?${requestUri === undefined ? query : form({ client_id: id, request_uri: requestUri })} HTTP/1.1\r\nHost: localhost:${port}\r\nCookie: ${cookies[person % cookies.length]}\r\n` +
      'Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Site: cross-site\r\n\r\n',
  }
}

type Requests = ReturnType<typeof requestsFor>

async function tokenRequest(connection: Connection, request: string, what: string): Promise<string> {
  const answer = await connection.send(request)
  expect(answer, answer.status === 200 && answer.body.includes('"access_token":"'), what)
  return answer.body
}

/** The same with a proof, once more where the server names a nonce for it. */
async function provenRequest(connection: Connection, request: string, prover: Prover, what: string) {
  let answer = await connection.send(prover.prove(request))
  if (prover.learn(answer)) answer = await connection.send(prover.prove(request))
  expect(answer, answer.status === 200 && /"token_type":\s*"DPoP"/.test(answer.body), what)
  return answer.body
}

function field(body: string, name: string, what: string): string {
  const value = (JSON.parse(body) as Record<string, unknown>)[name]
  if (typeof value !== 'string') throw new Unexpected(`${what}: no ${name} in ${body.slice(0, 300)}`)
  return value
}

/** RFC 9126 §2: pushes the authorization request; resolves with the name it got. */
async function push(connection: Connection, requests: Requests): Promise<string> {
  const answer = await connection.send(requests.push)
  expect(answer, answer.status === 201, 'push')
  return field(answer.body, 'request_uri', 'push')
}

/**
 * RFC 6749 §4.1: from the signed-in browser to the tokens, by a request that was pushed where its name is given; resolves
 * with the refresh token.
 */
async function codeFlow(
  connection: Connection,
  requests: Requests,
  person: number,
  redirectUri: string,
  requestUri?: string,
) {
  const answer = await connection.send(requests.authorize(person, requestUri))
  const redirected = answer.status === 302 || answer.status === 303
  const found = /[?&]code=([^&]+)/.exec(answer.location)
  expect(answer, redirected && answer.location.startsWith(redirectUri) && found !== null, 'authorize')
  const request = requests.code(decodeURIComponent(found![1]!))
  return field(await tokenRequest(connection, request, 'code'), 'refresh_token', 'code')
}

/** The claims of a JWT as text; the load generator does not check who signed it. */
function claimsOf(jwt: string): string {
  return Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()
}

/** How many opaque tokens the introspection workload walks through, beside those given in a file. */
const introspected = 512

/** Prepares one chain of a workload; what it sets up here is not measured. */
export async function startChain(
  workload: Workload,
  fixture: Fixture,
  chain: number,
  connection: Connection,
  tokens: string[] = [],
): Promise<Step> {
  const requests = requestsFor(fixture)
  switch (workload) {
    case 'client_credentials':
      return async (on) => void (await tokenRequest(on, requests.machine, 'client credentials'))
    case 'dpop_client_credentials': {
      const prover = new Prover(requests.tokenUrl)
      return async (on) => void (await provenRequest(on, requests.machine, prover, 'client credentials'))
    }
    case 'refresh': {
      let mine = tokens
      if (mine.length === 0) mine = [await codeFlow(connection, requests, chain, fixture.client.redirectUri)]
      let turn = 0
      return async (on) => {
        turn = (turn + 1) % mine.length
        const body = await tokenRequest(on, requests.refresh(mine[turn]!), 'refresh')
        mine[turn] = field(body, 'refresh_token', 'refresh')
      }
    }
    case 'dpop_refresh': {
      const prover = new Prover(requests.tokenUrl)
      let mine = await codeFlow(connection, requests, chain, fixture.client.redirectUri)
      return async (on) => {
        mine = field(
          await provenRequest(on, requests.refresh(mine), prover, 'refresh'),
          'refresh_token',
          'refresh',
        )
      }
    }
    case 'introspection':
    case 'signed_introspection': {
      const signed = workload === 'signed_introspection'
      const mine = [...tokens]
      for (let n = mine.length === 0 ? introspected / chains : 0; n > 0; n -= 1) {
        mine.push(field(await tokenRequest(connection, requests.opaque, 'opaque'), 'access_token', 'opaque'))
      }
      const prepared = mine.map((token) => requests.introspect(token, signed))
      let turn = 0
      return async (on) => {
        turn = (turn + 1) % prepared.length
        const answer = await on.send(prepared[turn]!)
        const said = signed ? claimsOf(answer.body) : answer.body
        expect(answer, answer.status === 200 && /"active":\s*true/.test(said), workload)
      }
    }
    case 'code':
    case 'pushed_code': {
      let person = chain
      return async (on) => {
        const requestUri = workload === 'pushed_code' ? await push(on, requests) : undefined
        await codeFlow(on, requests, person, fixture.client.redirectUri, requestUri)
        person += chains
      }
    }
    case 'public_code':
    case 'cimd_code': {
      const own = requestsFor(fixture, fixture.publicClients![workload])
      let person = chain
      return async (on) => {
        await codeFlow(on, own, person % peopleOfPublicClients, fixture.client.redirectUri)
        person += chains
      }
    }
  }
}
