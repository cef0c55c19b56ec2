/** How many letters must be inserted, deleted, changed or swapped with the next one to turn one word into the other. */
function distance(from: string, to: string): number {
  const rows = [Array.from({ length: to.length + 1 }, (_, n) => n)]
  for (let i = 1; i <= from.length; i++) {
    const row = [i]
    for (let j = 1; j <= to.length; j++) {
      const changed = rows[i - 1]![j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1)
      row[j] = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, changed)
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1])
        row[j] = Math.min(row[j]!, rows[i - 2]![j - 2]! + 1)
    }
    rows.push(row)
  }
  return rows[from.length]![to.length]!
}

const longest = 40

/** The known word that is close to what was typed; undefined where none is. */
export function closest(typed: string, known: readonly string[]): string | undefined {
  if (typed.length > longest) return undefined
  const text = typed.toLowerCase()
  const [best] = known
    .map((word) => ({ word, away: distance(text, word.toLowerCase()) }))
    .filter(({ word, away }) => away <= Math.max(1, Math.floor(Math.min(word.length, text.length) / 3)))
    .sort((a, b) => a.away - b.away)
  return best?.word
}

/** `; did you mean clients?` where one of the known words is close to what was typed, and otherwise nothing. */
export function didYouMean(typed: string, known: readonly string[]): string {
  const meant = closest(typed, known)
  return meant === undefined ? '' : `; did you mean ${meant}?`
}
