// What the floor asks of its storage. Hashes are SHA-256 in base64url, times epoch milliseconds; `done` is called
// once a change is durable.

export type Client = { secret_hash: string; redirect_uri: string }
export type Person = { subject: string; scope: string }
export type AccessToken = { client: string; subject: string; scope: string; expires_at: number }
export type Granted = { subject: string; scope: string }

export type NewCode = {
  hash: string
  client: string
  subject: string
  redirectUri: string
  challenge: string
  scope: string
  expiresAt: number
}
export type Redemption = {
  hash: string
  client: string
  redirectUri: string
  challenge: string
  refreshHash: string
  expiresAt: number
}
export type Rotation = {
  hash: string
  successorHash: string
  expiresAt: number
  proof: UsedProof | undefined
}
/** What of a DPoP proof is remembered, so that it is good once. */
export type UsedProof = { hash: string; expiresAt: number }

type Done<T> = (result: T) => void

export interface FloorStore {
  addClient(id: string, client: Client): Promise<void>
  /** A signed-in person who has consented. */
  addPerson(cookieHash: string, clientId: string, person: Person): Promise<void>
  client(id: string, done: Done<Client | undefined>): void
  person(cookieHash: string, clientId: string, done: Done<Person | undefined>): void
  insertCode(code: NewCode, done: Done<undefined>): void
  /** Spends a code and starts a session with its first refresh token; undefined when the code was not to be had. */
  redeemCode(redemption: Redemption, done: Done<Granted | undefined>): void
  /** Spends a refresh token for its successor; undefined when it was not to be had. */
  rotate(rotation: Rotation, done: Done<Granted | undefined>): void
  /** False when the proof was used before. */
  insertAccessToken(hash: string, token: AccessToken, proof: UsedProof | undefined, done: Done<boolean>): void
  accessToken(hash: string, done: Done<AccessToken | undefined>): void
}
