// What a browser without scripts makes of pages, cookies and redirects, and what the built-in sign-in does on pages.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { type Browser, openBrowser } from '../../src/verify/browser.ts'
import { readPage } from '../../src/verify/html.ts'
import { signInByForms } from '../../src/verify/sign-in.ts'
import { openWire } from '../../src/verify/wire.ts'

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void

/** A browser on a server that answers as it is told; it stops at client.example. */
async function on(answer: Answer, use: (browser: Browser, url: string) => Promise<void>): Promise<void> {
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => (body += chunk))
    request.on('end', () => answer(request, response, body))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const wire = openWire(100, 2, new Set([url]))
  const jar = { cookies: new Map() }
  try {
    const browser = openBrowser({ wire, jar, stops: ({ hostname }) => hostname === 'client.example' })
    await use(browser, url)
  } finally {
    wire.close()
    server.close()
  }
}

const html = (response: ServerResponse, text: string, headers: Record<string, string | string[]> = {}) =>
  response.writeHead(200, { 'content-type': 'text/html', ...headers }).end(text)

describe('gatehouse verify, pages', () => {
  test('forms, fields, buttons, links and the title are read whatever the quotes and the order', () => {
    const page = readPage(
      `<title>Sign &amp; in</title><!-- <form action=/no> --><script>"<form>"</script>
       <form action='/go?a=1&amp;b=2' method=post><input value="x&#39;&#x41;" name=one type=hidden>
       <input name=two><input type=checkbox name=three checked value=3><textarea name=four>text</textarea>
       <button name="decision" value="allow"><b>Let</b> in</button><input type=submit value=Deny>
       <button type="button">nothing</button></form><a href="more">More <i>here</i></a>`,
      'https://server.example/path/page',
    )
    assert.equal(page.title, 'Sign & in')
    assert.deepEqual(page.links, [{ url: 'https://server.example/path/more', text: 'More here' }])
    assert.deepEqual(page.forms, [
      {
        action: 'https://server.example/go?a=1&b=2',
        method: 'POST',
        fields: [
          { name: 'one', value: "x'A", type: 'hidden', checked: false },
          { name: 'two', value: '', type: 'text', checked: false },
          { name: 'three', value: '3', type: 'checkbox', checked: true },
          { name: 'four', value: 'text', type: 'text', checked: false },
        ],
        buttons: [
          { name: 'decision', value: 'allow', text: 'Let in' },
          { name: '', value: 'Deny', text: 'Deny' },
        ],
      },
    ])
  })

  test('cookies keep to their path and end, redirects are followed and the last one is not', () =>
    on(
      (request, response) => {
        const { url, headers } = request
        if (url === '/begin')
          response
            .writeHead(302, {
              location: '/inner/page',
              'set-cookie': ['a=1; Path=/', 'b=2; Path=/inner', 'c=3'],
            })
            .end()
        else if (url === '/inner/page')
          response
            .writeHead(303, { location: '/out', 'set-cookie': 'a=; Path=/; Max-Age=0' })
            .end(headers.cookie)
        else
          response
            .writeHead(303, { location: 'https://client.example/callback?code=x#y=z' })
            .end(headers.cookie)
      },
      async (browser, url) => {
        const page = await browser.open(`${url}/begin`)
        assert.equal(page.left?.how, 'redirect')
        assert.equal(page.left?.url, 'https://client.example/callback?code=x#y=z')
        assert.deepEqual(
          [...page.left!.parameters],
          [
            ['code', 'x'],
            ['y', 'z'],
          ],
        )
        assert.deepEqual(
          browser.answers.map(({ text }) => text),
          ['', 'b=2; a=1; c=3', 'c=3'],
        )
      },
    ))

  test('OAuth 2.0 Form Post Response Mode §2: a page that posts itself to the client is a way to leave', () =>
    on(
      (_, response) =>
        html(
          response,
          '<form method="post" action="https://client.example/cb"><input type=hidden name=code value=x>',
        ),
      async (browser, url) => {
        const { left } = await browser.open(url)
        assert.equal(left?.how, 'form_post')
        assert.equal(left?.parameters.get('code'), 'x')
      },
    ))

  test('a redirect without end is no page', () =>
    on(
      (_, response) => response.writeHead(302, { location: '/' }).end(),
      async (browser, url) => {
        await assert.rejects(browser.open(url), /more than 12 redirects/)
      },
    ))
})

describe('gatehouse verify, the built-in sign-in', () => {
  /** A server with a sign-in page and a consent page; what is posted is written down. */
  function pages(posted: string[]): Answer {
    return (request, response, body) => {
      if (request.method === 'POST') posted.push(body)
      const signedIn = request.headers.cookie?.includes('user')
      if (request.url === '/sign-in' && request.method === 'POST')
        response.writeHead(303, { location: '/authorize', 'set-cookie': 'user=1' }).end()
      else if (request.url === '/consent')
        response.writeHead(303, { location: 'https://client.example/cb?done=1' }).end()
      else if (signedIn)
        html(
          response,
          '<form method=post action=/consent><button name=a value=deny>No</button><button name=a value=allow>Yes</button>',
        )
      else
        html(response, '<form method=post action=/sign-in><input name=email><input type=password name=pass>')
    }
  }

  for (const decision of ['allow', 'deny'] as const) {
    test(`types what was given and presses ${decision}`, () => {
      const posted: string[] = []
      return on(pages(posted), async (browser, url) => {
        const signIn = signInByForms({ login: 'ann@client.example', password: 'secret words' })
        const page = await signIn({ browser, url: `${url}/authorize`, person: 1, round: 1, decision })
        assert.equal(page.left?.parameters.get('done'), '1')
        assert.deepEqual(posted, ['email=ann%40client.example&pass=secret+words', `a=${decision}`])
      })
    })
  }

  test('is two different people, each the same every time', async () => {
    const signIn = signInByForms()
    const logins: string[] = []
    for (const person of [1, 2, 1] as const) {
      const posted: string[] = []
      await on(pages(posted), async (browser, url) => {
        await signIn({ browser, url: `${url}/authorize`, person, round: 1, decision: 'allow' })
      })
      logins.push(new URLSearchParams(posted[0]).get('email')!)
    }
    assert.equal(logins[0], logins[2])
    assert.notEqual(logins[0], logins[1])
  })

  test('gives up on a page that leads nowhere', () =>
    on(
      (_, response) => html(response, '<p>Nothing here.'),
      async (browser, url) => {
        const page = await signInByForms()({ browser, url, person: 1, round: 1, decision: 'allow' })
        assert.equal(page.left, undefined)
      },
    ))
})
