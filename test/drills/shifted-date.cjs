// Loaded with --require: the wall clock of this process alone is off by SHIFT_SECONDS.
const shift = Number(process.env.SHIFT_SECONDS) * 1000
const RealDate = Date

globalThis.Date = class extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(RealDate.now() + shift)
    else super(...args)
  }

  static now() {
    return RealDate.now() + shift
  }
}
