import type { Field } from './field.ts'

/** Adds to the figures of a race. */
export type Count = (answers: Record<string, number>) => void

/** Something that several processes are asked at once. */
export interface Race {
  name: string
  /** Makes what all rounds share, and answers one round, which throws when an invariant does not hold. */
  prepare(field: Field): Promise<(count: Count) => Promise<void>>
}

/** Runs a race so many times and answers its figures. */
export async function run(race: Race, field: Field, rounds: number): Promise<Record<string, number>> {
  const figures: Record<string, number> = {}
  const round = await race.prepare(field)
  for (let n = 0; n < rounds; n++) {
    await round((answers) => {
      for (const [name, count] of Object.entries(answers)) figures[name] = (figures[name] ?? 0) + count
    })
  }
  field.assertNoFault()
  return figures
}
