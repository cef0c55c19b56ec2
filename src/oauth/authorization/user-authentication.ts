// OpenID Connect Core §3.1.2.1 (prompt, max_age, id_token_hint, login_hint, acr_values), §3.1.2.2, §3.1.2.3, §5.5.1; RFC 9470 §4,
// §5: the user behind an authorization request, asked of the accounts seam: recently enough, strongly enough, and the right one.

import { authenticationIsRecent } from '../../accounts/account.ts'
import { isResponse } from '../../http/web.ts'
import { told } from '../../log.ts'
import { acrAnswered, acrThatWouldDo } from '../../protocol/authentication-context.ts'
import { isRefusal, type Refusal, refuse } from '../../protocol/refusals.ts'
import { subjectFor } from '../clients/pairwise-subject.ts'
import type { Server, User } from '../server.ts'
import type { AuthorizationRequest } from './authorization-request.ts'
import type { WayBack } from './kept-request.ts'
import { cancelledParameter, demandedAt, demandsSignIn, type Visit } from './return-address.ts'

/** An authentication older than this is any there has been, whatever tolerance an adapter grants a provider's clock. */
const afterAll = 60_000

/** The signed-in user, the page that signs one in, or why there is none. */
export async function authenticateUser(
  server: Server,
  visit: Visit,
  asked: AuthorizationRequest,
  back: WayBack,
): Promise<User | Response | Refusal> {
  const now = server.now()
  const silent = asked.prompt.includes('none')
  const demanded = demandedAt(server, visit.form, asked)
  const notBefore = Math.max(
    demandsSignIn(asked) ? (demanded ?? now) : 0,
    asked.maxAge === null || asked.maxAge === 0 ? 0 : now - asked.maxAge * 1_000,
  )
  const found = await ask(server, visit, asked, back, notBefore, [])
  if (found === null || isResponse(found)) return silent ? refused(asked) : (found ?? refused(asked))
  if ('disabled' in found) return refuse('user_disabled', { client: asked.client.id })
  if (!authenticationIsRecent({ notBefore }, found.authTime, now)) {
    // The provider cannot show that the user proved themselves anew: the old sign-in makes no code.
    return refused(asked, { demanded: true })
  }
  const user = await suitable(server, asked, found)
  if (!isRefusal(user)) return user
  if (silent) return refused(asked, { because: user.refusal })
  // Asked once: a user who returns without a better sign-in is not asked again.
  if (demanded !== undefined) return user
  const prompt = user.refusal === 'login_required' ? 'select_account' : 'login'
  const page = await ask(server, visit, asked, back, now + afterAll, [prompt])
  return isResponse(page) ? page : user
}

async function ask(
  server: Server,
  visit: Visit,
  asked: AuthorizationRequest,
  back: WayBack,
  notBefore: number,
  prompt: readonly string[],
) {
  const acrValues = acrThatWouldDo(server.settings.authentication.acrValues, asked.acrValues)
  return server.signedIn(visit.request, {
    prompt: [...asked.prompt, ...prompt],
    ...(asked.maxAge ? { maxAge: asked.maxAge } : {}),
    ...(acrValues.length === 0 ? {} : { acrValues }),
    ...(asked.uiLocales.length === 0 ? {} : { uiLocales: asked.uiLocales }),
    ...(asked.loginHint === null ? {} : { loginHint: asked.loginHint }),
    get returnTo() {
      // Most people are signed in already: the way back is worked out only when somebody asks for it.
      return back.address()
    },
    get cancelTo() {
      return `${back.address()}&${cancelledParameter}=1`
    },
    interactive: !asked.prompt.includes('none'),
    ...(notBefore > 0 ? { notBefore } : {}),
  })
}

/** The user as the client is told of them, if they are the one it asked for and strongly enough authenticated. */
async function suitable(server: Server, asked: AuthorizationRequest, user: User): Promise<User | Refusal> {
  const { client, boundSubject, claims, acrValues } = asked
  if (boundSubject !== null || claims?.subjects.length) {
    const subject = await subjectFor(server, client, user)
    const only = claims?.subjects ?? []
    if ((boundSubject ?? subject) !== subject || (only.length > 0 && !only.includes(subject)))
      return refused(asked, { user: 'another' })
  }
  if (acrValues.length === 0) return user
  const acr = acrAnswered(server.settings.authentication.acrValues, acrValues, user.acr)
  return acr === undefined
    ? refuse('authentication_unmet', { client: client.id, asked: told(acrValues.join(' ')), acr: user.acr })
    : { ...user, acr }
}

function refused({ client }: AuthorizationRequest, facts?: Refusal['facts']): Refusal {
  return refuse('login_required', { client: client.id, ...facts })
}
