// A process and all its children, stopped where they stand (SIGSTOP) and let go again.

import { execFileSync } from 'node:child_process'

/** Sends a signal to a process of this test's own and to its children. */
export function signalTree(pid: number, signal: 'SIGSTOP' | 'SIGCONT'): void {
  // A stopped parent starts nothing more, so the list is whole.
  if (signal === 'SIGSTOP') process.kill(pid, signal)
  for (const child of childrenOf(pid)) {
    try {
      process.kill(child, signal)
    } catch {
      // It has ended meanwhile.
    }
  }
  if (signal === 'SIGCONT') process.kill(pid, signal)
}

function childrenOf(pid: number): number[] {
  const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter(([, parent]) => parent === pid)
    .map(([child]) => child!)
}
