import { list, text } from '../../config/section.ts'

/** Exact names, or all below one (`*.example.com`). */
export const hosts = list(
  text('host names in lower case, or all below one', isHost, { example: '*.example.com' }),
)

function isHost(given: string): boolean {
  const name = given.replace(/^\*\./, '')
  return (
    /^[a-z0-9._-]+$/.test(name) &&
    URL.canParse(`https://${name}`) &&
    new URL(`https://${name}`).hostname === name
  )
}
