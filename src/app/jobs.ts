import { every, later } from '../clock.ts'
import { isUnavailable } from '../stores/unavailable.ts'
import { noteSeconds } from '../tokens/token-lives.ts'
import type { Runtime, Services } from './services.ts'

/** What an instance does while nobody asks it anything. */
export class Jobs {
  readonly #world: Runtime
  readonly #services: Services
  #stops: (() => Promise<void>)[] = []

  constructor(runtime: Runtime, services: Services) {
    this.#world = runtime
    this.#services = services
  }

  /** Makes what is missing, reads the keys, and goes on from there. */
  async start(): Promise<void> {
    const { config, log } = this.#world
    const { revocations, feed, throttle, apiClients, mailSender, janitor } = this.#services
    await this.#services.tokenLives.note()
    await revocations.start()
    await feed.start()
    await throttle.start()
    await tendKeys(this.#world, this.#services)
    await apiClients.ensureOwn()
    mailSender.start()
    const again = (seconds: number, what: string, job: () => Promise<unknown>) =>
      every(seconds, job, (error) => log.error({ err: error }, `${what} failed`))
    this.#stops = [
      again(config.KEYRING_REREAD_SECONDS, 'rereading the keys', () =>
        tendKeys(this.#world, this.#services),
      ),
      again(noteSeconds, 'noting the life of tokens', () => this.#services.tokenLives.note()),
      again(1, 'following the revocations', () => revocations.follow()),
      again(0.5, 'following for the verifiers', () => followQuietly(feed)),
      again(config.JANITOR_SECONDS, 'sweeping', () => janitor.run(mayDelete(this.#world))),
      () => mailSender.stop(),
    ]
  }

  /** After what is under way. */
  async stop(): Promise<void> {
    const { feed, janitor, revocations, unanswered } = this.#services
    feed.drain()
    janitor.stop()
    await Promise.all(this.#stops.map((stop) => stop()))
    // Last, when nothing else uses the database that may have failed to write them.
    await unanswered.stop()
    revocations.stop()
  }
}

/** By a clock that may be wrong nothing is deleted: what it takes for expired may be live. */
const mayDelete = ({ databaseClock }: Runtime): boolean => databaseClock?.isCertain ?? true

/** A database that is away is in the log already, and `signet_feed_age_seconds` shows it. */
async function followQuietly(feed: Services['feed']): Promise<void> {
  await feed.follow().catch((error) => {
    if (!isUnavailable(error)) throw error
  })
}

/** Sees to it that a successor is published and that a key which signs no more has no private half. */
async function tendKeys(runtime: Runtime, { rotation, keyring, signingKeys, timing }: Services) {
  await rotation.ensure()
  if (mayDelete(runtime)) {
    await signingKeys.forgetPrivateHalves(later(runtime.now(), -2 * timing.rereadSeconds))
  }
  await keyring.reread()
}
