import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { after, before, test } from 'node:test'
import { generateSigningKey, type SigningKey, signJwt } from '../../../src/crypto/jws.ts'
import { sql } from '../../../src/db/sql.ts'
import { deviceGrant as device } from '../../support/device.ts'
import { type Documents, openDocuments } from '../../support/documents.ts'
import {
  assertError,
  authorize,
  authorizeParameters,
  makePkce,
  obtainCode,
  obtainTokens,
  redeem,
  refresh,
} from '../../support/flow.ts'
import {
  basic,
  issuer,
  onBothDatabases,
  openTestServer,
  scopes,
  type TestServer,
} from '../../support/gatehouse.ts'
import {
  asCreated,
  publicMetadata,
  type Registration,
  register,
  registered,
} from '../../support/registration.ts'

const callback = 'https://client.example/callback'
const hour = 3_600_000
const statementIssuer = 'https://statements.example'

onBothDatabases('client registration', (dialect) => {
  let documents: Documents
  let server: TestServer
  let statementKey: SigningKey

  before(async () => {
    documents = await openDocuments()
    statementKey = generateSigningKey()
    documents.serve('/jwks.json', { keys: [statementKey.publicJwk] })
    server = await openTestServer(dialect, {
      registration: {
        policy: 'open',
        softwareStatementIssuers: {
          [statementIssuer]: { jwks: { keys: [statementKey.publicJwk] } },
          'https://published.example': { jwksUri: `${documents.origin}/jwks.json` },
        },
      },
      outbound: { ca: documents.ca },
      selfRegisteredClients: { perNetworkPerHour: 10_000, perHour: 10_000 },
    })
  })
  after(async () => {
    await server.close()
    await documents.close()
  })

  const countClients = async (of = server) => (await of.g.clients.list()).length

  /** Asserts that a registration is refused and leaves nothing behind. */
  async function assertRefused(metadata: unknown, error: string, of = server): Promise<void> {
    const before = await countClients(of)
    await assertError(await register(of, metadata), 400, error)
    assert.equal(await countClients(of), before)
  }

  test('RFC 7591 §3.2.1: a client without a secret registers itself and gets tokens (A5, CL3)', async () => {
    const answer = await register(server, {
      client_name: 'Claude',
      redirect_uris: ['https://claude.ai/api/mcp/auth_callback', 'https://claude.com/api/mcp/auth_callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      scope: 'jobs:read',
      client_uri: 'https://claude.ai/',
      software_id: 'claude',
      contacts: ['someone@claude.example'],
      'client_name#ja': 'クロード',
      unknown_member: { a: 1 },
    })
    assert.equal(answer.status, 201)
    assert.match(answer.headers.get('content-type')!, /^application\/json/)
    assert.equal(answer.headers.get('cache-control'), 'no-store')
    assert.equal(answer.headers.get('pragma'), 'no-cache')
    const body = (await answer.json()) as Registration
    const { client_id, registration_access_token, registration_client_uri, ...rest } = body
    assert.match(client_id, /^cl_/)
    assert.match(registration_access_token, /^gh_ra_/)
    assert.equal(registration_client_uri, `${issuer}/oauth/register/client?client_id=${client_id}`)
    assert.deepEqual(rest, {
      client_id_issued_at: Math.floor(server.clock.now() / 1_000),
      client_name: 'Claude',
      redirect_uris: ['https://claude.ai/api/mcp/auth_callback', 'https://claude.com/api/mcp/auth_callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      scope: 'jobs:read',
      client_uri: 'https://claude.ai/',
      software_id: 'claude',
      contacts: ['someone@claude.example'],
      application_type: 'web',
      id_token_signed_response_alg: 'RS256',
      authorization_signed_response_alg: 'RS256',
      introspection_signed_response_alg: 'RS256',
    })
    const client = asCreated(body)
    const tokens = await obtainTokens(server, client)
    assert.equal((await refresh(server, client, tokens.refresh_token!)).status, 200)
  })

  test('RFC 7591 §2: a client that says nothing more is confidential; its secret is shown once and kept as a hash', async () => {
    const answer = await register(server, { redirect_uris: [callback] })
    const body = (await answer.json()) as Registration
    assert.equal(body.token_endpoint_auth_method, 'client_secret_basic')
    assert.deepEqual(
      [body.grant_types, body.response_types],
      [['authorization_code', 'refresh_token'], ['code']],
    )
    assert.equal(body.client_name, 'client.example')
    assert.equal(body.client_secret_expires_at, 0)
    const client = asCreated(body)
    const pkce = makePkce()
    const code = await obtainCode(server, client, pkce)
    await assertError(
      await redeem(server, asCreated({ ...body, client_secret: 'wrong' }), code, pkce),
      401,
      'invalid_client',
    )
    assert.equal((await redeem(server, client, code, pkce)).status, 200)
    const rows = await server.app.server.db.query(
      sql<object>`select * from clients where id = ${body.client_id}`,
    )
    const events = await server.app.server.db.query(
      sql<object>`select * from events where client_id = ${body.client_id}`,
    )
    for (const secret of [body.client_secret!, body.registration_access_token]) {
      assert.ok(!JSON.stringify([rows, events]).includes(secret))
    }
    assert.ok(JSON.stringify(events).includes('client_registered'))
  })

  test('RFC 7591 §2: a client with keys of its own registers them', async () => {
    const key = generateSigningKey()
    const jwks = { keys: [key.publicJwk] }
    const body = await registered(server, { token_endpoint_auth_method: 'private_key_jwt', jwks })
    assert.deepEqual(body.jwks, jwks)
    assert.equal('client_secret' in body, false)
    const client = asCreated(body)
    const pkce = makePkce()
    const code = await obtainCode(server, client, pkce)
    await assertError(await redeem(server, client, code, pkce), 401, 'invalid_client')
    const seconds = Math.floor(server.clock.now() / 1_000)
    const claims = { iss: body.client_id, sub: body.client_id, aud: issuer, jti: 'once', exp: seconds + 60 }
    const proof = {
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: signJwt(key, 'JWT', claims),
    }
    assert.equal((await redeem(server, client, code, pkce, proof)).status, 200)
  })

  test('RFC 7591 §3.1: what is offered here and asked for is registered, what is not is left out', async () => {
    const body = await registered(server, {
      grant_types: [
        'authorization_code',
        'refresh_token',
        'urn:ietf:params:oauth:grant-type:device_code',
        'password',
      ],
      scope: 'jobs:read nobody:knows resume:read',
      client_uri: 'http://client.example/',
      logo_uri: '',
      policy_uri: null,
    })
    assert.deepEqual(body.grant_types, ['authorization_code', 'refresh_token'])
    assert.equal(body.scope, 'jobs:read resume:read')
    for (const member of ['client_uri', 'logo_uri', 'policy_uri']) assert.equal(member in body, false, member)
    await assertRefused({ ...publicMetadata, scope: 'nobody:knows' }, 'invalid_client_metadata')
    await assertRefused({ ...publicMetadata, grant_types: ['client_credentials'] }, 'invalid_client_metadata')
  })

  test('RFC 9700 §2.1.1: nobody lifts PKCE for themselves (C7)', async () => {
    for (const method of ['client_secret_post', 'none']) {
      const body = await registered(server, {
        token_endpoint_auth_method: method,
        require_pkce: false,
        profile: 'gpt_action',
      })
      const client = asCreated(body)
      const answer = await server.request(`/oauth/authorize?${authorizeParameters(client, null)}`)
      assert.equal(answer.headers.get('location'), null)
      assert.match(await answer.text(), /PKCE is required/)
      await obtainTokens(server, client)
      const row = (await server.g.clients.list()).find(({ id }) => id === body.client_id)!
      assert.deepEqual([row.requirePkce, row.profile, row.resourceServerFor], [true, 'default', []])
    }
  })

  test('RFC 7591 §3.2.2, §5: redirect URIs that answers may not go to (N104)', async () => {
    const wrong: unknown[] = [
      undefined,
      [],
      [`${callback}#part`],
      ['http://client.example/callback'],
      ['javascript:alert(1)'],
      ['data:text/html,x'],
      ['file:///etc/passwd'],
      ['not a uri'],
      ['/callback'],
      ['https://user@client.example/'],
      ['com.example.app:/callback'],
      ['http://client.example/', 'com.example.app:/callback'],
      Array.from({ length: 21 }, (_, n) => `${callback}/${n}`),
    ]
    for (const redirect_uris of wrong) {
      await assertRefused({ ...publicMetadata, redirect_uris }, 'invalid_redirect_uri')
    }
    for (const redirect_uris of ['text', [7], [null], [`https://client.example/${'a'.repeat(2_100)}`]]) {
      await assertRefused({ ...publicMetadata, redirect_uris }, 'invalid_redirect_uri')
    }
    const mixed = [
      callback,
      'http://client.example/',
      'javascript:alert(1)',
      'cursor://anysphere.cursor-mcp/oauth/callback',
    ]
    const body = await registered(server, { redirect_uris: mixed })
    assert.deepEqual(body.redirect_uris, [mixed[0], mixed[3]], 'what works is taken')
    const named = (body as unknown as { ignored_metadata: { member: string }[] }).ignored_metadata
    assert.deepEqual(
      named.map(({ member }) => member),
      ['redirect_uris[1]', 'redirect_uris[2]'],
    )
    const good = [callback, 'http://localhost/callback', 'http://127.0.0.1:8080/', 'http://[::1]/a?b=c']
    assert.deepEqual((await registered(server, { redirect_uris: good })).redirect_uris, good)
  })

  test('RP-Initiated Logout §3.1, RFC 7591 §5: who signs out is sent back only where answers may go, too', async () => {
    const strict = await openTestServer(dialect, {
      registration: { policy: 'open' },
      selfRegisteredClients: { redirectHosts: ['client.example'], redirects: ['https'] },
    })
    try {
      const asking = async (post_logout_redirect_uris: string[]) =>
        register(strict, { ...publicMetadata, post_logout_redirect_uris })
      const good = 'https://client.example/goodbye'
      for (const uri of ['https://evil.example/', 'http://127.0.0.1/', 'com.example.app:/goodbye']) {
        const alone = (await (await asking([uri])).json()) as Record<string, unknown>
        assert.equal('post_logout_redirect_uris' in alone, false, uri)
        assert.match(JSON.stringify(alone['ignored_metadata']), /post_logout_redirect_uris\[0\]/)
        const mixed = (await (await asking([uri, good])).json()) as Record<string, unknown>
        assert.deepEqual(mixed['post_logout_redirect_uris'], [good])
      }
    } finally {
      await strict.close()
    }
  })

  test('OpenID Connect Core §8.1: nobody registers into the sector of somebody else', async () => {
    const broad = await openTestServer(dialect, {
      registration: { policy: 'open' },
      device: {},
      selfRegisteredClients: {
        redirects: ['https', 'private_use'],
        grantTypes: ['authorization_code', 'refresh_token', device],
      },
    })
    try {
      const asking = (more: Record<string, unknown>) =>
        register(broad, { ...publicMetadata, subject_type: 'pairwise', ...more })
      const takesAnswers = ['https://victim.example/callback', 'com.evil.app://victim.example/callback']
      for (const more of [{ redirect_uris: takesAnswers }, { grant_types: ['authorization_code', device] }]) {
        await assertError(await asking(more), 400, 'invalid_client_metadata')
      }
      for (const more of [
        {},
        { redirect_uris: takesAnswers.slice(1) },
        { subject_type: 'public', grant_types: ['authorization_code', device] },
      ]) {
        assert.equal((await asking(more)).status, 201, JSON.stringify(more))
      }
    } finally {
      await broad.close()
    }
  })

  test('RFC 7591 §2, §2.1: metadata that does not hold together (N105)', async () => {
    const { publicJwk } = generateSigningKey()
    const keys = { keys: [publicJwk] }
    const wrong: Record<string, unknown>[] = [
      { jwks: keys, jwks_uri: 'https://93.184.216.34/jwks.json' },
      { response_types: ['token'] },
      { response_types: ['id_token', 'token'], grant_types: ['authorization_code', 'implicit'] },
      { grant_types: ['implicit'] },
      { grant_types: ['refresh_token'] },
      { grant_types: [] },
      { token_endpoint_auth_method: 'magic' },
      { token_endpoint_auth_method: 'client_secret_jwt' },
      { token_endpoint_auth_method: 'private_key_jwt' },
      { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [] } },
      { token_endpoint_auth_method: 'private_key_jwt', jwks: 'a key' },
      { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [{ kty: 'oct', k: 'AAAA' }] } },
      { token_endpoint_auth_method: 7 },
      { jwks: { keys: [{ kty: 'oct', k: 'AAAA' }] } },
      { scope: 'jobs:read  resume:read' },
      { scope: ['jobs:read'] },
      { subject_type: 'magic' },
      { require_pushed_authorization_requests: 'yes' },
    ]
    for (const more of wrong) await assertRefused({ ...publicMetadata, ...more }, 'invalid_client_metadata')
    for (const more of [
      { jwks: keys },
      { response_types: ['code'], grant_types: ['authorization_code'] },
      { contacts: [] },
    ]) {
      await registered(server, more)
    }
  })

  test('RFC 7591 §2, §3.2.1: what a client can do without is left out or replaced, and named in the answer', async () => {
    const encryption = { kty: 'RSA', use: 'enc', n: 'sXch', e: 'AQAB' }
    const cases: [Record<string, unknown>, string | undefined, Record<string, unknown>][] = [
      [{ jwks: { keys: [] } }, 'jwks', { jwks: undefined }],
      [{ jwks: { keys: [encryption] } }, 'jwks.keys[0]', { jwks: undefined }],
      [{ jwks: 'a key' }, 'jwks', { jwks: undefined }],
      [{ response_types: ['code', 'id_token'] }, undefined, { response_types: ['code'] }],
      [{ response_types: [] }, undefined, { response_types: ['code'] }],
      [{ client_name: ['a'] }, 'client_name', { client_name: 'client.example' }],
      [{ client_name: 'a\u0007b' }, 'client_name', { client_name: 'client.example' }],
      [{ client_name: 'a'.repeat(201) }, 'client_name', { client_name: 'client.example' }],
      [{ client_uri: 'javascript:alert(1)' }, 'client_uri', { client_uri: undefined }],
      [{ logo_uri: 'data:image/png;base64,AAAA' }, 'logo_uri', { logo_uri: undefined }],
      [{ contacts: 'me' }, 'contacts', { contacts: undefined }],
      [{ application_type: 'magic' }, 'application_type', { application_type: undefined }],
      [
        { id_token_signed_response_alg: 'none' },
        'id_token_signed_response_alg',
        { id_token_signed_response_alg: 'RS256' },
      ],
      [
        { id_token_signed_response_alg: 'HS256' },
        'id_token_signed_response_alg',
        { id_token_signed_response_alg: 'RS256' },
      ],
      [{ default_max_age: -1 }, 'default_max_age', { default_max_age: undefined }],
    ]
    for (const [more, named, told] of cases) {
      const body = (await registered(server, more)) as unknown as Record<string, unknown>
      for (const [member, value] of Object.entries(told))
        assert.deepEqual(body[member], value, JSON.stringify(more))
      const ignored = (body['ignored_metadata'] ?? []) as { member: string; why: string }[]
      assert.deepEqual(
        ignored.map((one) => one.member),
        named === undefined ? [] : [named],
        JSON.stringify(more),
      )
    }
    const machines = await openTestServer(dialect, {
      registration: { policy: 'open' },
      selfRegisteredClients: { grantTypes: ['authorization_code', 'client_credentials'] },
    })
    try {
      const machine = await registered(machines, {
        redirect_uris: undefined,
        grant_types: ['client_credentials'],
        response_types: ['code'],
        token_endpoint_auth_method: 'client_secret_basic',
      })
      assert.deepEqual(machine.response_types, [])
    } finally {
      await machines.close()
    }
  })

  test('RFC 7591 §3.2.1: every member the documentation calls kept comes back, every other is dropped on purpose', async () => {
    const [, page = ''] = readFileSync('docs/client-registration.md', 'utf8').split(
      '<!-- client-metadata -->',
    )
    const [kept = '', dropped = ''] = page.split('\n## ')[0]!.split('| Dropped |')
    const membersOf = (text: string) =>
      [...text.matchAll(/^\| ((?:`[^`]+`(?:, | ))+)/gm)].flatMap(([, cell = '']) =>
        [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!),
      )
    const keys = { keys: [generateSigningKey().publicJwk] }
    const samples: Record<string, unknown> = {
      client_uri: 'https://client.example/',
      logo_uri: 'https://93.184.216.34/logo.png',
      policy_uri: 'https://client.example/policy',
      tos_uri: 'https://client.example/terms',
      contacts: ['a@client.example'],
      software_id: 'one',
      software_version: '1.0',
      application_type: 'web',
      jwks: keys,
      subject_type: 'public',
      default_max_age: 60,
      require_auth_time: true,
      initiate_login_uri: 'https://client.example/login',
      id_token_signed_response_alg: 'ES256',
      userinfo_signed_response_alg: 'EdDSA',
      authorization_signed_response_alg: 'PS256',
      introspection_signed_response_alg: 'ES256',
      request_object_signing_alg: 'ES256',
      token_endpoint_auth_signing_alg: 'ES256',
      require_signed_request_object: false,
      require_pushed_authorization_requests: true,
      dpop_bound_access_tokens: true,
      tls_client_certificate_bound_access_tokens: false,
      post_logout_redirect_uris: ['https://client.example/goodbye'],
      backchannel_logout_uri: 'https://93.184.216.34/logout',
      backchannel_logout_session_required: true,
    }
    /** Each needs a configuration or a method of its own, and is registered by the test of its feature. */
    const elsewhere = [
      'jwks_uri',
      'sector_identifier_uri',
      'default_acr_values',
      'authorization_details_types',
    ]
    const body = (await registered(server, { ...publicMetadata, ...samples })) as unknown as Record<
      string,
      unknown
    >
    for (const member of membersOf(kept)) {
      if (elsewhere.includes(member) || member.startsWith('tls_client_auth_')) continue
      assert.ok(member in body, `${member} comes back`)
      if (member in samples) assert.deepEqual(body[member], samples[member], member)
    }
    for (const member of Object.keys(samples))
      assert.ok(membersOf(kept).includes(member), `${member} is documented`)
    const names = membersOf(dropped).filter((member) => !member.includes('…'))
    assert.ok(names.length > 20)
    const other = (await registered(
      server,
      Object.fromEntries(names.map((member) => [member, 'x'])),
    )) as unknown as Record<string, unknown>
    for (const member of names) assert.ok(!(member in other) || /^client_/.test(member), member)
    for (const initiate_login_uri of [
      'http://client.example/',
      'https://client.example/#a',
      'javascript:alert(1)',
    ]) {
      const left = (await registered(server, { initiate_login_uri })) as unknown as Record<string, unknown>
      assert.equal('initiate_login_uri' in left, false)
    }
  })

  test('RFC 7591 §3.2.2: an error names what was sent, in harmless characters, and what is allowed', async () => {
    for (const [more, sent, allowed] of [
      [{ token_endpoint_auth_method: 'magic' }, /sent: magic/, /private_key_jwt/],
      [{ redirect_uris: ['http://client.example/é'] }, /sent: http:\/\/client\.example\/\?/, /absolute URI/],
      [{ redirect_uris: ['com.example.app:/x'] }, /sent: com\.example\.app:\/x/, /allowed: https, loopback/],
      [{ scope: 'nothing:here' }, /sent: nothing:here/, /jobs:read/],
      [{ grant_types: ['implicit'] }, /sent: implicit/, /authorization_code/],
    ] as const) {
      const answer = await register(server, { ...publicMetadata, ...more })
      const { error_description } = (await answer.json()) as { error_description: string }
      assert.match(error_description, sent)
      assert.match(error_description, allowed)
      assert.match(error_description, /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/)
    }
  })

  test('RFC 7591 §5: no address that is registered leads inside (N106)', async () => {
    const guarded = await openTestServer(
      dialect,
      {
        issuer: 'https://auth.example.com',
        registration: { policy: 'open' },
        outbound: { ca: documents.ca },
      },
      undefined,
      async (host) =>
        host === 'inside.test' ? ['127.0.0.1'] : host === 'outside.test' ? ['93.184.216.34'] : [],
    )
    try {
      const { port } = documents
      const connections = documents.connections
      const confidential = { redirect_uris: [callback], token_endpoint_auth_method: 'private_key_jwt' }
      const inside = [
        `https://127.0.0.1:${port}/jwks.json`,
        `https://localhost:${port}/jwks.json`,
        `https://inside.test:${port}/jwks.json`,
        'https://10.0.0.1/jwks.json',
        'https://169.254.169.254/latest/meta-data/',
        'https://[::ffff:a00:1]/jwks.json',
        'http://outside.test/jwks.json',
      ]
      for (const url of inside) {
        await assertRefused({ ...confidential, jwks_uri: url }, 'invalid_client_metadata', guarded)
        for (const member of ['logo_uri', 'sector_identifier_uri', 'backchannel_logout_uri']) {
          // A URL that is not even https is no use to anyone, and left out where the client can do without.
          if (url.startsWith('http:') && member !== 'sector_identifier_uri')
            assert.equal(member in (await registered(guarded, { [member]: url })), false)
          else await assertRefused({ ...publicMetadata, [member]: url }, 'invalid_client_metadata', guarded)
        }
      }
      assert.equal(documents.connections, connections)
      await registered(guarded, {
        ...confidential,
        jwks_uri: 'https://outside.test/jwks.json',
        logo_uri: 'https://outside.test/logo.png',
        backchannel_logout_uri: 'https://outside.test/logout',
      })
      assert.equal(documents.connections, connections, 'nothing is fetched before it is needed')
    } finally {
      await guarded.close()
    }
  })

  test('OpenID Connect Registration §5: a sector must list every redirect URI', async () => {
    const uris = [callback, 'https://other.example/callback']
    const sector_identifier_uri = `${documents.origin}/sector.json`
    const metadata = {
      ...publicMetadata,
      redirect_uris: uris,
      subject_type: 'pairwise',
      sector_identifier_uri,
    }
    for (const listed of [[callback], { redirect_uris: uris }, 'text']) {
      documents.serve('/sector.json', (response: ServerResponse) =>
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(listed)),
      )
      await assertRefused(metadata, 'invalid_client_metadata')
    }
    documents.serve('/sector.json', [...uris, 'https://third.example/'])
    assert.equal((await registered(server, metadata)).sector_identifier_uri, sector_identifier_uri)
  })

  test('RFC 8252 §8.4: what kind of application it is follows from its redirect URIs where it is not said', async () => {
    const loopback = 'http://127.0.0.1/callback'
    for (const redirect_uris of [[loopback], [callback, loopback], ['https://localhost/callback']]) {
      assert.equal((await registered(server, { redirect_uris })).application_type, 'native')
      // OpenID Connect Registration §2 forbids this for the implicit flow only.
      assert.equal(
        (await registered(server, { redirect_uris, application_type: 'web' })).application_type,
        'web',
      )
      assert.equal(
        (await registered(server, { redirect_uris, application_type: 'native' })).application_type,
        'native',
      )
    }
    assert.equal((await registered(server)).application_type, 'web')
    assert.equal((await registered(server, { application_type: 'native' })).application_type, 'native')
  })

  test('RFC 7591 §2.3, §3.1.1: what a trusted software statement says counts over what the client says', async () => {
    const statement = statementOf({
      client_name: 'Certified tool',
      software_id: 'tool-1',
      scope: 'jobs:read',
    })
    const body = await registered(server, {
      client_name: 'Anything',
      scope: 'jobs:read resume:read',
      software_statement: statement,
    })
    assert.deepEqual(
      [body.client_name, body.software_id, body.scope],
      ['Certified tool', 'tool-1', 'jobs:read'],
    )
    assert.equal(body.software_statement, statement)
    assert.equal('iss' in body, false)
    const published = statementOf({ client_name: 'Elsewhere' }, { iss: 'https://published.example' })
    assert.equal((await registered(server, { software_statement: published })).client_name, 'Elsewhere')
    const read = await server.request(
      new URL(body.registration_client_uri).pathname + new URL(body.registration_client_uri).search,
      {
        headers: { authorization: `Bearer ${body.registration_access_token}` },
      },
    )
    assert.equal(((await read.json()) as Registration).software_statement, statement)
  })

  test('RFC 7591 §3.2.2: software statements that are forged, stale, or by somebody who is not trusted (N107)', async () => {
    const seconds = Math.floor(server.clock.now() / 1_000)
    const good = statementOf({ client_name: 'A' })
    const [header, , signature] = good.split('.')
    const other = Buffer.from(JSON.stringify({ iss: statementIssuer, client_name: 'B' })).toString(
      'base64url',
    )
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${other}.`
    const invalid: unknown[] = [
      `${header}.${other}.${signature}`,
      statementOf({ client_name: 'A' }, {}, generateSigningKey()),
      statementOf({ client_name: 'A' }, { exp: seconds - 3_600 }),
      statementOf({ client_name: 'A' }, { nbf: seconds + 3_600 }),
      statementOf({ client_name: 'A' }, { iss: undefined }),
      none,
      'no statement',
      7,
      {},
    ]
    for (const software_statement of invalid) {
      await assertRefused({ ...publicMetadata, software_statement }, 'invalid_software_statement')
    }
    const foreign = statementOf({ client_name: 'A' }, { iss: 'https://anybody.example' })
    await assertRefused({ ...publicMetadata, software_statement: foreign }, 'unapproved_software_statement')
    await registered(server, { software_statement: good })
    await assertRefused(
      { ...publicMetadata, software_statement: statementOf({ redirect_uris: ['http://evil.example/'] }) },
      'invalid_redirect_uri',
    )
  })

  test('RFC 7591 §2.3: where a software statement is required nobody registers without one', async () => {
    const strict = await openTestServer(dialect, {
      registration: {
        policy: 'open',
        requireSoftwareStatement: true,
        softwareStatementIssuers: { [statementIssuer]: { jwks: { keys: [statementKey.publicJwk] } } },
      },
    })
    const plain = await openTestServer(dialect, { registration: { policy: 'open' } })
    try {
      await assertRefused(publicMetadata, 'invalid_software_statement', strict)
      await registered(strict, { software_statement: statementOf({ client_name: 'A' }) })
      // Without trusted issuers statements are not supported, and ignored (§3.1.1).
      const body = await registered(plain, { software_statement: statementOf({ client_name: 'A' }) })
      assert.deepEqual([body.client_name, body.software_statement], ['Desk tool', undefined])
    } finally {
      await strict.close()
      await plain.close()
    }
  })

  test('RFC 7591 §3.1: a body that is no JSON object', async () => {
    const send = (body: string, type = 'application/json') =>
      server.request('/oauth/register', { method: 'POST', headers: { 'content-type': type }, body })
    const before = await countClients()
    for (const body of ['', '{', '[]', 'null', '"text"', '7']) {
      await assertError(await send(body), 400, 'invalid_client_metadata')
    }
    await assertError(
      await send(JSON.stringify(publicMetadata), 'text/plain'),
      400,
      'invalid_client_metadata',
    )
    const long = JSON.stringify({ ...publicMetadata, pad: 'x'.repeat(17_000) })
    await assertError(await send(long), 413, 'invalid_request')
    const got = await server.request('/oauth/register')
    assert.deepEqual([got.status, got.headers.get('allow')], [405, 'POST'])
    assert.equal(await countClients(), before)
    assert.equal((await send(JSON.stringify(publicMetadata), 'application/json; charset=utf-8')).status, 201)
  })

  test('RFC 8414 §2: metadata shows what connectors look for before they come (H3, H5, CL2, A4)', async () => {
    const welcoming = await openTestServer(dialect, {
      registration: { policy: 'open' },
      clientIdMetadata: {},
    })
    try {
      const answer = await welcoming.request('/.well-known/oauth-authorization-server')
      const metadata = (await answer.json()) as Record<string, string[] | string | boolean>
      assert.deepEqual(metadata.code_challenge_methods_supported, ['S256'])
      assert.equal(metadata.client_id_metadata_document_supported, true)
      assert.equal(metadata.registration_endpoint, `${issuer}/oauth/register`)
      assert.equal(metadata.authorization_response_iss_parameter_supported, true)
      const methods = metadata.token_endpoint_auth_methods_supported as string[]
      for (const method of ['none', 'private_key_jwt', 'client_secret_basic', 'client_secret_post']) {
        assert.ok(methods.includes(method), method)
      }
      assert.ok((metadata.scopes_supported as string[]).includes('offline_access'))
    } finally {
      await welcoming.close()
    }
  })

  test('RFC 9700 §4.11.2: an error of a client that registered itself sends nobody away unasked (A11)', async () => {
    const body = await registered(server, { redirect_uris: ['https://anywhere.example/callback'] })
    const answer = await server.request(
      `/oauth/authorize?${authorizeParameters(asCreated(body), makePkce(), { response_type: 'token' })}`,
    )
    assert.deepEqual([answer.status, answer.headers.get('location')], [400, null])
    const html = await answer.text()
    assert.match(html, /href="https:\/\/anywhere\.example\/callback\?error=unsupported_response_type/)
    assert.doesNotMatch(html, /<meta[^>]*refresh|<script/i)
    await obtainTokens(server, asCreated(body))
  })

  test('RFC 7591 §3: registration is announced where it is on, and not there where it is off', async () => {
    const metadataOf = async (of: TestServer) =>
      (await (await of.request('/.well-known/oauth-authorization-server')).json()) as Record<string, unknown>
    assert.equal((await metadataOf(server)).registration_endpoint, `${issuer}/oauth/register`)
    const preflight = await server.request('/oauth/register', {
      method: 'OPTIONS',
      headers: { origin: 'https://inspector.example' },
    })
    assert.equal(preflight.headers.get('access-control-allow-origin'), '*')
    assert.match(preflight.headers.get('access-control-allow-headers')!, /content-type/)
    const off = await openTestServer(dialect)
    try {
      assert.equal('registration_endpoint' in (await metadataOf(off)), false)
      assert.equal((await register(off, publicMetadata)).status, 404)
      assert.equal((await off.request('/oauth/register/client')).status, 404)
    } finally {
      await off.close()
    }
  })

  test('RFC 7591 §5: scopes, grant types and redirect URIs as far as the policy goes', async () => {
    const narrow = await openTestServer(dialect, {
      registration: { policy: 'open' },
      selfRegisteredClients: {
        scope: ['jobs:read', 'resume:read'],
        grantTypes: ['authorization_code', 'client_credentials'],
        redirects: ['https', 'private_use'],
        redirectHosts: ['client.example', '*.trusted.example'],
      },
    })
    try {
      const body = await registered(narrow)
      assert.deepEqual([body.scope, body.grant_types], ['jobs:read resume:read', ['authorization_code']])
      assert.equal(
        (await registered(narrow, { scope: Object.keys(scopes).join(' ') })).scope,
        'jobs:read resume:read',
      )
      await assertRefused(
        { ...publicMetadata, scope: 'applications:write' },
        'invalid_client_metadata',
        narrow,
      )
      const wide = await authorize(
        narrow,
        authorizeParameters(asCreated(body), makePkce(), { scope: 'applications:write' }),
      )
      assert.match(await wide.text(), /not allowed for this client/)
      for (const uri of [
        'https://evil.example/',
        'https://client.example.evil/',
        'https://trusted.example/',
        'http://localhost/',
      ]) {
        await assertRefused({ ...publicMetadata, redirect_uris: [uri] }, 'invalid_redirect_uri', narrow)
      }
      await registered(narrow, { redirect_uris: ['https://a.trusted.example/', 'com.example.app:/callback'] })
      const machine = await registered(narrow, {
        redirect_uris: undefined,
        grant_types: ['client_credentials'],
        response_types: [],
        token_endpoint_auth_method: 'client_secret_basic',
      })
      const token = await narrow.post(
        '/oauth/token',
        { grant_type: 'client_credentials' },
        { authorization: basic(machine.client_id, machine.client_secret!) },
      )
      assert.equal(token.status, 200)
      await assertRefused(
        { ...publicMetadata, grant_types: ['client_credentials'] },
        'invalid_client_metadata',
        narrow,
      )
    } finally {
      await narrow.close()
    }
  })

  test('RFC 7591 §5: so many an hour from one network, and in all', async () => {
    const limited = await openTestServer(dialect, {
      registration: { policy: 'open' },
      selfRegisteredClients: { perNetworkPerHour: 3, perHour: 5, networks: { '160.79.104.0/21': 4 } },
    })
    try {
      const { g } = await limited.twin()
      const twin = {
        request: (path: string, init: RequestInit & { address?: string } = {}) =>
          g.fetch(new Request(issuer + path, init), { address: init.address! }),
      }
      const from = async (address: string, times: number, through: Pick<TestServer, 'request'> = limited) => {
        const statuses: number[] = []
        for (let n = 0; n < times; n++) {
          const answer = await register(through, publicMetadata, { address })
          if (answer.status === 429) {
            assert.ok(Number(answer.headers.get('retry-after')) > 0)
            await assertError(answer, 429, 'temporarily_unavailable')
          }
          statuses.push(answer.status)
        }
        return statuses
      }
      assert.deepEqual(await from('203.0.113.1', 4), [201, 201, 201, 429])
      assert.deepEqual(await from('2001:db8::1', 2), [201, 429], 'one of the last places')
      // Another process counts on from there, as soon as it has counted once.
      assert.deepEqual(await from('198.51.100.1', 1, twin), [201])
      assert.deepEqual(await from('198.18.0.1', 1, twin), [429], 'none is left')
      assert.deepEqual(await from('160.79.104.7', 1), [201], 'a named network has places of its own')
      assert.deepEqual(await from('160.79.105.8', 4, twin), [201, 201, 201, 201])
      assert.deepEqual(await from('160.79.104.7', 4), [201, 201, 201, 429])
      assert.equal(await countClients(limited), 13)
      limited.clock.advance(hour)
      assert.deepEqual(await from('203.0.113.1', 1), [201])
    } finally {
      await limited.close()
    }
  })

  function statementOf(
    claims: Record<string, unknown>,
    about: Record<string, unknown> = {},
    key: SigningKey = statementKey,
  ): string {
    return signJwt(key, 'JWT', { iss: statementIssuer, ...claims, ...about })
  }
})
