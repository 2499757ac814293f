import { AggregatorRegistry, type MetricObjectWithValues, type MetricValue } from 'prom-client'

/** All that one worker counts, as it travels between processes. */
export type Snapshot = MetricObjectWithValues<MetricValue<string>>[]

/** What only goes up. Without a worker's part the sum would fall, which reads like a restart. */
const lasting = (metric: Snapshot[number]): boolean =>
  ['counter', 'histogram'].includes(String(metric.type))

/**
 * What the workers of one server count, as one. A worker that does not answer, or has died, goes on
 * counting with what it last said.
 */
export class WorkerMetrics {
  readonly #latest = new Map<number, Snapshot>()
  #departed: Snapshot = []

  get contentType(): string {
    return AggregatorRegistry.PROMETHEUS_CONTENT_TYPE
  }

  keep(worker: number, snapshot: Snapshot): void {
    this.#latest.set(worker, snapshot)
  }

  /** It has died. What it counted stays in the sums, what it measured goes. */
  async leave(worker: number): Promise<void> {
    const last = this.#latest.get(worker)
    this.#latest.delete(worker)
    if (!last) return
    const sum = AggregatorRegistry.aggregate([this.#departed, last.filter(lasting)])
    this.#departed = await sum.getMetricsAsJSON()
  }

  /** @param own what the primary process counts itself */
  metrics(own: Snapshot): Promise<string> {
    const all = [own, ...this.#latest.values(), this.#departed]
    return AggregatorRegistry.aggregate(all).metrics()
  }
}
