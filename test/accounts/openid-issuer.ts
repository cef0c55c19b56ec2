// An OpenID provider on loopback that signs a person in without a page, and errs where it is told to.

import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after } from 'node:test'

export interface OpenidIssuer {
  issuer: string
  /** Parameters of the last authorization request. */
  asked: URLSearchParams
  /** Forms the token endpoint received. */
  redeemed: URLSearchParams[]
  /** Claims that replace those of a good ID token; undefined leaves one out. */
  claims: Record<string, unknown>
  /** Signs with a key it does not publish. */
  forged: boolean
  /** Status the token endpoint answers with instead. */
  status: number | undefined
  /** How often its metadata was asked for, and the status it is answered with instead. */
  discoveries: number
  metadataStatus: number | undefined
  /** What its metadata calls itself. */
  name: string | undefined
  /** Sends this error back instead of a code. */
  refuses: string | undefined
  /** Where the browser is sent after the authorization request at `location`. */
  signIn(location: string): Promise<string>
}

export async function openidIssuer(): Promise<OpenidIssuer> {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const codes = new Map<string, URLSearchParams>()
  const server: Server = createServer((request, response) => {
    const url = new URL(request.url!, it.issuer)
    const json = (status: number, value: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
    }
    if (url.pathname === '/.well-known/openid-configuration') {
      it.discoveries++
      if (it.metadataStatus !== undefined) return json(it.metadataStatus, {})
      return json(200, {
        issuer: it.name ?? it.issuer,
        authorization_endpoint: `${it.issuer}/authorize`,
        token_endpoint: `${it.issuer}/token`,
        jwks_uri: `${it.issuer}/jwks`,
        response_types_supported: ['code'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['ES256'],
        authorization_response_iss_parameter_supported: true,
      })
    }
    if (url.pathname === '/jwks') {
      return json(200, { keys: [{ ...pair.publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'ES256' }] })
    }
    if (url.pathname === '/authorize') {
      it.asked = url.searchParams
      const to = new URL(it.asked.get('redirect_uri')!)
      const code = randomBytes(8).toString('hex')
      codes.set(code, it.asked)
      if (it.refuses === undefined) to.searchParams.set('code', code)
      else to.searchParams.set('error', it.refuses)
      to.searchParams.set('state', it.asked.get('state')!)
      to.searchParams.set('iss', it.issuer)
      response.writeHead(303, { location: to.href }).end()
      return
    }
    let body = ''
    request.setEncoding('utf8').on('data', (chunk) => (body += chunk))
    request.on('end', () => {
      const form = new URLSearchParams(body)
      it.redeemed.push(form)
      const asked = codes.get(form.get('code') ?? '')
      const proof = createHash('sha256')
        .update(form.get('code_verifier') ?? '')
        .digest('base64url')
      if (it.status !== undefined) return json(it.status, { error: 'server_error' })
      if (!asked || proof !== asked.get('code_challenge')) return json(400, { error: 'invalid_grant' })
      const now = Math.floor(Date.now() / 1_000)
      const claims = {
        iss: it.issuer,
        aud: asked.get('client_id'),
        sub: 'upstream-user',
        iat: now,
        exp: now + 300,
        auth_time: now,
        nonce: asked.get('nonce'),
        name: 'Ulla Upstream',
        email: 'ulla@example.com',
        acr: 'urn:example:mfa',
        amr: ['pwd', 'otp'],
        ...it.claims,
      }
      const id_token = jwt(claims, it.forged ? stranger : pair.privateKey)
      json(200, { access_token: 'x', token_type: 'Bearer', id_token })
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  after(() => new Promise((resolve) => server.close(resolve)))
  const it: OpenidIssuer = {
    issuer: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: new URLSearchParams(),
    redeemed: [],
    claims: {},
    forged: false,
    status: undefined,
    discoveries: 0,
    metadataStatus: undefined,
    name: undefined,
    refuses: undefined,
    async signIn(location) {
      const answer = await fetch(location, { redirect: 'manual' })
      return answer.headers.get('location')!
    },
  }
  return it
}

function jwt(claims: object, key: KeyObject): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const input = `${part({ alg: 'ES256', kid: 'k' })}.${part(claims)}`
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}
