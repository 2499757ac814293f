import type { FaultList } from './fault.ts'

/** By the folder of `src/` that the faults are in. */
export const faultLists: Readonly<Record<string, FaultList>> = {}
