/** The secret that every key is derived from. There is no default: anyone who knows the secret can forge everything. */
export function ownSecret(): string {
  const secret = process.env['GATEHOUSE_SECRET']
  if (secret) return secret
  console.error(
    'Set GATEHOUSE_SECRET to a secret of your own: export GATEHOUSE_SECRET="$(openssl rand -base64 32)"',
  )
  process.exit(1)
}
