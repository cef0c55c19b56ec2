import { createServer } from 'node:http'
import { type Gatehouse, gatehouse, gptActionWarnings, gptRedirectUris, toNodeHandler } from 'gatehouse-auth'
import { existingSite } from '../existing-site.ts'
import { ownSecret } from '../own-secret.ts'
import { jobBoard, jobBoardConfig } from './job-board.ts'

const port = Number(process.env['PORT'] ?? 4400)
/** Where the world finds the board: `https://jobs.example.com`. */
const origin = process.env['ORIGIN'] ?? `http://localhost:${port}`
const issuer = process.env['ISSUER'] ?? origin
/** As the GPT editor shows it in the callback URL: `g-0123abcd`. */
const gptId = process.env['GPT_ID']

const site = existingSite(origin)
const auth = await gatehouse({
  issuer,
  secret: ownSecret(),
  database: process.env['DATABASE'] ?? '.gatehouse/example-custom-gpt.db',
  trustedProxies: process.env['TRUSTED_PROXIES']?.split(','),
  log: 'warn',
  ...jobBoardConfig(origin, site.accounts),
})
await registerGpt(auth)
for (const warning of gptActionWarnings(auth, `${origin}/api`)) console.log(`Warning: ${warning}`)

const board = jobBoard(auth, { origin, site, log: (entry) => console.log(JSON.stringify(entry)) })
const server = createServer(toNodeHandler(board))
server.listen(port, 'localhost', () => {
  console.log(`Listening on http://localhost:${port}`)
  console.log(`Import ${origin}/openapi.json in the GPT editor; privacy policy: ${origin}/privacy`)
})
process.once('SIGTERM', () => server.close(() => auth.close()))

/** The client for ChatGPT: created at the first start, and given the GPT id once it is known or has changed. */
async function registerGpt({ clients }: Gatehouse): Promise<void> {
  const known = (await clients.list()).find((client) => client.id === 'job-board-gpt')
  if (!known) {
    const { secret } = await clients.create({
      id: 'job-board-gpt',
      name: 'Job board GPT',
      profile: 'gpt_action',
      redirectUris: gptRedirectUris(gptId ?? 'g-not-known-yet'),
      ...(origin.startsWith('https:') ? { policyUri: `${origin}/privacy` } : {}),
    })
    console.log(`Client ID: job-board-gpt\nClient secret (shown this once): ${secret}`)
    return
  }
  const current = /\/aip\/([^/]+)\//.exec(known.redirectUris[0]!)![1]!
  if (gptId !== undefined && gptId !== current) {
    await clients.replaceGptId(known.id, current, gptId)
    console.log(`The GPT id is now ${gptId}, no longer ${current}`)
  }
}
