import type { Client, Credentials } from './clients.ts'
import type { ClientKey } from './jose.ts'
import { credentialsOf, proof } from './proofs.ts'
import { type Answer, encode, type Parameters, type Wire } from './wire.ts'

export interface PostOptions {
  /** Another client's authentication, or none at all. */
  as?: Client | null
  credentials?: Credentials
  headers?: Record<string, string | string[]>
  /** Sends a DPoP proof of this key, and once more with the nonce where one is demanded. */
  key?: ClientKey
}

/** What a client sends by itself: forms with its authentication and, if it has a key, a proof of it. */
export interface BackChannel {
  post(client: Client | null, url: string, form: Parameters, options?: PostOptions): Promise<Answer>
  /** The newest DPoP nonce an endpoint gave. */
  nonce(url: string): string | undefined
}

export function openBackChannel(wire: Wire, issuer: string): BackChannel {
  const nonces = new Map<string, string>()

  async function post(
    client: Client | null,
    url: string,
    form: Parameters,
    options: PostOptions = {},
  ): Promise<Answer> {
    const acting = options.as === undefined ? client : options.as
    const once = () => {
      const own = options.credentials ?? (acting ? credentialsOf(acting, issuer) : { headers: {}, form: {} })
      const nonce = nonces.get(url)
      const dpop = options.key && proof(options.key, { method: 'POST', url, ...(nonce ? { nonce } : {}) })
      return wire.send({
        method: 'POST',
        url,
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          ...own.headers,
          ...(dpop === undefined ? {} : { dpop }),
          ...options.headers,
        },
        body: encode({ ...own.form, ...form }),
      })
    }
    const answer = await once()
    const nonce = answer.headers.get('dpop-nonce')
    if (nonce !== null) nonces.set(url, nonce)
    return options.key && nonce !== null && answer.json['error'] === 'use_dpop_nonce' ? once() : answer
  }

  return { post, nonce: (url) => nonces.get(url) }
}
