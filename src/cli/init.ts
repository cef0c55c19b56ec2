import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from './command.ts'
import { configFiles } from './config-file.ts'
import { Failure } from './failures.ts'

const written = configFiles[0]!

const template = `import type { FileConfig } from 'gatehouse-auth'

// GATEHOUSE_ISSUER, GATEHOUSE_DATABASE_URL and GATEHOUSE_SECRET (or GATEHOUSE_SECRET_FILE) come from the environment
// where it is deployed; on this machine a secret is made in .gatehouse/secret.
export default {
  /** The server's identity and public address. */
  issuer: 'http://localhost:4400',

  /** An SQLite file, or postgres://user@host/name. */
  database: '.gatehouse/gatehouse.db',

  /** What clients may ask for, with the sentence the consent page shows. */
  scopes: {
    'jobs:read': 'Search open jobs',
    'applications:read': 'See the applications you have sent',
    'applications:write': 'Send applications in your name',
    'resume:read': 'Read your résumé',
  },

  // Clients of MCP come by themselves: by the URL of their metadata document, or by registering. Both are off until you
  // say so; 'open' lets anybody register.
  // clientIdMetadata: {},
  // registration: { policy: 'initial_access_token' },

  /** The name people see on the sign-in and consent pages. */
  pages: { name: 'Gatehouse' },
} satisfies FileConfig
`

export const command: Command = {
  summary: `Writes ${written} into this folder, and .gatehouse/ into .gitignore.`,
  async run(call) {
    const file = join(call.cwd, written)
    for (const name of configFiles) {
      if (existsSync(join(call.cwd, name))) {
        throw new Failure(`${name} is there already and stays as it is: change it, or remove it first`)
      }
    }
    writeFileSync(file, template, { flag: 'wx' })
    const ignored = ignore(join(call.cwd, '.gitignore'))
    if (call.json)
      return call.print(JSON.stringify({ file, ignored: '.gatehouse/', changedGitignore: ignored }))
    const { program } = call
    call.print(
      [
        `Wrote ${written}${ignored ? ' and .gatehouse/ into .gitignore' : ''}.`,
        '',
        'Next:',
        `  ${program} migrate up                          make the database`,
        `  ${program} clients create --name "My app" --redirect-uri http://localhost:3000/callback`,
        `  ${program} dev                                 start on this machine`,
        `  ${program} doctor                              check everything before production`,
      ].join('\n'),
    )
  },
}

/** Adds the line unless it is there. The folder holds secrets and the database. */
function ignore(file: string): boolean {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  if (text.split(/\r?\n/).some((line) => /^\/?\.gatehouse\/?$/.test(line.trim()))) return false
  appendFileSync(file, `${text === '' || text.endsWith('\n') ? '' : '\n'}.gatehouse/\n`)
  return true
}
