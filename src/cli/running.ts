import { readFileSync } from 'node:fs'
import { isatty } from 'node:tty'
import { type App, openApp, readConfig } from '../app.ts'
import type { Config } from '../config.ts'
import { proxiesUnknown } from '../core.ts'
import { healthPaths, whileStarting } from '../health.ts'
import type { Answer, Incoming } from '../http/message.ts'
import { type Listening, listen, type NodeOptions, nodeServer } from '../http/node.ts'
import type { Settings } from '../settings.ts'
import { forgetMadeSecret, type Loaded } from './config-file.ts'
import { sayError } from './failures.ts'
import { holdYoungGeneration } from './process/young-generation.ts'
import { followSecretFile, readSecretFile } from './secret-file.ts'

/** A server on a port, and what ends it. */
export interface Running {
  app: App
  settings: Settings
  listening: Listening
  /** Puts something before the app, which `app.answer` then serves the rest of. */
  answerWith(answer: (request: Incoming) => Promise<Answer>): void
  /** Resolves once the server has ended, after SIGTERM or SIGINT. */
  ended: Promise<void>
}

/** A repeat of a signal within so long is the same one, sent to the whole process group and passed on by a parent as well. */
const sameSignal = 500

/** How long a process that has ended its work may take to end itself, in milliseconds. */
const lastGrace = 2_000

/**
 * Takes the port first, so that a busy one is known before anything is touched; requests that come early wait until the
 * app is open. The first SIGTERM or SIGINT ends it gracefully, a second one at once.
 */
export async function start(loaded: Loaded): Promise<Running> {
  holdYoungGeneration()
  const checked = readConfig(loaded.config)
  const opening = Promise.withResolvers<App>()
  opening.promise.catch(() => {})
  let answer = async (request: Incoming) => whileStarting(request) ?? (await opening.promise).answer(request)
  const options: NodeOptions = { ...checked }
  const listening = await listen(
    nodeServer((request) => answer(request), options),
    loaded,
  )
  const config = onPort(loaded.config, listening.port)
  const settings = config === loaded.config ? checked : readConfig(config)
  options.origin = settings.origin
  let app: App
  try {
    app = await openApp(config)
  } catch (error) {
    opening.reject(error)
    await listening.close({ grace: 0 })
    if ((error as Error).name === 'UnknownSecret') forgetMadeSecret(loaded)
    throw error
  }
  answer = app.answer
  opening.resolve(app)
  const warning = proxiesUnknown(settings)
  if (warning) app.server.log.warn(warning)
  const unfollow = followSecrets(app, loaded.secretFile)
  const ended = untilSignal(app, async (signal) => {
    app.stopping()
    // A person who pressed Ctrl+C waits for it.
    const drain = signal === 'SIGINT' || isatty(0) ? 0 : (settings.drain ?? (settings.loopback ? 0 : 5_000))
    await listening.close({ drain })
    unfollow()
    await app.close()
  })
  return { app, settings, listening, ended, answerWith: (other) => (answer = other) }
}

/** An issuer on port 0 is named by the port that was free. */
function onPort(config: Config, port: number): Config {
  const issuer = new URL(config.issuer)
  if (issuer.port !== '0') return config
  issuer.port = String(port)
  return { ...config, issuer: issuer.origin + (issuer.pathname === '/' ? '' : issuer.pathname) }
}

function untilSignal(app: App, stop: (signal: NodeJS.Signals) => Promise<void>): Promise<void> {
  const { log } = app.server
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let first: { signal: NodeJS.Signals; at: number } | undefined
  const signals = ['SIGTERM', 'SIGINT'] as const
  const onSignal = (signal: NodeJS.Signals) => {
    const now = performance.now()
    if (first?.signal === signal && now - first.at < sameSignal) return
    if (first) process.exit(1)
    first = { signal, at: now }
    log.info('stopping', { signal })
    stop(signal)
      .finally(() => {
        // A disk that hangs holds a thread, and the thread the process.
        setTimeout(() => process.exit(), lastGrace).unref()
      })
      .then(() => {
        for (const one of signals) process.off(one, onSignal)
        resolve()
      }, reject)
  }
  for (const signal of signals) process.on(signal, onSignal)
  return promise
}

/**
 * Takes over what the secret file says when it changes, or on SIGHUP; a damaged file changes nothing. In a terminal SIGHUP
 * says that the terminal is gone, and ends the server as it ends any other program.
 */
function followSecrets(app: App, file: string | undefined): () => void {
  const { log, secrets } = app.server
  let seen = file && textOf(file)
  const look = () => {
    const text = file && textOf(file)
    if (text === seen) return
    seen = text
    takeOver().catch((error) => {
      if ((error as Error).name !== 'AbortError')
        log.error('the secrets stay as they were', { reason: sayError(error) })
    })
  }
  async function takeOver() {
    await app.replaceSecrets(readSecretFile(file!))
    log.info('secrets taken over', { newest: secrets.newestId, known: secrets.ids.length })
  }
  const unfollow = file === undefined ? () => {} : followSecretFile(file, look)
  if (!isatty(0) && !isatty(1)) process.on('SIGHUP', look)
  return () => {
    unfollow()
    process.off('SIGHUP', look)
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

/** Which process this is, for scripts that wait for it. */
export function announcement(running: Running): string {
  const { settings, listening } = running
  return JSON.stringify({
    ready: true,
    issuer: settings.issuer,
    url: listening.url,
    pid: process.pid,
    ...healthUrls(running),
  })
}

/** Where an orchestrator and a balancer look. */
export function healthUrls({ listening }: Running): { livez: string; readyz: string } {
  return { livez: listening.url + healthPaths.live, readyz: listening.url + healthPaths.ready }
}
