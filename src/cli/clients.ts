import { readFileSync } from 'node:fs'
import type { ClientInput } from '../oauth/clients/client-input.ts'
import {
  changeClient,
  createClient,
  gptRedirectUris,
  listClients,
  replaceGptId,
  restore,
  revoke,
  rotateSecret,
  showClient,
  suspend,
} from '../oauth/clients/client-operations.ts'
import type { ShownClient } from '../oauth/clients/shown-client.ts'
import {
  createInitialAccessToken,
  endInitialAccessToken,
  listInitialAccessTokens,
  type ShownInitialAccessToken,
} from '../oauth/registration/initial-access-tokens.ts'
import type { Server } from '../oauth/server.ts'
import { memberOptions, readMembers } from './clients/member-options.ts'
import { readMetadataFile } from './clients/metadata-file.ts'
import { asMetadata } from './clients/shown-client.ts'
import { type Action, type Call, type Command, type Option, wholeNumber } from './command.ts'
import { Failure, Usage } from './failures.ts'
import { withApp } from './house.ts'
import { facts, paging, printPage, table, time } from './table.ts'

const text = (value: string, words: string): Option => ({ type: 'string', value, text: words })
const editable: Record<string, Option> = {
  ...memberOptions,
  gpt: text('<g-id>', 'Id of a Custom GPT: adds both its redirect URIs'),
  'metadata-file': text('<file>', 'More in the words of RFC 7591, as JSON: its keys, how it authenticates …'),
}

const reason: Record<string, Option> = { reason: text('<text>', 'Why, for the audit log') }

export const command: Command = {
  summary: 'Registers, changes and ends clients, beside a running server.',
  actions: {
    list: {
      summary: 'Clients, in the order of their ids',
      options: paging,
      run: (call) =>
        withApp(call, ({ server }) => printPage(call, (page) => listClients(server, page), listed(server))),
    },
    create: {
      summary: 'Register a client; its secret is printed this once',
      options: {
        ...editable,
        id: text('<id>', 'An id of your own, for an import'),
        public: { type: 'boolean', text: 'Without a secret: an app in a browser or on a device' },
        'bcrypt-file': text(
          '<file>',
          'File that holds the bcrypt hash of a secret to import; - reads standard input',
        ),
      },
      notes: [
        'With redirect URIs it uses authorization_code and refresh_token, without any client_credentials.',
        '',
        'For example:',
        '  npx gatehouse-auth clients create --name "Job board GPT" --profile gpt_action --gpt g-0123abcd --scope jobs:read',
        '  npx gatehouse-auth clients create --name "Nightly import" --scope applications:read',
        '  npx gatehouse-auth clients create --metadata-file client.json',
      ].join('\n'),
      run: (call) => withApp(call, ({ server }) => create(call, server)),
    },
    show: {
      summary: 'Everything about one client',
      arguments: ['<client>'],
      run: (call) =>
        withApp(call, async ({ server }) => show(call, server, await find(server, call.positionals[0]!))),
    },
    change: {
      summary: 'Change what is given and keep the rest',
      arguments: ['<client>'],
      options: editable,
      notes: 'A list that is given replaces the old one.',
      run: (call) =>
        withApp(call, async ({ server }) => {
          const changes = inputOf(call)
          if (Object.keys(changes).length === 0)
            throw new Usage('nothing to change was given', 'clients change')
          const row = await changeClient(server, call.positionals[0]!, changes)
          show(call, server, row ?? (await find(server, call.positionals[0]!)))
        }),
    },
    'rotate-secret': {
      summary: 'Make a new secret, printed this once; the old one stays valid for a day',
      arguments: ['<client>'],
      options: {
        overlap: text('<seconds>', 'How long the old one stays valid, 0 to 2592000. Default: 86400'),
      },
      run: (call) =>
        withApp(call, async ({ server }) => {
          const id = call.positionals[0]!
          const overlap = wholeNumber(call, 'overlap', 0, 30 * 86_400)
          await find(server, id)
          const secret = await rotateSecret(server, id, overlap)
          if (secret === undefined) throw new Failure(`${id} has no secret`)
          call.print(call.json ? JSON.stringify({ client_id: id, client_secret: secret }) : secret)
          const until = overlap === 0 ? 'is invalid now' : `stays valid for ${overlap ?? 86_400} s`
          if (!call.json) call.note(`The secret is shown this once. The old one ${until}.`)
        }),
    },
    'replace-gpt-id': {
      summary: 'Swap the id in its redirect URIs, after ChatGPT gave an edited GPT a new one',
      arguments: ['<client>', '<old g-id>', '<new g-id>'],
      run: (call) =>
        withApp(call, async ({ server }) => {
          const [id, from, to] = call.positionals as [string, string, string]
          await find(server, id)
          show(call, server, (await replaceGptId(server, id, from, to))!)
        }),
    },
    suspend: ending('Refuse its requests and its tokens until it is restored', 'suspended', suspend),
    restore: {
      summary: 'Let a suspended client work again',
      arguments: ['<client>'],
      run: (call) =>
        withApp(call, async ({ server }) => {
          const id = call.positionals[0]!
          const row = await find(server, id)
          if (!(await restore(server, id))) throw new Failure(`${id} is ${row.state}, not suspended`)
          show(call, server, await find(server, id))
        }),
    },
    revoke: ending('End it and all its sessions for good', 'revoked', revoke),
    invite: {
      summary: 'Let clients register themselves with an initial access token, printed this once',
      options: {
        name: text('<name>', 'Who it is for'),
        uses: text('<count>', 'Clients it may register. Default: 1'),
        lifetime: text('<seconds>', 'How long it is good. Default: 604800, a week'),
      },
      notes: 'For `registration: { policy: "initial_access_token" }` in the configuration (RFC 7591).',
      run: (call) => withApp(call, ({ server }) => invite(call, server)),
    },
    invitations: {
      summary: 'Initial access tokens, oldest first',
      options: paging,
      run: (call) => withApp(call, ({ server }) => listInvitations(call, server)),
    },
    uninvite: {
      summary: 'End an initial access token; clients it has registered stay',
      arguments: ['<invitation>'],
      run: (call) =>
        withApp(call, async ({ server }) => {
          const id = call.positionals[0]!
          if (!(await endInitialAccessToken(server, id)))
            throw new Failure(
              `there is no invitation ${id} that could be ended: clients invitations names them`,
            )
          call.note(`${id} has ended.`)
        }),
    },
  },
}

/** A page of clients. */
const listed = ({ settings }: Server) => ({
  id: (client: ShownClient) => client.id,
  json: (client: ShownClient) => JSON.stringify(asMetadata(client, settings)),
  show: (clients: ShownClient[]) =>
    table(
      ['client', 'name', 'state', 'profile', 'authentication', 'last used'],
      clients.map((client) => [
        client.id,
        client.name,
        client.state,
        client.profile,
        client.tokenEndpointAuthMethod,
        time(client.lastUsedAt ?? null) ?? 'never',
      ]),
    ),
})

async function invite(call: Call, server: Server): Promise<void> {
  const name = call.option('name')
  if (!name) throw new Usage('--name is missing', 'clients invite')
  const { id, token, expiresAt } = await createInitialAccessToken(server, {
    name,
    uses: wholeNumber(call, 'uses', 1, 10_000),
    lifetime: wholeNumber(call, 'lifetime', 1, 366 * 86_400),
  })
  const shown = { invitation: id, initial_access_token: token, expires: time(expiresAt) }
  call.print(call.json ? JSON.stringify(shown) : facts(shown))
  call.note('The token is shown this once: hand it over now.')
  if (server.settings.registration === null)
    call.note('It cannot be used yet: the configuration has no `registration`.')
}

async function listInvitations(call: Call, server: Server): Promise<void> {
  const view = (row: ShownInitialAccessToken) => ({
    invitation: row.id,
    name: row.name,
    state: row.revoked_at !== null ? 'ended' : row.expires_at <= server.now() ? 'expired' : 'active',
    uses_left: row.uses_left,
    expires: time(row.expires_at),
  })
  await printPage(call, (page) => listInitialAccessTokens(server, page), {
    id: (row) => row.id,
    json: (row) => JSON.stringify(view(row)),
    show: (rows) =>
      table(
        ['invitation', 'name', 'state', 'uses left', 'expires'],
        rows.map((row) => Object.values(view(row))),
      ),
  })
}

function ending(
  summary: string,
  word: string,
  end: (server: Server, id: string, reason: string) => Promise<boolean>,
): Action {
  return {
    summary,
    arguments: ['<client>'],
    options: reason,
    run: (call) =>
      withApp(call, async ({ server }) => {
        const id = call.positionals[0]!
        const row = await find(server, id)
        if (!(await end(server, id, call.option('reason') ?? 'by an administrator'))) {
          throw new Failure(`${id} is ${row.state} and cannot be ${word}`)
        }
        show(call, server, await find(server, id))
      }),
  }
}

async function create(call: Call, server: Server): Promise<void> {
  const input = inputOf(call)
  if (!input.name) throw new Usage('--name is missing', 'clients create')
  const file = call.option('bcrypt-file')
  const { client, secret } = await createClient(server, {
    ...(input as ClientInput),
    ...(call.option('id') === undefined ? {} : { id: call.option('id')! }),
    ...(call.flag('public') ? { tokenEndpointAuthMethod: 'none' as const } : {}),
    ...(file === undefined ? {} : { bcryptSecretHash: readFileSync(file === '-' ? 0 : file, 'utf8').trim() }),
  })
  const shown = asMetadata(client, server.settings)
  if (call.json) {
    return call.print(JSON.stringify({ ...shown, ...(secret ? { client_secret: secret } : {}) }))
  }
  const { issuer } = server.settings
  call.print(
    facts({
      client_id: client.id,
      client_secret: secret,
      ...(client.redirectUris.length === 0 ? {} : { authorization_endpoint: `${issuer}/oauth/authorize` }),
      token_endpoint: `${issuer}/oauth/token`,
      scope: client.scope.join(' '),
      ...(client.redirectUris.length === 0
        ? {}
        : { id_token_signed_response_alg: shown['id_token_signed_response_alg'] }),
    }),
  )
  if (secret) call.note('The secret is shown this once: store it now.')
}

/** What the options say, and nothing they do not. */
function inputOf(call: Call): Partial<ClientInput> {
  const file = call.option('metadata-file')
  const input = file === undefined ? {} : readMetadataFile(file)
  const gpt = call.option('gpt')
  const said = readMembers(call)
  const redirectUris = [...(said.redirectUris ?? []), ...(gpt === undefined ? [] : gptRedirectUris(gpt))]
  return { ...input, ...said, ...(redirectUris.length > 0 ? { redirectUris } : {}) }
}

async function find(server: Server, id: string): Promise<ShownClient> {
  const row = await showClient(server, id)
  if (!row) throw new Failure(`there is no client ${id}: clients list names them all`)
  return row
}

function show(call: Call, server: Server, row: ShownClient): void {
  const shown = asMetadata(row, server.settings)
  call.print(call.json ? JSON.stringify(shown) : facts(shown))
}
