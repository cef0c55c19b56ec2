// Requests nobody sends: made from a seed, so that a run can be repeated.

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** The run's seed: `FUZZ_SEED`, or one of the moment. */
export function chooseSeed(): number {
  const given = process.env['FUZZ_SEED']
  return given === undefined ? Date.now() >>> 0 : Number(given) >>> 0
}

/** What is true of one server and makes a random request plausible: ids, secrets, tokens, codes, cookies. */
export interface Ingredients {
  paths: string[]
  clients: { id: string; secret?: string }[]
  tokens: string[]
  cookies: string[]
  words: string[]
}

export interface RandomRequest {
  method: string
  /** Path and query as they go over the wire: visible ASCII. */
  target: string
  headers: [string, string][]
  body: Buffer | undefined
}

const methods = [
  ...Array<string>(16).fill('POST'),
  ...Array<string>(8).fill('GET'),
  ...['HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'QUERY'],
]
const names = [
  'client_id',
  'client_secret',
  'redirect_uri',
  'response_type',
  'response_mode',
  'scope',
  'state',
  'nonce',
  'code',
  'code_verifier',
  'code_challenge',
  'code_challenge_method',
  'grant_type',
  'refresh_token',
  'token',
  'token_type_hint',
  'resource',
  'prompt',
  'max_age',
  'login_hint',
  'request',
  'request_uri',
  'client_assertion',
  'client_assertion_type',
  'form_token',
  'decision',
  'gatehouse_demanded',
  'gatehouse_cancelled',
  '__proto__',
  'constructor',
]
const values = [
  'code',
  'S256',
  'plain',
  'authorization_code',
  'refresh_token',
  'client_credentials',
  'password',
  'form_post',
  'query',
  'none',
  'login',
  'consent',
  'allow',
  'deny',
  'jobs:read',
  'jobs:read resume:read',
  'https://client.example/callback',
  'http://127.0.0.1:1/callback',
  'http://localhost:4400',
  '0',
  '-1',
  '1e309',
  '99999999999999999999',
  'true',
  'null',
  '[object Object]',
  "'; drop table clients; --",
  '{{7*7}}',
  '#{7*7}',
  '../../../../etc/passwd',
  '<script>alert(1)</script>',
  '\0',
  '\r\nset-cookie: evil=1',
  '\ud83d\ude00',
  '\u202e',
  '\ufffe\uffff',
  'ä'.repeat(100),
  '%',
  '%00',
  '%zz',
  '+',
  'toString',
  '__proto__',
]
const contentTypes = [
  'application/x-www-form-urlencoded',
  'application/x-www-form-urlencoded',
  'application/x-www-form-urlencoded;charset=utf-16',
  'application/json',
  'multipart/form-data; boundary=x',
  'multipart/form-data',
  'text/plain',
  'text/html;;;',
  '\u00ff\u00fe',
  'x'.repeat(2_000),
]

/** Makes one request after another. */
export function requestsFrom(random: () => number, given: Ingredients): () => RandomRequest {
  const below = (n: number) => Math.floor(random() * n)
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!
  const chance = (p: number) => random() < p
  const bytes = (length: number) => Buffer.from(Array.from({ length }, () => below(256)))

  /** A value that may be right, nearly right, or anything. */
  function value(name: string): string {
    const made = chance(0.5) ? right(name) : pick([...values, ...given.words])
    if (chance(0.15)) return spoil(made)
    if (chance(0.02)) return made.repeat(below(300))
    return made
  }

  function right(name: string): string {
    if (name === 'client_id') return pick(given.clients).id
    if (name === 'client_secret') return pick(given.clients).secret ?? ''
    if (/token|^code$|request$/.test(name)) return pick(given.tokens)
    if (name === 'redirect_uri') return 'https://client.example/callback'
    if (name === 'response_type') return 'code'
    if (name === 'code_challenge_method') return 'S256'
    if (name === 'code_challenge' || name === 'code_verifier') return 'A'.repeat(43)
    if (name === 'grant_type') return pick(['authorization_code', 'refresh_token', 'client_credentials'])
    if (name === 'decision') return pick(['allow', 'deny'])
    return pick(values)
  }

  function spoil(text: string): string {
    const at = below(text.length + 1)
    const kind = below(4)
    if (kind === 0) return text.slice(0, at)
    if (kind === 1) return text.slice(0, at) + pick(values) + text.slice(at)
    if (kind === 2) return text.slice(0, at) + String.fromCharCode(below(0x800)) + text.slice(at + 1)
    return bytes(below(40)).toString('latin1')
  }

  function encode(text: string): string {
    const kind = below(20)
    if (kind === 0) return text
    if (kind === 1) return escape(text)
    if (kind === 2) return encodeURIComponent(text.toWellFormed()).toLowerCase()
    if (kind === 3) return `${encodeURIComponent(text.toWellFormed())}%`
    return encodeURIComponent(text.toWellFormed()).replaceAll('%20', chance(0.5) ? '+' : '%20')
  }

  function form(): string {
    const wanted = chance(0.6) ? plausible() : Array.from({ length: below(10) }, () => pick(names))
    const pairs = wanted.map((name) => `${encode(name)}${chance(0.97) ? '=' : ''}${encode(value(name))}`)
    if (chance(0.03)) return Array.from({ length: 3_000 }, () => pairs[0] ?? 'a=b').join('&')
    return pairs.join(chance(0.98) ? '&' : pick([';', '&&', '=', '\n']))
  }

  function plausible(): string[] {
    const all = pick([
      [
        'response_type',
        'client_id',
        'redirect_uri',
        'scope',
        'state',
        'code_challenge',
        'code_challenge_method',
      ],
      ['grant_type', 'client_id', 'client_secret', 'code', 'redirect_uri', 'code_verifier'],
      ['grant_type', 'client_id', 'client_secret', 'refresh_token', 'scope', 'resource'],
      ['token', 'token_type_hint', 'client_id', 'client_secret'],
      ['request', 'form_token', 'decision', 'scope'],
    ])
    return [...all.filter(() => chance(0.92)), ...(chance(0.2) ? [pick(names)] : [])]
  }

  function authorization(): string {
    const { id, secret } = pick(given.clients)
    const pair = pick([
      `${id}:${secret ?? ''}`,
      `${spoil(id)}:${spoil(secret ?? '')}`,
      bytes(below(60)).toString('latin1'),
      `${id}`,
      '%:%',
    ])
    const text = Buffer.from(pair).toString('base64')
    return pick([
      `Basic ${text}`,
      `basic  ${text}`,
      `Bearer ${pick(given.tokens)}`,
      `DPoP ${text}`,
      'Basic',
      text,
      'Basic ====',
      `Basic ${text}`,
      `Basic ${'A'.repeat(below(6_000))}`,
    ])
  }

  function headers(): [string, string][] {
    const list: [string, string][] = []
    if (chance(0.85)) list.push(['content-type', pick(contentTypes)])
    if (chance(0.35)) list.push(['authorization', authorization()])
    if (chance(0.3))
      list.push(['cookie', chance(0.5) ? pick(given.cookies) : `gh_browser=${spoil('x'.repeat(22))}; =; ;;a`])
    if (chance(0.2))
      list.push(['origin', pick(['null', 'https://evil.example', 'x', 'http://localhost:4400'])])
    if (chance(0.1))
      list.push(['accept', pick(['*/*', 'application/json', 'text/html', ';;;,', 'x'.repeat(500)])])
    if (chance(0.1))
      list.push(['x-forwarded-for', pick(['1.2.3.4', '::1, x', 'unknown', ',,,,', '9'.repeat(1_000)])])
    if (chance(0.1)) list.push(['user-agent', pick(['', 'x'.repeat(3_000), '\u00e4\u00ff', 'null'])])
    if (chance(0.05)) list.push(['x-http-method-override', 'DELETE'])
    if (chance(0.05)) list.push(['dpop', 'a.b.c'])
    if (chance(0.05)) list.push(['accept-language', '\u00ff;q=1,,'])
    return list.map(([name, text]) => [name, headerText(text)])
  }

  function body(): Buffer {
    const kind = below(20)
    if (kind === 0) return bytes(below(2_000))
    if (kind === 1)
      return Buffer.from(JSON.stringify({ grant_type: 'refresh_token', [pick(names)]: { a: [1] } }))
    if (kind === 2) return Buffer.from('['.repeat(20_000))
    if (kind === 3) return Buffer.alloc(70_000 + below(30_000), 'a=b&')
    if (kind === 4) return Buffer.concat([Buffer.from(form()), bytes(8)])
    if (kind === 5) return Buffer.from(form(), 'latin1')
    return Buffer.from(form())
  }

  return () => {
    const method = pick(methods)
    let path = pick(given.paths)
    if (chance(0.08))
      path = pick([
        `${path}/`,
        `/${path}`,
        `${path}/../token`,
        path.toUpperCase(),
        `${path}%00`,
        `${path};x=1`,
        '/%',
        '/%ff',
        '/..%2f',
        '//evil.example/oauth/token',
        `/${'x'.repeat(3_000)}`,
        path.replace('o', '%6f'),
      ])
    const query = chance(method === 'GET' ? 0.8 : 0.15) ? `?${targetText(form())}` : ''
    const bodiless = method === 'GET' || method === 'HEAD'
    return {
      method,
      target: (path + query).slice(0, 9_000),
      headers: headers(),
      body: bodiless || chance(0.05) ? undefined : body(),
    }
  }
}

/** What a header line can carry. */
function headerText(text: string): string {
  return text.replace(/[^\t\x20-\x7e\x80-\xff]/g, '?').trim()
}

/** What a request line can carry. */
function targetText(text: string): string {
  return text
    .replace(/[^\x21-\x7e]/g, (character) => encodeURIComponent(character.toWellFormed()))
    .replaceAll('#', '%23')
}
