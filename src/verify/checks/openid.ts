import type { Check, Context } from '../check.ts'
import { codeClient } from '../clients.ts'
import { NotApplicable, NotShown } from '../failures.ts'
import { type Outcome, sayOutcome } from '../front-channel.ts'
import type { Parameters } from '../wire.ts'
import { codeFlowClient, knowsPrompt } from './authorization.ts'

const gotCode = ({ left }: Outcome) => left?.parameters.has('code') ?? false
const interaction = ['login_required', 'interaction_required']

async function promptClient(context: Context) {
  if (!knowsPrompt(context)) throw new NotApplicable('the server does not say that it knows prompt')
  const client = await codeFlowClient(context)
  await context.flow.code(client)
  return client
}

export const openidChecks: readonly Check[] = [
  {
    id: 'N27',
    section: 'OpenID Connect Core §3.1.2.6',
    title: 'prompt=none shows no page: without a sign-in or consent it is an error',
    needs: ['code flow'],
    accepts:
      'interaction_required in place of the narrower codes; an error page for a client that registered itself (RFC 9700 §4.11.2)',
    async run(context, see) {
      const { clients, flow, server } = context
      const client = await promptClient(context)
      const nobody = await flow.authorize(client, { prompt: 'none' }, { stranger: true, look: true })
      const asked = nobody.left === undefined && nobody.answer.status < 400
      see.holds(!asked, 'prompt=none without a sign-in was answered by a page to sign in at', nobody.answer)
      see.turnedBack(nobody, interaction, 'prompt=none without a sign-in')
      if (server.registration_endpoint === undefined) return
      const unknown = await clients
        .register(codeClient(server, client.method, [clients.redirectUri]))
        .catch(() => undefined)
      if (!unknown) return
      const silent = async (changes: Parameters, input: string) => {
        const outcome = await flow.authorize(unknown, { prompt: 'none', ...changes }, { look: true })
        const shown = outcome.left === undefined && outcome.answer.status < 400
        see.holds(!shown, `${input} was answered by a page`, outcome.answer)
        see.turnedBack(outcome, ['consent_required', ...interaction], input)
      }
      await silent({}, 'prompt=none without consent')
      const [scope, surplus] = flow.scopes(unknown)
      if (surplus === undefined) return
      await flow.code(unknown, { scope: [scope!] })
      await silent({ scope: `${scope} ${surplus}` }, 'prompt=none with consent for less')
    },
  },
  {
    id: 'N28',
    section: 'OpenID Connect Core §3.1.2.1',
    title: 'prompt=none with another value is an error',
    needs: ['code flow'],
    accepts: 'Any error',
    async run(context, see) {
      const client = await promptClient(context)
      for (const prompt of ['none login', 'none consent', 'none select_account']) {
        const outcome = await context.flow.authorize(client, { prompt }, { look: true })
        const over = outcome.left !== undefined || outcome.answer.status >= 400
        see.holds(over, `prompt=${prompt}: the sign-in went on`, outcome.answer)
        see.turnedBack(outcome, [], `prompt=${prompt}`)
      }
    },
  },
  {
    id: 'N29',
    section: 'OpenID Connect Core §3.1.2.1',
    title: 'prompt=none with a sign-in that is too old, or of another user, is login_required',
    needs: ['code flow', 'OpenID Connect'],
    accepts: 'interaction_required in place of login_required',
    async run(context, see) {
      const { flow } = context
      const client = await promptClient(context)
      if (!gotCode(await flow.authorize(client, { prompt: 'none' }, { look: true }))) {
        throw new NotShown('prompt=none gets no code with a sign-in and consent either')
      }
      const old = await flow.authorize(client, { prompt: 'none', max_age: '0' }, { look: true })
      see.turnedBack(old, interaction, 'prompt=none with max_age=0')
      const other = await flow.tokens(client, { person: 2 })
      if (other.idToken === undefined) throw new NotShown('no ID token is issued')
      const hint = { prompt: 'none', id_token_hint: other.idToken }
      see.turnedBack(
        await flow.authorize(client, hint, { look: true }),
        interaction,
        'id_token_hint of another user',
      )
      const own = await flow.authorize(client, hint, { look: true, person: 2 })
      if (!gotCode(own)) see.note('the user of the hint gets no code by prompt=none either')
    },
  },
  {
    id: 'N30',
    section: 'OpenID Connect Core §3.1.2.1',
    title: 'prompt=login makes no code from the sign-in that is there',
    needs: ['code flow'],
    async run(context, see) {
      const client = await promptClient(context)
      const outcome = await context.flow.authorize(client, { prompt: 'login' }, { look: true })
      see.holds(!gotCode(outcome), 'prompt=login was answered with a code at once', outcome.answer)
      const zero = await context.flow.authorize(client, { max_age: '0' }, { look: true })
      see.holds(!gotCode(zero), 'max_age=0 was answered with a code at once', zero.answer)
      const malformed = await context.flow.authorize(client, { max_age: 'yesterday' }, { look: true })
      see.holds(!gotCode(malformed), 'max_age=yesterday was answered with a code at once', malformed.answer)
    },
  },
  {
    id: 'N31',
    section: 'OpenID Connect Core §5.5.1.1',
    title: 'an essential acr that cannot be met makes no code',
    needs: ['code flow', 'OpenID Connect'],
    accepts: 'Any error, or a page',
    async run(context, see) {
      if (!context.server.claims_parameter_supported) {
        throw new NotApplicable('the metadata does not say claims_parameter_supported')
      }
      const client = await promptClient(context)
      const acr = { essential: true, values: ['urn:example:nobody-can-meet-this'] }
      const claims = JSON.stringify({ id_token: { acr } })
      const outcome = await context.flow.authorize(client, { claims })
      if (outcome.left || outcome.answer.status >= 400) see.turnedBack(outcome, [], 'an essential acr')
      else if (outcome.stuck !== undefined) see.notSeen(`an essential acr: ${sayOutcome(outcome)}`)
      const broken = await context.flow.authorize(client, { claims: '{' })
      see.holds(broken.answer.status < 500, `claims={: ${broken.answer.status}`, broken.answer)
    },
  },
]
