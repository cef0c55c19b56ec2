import { statSync } from 'node:fs'
import { rootSecrets } from '../crypto/secrets.ts'
import { type Call, type Command, wholeNumber } from './command.ts'
import { loadConfig } from './config-file.ts'
import { Failure } from './failures.ts'
import { withApp } from './house.ts'
import { makeSecret, readSecretFile, writeSecretFile } from './secret-file.ts'
import { table, time } from './table.ts'

export const command: Command = {
  summary: 'Shows and rotates the signing keys, and the root secret that seals them.',
  actions: {
    list: {
      summary: 'Every published signing key, newest first',
      run: (call) =>
        withApp(call, async ({ server }) => {
          const keys = server.keys.list()
          if (call.json) {
            for (const { createdAt, notBefore, retiredAt, expiresAt, sealedWith, ...key } of keys) {
              call.print(
                JSON.stringify({
                  ...key,
                  created: time(createdAt),
                  not_before: time(notBefore),
                  retired: time(retiredAt),
                  expires: time(expiresAt),
                  sealed_with: sealedWith,
                }),
              )
            }
          } else {
            call.print(
              table(
                ['kid', 'alg', 'state', 'source', 'signs from', 'leaves the set', 'sealed with'],
                keys.map((key) => [
                  key.kid,
                  key.alg,
                  key.state,
                  key.source,
                  time(key.notBefore),
                  time(key.expiresAt),
                  key.sealedWith,
                ]),
              ),
            )
          }
        }),
    },
    rotate: {
      summary: 'Make a new signing key of each algorithm in use: published now, signing after a day',
      options: { now: { type: 'boolean', text: 'Let it sign at once, as after a leak' } },
      notes: [
        'Resource servers keep the published set for up to an hour. A key that is published a day ahead is known to all of',
        'them; with --now some may refuse its tokens until they look again. A running server notices within a minute.',
        'Keys also rotate by themselves (signingKeys.rotateEveryDays).',
      ].join('\n'),
      run: (call) =>
        withApp(call, async ({ server }) => {
          const done = await server.keys.rotate(call.flag('now') ? { force: true } : { early: true })
          if (call.json) return call.print(JSON.stringify(done))
          for (const kid of done.created) {
            const key = server.keys.list().find((one) => one.kid === kid)
            call.print(`created ${kid}, signs from ${time(key!.notBefore)}`)
          }
          for (const kid of done.retired) call.print(`retired ${kid}`)
        }),
    },
    'rotate-secret': {
      summary: 'Put a new root secret in front of the secret file; a running server takes it over',
      options: {
        keep: {
          type: 'string',
          value: '<count>',
          text: 'How many secrets the file then holds. Default: all',
        },
      },
      notes: [
        'The newest secret seals and derives, the others still open and verify. A running server looks at the file every',
        'second, and at once on SIGHUP; it first accepts the new secret and uses it three seconds later, so that processes',
        'that share the file understand each other. For several machines, distribute the new secret as the last line',
        'first, then as the first line.',
        '',
        'After a day the old secrets are no longer needed: --keep 1 removes all but the new one.',
      ].join('\n'),
      run: rotateSecret,
    },
  },
}

async function rotateSecret(call: Call): Promise<void> {
  const keep = wholeNumber(call, 'keep', 1, 100) ?? 100
  const { secretSource, secretFile } = await loadConfig(call, 'look')
  if (secretFile === undefined) {
    const place = secretSource === 'configuration' ? 'secret in the configuration' : secretSource
    throw new Failure(
      `the secret comes from ${place}, which this command cannot change: put a new one in front of it there and restart, or move it into a file that GATEHOUSE_SECRET_FILE names`,
    )
  }
  const former = readSecretFile(secretFile)
  const secrets = [makeSecret(), ...former].slice(0, keep)
  writeSecretFile(secretFile, secrets)
  const { ids } = rootSecrets(secrets)
  const mode = (statSync(secretFile).mode & 0o777).toString(8)
  if (call.json) return call.print(JSON.stringify({ file: secretFile, mode, newest: ids[0], ids }))
  call.print(`${secretFile} now begins with secret ${ids[0]} and holds ${ids.length}`)
  call.note('A running server takes it over by itself within seconds, at once on SIGHUP.')
}
