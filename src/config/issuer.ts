import { custom, type Place } from './section.ts'

const example = 'https://auth.example.com'

/** Compared byte for byte by clients, so it must be written the way URLs are normalised. */
export const issuer = custom<string>('string', (given, place) => {
  if (typeof given !== 'string' || !URL.canParse(given)) {
    place.problem('an absolute URL', given, example)
    return ''
  }
  const url = new URL(given)
  const canonical = url.origin + (url.pathname === '/' ? '' : url.pathname)
  if (given !== canonical || given.endsWith('/'))
    place.problem(
      'scheme, host and path only, in lower case, without trailing slash, query or fragment',
      given,
      canonical.replace(/\/+$/, ''),
    )
  return given
})

/** What follows from an issuer's URL. */
export interface IssuerParts {
  origin: string
  /** Path of the issuer, '' at the root. */
  base: string
  /** https: cookies are Secure. */
  secure: boolean
  loopback: boolean
}

export function partsOf(issuer: string): IssuerParts {
  const url = URL.canParse(issuer) ? new URL(issuer) : undefined
  return {
    origin: url?.origin ?? '',
    base: url && url.pathname !== '/' ? url.pathname : '',
    secure: url?.protocol === 'https:',
    loopback: url !== undefined && isLoopback(url),
  }
}

export function checkIssuer(issuer: string, allowInsecure: boolean, place: Place): void {
  if (issuer === '') return
  const url = new URL(issuer)
  const safe = url.protocol === 'https:' || (url.protocol === 'http:' && (isLoopback(url) || allowInsecure))
  if (!safe) place.problem('https (http on loopback only, or with allowInsecureIssuer)', issuer, example)
}

export function isLoopback(url: URL): boolean {
  return url.hostname === 'localhost' || url.hostname === '127.0.0.1' || url.hostname === '[::1]'
}
