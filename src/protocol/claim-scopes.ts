// OpenID Connect Core §5.1, §5.4: the claims about a user, and the scopes that stand for them.

/** The claims each scope stands for (§5.4); further scopes stand for whatever the accounts adapter makes of them. */
const claimsOfScope: Readonly<Record<string, readonly string[]>> = {
  profile: [
    'name',
    'family_name',
    'given_name',
    'middle_name',
    'nickname',
    'preferred_username',
    'profile',
    'picture',
    'website',
    'gender',
    'birthdate',
    'zoneinfo',
    'locale',
    'updated_at',
  ],
  email: ['email', 'email_verified'],
  address: ['address'],
  phone: ['phone_number', 'phone_number_verified'],
}

const scopeOfClaim = new Map(
  Object.entries(claimsOfScope).flatMap(([scope, names]) => names.map((name) => [name, scope] as const)),
)

/** The scope that stands for a claim about the user; undefined for one that no scope of the specification stands for. */
export function scopeFor(claim: string): string | undefined {
  return scopeOfClaim.get(claim)
}
