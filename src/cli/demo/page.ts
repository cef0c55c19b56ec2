import { html } from '../../http/html.ts'
import type { Answer, Incoming } from '../../http/message.ts'
import { errorPage } from '../../pages/error.ts'
import * as icons from '../../pages/icons.ts'
import { head, layout } from '../../pages/layout.ts'
import { answerPage } from '../../pages/page.ts'
import type { Frame } from '../../pages/views.ts'
import { paths } from '../../protocol/paths.ts'
import { type Attempt, attemptAuthorization, type DemoClient, decode, redeemAnswer } from './client.ts'

const mostWaiting = 100

/** Where the demo client's users come back to: it redeems the code, as a client's backend does, and shows the token. */
export interface DemoCallback {
  /** A link that asks for authorization and always shows the consent page; good as often as it is followed. */
  link(): Promise<string>
  answer(request: Incoming): Promise<Answer>
}

export function demoCallback(demo: DemoClient, frame: Frame): DemoCallback {
  const waiting = new Map<string, { attempt: Attempt; codes: Set<string> }>()

  async function link(): Promise<string> {
    const attempt = await attemptAuthorization(demo, { prompt: 'consent' })
    if (waiting.size >= mostWaiting) waiting.delete(waiting.keys().next().value!)
    waiting.set(attempt.state, { attempt, codes: new Set() })
    return attempt.url
  }

  async function refused(message: string): Promise<Answer> {
    const view = { status: 400, title: 'No token this time', message }
    return answerPage(
      errorPage(frame, { ...view, links: [{ href: pathOf(await link()), text: 'Start again' }] }),
    )
  }

  return {
    link,
    async answer(request) {
      const parameters = new URLSearchParams(request.search)
      const known = waiting.get(parameters.get('state') ?? '')
      if (!known)
        return refused('This answer belongs to no request of this demo. It may have been restarted.')
      const code = parameters.get('code')
      // A second use would end the session of the first (RFC 6749 §4.1.2).
      if (code !== null && known.codes.has(code))
        return refused('This answer was used already: a code is good once.')
      try {
        if (code !== null) known.codes.add(code)
        const tokens = await redeemAnswer(demo, parameters, known.attempt)
        const claims = decode(tokens.access_token)?.claims ?? {
          token: 'opaque: only introspection tells what it means',
        }
        return answerPage(
          layout(frame, {
            title: 'A token',
            shape: 'narrow',
            main: html`<div class="card">
<div class="mark">${icons.check}</div>
${head(html`The demo client has a token`, html`It redeemed the code it got and holds an access token for ${tokens.expires_in ?? 0} seconds. This is inside:`)}
<dl class="details">${Object.entries(claims).map(
              ([name, value]) =>
                html`<dt>${name}</dt><dd><code>${typeof value === 'string' ? value : JSON.stringify(value)}</code></dd>`,
            )}</dl>
<a class="button plain" href="${new URL(frame.base + paths.connectedApps, demo.server.issuer).href}">Connected apps</a>
<a class="button plain" href="${await link()}">Once more</a>
</div>`,
          }),
        )
      } catch (error) {
        const { error: code } = error as { error?: unknown }
        return refused(
          code === 'access_denied'
            ? 'You said no, and the demo client was told so.'
            : `The answer could not be used: ${(error as Error).message}`,
        )
      }
    },
  }
}

/** The link on its own origin, the only kind an error page shows over http. */
function pathOf(url: string): string {
  const { pathname, search } = new URL(url)
  return pathname + search
}
