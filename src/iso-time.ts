let lastTime = Number.NaN
let lastText = ''

/** Epoch milliseconds in ISO 8601, as logs and events write them; many of one millisecond share the work. */
export function isoTime(time: number): string {
  if (time !== lastTime) {
    lastTime = time
    lastText = new Date(time).toISOString()
  }
  return lastText
}
