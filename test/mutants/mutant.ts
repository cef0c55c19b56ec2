// What a mutant is: this server with one rule off, by an edit of one source file that happens as the file is loaded.

import type { Refusal as AccountRefusal } from '../../src/accounts/refusals.ts'
import type { Reason as OauthReason } from '../../src/protocol/refusals.ts'

/** An edit: in one file, one place, other text. */
export interface Edit {
  /** Below `src/`. */
  file: string
  /** Stands there exactly once. */
  find: string
  replace: string
}

type Reason = OauthReason | AccountRefusal['refusal']

export interface Mutant {
  /** The reason that is given no more, or the name of a rule that is no refusal. */
  rule: Reason | Rule
  /** One, or several where the server holds the rule in two places and either alone would do. */
  edits: readonly Edit[]
  /** Rules of `verify` that are tried first, because they are expected to see it. */
  by: readonly string[]
  /** Which server it is (`servers` in serve.ts). */
  server: ServerKind
  /** Why nobody sees it from outside, and the test of the project that sees it. */
  hidden?: { because: string; test: string }
}

/** Rules beside the refusals: what an answer must have or must not do. */
export const rules = [
  'iss in every response',
  'state in errors',
  'a pushed request is not overruled',
  'a request object is not overruled',
  'redirect URIs are compared whole',
  'loopback hosts are not interchangeable',
  'codes are spent once',
  'a code sent again ends what it began',
  'refresh tokens are rotated',
  'old refresh tokens end their session',
  'a refresh makes one successor',
  'assertions are claims of one client',
  'proofs bind tokens',
  'pages are not framed',
  'pages have a policy',
  'cookies have flags',
  'names are text',
  'answers with tokens are not kept',
  'a 401 has a challenge',
  'consent is for what was asked',
  'a demanded sign-in is new',
  'inactive tokens are inactive',
  'revocation ends tokens',
  'a logout without a hint asks',
  'only its token manages a registration',
  'device codes are spent once',
  'pushed requests are spent once',
  'redirects after forms',
  'client credentials have no refresh token',
] as const
export type Rule = (typeof rules)[number]

/** Everything on and anybody may register, or only whoever is invited. */
export type ServerKind = 'open' | 'invited'

/** A mutant that some rule of `verify` must see. */
export function visible(
  rule: Mutant['rule'],
  file: string,
  find: string,
  replace: string,
  by: string,
  server: ServerKind = 'open',
): Mutant {
  return { rule, edits: [{ file, find, replace }], by: by.split(' ').filter(Boolean), server }
}

/** A condition that refuses, and never holds in the mutant. */
export function off(
  rule: Mutant['rule'],
  file: string,
  condition: string,
  by: string,
  server: ServerKind = 'open',
): Mutant {
  return visible(rule, file, `if (${condition})`, 'if (false)', by, server)
}

/** A mutant nobody sees from outside. */
export function hidden(
  rule: Mutant['rule'],
  file: string,
  find: string,
  replace: string,
  because: string,
  test: string,
): Mutant {
  return { rule, edits: [{ file, find, replace }], by: [], server: 'open', hidden: { because, test } }
}

/** The same with the rule off in one more place. */
export function too(mutant: Mutant, file: string, find: string, replace: string): Mutant {
  return { ...mutant, edits: [...mutant.edits, { file, find, replace }] }
}

const root = new URL('../../', import.meta.url)

export function fileOf({ file }: Edit): URL {
  return new URL(`src/${file}`, root)
}

/** The source of a file with these edits. Throws where a place is not there exactly once. */
export function edited(edits: readonly Edit[], source: string): string {
  return edits.reduce((text, { file, find, replace }) => {
    const parts = text.split(find)
    if (parts.length !== 2)
      throw new Error(`${file}: ${parts.length - 1} places with ${JSON.stringify(find)}`)
    return parts.join(replace)
  }, source)
}
