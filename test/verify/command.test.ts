// The command: what it asks for, what it takes, and how it ends.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { emptyFolder, freePort, run, serve } from '../cli/command-line.ts'
import { openToy } from './toy.ts'

const script = `
import { appendFileSync } from 'node:fs'
export async function signIn({ browser, url, person, decision }) {
  appendFileSync(new URL('visits', import.meta.url), person + ' ' + decision + '\\n')
  const page = await browser.open(url)
  const [form] = page.forms
  return browser.submit(form, {}, form.buttons.find(({ value }) => value === decision))
}`

/** The command against a toy, in a folder with these files. */
async function against(files: Record<string, string>, ...args: string[]) {
  const folder = emptyFolder()
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  const toy = await openToy()
  try {
    return { folder, ...(await run(folder, ['verify', toy.issuer, ...args])) }
  } finally {
    await toy.close()
  }
}

describe('gatehouse verify, the command', () => {
  test('does nothing before somebody has said yes', async () => {
    const { code, stdout, stderr } = await against({})
    assert.equal(code, 2)
    assert.equal(stdout, '')
    assert.match(stderr, /At most 2000 requests, at most 8 at once\./)
    assert.match(stderr, /Do so only if it is yours\. There is no terminal to answer on: add --yes/)
  })

  test('prints one line a rule, and what fell short not at all when nothing did', async () => {
    const { code, stdout } = await against({}, '--yes', '--only', 'N61', '--only', 'RFC 7636')
    assert.equal(code, 0)
    const [first, ...rest] = stdout.split('\n')
    assert.match(first!, /^N24 {3}held {12}RFC 7636 §4\.3: the method plain is refused/)
    assert.match(
      rest.join('\n'),
      /: 5 held, 0 fell short, 0 not applicable, 0 not shown, in \d+ requests\.\n$/,
    )
  })

  test('drives the sign-in by a script', async () => {
    const { code, folder, stderr } = await against(
      { 'sign-in.mjs': script },
      ...['--yes', '--only', 'N41', '--only', 'N44', '--sign-in', 'sign-in.mjs'],
    )
    assert.equal(code, 0, stderr)
    const visits = readFileSync(join(folder, 'visits'), 'utf8')
    for (const visit of ['1 allow', '1 deny', '2 allow']) assert.ok(visits.includes(visit), visit)
  })

  test('says in one line what it cannot work with, and ends with 2', async () => {
    const cases: [string[], RegExp, Record<string, string>?][] = [
      [['--sign-in', 'none.mjs'], /--sign-in: none\.mjs does not exist/],
      [['--sign-in', 'empty.mjs'], /--sign-in: empty\.mjs exports no function signIn/, { 'empty.mjs': '' }],
      [['--client', 'none.json'], /none\.json cannot be read: ENOENT/],
      [['--client', 'no.json'], /--client: no\.json is not JSON/, { 'no.json': '{' }],
      [['--client', 'id.json'], /--client: a client in id\.json has no client_id/, { 'id.json': '[{}]' }],
      [['--client-id', 'x'], /--client-id needs --redirect-uri/],
      [['--login', 'ann'], /--login needs the password in GATEHOUSE_VERIFY_PASSWORD/],
      [['--only', 'N999'], /no rule fits N999/],
    ]
    for (const [args, message, files = {}] of cases) {
      const { code, stdout, stderr } = await against(files, '--yes', ...args)
      assert.match(stderr, message)
      assert.equal(code, 2, stderr)
      assert.equal(stdout, '')
    }
  })

  test('ends with 2 where there is no server, and where the address is none', async () => {
    const folder = emptyFolder()
    const nobody = await run(folder, ['verify', `http://localhost:${await freePort()}`, '--yes'])
    assert.equal(nobody.code, 2)
    assert.match(nobody.stderr, /^gatehouse: no metadata was found: .*ECONNREFUSED/)
    const wrong = await run(folder, ['verify', 'localhost:4400', '--yes'])
    assert.equal(wrong.code, 2)
    assert.match(wrong.stderr, /localhost:4400 is no issuer; for example http:\/\/localhost:4400/)
  })

  test('ends with 2 where a correct flow does not come to its end', async () => {
    const client = JSON.stringify({ client_id: 'nobody', redirect_uris: ['https://client.example/callback'] })
    const { code, stderr } = await against(
      { 'client.json': client },
      '--yes',
      '--client',
      'client.json',
      '--only',
      'N61',
    )
    assert.equal(code, 0, 'another client was registered')
    assert.doesNotMatch(stderr, /gatehouse:/)
    const broken = "export const signIn = async () => { throw new Error('the page has changed') }"
    const stuck = await against({ 'sign-in.mjs': broken }, '--yes', '--sign-in', 'sign-in.mjs')
    assert.equal(stuck.code, 2)
    assert.match(stuck.stderr, /a correct flow does not come to its end.*the page has changed/)
  })
})

describe('gatehouse verify, with clients that somebody made', () => {
  test('RFC 7591 §3: it registers by invitation, and nobody else does (N108)', async () => {
    const folder = emptyFolder()
    writeFileSync(
      join(folder, 'gatehouse.config.mjs'),
      "export default { registration: { policy: 'initial_access_token' }, scopes: { 'jobs:read': 'Jobs' } }",
    )
    const env = { PORT: await freePort() }
    const server = await serve(folder, ['dev', '--no-demo'], env)
    try {
      const made = await run(folder, ['clients', 'invite', '--name', 'Verify', '--uses', '5', '--json'], env)
      const [invitation] = made.lines<{ initial_access_token: string }>()
      writeFileSync(join(folder, 'invitation'), invitation!.initial_access_token)
      const args = ['--yes', '--json', '--only', 'N108', '--initial-access-token-file', 'invitation']
      const { code, stdout, stderr } = await run(folder, ['verify', server.issuer, ...args])
      assert.equal(code, 0, stderr)
      assert.equal(JSON.parse(stdout).checks[0].result, 'held')
      assert.ok(!stdout.includes(invitation!.initial_access_token))
    } finally {
      await server.end()
    }
  })

  test('it acts as a client that was made by hand, and signs in as a person who is known', async () => {
    const folder = emptyFolder()
    const env = { PORT: await freePort() }
    const server = await serve(folder, ['dev'], env)
    try {
      await server.line('stdout', /"authorize"/)
      const { login, password, clientSecret } = JSON.parse(
        readFileSync(join(folder, '.gatehouse/demo.json'), 'utf8'),
      ) as Record<string, string>
      writeFileSync(join(folder, 'secret'), `${clientSecret}\n`)
      const { code, stdout, stderr } = await run(
        folder,
        [
          ...['verify', server.issuer, '--yes', '--json', '--login', login!],
          ...['--client-id', 'demo', '--client-secret-file', 'secret'],
          ...['--redirect-uri', `${server.issuer}/demo/callback`, '--only', 'RFC 6749 §5'],
        ],
        { GATEHOUSE_VERIFY_PASSWORD: password! },
      )
      const { checks } = JSON.parse(stdout) as { checks: { id: string; result: string }[] }
      // Nobody said which grant types the client has (N58).
      assert.equal(code, 3, stderr + stdout)
      assert.deepEqual(
        checks.filter(({ result }) => result === 'held').map(({ id }) => id),
        ['N57', 'N60', 'N61', 'N64', 'N71', 'N78', 'N80'],
      )
    } finally {
      await server.end()
    }
  })
})
