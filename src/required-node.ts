// Imported first by the entries of the package: an older Node is told so, in one line, before anything it lacks is used.
import { nodeProblem } from './node-version.ts'

const problem = nodeProblem(globalThis.process?.versions?.node, globalThis.process?.execPath ?? '')
if (problem !== undefined) {
  const error = new Error(problem)
  // The stack trace does not help a user who has to install another Node.
  error.stack = `Error: ${problem}`
  throw error
}
