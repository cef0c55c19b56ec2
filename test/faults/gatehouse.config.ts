// What every process of a fault run serves with: who is signed in is said by a header, and nothing is limited.

import { defineConfig } from '../../src/config.ts'
import { processConfig } from '../races/config.ts'

export const faultConfig = {
  tokens: { accessTokenLifetime: 86_400, codeLifetime: 600, reuseWindow: 300 },
  sessions: { quota: 1_000_000 },
  limits: { failuresPerNetwork: 1_000_000, clientAuthenticationFailures: 1_000_000 },
  trustedProxies: ['127.0.0.1'],
  jobs: true,
}

export const config = defineConfig(processConfig({ database: '', port: 0, config: faultConfig }))
