import type { MetricObjectWithValues, MetricValue } from 'prom-client'

/** The protocol between the primary process and its workers. */

/** The metrics of one worker. */
export type Snapshot = MetricObjectWithValues<MetricValue<string>>[]

/** Messages of the primary process to a worker. */
export type FromPrimary =
  | { readonly signet: 'stop' | 'insist'; readonly signal: string }
  | { readonly signet: 'metrics' }

/** Messages of a worker; `alive` comes every second. */
export type FromWorker =
  | { readonly signet: 'alive' }
  | { readonly signet: 'ready'; readonly url: string }
  | { readonly signet: 'metrics'; readonly snapshot: Snapshot }

/** The environment variable in which the primary process tells a worker its number. */
export const workerVariable = 'SIGNET_WORKER'
