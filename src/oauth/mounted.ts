// RFC 8414 §3.1; RFC 9728 §3.1: documents of an issuer with a path stand outside that path, at the root of the host, where the app
// around it has to hand them over. Whether it does is asked as a client asks.

import { resourceMetadataUrl } from '../api/resource-metadata.ts'
import { paths } from '../protocol/paths.ts'
import type { Settings } from '../settings.ts'
import type { Server } from './server.ts'

/** A document that clients look for and do not find. */
export interface Unmounted {
  url: string
  /** What came instead, as the rest of a sentence. */
  found: string
}

const patience = 5_000
/** After the first request, in milliseconds: by then the app is up. */
const askAfter = 1_000

/** Where a client looks for the server's metadata. */
export function metadataUrl(issuer: string): string {
  const { origin, pathname } = new URL(issuer)
  return origin + paths.serverMetadata + (pathname === '/' ? '' : pathname)
}

/** The documents at the root of the issuer's host, with the member that says whose each is. */
function documentsOf({ issuer, origin, resources }: Settings) {
  const named = Object.keys(resources).filter((resource) => new URL(resource).origin === origin)
  return [
    { url: metadataUrl(issuer), member: 'issuer', value: issuer },
    ...(named.length > 0 ? named : [issuer]).map((resource) => ({
      url: resourceMetadataUrl(resource)!,
      member: 'resource',
      value: resource,
    })),
  ]
}

/** Those that are answered wrongly. A host that does not answer at all says nothing about its routes. */
export async function unmountedDocuments(settings: Settings): Promise<Unmounted[]> {
  const looked = documentsOf(settings).map(async ({ url, member, value }): Promise<Unmounted[]> => {
    let answer: Response
    try {
      answer = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(patience) })
    } catch {
      return []
    }
    if (answer.status !== 200) {
      await answer.body?.cancel()
      return [{ url, found: `answers ${answer.status}` }]
    }
    const json = (await answer.json().catch(() => null)) as Record<string, unknown> | null
    return json?.[member] === value ? [] : [{ url, found: 'answers with something else' }]
  })
  return (await Promise.all(looked)).flat()
}

/** Looks once, soon after the first request, where the issuer has a path and background work is wanted; a warning names what lacks. */
export function watchMounted({ settings, log }: Server): { asked(): void; close(): void } {
  let timer: NodeJS.Timeout | undefined
  let closed = settings.base === '' || !settings.jobs
  async function look() {
    for (const { url, found } of await unmountedDocuments(settings)) {
      if (closed) return
      log.warn(`clients do not find ${url}, which ${found}: hand this path over as those below the issuer`)
    }
  }
  return {
    asked() {
      if (closed || timer) return
      timer = setTimeout(() => look().catch(() => {}), askAfter)
      timer.unref()
    },
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}
