import { isLoopback } from '../../config/issuer.ts'
import { metadataUrl, unmountedDocuments } from '../../oauth/mounted.ts'
import type { Settings } from '../../settings.ts'
import { clockTolerance, type Report } from './finding.ts'

const patience = 5_000

/** `keys`: the ids of those this database publishes; undefined where they could not be read. */
export async function checkIssuer(
  program: string,
  settings: Settings,
  keys: readonly string[] | undefined,
  report: Report,
): Promise<void> {
  const { issuer } = settings
  const check = 'issuer'
  const url = metadataUrl(issuer)
  try {
    const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(patience) })
    const metadata =
      response.status === 200 ? ((await response.json()) as { issuer?: unknown; jwks_uri?: unknown }) : {}
    if (response.status !== 200) {
      report({
        check,
        result: 'failed',
        found: `${url} answers ${response.status}`,
        todo: 'let the app, or the proxy, pass this path to Gatehouse as it is, without a redirect (RFC 8414 §3)',
      })
    } else if (metadata.issuer !== issuer) {
      report({
        check,
        result: 'failed',
        found: `the metadata names ${JSON.stringify(metadata.issuer)}, the configuration ${JSON.stringify(issuer)}`,
        todo: 'clients compare both byte for byte (RFC 8414 §3.3): give the running server this configuration, or this one its issuer',
      })
    } else {
      const foreign = keys && (await foreignKeys(metadata.jwks_uri, keys))
      if (foreign === undefined) report({ check, result: 'ok', found: `${url} names ${issuer}` })
      else
        report({
          check,
          result: 'failed',
          found: `another server answers at ${url}: ${foreign}`,
          todo: 'give the running server this database, or this one its database and secret (GATEHOUSE_DATABASE_URL)',
        })
      checkServerClock(response, report)
      await checkDocuments(settings, report)
    }
  } catch (error) {
    const { cause } = error as { cause?: { message?: string; code?: string } }
    const why = cause?.code ?? cause?.message ?? (error as Error).message
    report({
      check,
      result: 'failed',
      found: `${url} does not answer: ${why}`,
      todo: isLoopback(new URL(issuer))
        ? `start it: ${program} dev, or ${program} serve`
        : 'see whether the server runs, and whether DNS, proxy and certificate are right',
    })
  }
}

/** Why the keys that are published there are those of another database; undefined where one of them is in this one. */
async function foreignKeys(url: unknown, keys: readonly string[]): Promise<string | undefined> {
  const response = await fetch(String(url), { redirect: 'manual', signal: AbortSignal.timeout(patience) })
  if (response.status !== 200) return `its keys, ${String(url)}, are answered with ${response.status}`
  const set = (await response.json()) as { keys?: { kid?: unknown }[] }
  const published = set.keys ?? []
  if (published.some(({ kid }) => keys.includes(String(kid)))) return undefined
  return `none of the ${published.length} keys it publishes is among the ${keys.length} of this database`
}

/** The metadata of its APIs; that of the server itself was found already. */
async function checkDocuments(settings: Settings, report: Report): Promise<void> {
  for (const { url, found } of await unmountedDocuments(settings))
    report({
      check: 'documents',
      result: 'warning',
      found: `${url} ${found}`,
      todo: 'let the app, or the proxy, pass this path to Gatehouse: clients look there for the metadata of the API (RFC 9728 §3.1)',
    })
}

function checkServerClock(response: Response, report: Report): void {
  const there = Date.parse(response.headers.get('date') ?? '')
  // The header tells whole seconds.
  const apart = Math.abs(Date.now() - there) - 1_000
  if (apart > clockTolerance) {
    report({
      check: 'server clock',
      result: 'failed',
      found: `the issuer's machine is about ${Math.round(apart / 1_000)} s apart`,
      todo: 'let both machines follow NTP',
    })
  }
}
