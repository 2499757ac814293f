import type { Cost } from './families.ts'
import { fullDisk } from './full-disk.ts'
import { hangingStandby } from './hanging-standby.ts'
import type { Place } from './instances.ts'
import { promotedStandby } from './promoted-standby.ts'
import { restoredBackup } from './restored-backup.ts'
import { rollingRelease } from './rolling-release.ts'
import { switchover } from './switchover.ts'
import { wrongClocks } from './wrong-clocks.ts'

interface Drill {
  /** A row of the table in docs/operations.md. */
  readonly fault: string
  /** @returns the cost, or the reason why this machine cannot bring the fault */
  readonly run: (place: Place) => Promise<Cost | string>
}

/** Faults that need instances and a PostgreSQL of their own. */
export const drills: Readonly<Record<string, Drill>> = {
  'promoted-at-once': {
    fault: 'the primary dies, and an asynchronous standby is promoted',
    run: (place) => promotedStandby(place, 0),
  },
  promoted: {
    fault: 'the primary dies, and an asynchronous standby that is 4 s behind is promoted',
    run: (place) => promotedStandby(place, 4),
  },
  switchover: {
    fault: 'the primary is changed between `PAUSE` and `RESUME`',
    run: switchover,
  },
  hanging: {
    fault: 'the only synchronous standby hangs for 45 s, without PgBouncer',
    run: hangingStandby,
  },
  restored: {
    fault: 'a backup is restored between `PAUSE` and `RESUME`',
    run: restoredBackup,
  },
  disk: {
    fault: 'the disk of PostgreSQL is full',
    run: fullDisk,
  },
  releases: {
    fault: 'the release before runs beside this one, and after it',
    run: rollingRelease,
  },
  clocks: {
    fault: 'wall clocks are off by 30 s, by 120 s and by an hour',
    run: wrongClocks,
  },
}
