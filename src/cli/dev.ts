import { resolve } from 'node:path'
import { paths as accountPaths } from '../accounts/account-pages.ts'
import { paths } from '../protocol/paths.ts'
import type { Call, Command } from './command.ts'
import { type Loaded, loadConfig } from './config-file.ts'
import type { Step } from './demo/flow.ts'
import { sayError } from './failures.ts'
import type { Running } from './running.ts'
import { facts } from './table.ts'

export const command: Command = {
  summary: 'Starts on this machine and shows a complete flow.',
  notes: [
    'Without a configuration file it offers the scopes of an example. Everything it makes is in .gatehouse/: the database,',
    'a secret, and the client and user of the demonstration. A restart keeps it all.',
  ].join('\n'),
  options: {
    port: { type: 'string', value: '<port>', text: 'Default: PORT, or 4400' },
    host: { type: 'string', value: '<address>', text: 'Default: HOST, or 127.0.0.1' },
    'no-demo': { type: 'boolean', text: 'Only start' },
  },
  async run(call) {
    const loaded = await loadConfig(call, 'dev')
    const { announcement, start } = await import('./running.ts')
    const running = await start(loaded)
    const { issuer } = running.settings
    const ready = Math.round(performance.now())
    if (call.json) call.print(announcement(running))
    else call.print(`Gatehouse is ready at ${issuer} after ${ready} ms.`)
    const obstacle = call.flag('no-demo') ? undefined : obstacleToDemo(loaded, running)
    if (obstacle !== undefined) call.note(`There is no demonstration: ${obstacle}.`)
    const link =
      call.flag('no-demo') || obstacle !== undefined
        ? undefined
        : await runDemo(call, running).catch((error: unknown) => {
            call.note(`The demonstration could not finish: ${sayError(error)}`)
            return undefined
          })
    sayPlaces(call, running, link)
    await running.ended
  },
}

/** What the configuration demands that the client of the demonstration, a plain one, does not do. */
function obstacleToDemo({ config }: Loaded, { settings }: Running): string | undefined {
  if (config.accounts !== undefined)
    return 'it signs in at pages of our own, and this configuration has other accounts'
  if (settings.pushedRequests?.required)
    return 'its client does not push its requests, and this configuration takes no others'
  if (settings.dpop.required)
    return 'its client does not bind its tokens to a key, and this configuration issues no others'
  return undefined
}

/** Shows a flow, serves the page the demo client's users come back to, and answers a link that leads there. */
async function runDemo(call: Call, running: Running): Promise<string> {
  const { app, settings, listening } = running
  const { callbackPath, demoAccount } = await import('./demo/account.ts')
  const { demonstrate } = await import('./demo/flow.ts')
  const { demoCallback } = await import('./demo/page.ts')
  const account = await demoAccount(app.server, resolve(call.cwd, '.gatehouse/demo.json'))
  if (!call.json)
    call.print('\nA complete flow against it, over HTTP, by an independent client (oauth4webapi):\n')
  let number = 0
  const demo = await demonstrate(
    settings.issuer,
    listening.url,
    account,
    Object.keys(settings.scopes),
    (step) => {
      number += 1
      call.print(call.json ? JSON.stringify(step) : say(number, step))
    },
  )
  const callback = demoCallback(demo, app.server.frame())
  running.answerWith((request) =>
    request.path === callbackPath ? callback.answer(request) : app.answer(request),
  )
  return callback.link()
}

function say(number: number, { step, specification, ms, result, token }: Step): string {
  const lines = [
    `${String(number).padStart(3)}  ${step.padEnd(34)} ${ms.toFixed(1).padStart(7)} ms   ${specification}`,
    `     ${result}`,
    ...(token === undefined
      ? []
      : `${JSON.stringify(token.header)}\n${JSON.stringify(token.claims, null, 2)}`
          .split('\n')
          .map((line) => `     ${line}`)),
  ]
  return lines.join('\n')
}

function sayPlaces(call: Call, { settings, app }: Running, link: string | undefined): void {
  const { issuer } = settings
  const local = new Set(app.accounts.routes?.map((route) => route.path))
  const places = {
    issuer,
    metadata: issuer + paths.serverMetadata,
    sign_in: local.has(accountPaths.signIn) ? issuer + accountPaths.signIn : null,
    connected_apps: issuer + paths.connectedApps,
    authorize: link ?? null,
  }
  if (call.json) {
    call.print(JSON.stringify(places))
    return
  }
  const redirect = 'http://localhost:3000/callback'
  call.print(
    [
      '',
      facts({
        Issuer: places.issuer,
        Metadata: places.metadata,
        'Sign in': places.sign_in,
        'Connected apps': places.connected_apps,
      }),
      ...(link === undefined
        ? []
        : [
            '',
            'Try it in a browser, as a user of the demo client (sign up, or sign in with .gatehouse/demo.json):',
            `  ${link}`,
          ]),
      '',
      'A client of your own:',
      `  ${call.program} clients create --name "My app" --redirect-uri ${redirect}`,
      '',
      'Ctrl+C ends it.',
    ].join('\n'),
  )
}
