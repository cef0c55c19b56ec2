import type { Check, Context, Sight } from '../check.ts'
import { type Client, codeClient } from '../clients.ts'
import { NotApplicable, NotShown } from '../failures.ts'
import { type AskOptions, type Outcome, sayOutcome } from '../front-channel.ts'
import { decodeEntities } from '../html.ts'
import type { Answer, Outgoing } from '../wire.ts'
import { codeFlowClient } from './authorization.ts'

const evilName = 'Verify<img src=x onerror=alert(1)>'

/**
 * Signs in, asks for consent, and sends what is posted there from another browser first. It must get no code, and the
 * browser the form was shown to must.
 */
async function postElsewhere(
  { clients, flow }: Context,
  see: Sight,
  other: AskOptions,
  who: string,
): Promise<void> {
  const client = await clients.of('confidential').catch(() => clients.of('public'))
  let posts = 0
  const own = await flow.authorize(
    client,
    { prompt: 'consent' },
    {
      async beforePost() {
        posts += 1
        return undefined
      },
    },
  )
  if (posts === 0) throw new NotShown('nothing was posted: consent was not asked')
  if (!own.left?.parameters.has('code'))
    throw new NotShown(`its owner got no code either: ${sayOutcome(own)}`)
  posts = 0
  const outcome = await flow.authorize(
    client,
    { prompt: 'consent' },
    {
      async beforePost(request) {
        posts += 1
        const stolen = await flow.elsewhere(client, request, other)
        see.holds(
          !stolen.left?.parameters.has('code'),
          `the consent form of one browser, posted by ${who}, got a code`,
          stolen.answer,
        )
        return undefined
      },
    },
  )
  if (posts === 0) throw new NotShown('the second time nothing was posted: consent was not asked')
  if (outcome.left?.parameters.has('code')) return
  see.note(`after ${who} had posted it, the form no longer worked for its owner`)
}

/** RFC 6749 §10.13; RFC 9700 §4.16: either of the two headers, on every page. */
function framesRefused(see: Sight, { page, answer }: Outcome, which: string): void {
  if (!page || !/html/.test(answer.headers.get('content-type') ?? '')) {
    see.notSeen(`${which} was not seen`)
    return
  }
  const policy = answer.headers.get('content-security-policy') ?? ''
  const ancestors = /frame-ancestors\s+([^;]*)/.exec(policy)?.[1]?.trim()
  const old = answer.headers.get('x-frame-options')?.toUpperCase()
  const refused = ancestors === "'none'" || ancestors === "'self'" || old === 'DENY' || old === 'SAMEORIGIN'
  see.holds(refused, `${which} may be framed by any site: no frame-ancestors and no X-Frame-Options`, answer)
}

async function nameShown(context: Context, see: Sight, metadata: Record<string, unknown>): Promise<void> {
  const { clients, flow, server } = context
  const answer = await clients.tryRegister({
    ...codeClient(server, 'none', [clients.redirectUri]),
    ...metadata,
  })
  // Refused is as good as shown inert.
  if (answer.status >= 400 && answer.status < 500) return
  see.granted(answer, 'registering a client')
  const client = clients.adopt(answer)
  const pages: Answer[] = []
  await flow
    .authorize(client, { prompt: 'consent' }, { look: true })
    .then((outcome) => pages.push(...outcome.answers))
  await flow
    .authorize(client, {}, { look: true, stranger: true })
    .then((outcome) => pages.push(...outcome.answers))
  const html = pages.filter(
    ({ status, headers }) => status < 400 && /html/.test(headers.get('content-type') ?? ''),
  )
  if (html.length === 0) throw new NotShown('no page of the flow was seen')
  const shown = String(metadata['client_name'])
  if (!html.some(({ text }) => decodeEntities(text).includes(shown)))
    throw new NotApplicable('no page shows the name of a client')
  for (const page of pages) {
    see.holds(!page.text.includes(evilName), 'the markup in client_name is markup on a page', page)
    const link = /\b(?:href|src)\s*=\s*["']?\s*javascript:/i.test(page.text)
    see.holds(!link, 'a javascript: URL of the client is a link on a page', page)
  }
}

export const pageChecks: readonly Check[] = [
  {
    id: 'N43',
    section: 'RFC 6749 §10.12',
    title: 'a consent form posted from another site’s browser grants nothing',
    needs: ['code flow'],
    accepts: 'Any answer but a code',
    run: (context, see) => postElsewhere(context, see, { stranger: true }, 'a browser without its cookies'),
  },
  {
    id: 'N44',
    section: 'RFC 6749 §10.12',
    title: 'a consent form posted by another user grants nothing',
    needs: ['code flow'],
    accepts: 'Any answer but a code',
    async run(context, see) {
      const { flow } = context
      const client = await codeFlowClient(context)
      await flow.code(client, { person: 2 })
      await postElsewhere(context, see, { person: 2 }, 'another signed-in user')
    },
  },
  {
    id: 'N45',
    section: 'RFC 9700 §2.3',
    title: 'consent cannot be posted for more than was asked',
    needs: ['code flow'],
    accepts: 'The surplus may be refused or ignored',
    async run(context, see) {
      const { flow } = context
      const client = await codeFlowClient(context)
      const [asked, surplus] = flow.scopesFor(client, 2)
      let posts = 0
      const beforePost = async (request: Outgoing): Promise<Outgoing> => {
        posts += 1
        return {
          ...request,
          body: `${request.body ?? ''}&${new URLSearchParams({ scope: `${asked} ${surplus}` })}`,
        }
      }
      await flow.code(client)
      const parameters = { prompt: 'consent' }
      const tokens = await flow
        .tokens(client, { scope: [asked], parameters, beforePost })
        .catch((error: Error) => error)
      if (posts === 0) throw new NotShown('nothing was posted: consent was not asked')
      if (tokens instanceof Error) {
        const outcome = await flow.authorize(client, { scope: asked, prompt: 'consent' }, { beforePost })
        see.turnedBack(outcome, [], 'a form that grants more')
        return
      }
      const granted = (tokens.scope ?? asked).split(' ')
      see.holds(
        !granted.includes(surplus),
        `${surplus} was granted, though only ${asked} was asked for`,
        tokens.answer,
      )
    },
  },
  {
    id: 'N46',
    section: 'RFC 9700 §4.16',
    title: 'no page of the flow may be framed by another site',
    needs: ['code flow'],
    accepts: 'Content-Security-Policy frame-ancestors or X-Frame-Options, refusing all sites or all others',
    async run(context, see) {
      const { flow } = context
      const client = await codeFlowClient(context)
      const [error, signIn, consent] = [
        await flow.authorize(client, { redirect_uri: 'https://evil.example/callback' }, { look: true }),
        await flow.authorize(client, {}, { look: true, stranger: true }),
        await flow.authorize(client, { prompt: 'consent' }, { look: true }),
      ]
      framesRefused(see, error, 'the error page')
      framesRefused(see, signIn, 'the sign-in page')
      framesRefused(see, consent, 'the consent page')
    },
  },
  {
    id: 'N47',
    section: 'RFC 7591 §5',
    title: 'what a client says about itself is shown as text, and never as a script',
    needs: ['code flow', 'registration'],
    accepts: 'The registration may be refused instead',
    async run(context, see) {
      await nameShown(context, see, { client_name: evilName })
      const url = 'javascript:alert(1)'
      await nameShown(context, see, { client_name: 'Verify', client_uri: url, policy_uri: url, tos_uri: url })
      await nameShown(context, see, { client_name: 'Verify', logo_uri: url })
    },
  },
  {
    id: 'N48',
    section: 'RFC 9700 §4.12',
    title: 'no redirect after a form repeats the form elsewhere',
    needs: ['code flow'],
    accepts: '302 as well as 303',
    async run(context, see) {
      const client: Client = await codeFlowClient(context)
      const outcome = await context.flow.authorize(client, {}, { stranger: true })
      const posted = outcome.answers.filter(({ request }) => request.method === 'POST')
      if (posted.length === 0) throw new NotShown('nothing was posted: the sign-in has no form')
      for (const answer of posted) {
        see.holds(
          answer.status !== 307 && answer.status !== 308,
          `a form was answered with ${answer.status}`,
          answer,
        )
      }
    },
  },
]
