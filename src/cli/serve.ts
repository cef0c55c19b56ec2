import type { Command } from './command.ts'
import { loadConfig } from './config-file.ts'

export const command: Command = {
  summary: 'Starts the server in production.',
  notes: [
    'It needs an issuer (GATEHOUSE_ISSUER, or the configuration) and a secret (GATEHOUSE_SECRET or GATEHOUSE_SECRET_FILE).',
    'On loopback, unless NODE_ENV is production, it makes its own secret in .gatehouse/secret.',
    '',
    'SIGTERM fails /readyz, answers on for GATEHOUSE_DRAIN seconds (5; 0 on loopback), lets the requests under way finish',
    'and ends; SIGINT does it without the wait, a second signal ends at once. A changed secret file is taken over while',
    'serving, at once on SIGHUP.',
  ].join('\n'),
  options: {
    port: { type: 'string', value: '<port>', text: "Default: PORT, a loopback issuer's own port, or 4400" },
    host: { type: 'string', value: '<address>', text: 'Default: HOST, or 127.0.0.1' },
  },
  async run(call) {
    const loaded = await loadConfig(call, 'serve')
    const { announcement, healthUrls, start } = await import('./running.ts')
    const running = await start(loaded)
    const { settings, listening } = running
    const { livez, readyz } = healthUrls(running)
    call.print(
      call.json
        ? announcement(running)
        : `Gatehouse serves ${settings.issuer} on ${listening.url}\nHealth: ${livez} and ${readyz}`,
    )
    await running.ended
  },
}
