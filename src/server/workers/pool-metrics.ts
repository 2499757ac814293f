import type { Worker } from 'node:cluster'
import { AggregatorRegistry, Gauge, Registry } from 'prom-client'
import type { FromPrimary, FromWorker, Snapshot } from './messages.ts'
import type { WorkerPool } from './worker-pool.ts'

/**
 * Aggregates the snapshots of the workers. A worker that is late or dead keeps counting with its last
 * snapshot, because a falling counter reads as a restart. prom-client's `clusterMetrics` forgets dead
 * workers, and fails as a whole when one does not answer (ADR 36).
 */
export class WorkerMetrics {
  readonly #latest = new Map<number, Snapshot>()
  #departed: Snapshot = []

  keep(worker: number, snapshot: Snapshot): void {
    this.#latest.set(worker, snapshot)
  }

  /** Keeps the counters of a worker that has ended, and drops its gauges. */
  async leave(worker: number): Promise<void> {
    const last = this.#latest.get(worker)
    this.#latest.delete(worker)
    if (!last) return
    const counts = last.filter(({ type }) => ['counter', 'histogram'].includes(String(type)))
    const sum = AggregatorRegistry.aggregate([this.#departed, counts])
    this.#departed = await sum.getMetricsAsJSON()
  }

  /** @param own the metrics of the primary process */
  metrics(own: Snapshot): Promise<string> {
    return AggregatorRegistry.aggregate([own, ...this.#latest.values(), this.#departed]).metrics()
  }
}

/** A worker that takes longer is represented by its last snapshot. */
const patienceMilliseconds = 2_000

/** The metrics of a whole pool, for one metrics port. */
export class PoolMetrics {
  readonly contentType = AggregatorRegistry.PROMETHEUS_CONTENT_TYPE
  readonly #pool: WorkerPool
  readonly #workers = new WorkerMetrics()
  readonly #own = new Registry()

  constructor(pool: WorkerPool) {
    this.#pool = pool
    pool.onExit((worker) => void this.#workers.leave(worker.id))
    this.#gauge('signet_workers', 'Running worker processes', () => pool.workers.length)
    this.#gauge(
      'signet_workers_replaced',
      'Workers that ended and were replaced',
      () => pool.replaced,
    )
    this.#gauge('signet_workers_hung', 'Workers that hung and were killed', () => pool.hung)
  }

  async metrics(): Promise<string> {
    await Promise.all(this.#pool.workers.map((worker) => this.#refresh(worker)))
    return this.#workers.metrics(await this.#own.getMetricsAsJSON())
  }

  /** Resolves when the worker has sent a snapshot, has ended, or is late. */
  #refresh(worker: Worker): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(late)
        worker.off('message', onMessage)
        worker.off('exit', done)
        resolve()
      }
      const onMessage = (message: FromWorker) => {
        if (message.signet !== 'metrics') return
        this.#workers.keep(worker.id, message.snapshot)
        done()
      }
      const late = setTimeout(done, patienceMilliseconds)
      worker.on('message', onMessage)
      worker.once('exit', done)
      const question: FromPrimary = { signet: 'metrics' }
      if (worker.isConnected()) worker.send(question, undefined, (error) => error && done())
      else done()
    })
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.#own],
      collect() {
        this.set(read())
      },
    })
  }
}
