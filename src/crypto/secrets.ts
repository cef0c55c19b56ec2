import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto'

/** What a derived key is for; each purpose has a key of its own. */
export type Purpose =
  | 'sealing'
  | 'refresh successor'
  | 'form token'
  | 'authorization code'
  | 'dpop nonce'
  | 'user code'
  | 'device cookie'

interface Root {
  /** Names the root in what it sealed; says nothing about it. */
  id: string
  key(purpose: Purpose): KeyObject
}

/** The root secrets, newest first. The newest seals and derives; all of them open and verify. */
export interface Secrets {
  readonly newestId: string
  /** Every key id that opens, newest first. */
  readonly ids: readonly string[]
  /** Takes other roots from now on, newest first: how the root secret rotates while serving. */
  replace(secrets: readonly string[]): void
  seal(plain: string, context: string): string
  /** Throws when no known root sealed it or it was sealed for another context. */
  open(sealed: string, context: string): string
  /** HMAC-SHA-256 under the newest root's key for this purpose, base64url. */
  mac(purpose: Purpose, message: string): string
  /** The same under every root, newest first. */
  macs(purpose: Purpose, message: string): string[]
  verifies(purpose: Purpose, message: string, mac: string): boolean
}

/** What is to be opened was sealed with a root that is not among the configured ones. */
export class UnknownSecret extends Error {
  override name = 'UnknownSecret'
  readonly keyId: string
  constructor(keyId: string) {
    super(`sealed with a secret that is not configured (key id ${keyId})`)
    this.keyId = keyId
  }
}

/** Fewest characters of a root secret: 32 random bytes are 43 in base64url. */
export const shortestSecret = 32

export function rootSecrets(secrets: readonly string[]): Secrets {
  let roots = secrets.map(rootFrom)
  const hmac = (root: Root, purpose: Purpose, message: string) =>
    createHmac('sha256', root.key(purpose)).update(message).digest('base64url')

  return {
    get newestId() {
      return roots[0]!.id
    },
    get ids() {
      return roots.map((root) => root.id)
    },
    replace(others) {
      roots = others.map(rootFrom)
    },
    seal(plain, context) {
      const newest = roots[0]!
      const nonce = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', newest.key('sealing'), nonce)
      cipher.setAAD(Buffer.from(context))
      const sealed = Buffer.concat([nonce, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return `v1.${newest.id}.${sealed.toString('base64url')}`
    },
    open(sealed, context) {
      const [version, id, text] = sealed.split('.')
      const root = roots.find((one) => one.id === id)
      if (version !== 'v1' || !root || !text) {
        throw new UnknownSecret(id ?? 'unknown')
      }
      const bytes = Buffer.from(text, 'base64url')
      const decipher = createDecipheriv('aes-256-gcm', root.key('sealing'), bytes.subarray(0, 12))
      decipher.setAAD(Buffer.from(context))
      decipher.setAuthTag(bytes.subarray(-16))
      return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString('utf8')
    },
    mac: (purpose, message) => hmac(roots[0]!, purpose, message),
    macs: (purpose, message) => roots.map((root) => hmac(root, purpose, message)),
    verifies: (purpose, message, mac) =>
      roots.some((root) => equalInConstantTime(hmac(root, purpose, message), mac)),
  }
}

export function equalInConstantTime(a: string, b: string): boolean {
  const left = Buffer.from(a)
  const right = Buffer.from(b)
  return left.length === right.length && timingSafeEqual(left, right)
}

function rootFrom(secret: string): Root {
  const keys = new Map<string, KeyObject>()
  const derive = (label: string) =>
    Buffer.from(hkdfSync('sha256', secret, 'gatehouse', `gatehouse ${label}`, 32))
  return {
    id: derive('key id').toString('hex').slice(0, 8),
    key(purpose) {
      let key = keys.get(purpose)
      if (!key) keys.set(purpose, (key = createSecretKey(derive(purpose))))
      return key
    },
  }
}
