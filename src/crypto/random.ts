import { randomFillSync } from 'node:crypto'

/** Random bytes are drawn from the system in blocks: a call for each token costs more than the token's hash. */
const block = Buffer.allocUnsafeSlow(8_192)
let used = block.length

/** The next `length` unused bytes of the block; wiped once `read` has turned them into text. */
function draw(length: number, read: (bytes: Buffer, from: number, to: number) => string): string {
  if (used + length > block.length) {
    randomFillSync(block)
    used = 0
  }
  const from = used
  used += length
  const text = read(block, from, used)
  block.fill(0, from, used)
  return text
}

/** Random text: `length` random bytes in base64url. At most 1,024 bytes. */
export function randomText(length: number): string {
  return draw(length, (bytes, from, to) => bytes.toString('base64url', from, to))
}

/** `length` random characters of an alphabet of 32. */
export function randomCharacters(length: number, alphabet: string): string {
  return draw(length, (bytes, from, to) => {
    let text = ''
    for (let at = from; at < to; at++) text += alphabet[bytes[at]! & 31]
    return text
  })
}
