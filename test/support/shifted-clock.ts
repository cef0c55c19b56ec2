// Loaded by `--import` before anything else: the system clock of this process is off by CLOCK_SHIFT milliseconds.

const shift = Number(process.env['CLOCK_SHIFT'] ?? 0)
const Real = Date

globalThis.Date = class extends Real {
  constructor(...given: [] | [number]) {
    if (given.length === 0) super(Real.now() + shift)
    else super(...given)
  }
  static override now(): number {
    return Real.now() + shift
  }
} as DateConstructor
