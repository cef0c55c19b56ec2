export type { Account, Accounts, AccountsHouse, Ask, Authenticate } from './accounts/account.ts'
export { AccountsUnavailable, authenticationIsRecent, UnverifiedWebhook } from './accounts/account.ts'
export { type BetterAuthAccountsOptions, betterAuthAccounts } from './accounts/better-auth.ts'
export { type ClerkAccountsOptions, clerkAccounts } from './accounts/clerk.ts'
export {
  type Auth0AccountsOptions,
  auth0Accounts,
  type JwtAccountsOptions,
  jwtAccounts,
  type SupabaseAccountsOptions,
  supabaseAccounts,
} from './accounts/jwt.ts'
export { type Config, defineConfig, type FileConfig } from './config.ts'
export { ConfigError } from './config-error.ts'
export { type Gatehouse, gatehouse } from './gatehouse.ts'
