// Whatever ends a grant ends all that rests on it, however the two meet: before, after, and in either order at the same moment.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { localAccounts } from '../../src/accounts/local.ts'
import { closeUserOf, deleteUser, disableUser } from '../../src/accounts/user-operations.ts'
import { timeOrderedId } from '../../src/crypto/ids.ts'
import { makeToken } from '../../src/crypto/tokens.ts'
import { sql } from '../../src/db/sql.ts'
import { eventInput } from '../../src/events/append.ts'
import type { CreatedClient } from '../../src/oauth/clients/client-operations.ts'
import { deleteRegistration } from '../../src/oauth/records/self-registered-clients.ts'
import { ann, hiddenFields, type Visitor, visit } from '../accounts/visitor.ts'
import { pushed } from '../oauth/authorization/pushing.ts'
import { clientKeys } from '../support/assertions.ts'
import { beginDevice, deviceGrant, poll } from '../support/device.ts'
import { bring, enterprise, identityAssertion, jwtBearerGrant } from '../support/enterprise.ts'
import { authorizeParameters, credentials, makePkce, redeem, refresh, type Tokens } from '../support/flow.ts'
import { issuer, onBothDatabases, openTestServer, type TestServer } from '../support/gatehouse.ts'
import { type Hold, holdEvents } from '../support/hold.ts'

const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange'
const scope = 'openid jobs:read'
const ids = Array.from({ length: 500 }, (_, n) => `client-${n}`)
const key = clientKeys.RS256

/** A person in a browser, with a client of their own. */
interface Scene {
  server: TestServer
  userId: string
  login: string
  visitor: Visitor
  /** Another browser of the same person. */
  elsewhere: Visitor
  created: CreatedClient
}

/** Something that may begin, and whether what began is alive. */
interface Attempt {
  begin(): Promise<unknown>
  lives(): Promise<boolean>
}

const bodyOf = async (answer: Response) => {
  const text = await answer.text()
  return (text === '' ? {} : JSON.parse(text)) as Record<string, unknown> & Partial<Tokens>
}

const introspects = async ({ server, created }: Scene, token: string | undefined): Promise<boolean> => {
  if (token === undefined) return false
  const { headers, form } = credentials(created)
  const answer = await server.post('/oauth/introspect', { token, ...form }, headers)
  return (await bodyOf(answer)).active === true
}

/** Whether any token of an answer is alive, or begets one that is. */
const anyLives = async (scene: Scene, tokens: Partial<Tokens> | undefined): Promise<boolean> => {
  if (await introspects(scene, tokens?.access_token)) return true
  if (tokens?.refresh_token === undefined) return false
  if (await introspects(scene, tokens.refresh_token)) return true
  return introspects(
    scene,
    (await bodyOf(await refresh(scene.server, scene.created, tokens.refresh_token))).access_token,
  )
}

/** An attempt that is a token request. */
const tokenRequest = (scene: Scene, send: () => Promise<Response>): Attempt => {
  let tokens: Partial<Tokens> | undefined
  return {
    async begin() {
      tokens = await bodyOf(await send())
    },
    lives: () => anyLives(scene, tokens),
  }
}

const codeOf = (location: string | null) =>
  (location?.startsWith('https://client.example/') && new URL(location).searchParams.get('code')) || undefined

/** The form of a consent page, and the verifier that goes with its code. */
async function showForm(
  { server, created, visitor }: Scene,
  more: Record<string, string> = {},
  byPush = false,
) {
  const pkce = makePkce()
  const parameters = authorizeParameters(created, pkce, { scope, ...more })
  const query = byPush ? await pushed(server, created, parameters) : parameters
  return { pkce, query, page: await visitor.get(`/oauth/authorize?${query}`) }
}

async function allow(scene: Scene, more: Record<string, string> = {}) {
  const { pkce, page } = await showForm(scene, more)
  const done = codeOf(page.location)
    ? page
    : await scene.visitor.submit(page, '/oauth/consent', { decision: 'allow' })
  const code = codeOf(done.location)
  assert.ok(code, done.html)
  return { pkce, code }
}

/** An attempt that yields a code, which is then redeemed. */
const codeRequest = (
  scene: Scene,
  pkce: { verifier: string; challenge: string },
  send: () => Promise<string | null>,
): Attempt => {
  let code: string | undefined
  return {
    async begin() {
      code = codeOf(await send())
    },
    async lives() {
      if (code === undefined) return false
      return anyLives(scene, await bodyOf(await redeem(scene.server, scene.created, code, pkce)))
    },
  }
}

async function tokensOf(scene: Scene): Promise<Tokens> {
  const { pkce, code } = await allow(scene)
  return (await bodyOf(await redeem(scene.server, scene.created, code, pkce))) as unknown as Tokens
}

async function showDevice(scene: Scene) {
  const device = await beginDevice(scene.server, scene.created)
  const entered = await scene.visitor.submit(await scene.visitor.get('/device'), '/device', {
    user_code: device.user_code,
  })
  const page = await scene.visitor.get(entered.location!.slice(issuer.length))
  const approve = () => scene.visitor.submit(page, '/device', { decision: 'allow' })
  return { device, approve }
}

const beginners: Record<string, (scene: Scene) => Promise<Attempt>> = {
  async 'redeeming a code'(scene) {
    const { pkce, code } = await allow(scene)
    return tokenRequest(scene, () => redeem(scene.server, scene.created, code, pkce))
  },
  async 'redeeming a device code'(scene) {
    const { device, approve } = await showDevice(scene)
    await approve()
    return tokenRequest(scene, () => poll(scene.server, scene.created, device.device_code))
  },
  async 'the word of an issuer'(scene) {
    const assertion = identityAssertion(key, scene.created.client.id, scene.server.clock.now(), {
      sub: scene.userId,
    })
    return tokenRequest(scene, () => bring(scene.server, scene.created, assertion))
  },
  async 'a code by remembered consent'(scene) {
    await allow(scene)
    const pkce = makePkce()
    const parameters = authorizeParameters(scene.created, pkce, { scope, prompt: 'none' })
    return codeRequest(
      scene,
      pkce,
      async () => (await scene.visitor.get(`/oauth/authorize?${parameters}`)).location,
    )
  },
  async 'a code by remembered consent to a pushed request'(scene) {
    await allow(scene)
    const pkce = makePkce()
    const query = await pushed(
      scene.server,
      scene.created,
      authorizeParameters(scene.created, pkce, { scope }),
    )
    return codeRequest(
      scene,
      pkce,
      async () => (await scene.visitor.get(`/oauth/authorize?${query}`)).location,
    )
  },
  async 'allowing on a form'(scene) {
    const { pkce, page } = await showForm(scene, { prompt: 'consent' })
    return codeRequest(
      scene,
      pkce,
      async () => (await scene.visitor.submit(page, '/oauth/consent', { decision: 'allow' })).location,
    )
  },
  async 'allowing on a form of a pushed request'(scene) {
    const { pkce, page } = await showForm(scene, { prompt: 'consent' }, true)
    return codeRequest(
      scene,
      pkce,
      async () => (await scene.visitor.submit(page, '/oauth/consent', { decision: 'allow' })).location,
    )
  },
  async 'approving a device'(scene) {
    const { device, approve } = await showDevice(scene)
    return {
      begin: approve,
      async lives() {
        scene.server.clock.advance(6_000)
        return anyLives(scene, await bodyOf(await poll(scene.server, scene.created, device.device_code)))
      },
    }
  },
  async refreshing(scene) {
    const { refresh_token } = await tokensOf(scene)
    return tokenRequest(scene, () => refresh(scene.server, scene.created, refresh_token!))
  },
  async 'exchanging a token'(scene) {
    const { access_token } = await tokensOf(scene)
    const { headers, form } = credentials(scene.created)
    const subject = {
      subject_token: access_token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    }
    return tokenRequest(scene, () =>
      scene.server.post('/oauth/token', { grant_type: exchangeGrant, ...subject, ...form }, headers),
    )
  },
  async 'signing in'(scene) {
    const other = visit(scene.server)
    const page = await other.get('/sign-in')
    return {
      begin: () => other.submit(page, '/sign-in', { login: scene.login, password: ann.password }),
      lives: async () => (await other.get('/account')).status === 200,
    }
  },
}

type Client = { id: string; now: () => number }
const clientOf = ({ server, created }: Scene): Client => ({ id: created.client.id, now: server.clock.now })

/** Each is made ready first, so that the ending itself is one request. */
const enders: Record<string, (scene: Scene) => Promise<() => Promise<unknown>>> = {
  'the user is disabled':
    async ({ server, userId }) =>
    () =>
      disableUser(server.app.server, userId, 'a test'),
  'the user is removed':
    async ({ server, userId }) =>
    () =>
      deleteUser(server.app.server, userId),
  'the account is gone at its provider':
    async ({ server, userId }) =>
    () =>
      closeUserOf(server.app.server, { provider: 'local', issuer: '', subject: userId }),
  'the password is changed': async ({ elsewhere }) => {
    const page = await elsewhere.get('/account')
    const passwords = { current_password: ann.password, new_password: 'another horse, other battery' }
    return () => elsewhere.submit(page, '/account/password', passwords)
  },
  'the browser is signed out': async ({ visitor }) => {
    const page = await visitor.get('/account')
    return () => visitor.submit(page, '/sign-out')
  },
  'the app is disconnected': async (scene) => {
    await allow(scene)
    const page = await scene.visitor.get('/account/apps')
    const fields = hiddenFields(page.html, '/account/apps')
    return () => scene.visitor.post('/account/apps', fields)
  },
  'the client is revoked':
    async ({ server, created }) =>
    () =>
      server.g.clients.revoke(created.client.id, 'a test'),
  'the client is suspended':
    async ({ server, created }) =>
    () =>
      server.g.clients.suspend(created.client.id, 'a test'),
  'the registration is deleted': async (scene) => {
    const { server } = scene
    const { id, now } = clientOf(scene)
    await server.app.server.db.query(sql`update clients set registration_token_hash = 'x' where id = ${id}`)
    return async () => {
      const event = eventInput(now(), 'client_deleted', { clientId: id })
      await server.app.server.db.write(deleteRegistration, { id, registration_token_hash: 'x', ...event })
      server.app.server.clients.forget(id)
    }
  },
}

/** What must be dead when both are done: whatever began, only what had begun first, only what came after, or nothing. */
type Verdict = 'dead' | 'dead if first' | 'dead if later' | 'free'
function verdict(ender: string, beginner: string): Verdict {
  const [ofUser, ofClient] = [/^the (user|account)/.test(ender), /^the (client|registration)/.test(ender)]
  if (beginner === 'signing in')
    return ofUser ? 'dead' : ender === 'the password is changed' ? 'dead' : 'free'
  if (ofUser || ofClient) return 'dead'
  if (ender === 'the app is disconnected') {
    // Allowed anew, or by somebody else's word: what comes later stands on its own.
    if (beginner === 'approving a device' || beginner === 'the word of an issuer') return 'dead if first'
    return 'dead'
  }
  // A device is another place than the browser (no `sid`), and an issuer speaks for itself.
  if (beginner === 'the word of an issuer') return 'free'
  if (beginner === 'approving a device') return ender === 'the password is changed' ? 'dead' : 'dead if later'
  if (beginner === 'redeeming a device code')
    return ender === 'the password is changed' ? 'dead if later' : 'free'
  return 'dead'
}

onBothDatabases('what is ended', (dialect) => {
  let server: TestServer
  let hold: Hold | undefined
  let passwordHash: string
  let scenes = 0

  before(async () => {
    server = await openTestServer(dialect, {
      accounts: localAccounts(),
      device: {},
      limits: {
        signInFailuresPerAccount: 1_000,
        failuresPerNetwork: 10_000,
        requestsPerClientPerHour: 100_000,
      },
      assertionIssuers: {
        [enterprise]: { jwks: { keys: [key.publicJwk] }, clients: ids, unknownUsers: 'refuse' },
      },
      tokenExchange: {
        rules: ids.map((client) => ({
          client,
          kind: 'impersonation' as const,
          resources: [issuer],
          scope: ['jobs:read'],
        })),
      },
    })
    await visit(server).signUp({ login: 'first@example.com' })
    const [row] = await server.app.server.db.query(
      sql<{ password_hash: string }>`select password_hash from local_accounts`,
    )
    passwordHash = row!.password_hash
    if (dialect === 'postgres') hold = await holdEvents(server.app.settings.database as string)
  })
  after(async () => {
    await hold?.end()
    await server?.close()
  })

  async function makeScene(): Promise<Scene> {
    const { db } = server.app.server
    const now = server.clock.now()
    const n = scenes++
    const userId = `usr_${timeOrderedId(now)}`
    const login = `person${n}@example.com`
    await db.query(
      sql`insert into users (id, subject, name, created_at) values (${userId}, ${userId}, 'Ann', ${now})`,
    )
    for (const [provider, from] of [
      ['local', ''],
      ['openid', enterprise],
    ])
      await db.query(
        sql`insert into identities (provider, issuer, subject, user_id, created_at) values (${provider}, ${from}, ${userId}, ${userId}, ${now})`,
      )
    await db.query(sql`insert into local_accounts (user_id, login, password_hash, password_changed_at, created_at)
      values (${userId}, ${login}, ${passwordHash}, ${now}, ${now})`)
    const [visitor, elsewhere] = [visit(server), visit(server)]
    for (const browser of [visitor, elsewhere]) {
      const { token, id, hash } = makeToken('gh_si', now)
      await db.query(sql`insert into sign_ins (id, hash, user_id, auth_time, created_at, last_seen_at, expires_at)
        values (${id}, ${hash}, ${userId}, ${now}, ${now}, ${now}, ${now + 86_400_000})`)
      browser.cookies.set('gh_sign_in', token)
    }
    const created = await server.createClient({
      id: ids[n % ids.length]!,
      grantTypes: ['authorization_code', 'refresh_token', deviceGrant, jwtBearerGrant, exchangeGrant],
    })
    return { server, userId, login, visitor, elsewhere, created }
  }

  /** A beginning and an ending over a scene of their own. */
  async function meet(beginner: string, ender: string) {
    const scene = await makeScene()
    const attempt = await beginners[beginner]!(scene)
    const end = await enders[ender]!(scene)
    return { attempt, end }
  }

  test('each of them begins where nothing ends it', async () => {
    for (const [beginner, prepare] of Object.entries(beginners)) {
      const attempt = await prepare(await makeScene())
      await attempt.begin()
      assert.equal(await attempt.lives(), true, beginner)
    }
  })

  for (const ender of Object.keys(enders)) {
    const met = Object.keys(beginners).filter((beginner) => verdict(ender, beginner) !== 'free')
    test(`${ender}: nothing that began before is alive, nor begins after`, async () => {
      for (const beginner of met) {
        const expected = verdict(ender, beginner)
        const first = await meet(beginner, ender)
        await first.attempt.begin()
        await first.end()
        if (expected !== 'dead if later')
          assert.equal(await first.attempt.lives(), false, `${beginner}, then the end`)
        const later = await meet(beginner, ender)
        await later.end()
        await later.attempt.begin()
        if (expected !== 'dead if first')
          assert.equal(await later.attempt.lives(), false, `${beginner}, after the end`)
      }
    })

    test(`${ender}: nothing that began at the same moment is alive`, async () => {
      for (const beginner of met) {
        const expected = verdict(ender, beginner)
        for (const order of ['begin', 'end'] as const) {
          const { attempt, end } = await meet(beginner, ender)
          const [one, other] = order === 'begin' ? [attempt.begin, end] : [end, attempt.begin]
          await hold?.close()
          const first = one()
          await hold?.waiting(1, first)
          const second = other()
          await hold?.waiting(2, first, second)
          await hold?.open()
          await Promise.all([first, second])
          const judged =
            expected === 'dead' ||
            (dialect === 'postgres' && expected === (order === 'begin' ? 'dead if first' : 'dead if later'))
          if (judged) assert.equal(await attempt.lives(), false, `${beginner}, ${order} first`)
        }
      }
    })
  }
})
