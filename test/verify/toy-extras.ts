// What the toy can do beside the code flow: requests that are pushed (RFC 9126) and proofs of a key (RFC 9449), right but for
// the hole a test asks for.

import { createHash, createPublicKey, type JsonWebKey, randomBytes, verify } from 'node:crypto'

const decode = (part: string | undefined) => JSON.parse(Buffer.from(part ?? '', 'base64url').toString())

/** Reads DPoP proofs: the thumbprint of the key, or undefined for what is no proof. */
export function openProofs(goodTwice: boolean) {
  const seen = new Set<string>()

  /** Everything but that it is new. */
  function check(text: string, url: string): { jkt: string; id: string } | undefined {
    const [head, body, signature] = text.split('.')
    const { typ, alg, jwk } = decode(head) as { typ: string; alg: string; jwk: JsonWebKey }
    const { htm, htu, iat, jti } = decode(body)
    if (typ !== 'dpop+jwt' || alg !== 'ES256' || jwk.d !== undefined) return undefined
    if (htm !== 'POST' || htu !== url || typeof jti !== 'string') return undefined
    if (!(Math.abs(Date.now() / 1_000 - iat) < 300)) return undefined
    const key = createPublicKey({ key: jwk, format: 'jwk' })
    const signed = Buffer.from(signature!, 'base64url')
    if (!verify('sha256', Buffer.from(`${head}.${body}`), { key, dsaEncoding: 'ieee-p1363' }, signed))
      return undefined
    const members = JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y })
    const jkt = createHash('sha256').update(members).digest('base64url')
    return { jkt, id: `${jkt} ${jti}` }
  }

  /** Undefined without a proof, null for one that is refused. */
  return (header: string | undefined, url: string): string | undefined | null => {
    if (header === undefined) return undefined
    try {
      const proof = check(header, url)
      if (!proof || (seen.has(proof.id) && !goodTwice)) return null
      seen.add(proof.id)
      return proof.jkt
    } catch {
      return null
    }
  }
}

/** Keeps pushed requests, each for one client and one code. */
export function openPushed(overruled: boolean) {
  const kept = new Map<string, { client: string; query: URLSearchParams; used: boolean }>()
  return {
    push(client: string, form: URLSearchParams): string {
      const uri = `urn:ietf:params:oauth:request_uri:${randomBytes(24).toString('base64url')}`
      const query = new URLSearchParams(form)
      for (const name of ['client_secret', 'client_assertion', 'client_assertion_type']) query.delete(name)
      query.set('client_id', client)
      kept.set(uri, { client, query, used: false })
      return uri
    },
    /** The request that counts; undefined for a name that is unknown, of another client or spent. */
    open(query: URLSearchParams): URLSearchParams | undefined {
      const uri = query.get('request_uri')
      if (uri === null) return query
      const row = kept.get(uri)
      if (!row || row.used || row.client !== query.get('client_id')) return undefined
      const all = new URLSearchParams(row.query)
      if (overruled) for (const [name, value] of query) if (name !== 'request_uri') all.set(name, value)
      all.set('request_uri', uri)
      return all
    },
    /** True for the first code of a request that was pushed, and for every other request. */
    spend(query: URLSearchParams): boolean {
      const row = kept.get(query.get('request_uri') ?? '')
      if (!row) return true
      const first = !row.used
      row.used = true
      return first
    },
  }
}
