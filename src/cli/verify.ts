import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { GivenClient } from '../verify/clients.ts'
import type { SignIn } from '../verify/sign-in.ts'
import type { Call, Command } from './command.ts'
import { confirm } from './confirm.ts'
import { Failure, Usage } from './failures.ts'

export const command: Command = {
  summary: 'Tries what an authorization server must refuse, against any server you own.',
  arguments: ['<issuer>'],
  options: {
    yes: { type: 'boolean', text: 'Do not ask whether the server is yours' },
    'client-id': { type: 'string', value: '<id>', text: 'A client to act as, instead of registering one' },
    'client-secret-file': {
      type: 'string',
      value: '<file>',
      text: 'File that holds its secret. Without it the client is public',
    },
    'redirect-uri': {
      type: 'string',
      multiple: true,
      value: '<uri>',
      text: 'Its redirect URI, or those of clients that are registered',
    },
    client: {
      type: 'string',
      multiple: true,
      value: '<file>',
      text: 'JSON file with one client or a list, in the words of RFC 7591',
    },
    'initial-access-token-file': {
      type: 'string',
      value: '<file>',
      text: 'File that holds the token with which clients are registered',
    },
    also: {
      type: 'string',
      multiple: true,
      value: '<origin>',
      text: 'Another origin of the server. Nothing is sent to any other than the issuer’s and these',
    },
    'sign-in': {
      type: 'string',
      value: '<script>',
      text: 'Module that exports signIn. Default: fills in forms',
    },
    login: {
      type: 'string',
      value: '<name>',
      text: 'Whom to sign in as; the password is read from GATEHOUSE_VERIFY_PASSWORD',
    },
    only: {
      type: 'string',
      multiple: true,
      value: '<rule>',
      text: 'Only these: N61, or the beginning of a section, such as "RFC 7636"',
    },
  },
  notes: [
    'It finds the server by its metadata, registers clients of its own (and deletes them again where it can), signs up or',
    'signs in two made-up people, and sends each rule the request that must be refused and the one that must not.',
    'Exit code: 0 when every rule held or does not apply, 1 when something fell short, 2 when it could not run or a limit kept',
    'it from trying everything, 3 when nothing fell short but some rules could not be shown to hold.',
  ].join('\n'),
  async run(call) {
    const { CannotRun } = await import('../verify/failures.ts')
    const { atOnce, mostRequests, verify } = await import('../verify/run.ts')
    const { exitCode, sayResult, saySummary } = await import('../verify/report.ts')
    const issuer = call.positionals[0]!
    if (!/^https?:$/.test(URL.parse(issuer)?.protocol ?? '')) {
      throw new Usage(`${issuer} is no issuer; for example http://localhost:4400`, 'verify')
    }
    const options = { issuer, ...(await optionsFrom(call)) }
    if (!call.flag('yes')) {
      call.note(
        `At most ${mostRequests} requests, at most ${atOnce} at once. Nothing of other clients or users is touched.`,
      )
    }
    try {
      if (!call.flag('yes')) await confirm(`Verify ${issuer}? Do so only if it is yours.`)
      const report = await verify({
        ...options,
        ...(call.json ? {} : { tell: (result) => call.print(sayResult(result)) }),
      })
      call.print(call.json ? JSON.stringify(report) : `\n${saySummary(report)}`)
      return exitCode(report)
    } catch (error) {
      if (!(error instanceof CannotRun || error instanceof Failure)) throw error
      call.note(call.json ? JSON.stringify({ error: error.message }) : `gatehouse: ${error.message}`)
      return 2
    }
  },
}

async function optionsFrom(call: Call) {
  const redirectUris = call.list('redirect-uri')
  const clients = [
    ...clientFromOptions(call, redirectUris),
    ...(call.list('client') ?? []).flatMap(clientsIn(call)),
  ]
  const token = call.option('initial-access-token-file')
  return {
    ...(clients.length > 0 ? { clients } : {}),
    ...(redirectUris === undefined ? {} : { redirectUris }),
    ...(token === undefined ? {} : { initialAccessToken: contentOf(call, token) }),
    ...(call.list('also') === undefined ? {} : { also: originsIn(call.list('also')!) }),
    ...(call.list('only') === undefined ? {} : { only: call.list('only')! }),
    signIn: await signInFrom(call),
  }
}

function originsIn(list: readonly string[]): string[] {
  const wrong = list.find((one) => !/^https?:$/.test(URL.parse(one)?.protocol ?? ''))
  if (wrong === undefined) return list.map((one) => new URL(one).origin)
  throw new Usage(`--also: ${wrong} is no origin; for example https://api.example.com`, 'verify')
}

function clientFromOptions(call: Call, redirectUris: string[] | undefined): GivenClient[] {
  const id = call.option('client-id')
  if (id === undefined) return []
  if (redirectUris === undefined) throw new Usage('--client-id needs --redirect-uri', 'verify')
  const file = call.option('client-secret-file')
  return [
    {
      client_id: id,
      redirect_uris: redirectUris,
      ...(file === undefined ? {} : { client_secret: contentOf(call, file) }),
    },
  ]
}

function clientsIn(call: Call): (file: string) => GivenClient[] {
  return (file) => {
    let parsed: unknown
    try {
      parsed = JSON.parse(contentOf(call, file))
    } catch (error) {
      if (error instanceof Usage) throw error
      throw new Usage(`--client: ${file} is not JSON`, 'verify')
    }
    const list = [parsed].flat() as GivenClient[]
    if (list.some((one) => typeof one !== 'object' || one === null || typeof one.client_id !== 'string')) {
      throw new Usage(`--client: a client in ${file} has no client_id`, 'verify')
    }
    return list
  }
}

async function signInFrom(call: Call): Promise<SignIn> {
  const script = call.option('sign-in')
  const login = call.option('login')
  if (script === undefined) {
    const { signInByForms } = await import('../verify/sign-in.ts')
    if (login === undefined) return signInByForms()
    const password = call.env['GATEHOUSE_VERIFY_PASSWORD']
    if (!password) throw new Usage('--login needs the password in GATEHOUSE_VERIFY_PASSWORD', 'verify')
    return signInByForms({ login, password })
  }
  const file = resolve(call.cwd, script)
  if (!existsSync(file)) throw new Usage(`--sign-in: ${script} does not exist`, 'verify')
  const { signIn } = (await import(pathToFileURL(file).href)) as { signIn?: SignIn }
  if (typeof signIn !== 'function')
    throw new Usage(`--sign-in: ${script} exports no function signIn`, 'verify')
  return signIn
}

function contentOf(call: Call, file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : resolve(call.cwd, file), 'utf8').trim()
  } catch (error) {
    throw new Usage(`${file} cannot be read: ${(error as NodeJS.ErrnoException).code}`, 'verify')
  }
}
