import { every, later } from '../clock.ts'
import { failureMembers, isUnavailable } from '../stores/unavailable.ts'
import { tracedJob } from '../telemetry/spans.ts'
import { noteSeconds } from '../tokens/token-lives.ts'
import type { Runtime, Services } from './services.ts'

/** The background jobs of one serving instance. */
export class Jobs {
  readonly #runtime: Runtime
  readonly #services: Services
  #stops: (() => Promise<void>)[] = []

  constructor(runtime: Runtime, services: Services) {
    this.#runtime = runtime
    this.#services = services
  }

  /** Runs every job once, in the order in which they depend on each other, then schedules them. */
  async start(): Promise<void> {
    const { config, log, tracer } = this.#runtime
    const { tokenLives, revocations, feed, throttle, apiClients, janitor } = this.#services
    const { mailSender, logoutSender, refusals } = this.#services
    const tendKeys = () => this.#tendKeys()
    await tokenLives.note()
    await revocations.start()
    await feed.start()
    await throttle.start()
    await tendKeys()
    await apiClients.ensureOwn()
    mailSender.start()
    logoutSender.start()
    const repeat = (seconds: number, name: string, job: () => Promise<unknown>) =>
      every(seconds, job, (error) => log.error(failureMembers(error), `${name} failed`))
    const traced = (seconds: number, name: string, job: () => Promise<unknown>) =>
      repeat(seconds, name, () => tracedJob(tracer, name, job))
    this.#stops = [
      traced(config.KEYRING_REREAD_SECONDS, 'rereading the keys', tendKeys),
      traced(noteSeconds, 'recording the token lifetime', () => tokenLives.note()),
      // Every second and twice a second: their traces would be most of all.
      repeat(1, 'following the revocations', () => revocations.follow()),
      repeat(0.5, 'following the revocations for verifiers', () => this.#followFeed()),
      traced(config.JANITOR_SECONDS, 'deleting expired rows', () => janitor.run(this.#mayDelete)),
      repeat(1, 'recording refusals', () => refusals.write()),
      () => mailSender.stop(),
      () => logoutSender.stop(),
    ]
  }

  /** Resolves when the runs in progress have ended. */
  async stop(): Promise<void> {
    const { feed, janitor, revocations, unanswered, refusals } = this.#services
    feed.drain()
    janitor.stop()
    await Promise.all(this.#stops.map((stop) => stop()))
    // Last, because earlier writes of it may have failed while other jobs used the database.
    await unanswered.stop()
    await refusals.stop()
    revocations.stop()
  }

  /** False while the clock is in doubt: rows that look expired may be live. */
  get #mayDelete(): boolean {
    return this.#runtime.databaseClock?.isCertain ?? true
  }

  /** Publishes a successor when one is missing, and deletes private halves that no longer sign. */
  async #tendKeys(): Promise<void> {
    const { rotation, keyring, signingKeys, timing } = this.#services
    await rotation.ensure()
    if (this.#mayDelete) {
      const unusedSince = later(this.#runtime.now(), -2 * timing.rereadSeconds)
      await signingKeys.forgetPrivateHalves(unusedSince)
    }
    await keyring.reread()
  }

  /** Ignores an unreachable database: the log has it already, and `signet_feed_age_seconds` shows it. */
  async #followFeed(): Promise<void> {
    await this.#services.feed.follow().catch((error) => {
      if (!isUnavailable(error)) throw error
    })
  }
}
