import { basename } from 'node:path'
import { didYouMean } from '../spelling.ts'
import { actionHelp, type Call, type Command, columns, commandHelp, readCall } from './command.ts'
import { sayError, Usage } from './failures.ts'
import { steadyJson } from './table.ts'

/** Every command, loaded only when it is the one that is run. */
const commands: Record<string, { summary: string; load(): Promise<{ command: Command }> }> = {
  dev: {
    summary: 'Start on this machine, with an example and a demonstration',
    load: () => import('./dev.ts'),
  },
  serve: { summary: 'Start in production', load: () => import('./serve.ts') },
  init: { summary: 'Write a configuration file', load: () => import('./init.ts') },
  migrate: { summary: 'Bring the schema of the database up or down', load: () => import('./migrate.ts') },
  clients: { summary: 'Register, change and end clients', load: () => import('./clients.ts') },
  keys: { summary: 'Signing keys and the root secret', load: () => import('./keys.ts') },
  users: { summary: 'See, disable and delete users', load: () => import('./users.ts') },
  sessions: { summary: 'See and revoke what users allowed clients', load: () => import('./sessions.ts') },
  events: { summary: 'Read the audit log, or follow it live', load: () => import('./events.ts') },
  verify: {
    summary: 'Try what any authorization server of yours must refuse',
    load: () => import('./verify.ts'),
  },
  doctor: { summary: 'Find what is wrong and say what to do', load: () => import('./doctor.ts') },
}

/** Runs the command line and sets the exit code: 0 done, 1 failed, 2 not understood. */
export async function main(args: string[]): Promise<void> {
  // A reader that has seen enough (`| head`) is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  try {
    process.exitCode = (await run(args)) ?? 0
  } catch (error) {
    const usage = error instanceof Usage
    const more = usage ? `\nSee gatehouse-auth ${error.path ? `${error.path} ` : ''}--help` : ''
    if (args.includes('--json')) process.stderr.write(`${JSON.stringify({ error: sayError(error) })}\n`)
    else process.stderr.write(`gatehouse: ${sayError(error)}${more}\n`)
    process.exitCode = usage ? 2 : 1
  }
}

async function run(args: string[]): Promise<number | void> {
  const [name, ...rest] = args
  if (name === '--help' || name === '-h' || name === 'help') return print(help())
  if (name === '--version' || name === '-v') return print(await version())
  if (name === undefined) {
    process.stderr.write(`${help()}\n`)
    return 2
  }
  if (!Object.hasOwn(commands, name)) {
    const known = Object.keys(commands)
    throw new Usage(
      `there is no command ${name}${didYouMean(name, known) || `; allowed: ${known.join(', ')}`}`,
    )
  }
  const { command } = await commands[name]!.load()
  if ('run' in command) return act(name, command, rest)
  const [action, ...more] = rest
  if (action === '--help' || action === '-h') return print(commandHelp(name, command))
  const actions = Object.keys(command.actions)
  const allowed = actions.join(', ')
  if (action === undefined || action.startsWith('-'))
    throw new Usage(`what to do is missing; allowed: ${allowed}`, name)
  if (!Object.hasOwn(command.actions, action)) {
    throw new Usage(
      `there is no action ${action}${didYouMean(action, actions) || `; allowed: ${allowed}`}`,
      name,
    )
  }
  return act(`${name} ${action}`, command.actions[action]!, more)
}

async function act(
  path: string,
  action: Parameters<typeof actionHelp>[1],
  rest: string[],
): Promise<number | void> {
  const end = rest.indexOf('--')
  const options = end < 0 ? rest : rest.slice(0, end)
  if (options.includes('--help') || options.includes('-h')) return print(actionHelp(path, action))
  const call: Call = readCall(path, action, rest, {
    env: process.env,
    cwd: process.cwd(),
    program: basename(process.argv[1] ?? '') === 'cli.ts' ? 'node src/cli.ts' : 'npx gatehouse-auth',
    print: options.includes('--json') ? (text) => print(steadyJson(text)) : print,
    note: (text) => process.stderr.write(`${text}\n`),
  })
  return action.run(call)
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

function help(): string {
  return [
    'Gatehouse, an OAuth 2.1 authorization server.',
    '',
    'Usage: gatehouse-auth <command> [options]',
    '',
    'Commands:',
    ...columns(Object.entries(commands).map(([name, { summary }]) => [name, summary])),
    '',
    'Every command knows --help, --json and --config <file>. Answers go to standard output, logs to standard error;',
    'the exit code is 0 when it is done, 1 when it failed, 2 when the command was not understood.',
    '',
    'Environment: PORT, HOST, GATEHOUSE_ISSUER, GATEHOUSE_SECRET (several, newest first, separated by spaces),',
    'GATEHOUSE_SECRET_FILE (one a line, newest first), GATEHOUSE_DATABASE_URL, GATEHOUSE_LOG (info, warn, error, silent),',
    'GATEHOUSE_TRUSTED_PROXIES (addresses and subnets of the proxies in front, separated by commas; or none),',
    'GATEHOUSE_DRAIN (seconds).',
  ].join('\n')
}

async function version(): Promise<string> {
  const { default: manifest } = await import('gatehouse-auth/package.json', { with: { type: 'json' } })
  return manifest.version
}
