import { setTimeout as sleep } from 'node:timers/promises'
import { ConfigError } from '../config-error.ts'
import type { Secrets } from '../crypto/secrets.ts'
import type { Settings } from '../settings.ts'
import { secretProblems } from './secret.ts'

/** Other root secrets while the server runs, newest first. */
export interface SecretReplacement {
  /**
   * They verify at once; the newest seals and derives only after `settle` milliseconds, when every process that was told at
   * the same time knows it too. One at a time. Throws `ConfigError`.
   */
  replace(secrets: readonly string[], settle: number): Promise<void>
  /** Resolves when none is under way. */
  done(): Promise<void>
  /** Ends a wait. */
  abort(): void
}

/** `reseal` seals with the newest secret what the former ones sealed. */
export function secretReplacement(
  { settings, secrets: root }: { settings: Pick<Settings, 'secrets' | 'loopback'>; secrets: Secrets },
  reseal: () => Promise<unknown>,
): SecretReplacement {
  let known = settings.secrets
  let replacing: Promise<void> = Promise.resolve()
  const closing = new AbortController()

  async function replace(secrets: readonly string[], settle: number) {
    const problems = secretProblems(secrets, settings.loopback)
    if (problems.length > 0) throw new ConfigError(problems)
    const former = known
    root.replace([...new Set([...former, ...secrets])])
    if (secrets[0] !== former[0]) await sleep(settle, undefined, { ref: false, signal: closing.signal })
    root.replace([...new Set([...secrets, ...former])])
    await reseal()
    root.replace(secrets)
    known = secrets
  }

  return {
    replace(secrets, settle) {
      const next = replacing.then(() => replace(secrets, settle))
      replacing = next.catch(() => {})
      return next
    },
    done: () => replacing,
    abort: () => closing.abort(),
  }
}
