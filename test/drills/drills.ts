import { hangingStandby } from './hanging-standby.ts'
import type { Place } from './instances.ts'
import { promotedStandby } from './promoted-standby.ts'
import { rollingRelease } from './rolling-release.ts'
import { switchover } from './switchover.ts'
import { wrongClocks } from './wrong-clocks.ts'

interface Drill {
  /** A row of the table in docs/operations.md. */
  readonly fault: string
  /** @returns what clients saw */
  readonly run: (place: Place) => Promise<string>
}

/** Faults that need instances and a PostgreSQL of their own. */
export const drills: Readonly<Record<string, Drill>> = {
  promoted: {
    fault: 'the primary dies, and an asynchronous standby that is 4 s behind is promoted',
    run: promotedStandby,
  },
  switchover: {
    fault: 'the primary is changed between `PAUSE` and `RESUME`',
    run: switchover,
  },
  hanging: {
    fault: 'the only synchronous standby hangs for 45 s, without PgBouncer',
    run: hangingStandby,
  },
  releases: {
    fault: 'the release before runs beside this one, and after it',
    run: rollingRelease,
  },
  clocks: {
    fault: 'wall clocks are off by 30 s and by an hour',
    run: wrongClocks,
  },
}
