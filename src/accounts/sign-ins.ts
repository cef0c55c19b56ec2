import { makeToken, readToken, type StoredToken } from '../crypto/tokens.ts'
import type { InputOf } from '../db/sql.ts'
import { type EventType, eventInput } from '../events/append.ts'
import { cookieName, readCookie, writeCookie } from '../http/cookies.ts'
import type { Incoming } from '../http/message.ts'
import type { Account, AccountsContext } from './account.ts'
import {
  beginSignIn,
  endSignIn,
  findSignIn,
  type ListedSignIn,
  renewSignIn,
  type SignInRow,
  type signInColumns,
  signInsOfUser,
  touchSignIn,
} from './records/sign-ins.ts'
import { sidOf } from './sign-outs.ts'

const cookie = 'gh_sign_in'
/** How stale the time a sign-in was last seen may be, in milliseconds. */
const touchEvery = 60_000

type Headers = Pick<Incoming, 'header'>

/** How a user proved who they are; `authTime` defaults to now and is null where it is unknown. */
export type Authentication = Pick<Account, 'acr' | 'amr'> & {
  authTime?: number | null
  /** Hash of the password that was checked. */
  checkedHash?: string
}

/** Sign-ins of one provider whose pages are ours: a cookie in the browser, a hashed row in the database. */
export interface SignIns {
  /** Who the browser is signed in as. */
  find(request: Headers): Promise<SignInRow | undefined>
  /**
   * A new sign-in under a token of its own (never the one the browser came with), made but not yet written: `input` goes
   * into an operation that takes `signInColumns`, and the cookie out with the answer.
   */
  prepare(
    request: Incoming,
    userId: string,
    event: EventType,
    how?: Authentication,
  ): Promise<{ input: InputOf<typeof signInColumns>; setCookie: string }>
  /**
   * Signs the browser in; one that was signed in as the same user stays so, as of now. Answers the cookie, or undefined where
   * the user was disabled or the password changed meanwhile.
   */
  begin(request: Incoming, userId: string, how?: Authentication): Promise<string | undefined>
  /** Signs the browser out. Answers the cookie that says so. */
  end(request: Pick<Incoming, 'header' | 'address'>): Promise<string>
  ofUser(userId: string): Promise<ListedSignIn[]>
  accountOf(row: SignInRow): Account
}

export function openSignIns(context: AccountsContext, provider: string, lifetime: number): SignIns {
  const { db, settings, now } = context
  const { secure, base } = settings

  function presented(request: Headers): StoredToken | undefined {
    const token = readCookie(request, cookieName(cookie, settings))
    return token === undefined ? undefined : readToken('gh_si', token)
  }

  /** `id`: of the sign-in that goes on under a new secret. */
  function made(request: Incoming, userId: string, event: EventType, how: Authentication, id?: string) {
    const time = now()
    const { token, ...stored } = makeToken('gh_si', time, id === undefined ? {} : { id })
    return {
      input: {
        sign_in_id: stored.id,
        sign_in_hash: stored.hash,
        user_id: userId,
        auth_time: how.authTime === null ? 0 : (how.authTime ?? time),
        acr: how.acr ?? null,
        amr: how.amr?.join(' ') ?? null,
        now: time,
        sign_in_expires_at: time + lifetime,
        checked_hash: how.checkedHash ?? null,
        ...eventInput(time, event, { userId, ...originOf(request) }, { provider }),
      },
      setCookie: writeCookie(cookie, token, { secure, base, maxAge: Math.floor(lifetime / 1_000) }),
    }
  }

  const sidOfRow = (row: SignInRow) => sidOf({ provider, issuer: row.issuer, sessionId: row.id })

  async function former(request: Headers): Promise<{ row: SignInRow; hash: string } | undefined> {
    const stored = presented(request)
    const row = stored && (await db.one(findSignIn, { ...stored, provider, now: now() }))
    return row && { row, hash: stored.hash }
  }

  const prepare: SignIns['prepare'] = async (request, userId, event, how = {}) => {
    const ended = await former(request)
    const { input, setCookie } = made(request, userId, event, how)
    return {
      input: {
        ...input,
        ended_id: ended?.row.id ?? null,
        ended_hash: ended?.hash ?? null,
        ended_user: ended?.row.user_id ?? null,
        ended_sid: ended ? sidOfRow(ended.row) : null,
      },
      setCookie,
    }
  }

  return {
    async find(request) {
      const stored = presented(request)
      if (!stored) return undefined
      const time = now()
      const row = await db.one(findSignIn, { ...stored, provider, now: time })
      if (row && time - row.last_seen_at >= touchEvery) {
        db.write(touchSignIn, { id: row.id, now: time }).catch((error: unknown) => {
          context.log.warn('a sign-in could not be marked as seen', { error: String(error) })
        })
      }
      return row
    },

    prepare,

    async begin(request, userId, how = {}) {
      const known = await former(request)
      if (known?.row.user_id === userId) {
        const { input, setCookie } = made(request, userId, 'sign_in', how, known.row.id)
        const ended = { ended_id: known.row.id, ended_hash: known.hash, ended_user: null, ended_sid: null }
        const renewed = await db.write(renewSignIn, { ...input, ...ended })
        if (renewed.length > 0) return setCookie
      }
      const { input, setCookie } = await prepare(request, userId, 'sign_in', how)
      const begun = await db.write(beginSignIn, input)
      return begun.length > 0 ? setCookie : undefined
    },

    async end(request) {
      const known = await former(request)
      if (known) {
        const { row, hash } = known
        const sid = sidOfRow(row)
        const time = now()
        const event = eventInput(
          time,
          'sign_out',
          { userId: row.user_id, ...originOf(request) },
          { provider },
        )
        await db.write(endSignIn, { id: row.id, hash, user_id: row.user_id, sid, now: time, ...event })
      }
      return writeCookie(cookie, '', { secure, base, maxAge: 0 })
    },

    ofUser: (userId) => db.all(signInsOfUser, { user_id: userId, now: now() }),

    accountOf: (row) => ({
      provider,
      issuer: row.issuer,
      subject: row.subject,
      ...(row.auth_time === 0 ? {} : { authTime: row.auth_time }),
      ...(row.acr === null ? {} : { acr: row.acr }),
      ...(row.amr === null ? {} : { amr: row.amr.split(' ') }),
      sessionId: row.id,
      ...(row.name === null ? {} : { name: row.name }),
      ...(row.email === null ? {} : { email: row.email }),
    }),
  }
}

/** Address and user agent of a request, for the audit log. */
export function originOf(request: Pick<Incoming, 'header' | 'address'>) {
  return { address: request.address, userAgent: request.header('user-agent') }
}
