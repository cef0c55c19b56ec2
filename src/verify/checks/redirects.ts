import type { Check, Context, Sight } from '../check.ts'
import { type Client, codeClient } from '../clients.ts'
import { NotApplicable, NotShown } from '../failures.ts'
import { sayOutcome } from '../front-channel.ts'

const section = 'RFC 9700 §4.1.3'
const accepts = 'Any page, with any status under 500, as long as nothing leaves for a redirect URI'

/** Each of these redirect URIs is refused, while the registered one is not. */
async function refuseEach(
  { flow }: Context,
  see: Sight,
  client: Client,
  uris: readonly string[],
): Promise<void> {
  await flow.code(client)
  for (const uri of uris) {
    see.paged(await flow.authorize(client, { redirect_uri: uri }), `redirect_uri=${JSON.stringify(uri)}`)
  }
}

/** A client and one of its redirect URIs that is not on loopback, taken apart. */
async function plainClient({ clients }: Context): Promise<{ client: Client; uri: URL; text: string }> {
  const client = await clients.of('confidential').catch(() => clients.of('public'))
  const text = client.redirectUris.find((one) => URL.canParse(one) && new URL(one).pathname !== '/')
  if (text === undefined) throw new NotShown('no client has a redirect URI with a path')
  return { client, uri: new URL(text), text }
}

async function loopbackClient({ clients, server }: Context): Promise<{ client: Client; uri: URL }> {
  const isLoopback = (uri: string) => /^http:\/\/127\.0\.0\.1[:/]/.test(uri)
  const given = clients.all.find(({ redirectUris }) => redirectUris.some(isLoopback))
  const uri = given?.redirectUris.find(isLoopback) ?? 'http://127.0.0.1:41877/callback'
  const client =
    given ??
    (await clients.register({
      ...codeClient(server, 'none', [uri]),
      application_type: 'native',
    }))
  return { client, uri: new URL(uri) }
}

export const redirectChecks: readonly Check[] = [
  {
    id: 'N1',
    section: 'RFC 6749 §4.1.2.1',
    title: 'a request without a client, or of an unknown one, is never redirected',
    needs: ['code flow'],
    accepts,
    async run(context, see) {
      const { client } = await plainClient(context)
      await context.flow.code(client)
      const unknown = { ...client, id: 'nobody-has-this-client-id' }
      see.paged(await context.flow.authorize(client, { client_id: undefined }), 'no client_id')
      see.paged(await context.flow.authorize(unknown), 'an unknown client_id')
    },
  },
  {
    id: 'N2',
    section: 'RFC 6749 §4.1.2.1',
    title: 'a request of a client that was deleted is never redirected',
    needs: ['code flow', 'registration'],
    accepts,
    async run({ clients, flow, server, wire }, see) {
      const method = (await clients.of('public')).method
      const client = await clients.register(codeClient(server, method, [clients.redirectUri]))
      if (!client.management) throw new NotApplicable('a registered client cannot be deleted here (RFC 7592)')
      await flow.code(client)
      const { url, token } = client.management
      const deleted = await wire.send({
        method: 'DELETE',
        url,
        headers: { authorization: `Bearer ${token}` },
      })
      see.granted(deleted, 'deleting a client')
      see.paged(await flow.authorize(client), 'a deleted client')
    },
  },
  {
    id: 'N3',
    section: 'RFC 6749 §3.1.2.4',
    title: 'a redirect URI that is not registered is never redirected to',
    needs: ['code flow'],
    accepts,
    async run(context, see) {
      const { client } = await plainClient(context)
      await refuseEach(context, see, client, [
        'https://evil.example/callback',
        'http://evil.example/',
        'evil:callback',
      ])
    },
  },
  {
    id: 'N4',
    section: 'RFC 6749 §3.1.2.3',
    title: 'a request that leaves open which of several redirect URIs it means is never redirected',
    needs: ['code flow'],
    accepts,
    async run({ clients, flow }, see) {
      await clients.of('confidential').catch(() => clients.of('public'))
      const client = clients.all.find(({ redirectUris }) => redirectUris.length > 1)
      if (!client) throw new NotShown('no client has several redirect URIs')
      await flow.code(client)
      see.paged(await flow.authorize(client, { redirect_uri: undefined }), 'no redirect_uri')
    },
  },
  {
    id: 'N5',
    section,
    title: 'a host that begins or ends like the registered one is another host',
    needs: ['code flow'],
    accepts,
    async run(context, see) {
      const { client, uri } = await plainClient(context)
      const { protocol, host, hostname, pathname } = uri
      await refuseEach(context, see, client, [
        `${protocol}//${hostname}.evil.example${pathname}`,
        `${protocol}//evil${host}${pathname}`,
        `${protocol}//evil.${host}${pathname}`,
      ])
    },
  },
  {
    id: 'N6',
    section,
    title: 'a path that leads elsewhere by dot segments is another path',
    needs: ['code flow'],
    accepts,
    async run(context, see) {
      const { client, text } = await plainClient(context)
      await refuseEach(
        context,
        see,
        client,
        [
          '/../elsewhere',
          '/%2e%2e/elsewhere',
          '%2f..%2felsewhere',
          '%252f..%252felsewhere',
          '/..;/elsewhere',
        ].map((end) => text + end),
      )
    },
  },
  {
    id: 'N7',
    section,
    title: 'a registered host before an @ is a name, not a host',
    needs: ['code flow'],
    accepts,
    async run(context, see) {
      const { client, uri } = await plainClient(context)
      const { protocol, host, pathname } = uri
      await refuseEach(context, see, client, [
        `${protocol}//${host}@evil.example${pathname}`,
        `${protocol}//${host}:443@evil.example${pathname}`,
        `${protocol}//evil.example@${host}${pathname}`,
      ])
    },
  },
  {
    id: 'N8',
    section: 'RFC 6749 §3.1.2.3',
    title: 'redirect URIs are compared as strings, letter case included',
    needs: ['code flow'],
    accepts,
    async run(context, see) {
      const { client, uri, text } = await plainClient(context)
      const { protocol, host, pathname } = uri
      await refuseEach(
        context,
        see,
        client,
        [
          text.replace(protocol, protocol.toUpperCase()),
          text.replace(host, host.toUpperCase()),
          text.replace(pathname, pathname.toUpperCase()),
        ].filter((one) => one !== text),
      )
    },
  },
  {
    id: 'N9',
    section,
    title: 'a redirect URI with anything before or behind it is another one',
    needs: ['code flow'],
    accepts,
    async run(context, see) {
      const { client, text } = await plainClient(context)
      await refuseEach(
        context,
        see,
        client,
        ['?x=1', '?', '/', '\\', '\t', '\0', '%00', ' ', '/more', '.evil.example', 'é'].map(
          (end) => text + end,
        ),
      )
    },
  },
  {
    id: 'N10',
    section: 'RFC 6749 §3.1.2',
    title: 'a redirect URI with a fragment is refused',
    needs: ['code flow'],
    accepts,
    async run(context, see) {
      const { client, text } = await plainClient(context)
      await refuseEach(context, see, client, [`${text}#`, `${text}#fragment`])
    },
  },
  {
    id: 'N11',
    section: 'RFC 8252 §7.3',
    title: 'the port of a loopback redirect URI floats, and nothing else does',
    needs: ['code flow'],
    accepts,
    async run(context, see) {
      const { flow } = context
      const { client, uri } = await loopbackClient(context)
      await flow.code(client, { parameters: { redirect_uri: uri.href } })
      const port = uri.port === '41878' ? '41879' : '41878'
      const floated = await flow.authorize(client, {
        redirect_uri: `http://127.0.0.1:${port}${uri.pathname}`,
      })
      see.holds(
        floated.left?.parameters.has('code') ?? false,
        `any port of a registered loopback address: ${sayOutcome(floated)}`,
        floated.answer,
      )
      for (const other of [
        `http://127.0.0.1:${port}${uri.pathname}/other`,
        `https://127.0.0.1:${port}${uri.pathname}`,
        `http://localhost:${port}${uri.pathname}`,
        `http://[::1]:${port}${uri.pathname}`,
        `http://127.0.0.2:${port}${uri.pathname}`,
      ]) {
        see.paged(await flow.authorize(client, { redirect_uri: other }), `redirect_uri=${other}`)
      }
      const plain = await plainClient(context).catch(() => undefined)
      if (!plain || /^(127\.|localhost$|\[::1\]$)/.test(plain.uri.hostname)) return
      const { protocol, hostname, pathname } = plain.uri
      const moved = `${protocol}//${hostname}:8443${pathname}`
      see.paged(await flow.authorize(plain.client, { redirect_uri: moved }), `redirect_uri=${moved}`)
    },
  },
  {
    id: 'N12',
    section: 'RFC 6749 §3.1',
    title: 'a request with two clients or two redirect URIs is never redirected',
    needs: ['code flow'],
    accepts,
    async run(context, see) {
      const { client, text } = await plainClient(context)
      const { flow } = context
      await flow.code(client)
      for (const changes of [
        { client_id: [client.id, client.id] },
        { client_id: [client.id, 'nobody-has-this-client-id'] },
        { redirect_uri: [text, text] },
        { redirect_uri: [text, 'https://evil.example/callback'] },
      ]) {
        const [name, values] = Object.entries(changes)[0]!
        const input = values[0] === values[1] ? 'the same twice' : 'two different ones'
        see.paged(await flow.authorize(client, changes), `${name}, ${input}`)
      }
    },
  },
]
