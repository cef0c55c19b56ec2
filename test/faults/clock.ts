// Loaded with --import: this process's clock is wrong by so many milliseconds.

const by = Number(process.env['TEST_CLOCK_OFFSET'])
const Real = Date
const now = () => Real.now() + by

globalThis.Date = new Proxy(Real, {
  construct: (target, given) => (given.length === 0 ? new target(now()) : Reflect.construct(target, given)),
  apply: () => new Real(now()).toString(),
  get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
})
