/**
 * JWS wants r and s of an ES256 signature side by side (RFC 7518 §3.4). Node can make and read them so, but asking it to
 * (`dsaEncoding`) takes its slow path, twice the time of signing with the bare key; turning DER around here costs next to
 * nothing.
 */

export function rawFromDer(der: Buffer): Buffer {
  const raw = Buffer.alloc(64)
  let at = 3
  for (let end = 32; end <= 64; end += 32) {
    const length = der[at]!
    const digits = der.subarray(at + 1, at + 1 + length)
    const value = length > 32 ? digits.subarray(length - 32) : digits
    value.copy(raw, end - value.length)
    at += length + 2
  }
  return raw
}

export function derFromRaw(raw: Buffer): Buffer {
  const [r, s] = [raw.subarray(0, 32), raw.subarray(32)].map((value) => {
    let start = 0
    while (start < 31 && value[start] === 0) start++
    const digits = value.subarray(start)
    // A leading one bit would make the number negative.
    return digits[0]! & 0x80 ? Buffer.concat([Buffer.from([0]), digits]) : digits
  }) as [Buffer, Buffer]
  return Buffer.concat([
    Buffer.from([0x30, r.length + s.length + 4, 2, r.length]),
    r,
    Buffer.from([2, s.length]),
    s,
  ])
}
