import type { Worker } from 'node:cluster'
import { Gauge, Registry } from 'prom-client'
import { WorkerMetrics } from '../../telemetry/worker-metrics.ts'
import type { FromPrimary, FromWorker } from './messages.ts'
import type { WorkerPool } from './worker-pool.ts'

/** A worker that is busier than this says its numbers next time. */
const patienceMilliseconds = 2_000

/** The metrics of all workers behind one port. */
export class AllMetrics {
  readonly #flock: WorkerPool
  readonly #all = new WorkerMetrics()
  readonly #own = new Registry()
  #asked = 0

  constructor(workerPool: WorkerPool) {
    this.#flock = workerPool
    workerPool.onExit((worker) => void this.#all.leave(worker.id))
    this.#gauge('signet_workers', 'Worker processes that run', () => workerPool.workers.length)
    this.#gauge(
      'signet_workers_replaced',
      'Workers that died and were replaced',
      () => workerPool.replaced,
    )
    this.#gauge('signet_workers_hung', 'Workers that hung and were ended', () => workerPool.hung)
  }

  get contentType(): string {
    return this.#all.contentType
  }

  async metrics(): Promise<string> {
    await Promise.all(this.#flock.workers.map((worker) => this.#ask(worker)))
    return this.#all.metrics(await this.#own.getMetricsAsJSON())
  }

  #ask(worker: Worker): Promise<void> {
    this.#asked += 1
    const id = this.#asked
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(late)
        worker.off('message', listen)
        worker.off('exit', done)
        resolve()
      }
      const listen = (message: FromWorker) => {
        if (message.signet !== 'metrics' || message.id !== id) return
        this.#all.keep(worker.id, message.snapshot)
        done()
      }
      const late = setTimeout(done, patienceMilliseconds)
      worker.on('message', listen)
      worker.once('exit', done)
      if (!worker.isConnected()) return done()
      const question: FromPrimary = { signet: 'metrics', id }
      worker.send(question, undefined, (error) => error && done())
    })
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      ...{ name, help, registers: [this.#own] },
      collect() {
        this.set(read())
      },
    })
  }
}
