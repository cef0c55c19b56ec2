/** The oldest Node that runs this. It is also the `engines` of package.json. */
const needed = 24

/** What is wrong with this Node, in one line; undefined where it will do, or where this is no Node. */
export function nodeProblem(version: string | undefined, path: string): string | undefined {
  if (version === undefined || Number.parseInt(version, 10) >= needed) return undefined
  return `Gatehouse needs Node ${needed} or newer; this is Node ${version} (${path}). Get it from https://nodejs.org/en/download`
}
