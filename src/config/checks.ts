// What only several options together can get wrong.

import { isOpenidScope } from '../oauth/config/scopes.ts'
import type { Settings } from '../settings.ts'
import { checkIssuer } from './issuer.ts'
import { secretProblems } from './secret.ts'
import type { Place } from './section.ts'

/** `given` says which sections stand there at all. */
export function checkSettings(settings: Settings, given: { fapi2: boolean }, root: Place): void {
  const { issuer, loopback, secrets, pushedRequests, mutualTls } = settings
  checkIssuer(issuer, settings.allowInsecureIssuer, root.at('issuer'))
  root.problems.push(...secretProblems(secrets, issuer === '' || loopback))
  for (const [uri, { scopes }] of Object.entries(settings.resources)) {
    const place = root.at('resources').at(uri).at('scopes')
    for (const scope of scopes ?? []) {
      if (!Object.hasOwn(settings.scopes, scope) || isOpenidScope(scope))
        place.problem('scopes that `scopes` names, none of OpenID Connect', scope)
    }
  }
  const selfRegistered = root.at('selfRegisteredClients')
  areScopes(settings.selfRegisteredClients.scope, selfRegistered.at('scope'))
  const { trustedProxies } = settings
  if (mutualTls && (trustedProxies === undefined || trustedProxies.rules.length === 0))
    root
      .at('trustedProxies')
      .problem('the proxies that set mutualTls.certificateHeader; from others it counts for nothing')
  if (given.fapi2 && pushedRequests === null)
    root.at('pushedRequests').at('accepted').problem('true, since FAPI 2.0 accepts nothing else', false)
  settings.tokenExchange?.rules.forEach((rule, n) => {
    const place = root.at('tokenExchange').at('rules').at(n)
    areResources(rule.resources, place.at('resources'))
    areScopes(rule.scope, place.at('scope'))
  })
  for (const [id, one] of settings.assertionIssuers) {
    const place = root.at('assertionIssuers').at(id)
    // What this server says about its users must not come back as what an enterprise consents to.
    if (id === issuer) place.problem('an issuer other than this server', id, 'https://idp.example.com')
    areScopes(one.scope, place.at('scope'))
    areResources(one.resources, place.at('resources'))
  }

  function areScopes(names: readonly string[] | null, place: Place): void {
    for (const name of names ?? []) {
      if (!Object.hasOwn(settings.scopes, name)) place.problem('scopes that `scopes` names', name)
    }
  }
  function areResources(uris: readonly string[] | null, place: Place): void {
    const known = [...Object.keys(settings.resources), issuer]
    for (const uri of uris ?? []) {
      if (!known.includes(uri)) place.problem(`of the configured resources: ${known.join(' ')}`, uri)
    }
  }
}
