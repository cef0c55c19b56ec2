// What happens now and then beside the daily life of test/growth/life.ts: clients that bring themselves, pushed requests,
// devices, JWTs that are good once, and sign-outs that clients are told of.

import type { Account } from '../../src/accounts/account.ts'
import { endSignedOut, sidOf } from '../../src/accounts/sign-outs.ts'
import type { Config } from '../../src/config.ts'
import type { CreatedClient } from '../../src/oauth/clients/client-operations.ts'
import { pushed } from '../oauth/authorization/pushing.ts'
import { assertion, clientKeys, registeredWith } from '../support/assertions.ts'
import { serveClient } from '../support/described-clients.ts'
import { beginDevice, createDevice, obtainDeviceTokens } from '../support/device.ts'
import { type Documents, openDocuments } from '../support/documents.ts'
import { makeProofKey, type ProofKey, proofFor } from '../support/dpop.ts'
import { authorize, authorizeParameters, makePkce, obtainTokens, readTokens } from '../support/flow.ts'
import type { TestServer } from '../support/gatehouse.ts'
import { asCreated, registered } from '../support/registration.ts'

/** Days between two of them, for each user. */
export const occasions = {
  /** Authorization requests that are pushed; every other one is never opened. */
  pushEvery: 5,
  /** Devices that ask to be connected; every other one is never allowed. */
  deviceEvery: 10,
  /** Client tokens for which an assertion and a proof are spent. */
  signedTokenEvery: 1,
  /** Clients that bring themselves, by registration and by their document in turn; every other one connects somebody. */
  newClientEvery: 15,
  /** Invitations to register. */
  invitationEvery: 20,
  /** Sign-outs of which two clients are to be told; one of them never answers. */
  signOutEvery: 8,
}

export interface Occasions {
  /** What of it falls on this day for this user. */
  happen(today: number, account: Account, userId: string): Promise<void>
  close(): Promise<void>
}

/** The configuration a server needs for all of it, and where its clients' documents stand. */
export async function withOccasions(config: Partial<Config>): Promise<{
  config: Partial<Config>
  open(server: TestServer): Promise<Occasions>
}> {
  const documents = await openDocuments()
  return {
    config: {
      registration: { policy: 'open' },
      clientIdMetadata: {},
      device: {},
      outbound: { ca: documents.ca },
      ...config,
    },
    open: (server) => openOccasions(server, documents),
  }
}

async function openOccasions(server: TestServer, documents: Documents): Promise<Occasions> {
  documents.serve('/told', {})
  const [told, deaf] = await Promise.all(
    ['/told', '/deaf'].map((path) =>
      server.createClient({ name: path, backchannelLogoutUri: documents.origin + path }),
    ),
  )
  const pushing = await server.createClient({ name: 'Pushing app' })
  const television = await createDevice(server)
  const signer = await server.createClient({
    name: 'Signing worker',
    redirectUris: [],
    grantTypes: ['client_credentials'],
    ...registeredWith(clientKeys.ES256),
  })
  const key = await makeProofKey()
  let arrived = 0

  async function newClient(): Promise<CreatedClient> {
    arrived++
    // A network of its own each, as of any number of people.
    const address = `198.51.100.${arrived % 250}`
    return arrived % 4 < 2
      ? asCreated(await registered(server, {}, { address }))
      : serveClient(documents, `/client-${arrived}.json`)
  }

  /** By turns done to its end or left alone. */
  let turns = 0
  const isDone = () => turns++ % 2 === 0

  return {
    async happen(today, account, userId) {
      const falls = (every: number) => today % every === 0
      if (falls(occasions.signedTokenEvery)) await takeSignedToken(server, signer, key)
      if (falls(occasions.pushEvery)) {
        const opened = await pushed(server, pushing, authorizeParameters(pushing, makePkce()))
        if (isDone()) await (await authorize(server, opened)).text()
      }
      if (falls(occasions.deviceEvery)) {
        if (isDone()) await obtainDeviceTokens(server, television)
        else await beginDevice(server, television)
      }
      if (falls(occasions.newClientEvery)) {
        const client = await newClient()
        const parameters = authorizeParameters(client, makePkce())
        if (isDone()) await obtainTokens(server, client)
        else await (await server.request(`/oauth/authorize?${parameters}`)).text()
      }
      if (falls(occasions.invitationEvery))
        await server.g.clients.createInitialAccessToken({ name: 'A vendor' })
      if (falls(occasions.signOutEvery)) {
        const signedIn = { ...account, authTime: server.clock.now(), sessionId: `day ${today}` }
        server.signedIn.account = signedIn
        for (const client of [told!, deaf!]) await obtainTokens(server, client, { scope: 'openid' })
        await endSignedOut(server.app.server, { id: userId, sid: sidOf(signedIn) }, undefined)
      }
    },
    close: () => documents.close(),
  }
}

async function takeSignedToken(server: TestServer, signer: CreatedClient, key: ProofKey): Promise<void> {
  const form = { grant_type: 'client_credentials', ...assertion(signer, clientKeys.ES256, server.clock) }
  const headers = { dpop: await proofFor(server, key) }
  await readTokens(await server.post('/oauth/token', form, headers))
}
