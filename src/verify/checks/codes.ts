import { anyRefusal, type Check, invalidGrant } from '../check.ts'
import { NotApplicable, NotShown } from '../failures.ts'
import type { Code, Flow } from '../flow.ts'
import { sayOutcome } from '../front-channel.ts'
import { fresh } from '../proofs.ts'
import { codeFlowClient } from './authorization.ts'

/** Whether a refused request left the code alone is the server's own matter, and worth knowing. */
async function lookAtCode(flow: Flow, code: Code, note: (words: string) => void): Promise<void> {
  const answer = await flow.redeem(code)
  if (answer.status !== 200)
    note('the refused request spent the code: its owner could not redeem it afterwards')
}

export const codeChecks: readonly Check[] = [
  {
    id: 'N71',
    section: 'RFC 6749 §5.2',
    title: 'an unknown code is invalid_grant',
    needs: ['code flow'],
    async run(context, see) {
      const { flow } = context
      const code = await flow.code(await codeFlowClient(context))
      see.refused(await flow.redeem({ ...code, value: fresh(32) }), invalidGrant, 'a made-up code')
      see.granted(await flow.redeem(code), 'a code')
    },
  },
  {
    id: 'N72',
    section: 'RFC 6749 §4.1.2',
    title: 'a code is good once; a second use ends what the first one began',
    needs: ['code flow'],
    accepts: 'Access tokens that cannot be introspected',
    async run(context, see) {
      const { flow } = context
      const client = await codeFlowClient(context)
      const tokens = await flow.tokens(client, { offline: true }).catch(() => flow.tokens(client))
      const before = await flow.active(client, tokens.access)
      const again = await flow.redeem(tokens.code)
      see.refused(again, invalidGrant, 'a code, the second time')
      if (tokens.refresh !== undefined) {
        const refreshed = await flow.refresh(client, tokens.refresh)
        see.refused(refreshed, invalidGrant, 'the refresh token of a code that was used twice (a SHOULD)')
      }
      if (before === false) see.notSeen('a new access token is not active, so its end cannot be seen')
      const active = await flow.active(client, tokens.access)
      see.holds(
        active !== true,
        'the access token of a code that was used twice is still active (a SHOULD)',
        again,
      )
    },
  },
  {
    id: 'N73',
    section: 'RFC 6749 §4.1.2',
    title: 'of parallel redemptions of one code, one at most succeeds',
    needs: ['code flow'],
    async run(context, see) {
      const { flow, wire } = context
      const client = await codeFlowClient(context)
      see.granted(await flow.redeem(await flow.code(client)), 'a code')
      for (let round = 0; round < 3; round++) {
        const code = await flow.code(client)
        const answers = await Promise.all(Array.from({ length: wire.atOnce }, () => flow.redeem(code)))
        const successes = answers.filter(({ status }) => status === 200)
        if (successes.length === 0) see.note('of parallel redemptions none succeeded')
        const second = successes[1]
        if (second) see.holds(false, `${successes.length} of ${answers.length} redemptions succeeded`, second)
        for (const answer of answers) {
          if (answer.status !== 200) see.refused(answer, invalidGrant, 'a redemption that came too late')
        }
      }
    },
  },
  {
    id: 'N74',
    section: 'RFC 6749 §4.1.3',
    title: 'a code is good for the client it was issued to alone',
    needs: ['code flow'],
    async run(context, see) {
      const { clients, flow } = context
      const owner = await codeFlowClient(context)
      const thief = await clients.of('other').catch(() => clients.of('public'))
      if (thief.id === owner.id) throw new NotShown('there is only one client')
      const code = await flow.code(owner)
      see.refused(await flow.redeem(code, {}, { as: thief }), invalidGrant, 'another client’s code')
      const answer = await flow.redeem(code)
      if (answer.status === 200) return
      see.note('the refused request spent the code: its owner could not redeem it afterwards')
      see.granted(await flow.redeem(await flow.code(owner)), 'a code')
    },
  },
  {
    id: 'N75',
    section: 'RFC 6749 §4.1.3',
    title: 'a redirect_uri other than that of the request is invalid_grant',
    needs: ['code flow'],
    async run(context, see) {
      const { flow } = context
      const client = await codeFlowClient(context)
      see.granted(await flow.redeem(await flow.code(client)), 'a code')
      const code = await flow.code(client)
      const others = [`${code.redirectUri}/other`, 'https://evil.example/callback']
      for (const other of [...others, ...client.redirectUris.filter((uri) => uri !== code.redirectUri)]) {
        see.refused(await flow.redeem(code, { redirect_uri: other }), invalidGrant, `redirect_uri=${other}`)
      }
      await lookAtCode(flow, code, see.note)
    },
  },
  {
    id: 'N76',
    section: 'RFC 7636 §4.6',
    title: 'a wrong, missing or malformed code_verifier is refused',
    needs: ['code flow'],
    accepts: 'Any code for a missing or malformed one; §4.6 names invalid_grant for a wrong one only',
    async run(context, see) {
      const { flow } = context
      const client = await context.clients.of('public').catch(() => codeFlowClient(context))
      see.granted(await flow.redeem(await flow.code(client)), 'a code')
      const code = await flow.code(client)
      see.refused(
        await flow.redeem(code, { code_verifier: fresh(32) }),
        invalidGrant,
        'a wrong code_verifier',
      )
      const malformed = {
        'no code_verifier': undefined,
        'a code_verifier of 42 characters': 'a'.repeat(42),
        'a code_verifier of 129 characters': 'a'.repeat(129),
        'a code_verifier outside its alphabet': `${'a'.repeat(42)}!`,
      }
      for (const [input, verifier] of Object.entries(malformed)) {
        const one = await flow.code(client)
        see.refused(await flow.redeem(one, { code_verifier: verifier }), anyRefusal, input)
      }
      await lookAtCode(flow, code, see.note)
    },
  },
  {
    id: 'N77',
    section: 'RFC 9700 §4.8.2',
    title: 'a code_verifier for a request without a code_challenge is refused',
    needs: ['code flow'],
    accepts: 'Any refusal',
    async run(context, see) {
      const { clients, flow } = context
      const client = await clients.of('confidential')
      const parameters = { code_challenge: undefined, code_challenge_method: undefined }
      await flow.code(client)
      const outcome = await flow.authorize(client, parameters)
      if (!outcome.left?.parameters.has('code')) {
        const refused =
          (outcome.pushed ?? outcome.answer).status >= 400 || outcome.left?.parameters.has('error')
        const what = 'no code is issued without a code_challenge'
        throw refused ? new NotApplicable(what) : new NotShown(`${what}: ${sayOutcome(outcome)}`)
      }
      const code = await flow.code(client, { parameters })
      see.refused(await flow.redeem(code), anyRefusal, 'a code_verifier')
      const plain = await flow.code(client, { parameters })
      see.granted(await flow.redeem(plain, { code_verifier: undefined }), 'a code without a code_verifier')
    },
  },
  {
    id: 'N78',
    section: 'RFC 6749 §5.2',
    title: 'a code or access token that is a character short or long is none',
    needs: ['code flow'],
    async run(context, see) {
      const { flow, server, wire } = context
      const client = await codeFlowClient(context)
      const code = await flow.code(client)
      for (const value of [code.value.slice(0, -1), `${code.value}A`]) {
        const input = `a code ${value.length < code.value.length ? 'cut short' : 'with one character more'}`
        see.refused(await flow.redeem({ ...code, value }), invalidGrant, input)
      }
      see.granted(await flow.redeem(code), 'a code')
      const tokens = await flow.tokens(client)
      const active = await flow.active(client, tokens.access)
      const atUserinfo = (access: string) =>
        wire.send({
          method: 'GET',
          url: server.userinfo_endpoint!,
          headers: { authorization: `Bearer ${access}` },
        })
      const shown = server.userinfo_endpoint !== undefined && (await atUserinfo(tokens.access)).status === 200
      if (!active && !shown) see.notSeen('there is no way to ask whether an access token is active')
      for (const access of [tokens.access.slice(0, -1), `${tokens.access}A`]) {
        const input = `an access token ${access.length < tokens.access.length ? 'cut short' : 'with one character more'}`
        see.holds((await flow.active(client, access)) !== true, `${input} is active`, tokens.answer)
        if (shown) see.refused(await atUserinfo(access), anyRefusal, `${input} at userinfo`)
      }
    },
  },
]
